"""`group_by` and `aggregate`: one row for each set of values, or one for all."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, reference
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, keyed_lineage
from transforms.nodes.shape import Check, Shape
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SALES = {"sales": table("| shop: string? | amount: decimal(6,2)? |", "| north | 1.50 |", "| north | |", "| | 2.00 |")}


class GroupBy(Node):
    """One row for each set of values of the columns, within the partition, with aggregates. Missing values are a group
    of their own. Aggregates leave missing values out; of none at all `sum`, `avg`, `min` and `max` are missing."""

    operation: ClassVar[str] = "group_by"
    example: ClassVar[Example] = Example(
        SALES,
        "totals:\n  group_by: [shop]\n  aggregate: {sales: count(*), revenue: sum(amount)}\n  from: sales",
        table("| shop: string? | sales: integer | revenue: decimal(16,2)? |", "| north | 2 | 1.50 |", "| | 1 | 2.00 |"),
    )

    group_by: list[Column] = Field(min_length=1, description="Group by these columns.")
    aggregate: dict[Column, str] = Field(min_length=1, description="New columns by aggregate expression.")

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        yield from ((("aggregate", name), text) for name, text in self.aggregate.items())

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        keys = check.chosen(self.group_by, columns, "group_by")
        for name in self.aggregate:
            if name in keys:
                raise check.refuse(("aggregate", name), f"'{name}' is a column of group_by already.")
            check.new(name, keys, "aggregate", name)
        return inputs[0].with_columns({**keys, **check.types(self.aggregate, columns, "aggregate", aggregate=True)})

    def depends(self, lineage: Lineage) -> None:
        keyed_lineage(lineage, self.group_by, self.aggregate, f"group by {', '.join(self.group_by)}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        return aggregated(inputs[0], self.group_by, self.aggregate, made, step)


class Aggregate(Node):
    """One row with aggregates of all rows; of a pipeline that follows partitions one for each partition that has rows.
    Without partitions there is always one row, also of no rows at all."""

    operation: ClassVar[str] = "aggregate"
    example: ClassVar[Example] = Example(
        SALES,
        "total: {aggregate: {sales: count(*), revenue: sum(amount)}, from: sales}",
        table("| sales: integer | revenue: decimal(16,2)? |", "| 3 | 3.50 |"),
    )

    aggregate: dict[Column, str] = Field(min_length=1, description="New columns by aggregate expression.")

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        yield from ((("aggregate", name), text) for name, text in self.aggregate.items())

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        taken: list[str] = []
        for name in self.aggregate:
            check.new(name, taken, "aggregate", name)
            taken.append(name)
        return inputs[0].with_columns(check.types(self.aggregate, inputs[0].columns, "aggregate", aggregate=True))

    def depends(self, lineage: Lineage) -> None:
        keyed_lineage(lineage, [], self.aggregate, "aggregate")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        return aggregated(inputs[0], [], self.aggregate, made, step)


def aggregated(source: Frame, keys: Sequence[str], aggregates: dict[str, str], made: Shape, step: Step) -> "DataFrame":
    values = [
        step.expression(text, source.columns, f"aggregate.{name}", aggregate=True).alias(name)
        for name, text in aggregates.items()
    ]
    grouped = source.data.groupBy(*source.references(keys)).agg(*values)
    return grouped.select(*(reference(name) for name in (*made.columns, *made.carried)))
