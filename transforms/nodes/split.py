"""`split`: the rows for which a condition is true, and all others under a second name. Every row is in exactly one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from transforms.definition_base import Name
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Shape
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Split(Node):
    """Two results: the rows for which a condition is true have the node's name, all others (false or null) the name in
    `rest`. No row is in both, none is lost."""

    operation: ClassVar[str] = "split"
    example: ClassVar[Example] = Example(
        {"sales": table("| shop: string | amount: integer? |", "| north | 10 |", "| south | 3 |", "| west | |")},
        "large: {split: amount > 5, rest: others, from: sales}",
        table("| shop: string | amount: integer? |", "| north | 10 |"),
        {"others": table("| shop: string | amount: integer? |", "| south | 3 |", "| west | |")},
    )

    split: str = Field(description="Condition of the rows that have the node's name.")
    rest: Name = Field(description="Name of the other rows, for nodes that read them.")

    def named(self, name: str) -> Mapping[str, Node]:
        return {name: self, self.rest: _Rest.model_construct(**dict(self))}

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        yield ("split",), self.split

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        check.condition(self.split, inputs[0].columns, "split")
        return inputs[0]

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        lineage.decides(lineage.used(self.split, "split"), f"split: {self.split}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        return inputs[0].data.where(step.condition(self.split, inputs[0].columns, "split"))


class _Rest(Split):
    """The rows for which the condition is not true."""

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        lineage.decides(lineage.used(self.split, "split"), f"not split: {self.split}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        from pyspark.sql import functions

        condition = step.condition(self.split, inputs[0].columns, "split")
        return inputs[0].data.where(~functions.coalesce(condition, sql("FALSE")))
