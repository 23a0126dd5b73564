"""`compute`: new columns, or new values of old ones; every expression sees the columns as they were before."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Shape
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Compute(Node):
    """New columns, or new values of old ones. Every expression sees the columns as they were before, so their order
    does not matter."""

    operation: ClassVar[str] = "compute"
    example: ClassVar[Example] = Example(
        {"sales": table("| quantity: integer | price: decimal(6,2)? |", "| 2 | 1.50 |", "| 3 | |")},
        "priced:\n  compute: {amount: quantity * price, quantity: quantity + 1}\n  from: sales",
        table(
            "| quantity: integer? | price: decimal(6,2)? | amount: decimal(26,2)? |",
            "| 3 | 1.50 | 3.00 |",
            "| 4 | | |",
        ),
    )

    compute: dict[Column, str] = Field(
        min_length=1, description="New columns (or new values of old ones) by expression over the input's columns."
    )

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        yield from ((("compute", name), text) for name, text in self.compute.items())

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        for name in self.compute:
            if name not in columns:
                check.new(name, columns, "compute", name)
        return inputs[0].with_columns({**columns, **check.types(self.compute, columns, "compute")})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(name for name in lineage.source.columns if name not in self.compute)
        for name, text in self.compute.items():
            lineage.value(lineage.used(text, f"compute.{name}"), name, text)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        source = inputs[0]
        new = {name: step.expression(text, source.columns, f"compute.{name}") for name, text in self.compute.items()}
        return replaced(source, made, new)
