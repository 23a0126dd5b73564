"""`udf`: columns that a function in Python gives, which runs in a process of its own (`transforms.udf_calls`).

The rows come here, go through the function batch by batch, and go back to the engine: on every engine the function
runs in the same place and sees the same types.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from resources.spark import from_arrow, to_arrow
from transforms.definition_base import Column, Name
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Fault, Shape
from transforms.types import parse_type
from transforms.udf_calls import call_udf
from transforms.udf_columns import columns_with

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class CallUdf(Node):
    """Adds the columns that a function in Python gives (`udfs` of the domain). It runs in a process of its own, with
    bounded time and memory, on every engine the same."""

    operation: ClassVar[str] = "udf"

    udf: Name = Field(description="Add the columns that this function of `udfs` gives.")
    takes: dict[Column, Column] | None = Field(
        default=None,
        min_length=1,
        description="The function's column -> the node's column it is given; those not named have the same name.",
    )

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = columns_with(
            self.udf, self.takes or {}, check.scope.udfs, inputs[0].columns, at=check.at, report=check.report
        )
        if columns is None:
            raise Fault
        return inputs[0].with_columns(columns)

    def depends(self, lineage: Lineage) -> None:
        udf = lineage.scope.udfs[self.udf]
        lineage.through(lineage.source.columns)
        used = [(self.takes or {}).get(column, column) for column in udf.takes]
        for name in udf.gives:
            lineage.value(used, name, f"{udf.name} version {udf.version}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        source, udf = inputs[0], step.scope.udfs[self.udf]
        rows = to_arrow(source.data.select(*source.references()))
        for index, name in enumerate(source.columns):
            rows = rows.set_column(index, name, rows.column(index).cast(parse_type(source.columns[name]).arrow()))
        taken = {column: (self.takes or {}).get(column, column) for column in udf.takes}
        given = call_udf(udf, rows.select(list(taken.values())).rename_columns(list(taken)), where=step.where)
        for name in udf.gives:
            rows = rows.append_column(name, given[name])
        return from_arrow(source.data.sparkSession, rows.select([*made.columns, *made.carried]))
