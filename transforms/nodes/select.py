"""`select`, `drop`, `rename`: which columns there are, in which order, and what they are called."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, reference
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Fault, Shape

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SHOPS = {"shops": table("| shop: string | city: string? | opened: date? |", "| north | Oslo | 2020-05-01 |")}


class Select(Node):
    """Keeps some columns, in the order named."""

    operation: ClassVar[str] = "select"
    example: ClassVar[Example] = Example(
        SHOPS,
        "named: {select: [city, shop], from: shops}",
        table("| city: string? | shop: string |", "| Oslo | north |"),
    )

    select: list[Column] = Field(min_length=1, description="Keep these columns, in this order.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        return inputs[0].with_columns(check.chosen(self.select, inputs[0].columns, "select"))

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.made.columns)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        return inputs[0].data.select(*inputs[0].references(made.columns))


class Drop(Node):
    """Leaves columns out. A column that is not there is an error."""

    operation: ClassVar[str] = "drop"
    example: ClassVar[Example] = Example(
        SHOPS,
        "plain: {drop: [opened], from: shops}",
        table("| shop: string | city: string? |", "| north | Oslo |"),
    )

    drop: list[Column] = Field(min_length=1, description="Leave these columns out.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        check.chosen(self.drop, columns, "drop")
        kept = {name: kind for name, kind in columns.items() if name not in self.drop}
        if not kept:
            raise check.refuse(("drop",), "no column is left.")
        return inputs[0].with_columns(kept)

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.made.columns)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        return inputs[0].data.select(*inputs[0].references(made.columns))


class Rename(Node):
    """Gives columns other names; their order stays. Two columns may change names with each other. A name that another
    column has is an error, as is a column that is not there."""

    operation: ClassVar[str] = "rename"
    example: ClassVar[Example] = Example(
        SHOPS,
        "renamed: {rename: {shop: name, city: place}, from: shops}",
        table("| name: string | place: string? | opened: date? |", "| north | Oslo | 2020-05-01 |"),
    )

    rename: dict[Column, Column] = Field(min_length=1, description="Old name -> new name.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        good = [check.exists(name, columns, "rename", name) for name in self.rename]
        if not all(good):
            raise Fault
        kept = [name for name in columns if name not in self.rename]
        for old, new in self.rename.items():
            check.new(new, kept, "rename", old)
            kept.append(new)
        return inputs[0].with_columns({self.rename.get(name, name): kind for name, kind in columns.items()})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(name for name in lineage.source.columns if name not in self.rename)
        for old, new in self.rename.items():
            lineage.value([old], new, f"{old} renamed")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        values = [reference(name).alias(self.rename.get(name, name)) for name in inputs[0].columns]
        return inputs[0].data.select(*values, *inputs[0].references([]))
