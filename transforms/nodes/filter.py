"""`filter`: the rows for which a condition is true. Where it is false, or null, the row is left out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Shape
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Filter(Node):
    """Keeps the rows for which a condition is true; where it is false or null, the row is left out."""

    operation: ClassVar[str] = "filter"
    example: ClassVar[Example] = Example(
        {"sales": table("| shop: string | amount: integer? |", "| north | 10 |", "| south | 3 |", "| west | |")},
        "large: {filter: amount > 5, from: sales}",
        table("| shop: string | amount: integer? |", "| north | 10 |"),
    )

    filter: str = Field(description="Keep the rows for which this expression is true.")

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        yield ("filter",), self.filter

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        check.condition(self.filter, inputs[0].columns, "filter")
        return inputs[0]

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        lineage.decides(lineage.used(self.filter, "filter"), f"filter: {self.filter}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        return inputs[0].data.where(step.condition(self.filter, inputs[0].columns, "filter"))
