"""What goes through a pipeline's nodes: a lazy DataFrame with the types of its columns.

A frame that comes from the pipeline's partitioned input carries `_partition` beside its columns: every node keeps it,
groups and windows and pivots never mix two partitions, so a partition's result depends on that partition alone and
can be computed apart. Only the Spark Connect subset of the DataFrame API is used in nodes; expressions come compiled
and checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.lake.base import PARTITION
from transforms.bound_definitions import Parameter
from transforms.sql_values import name as quoted
from transforms.udf_code import UdfCode

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Frame:
    """Rows to be. `columns` maps names to types, in order, without `_partition`."""

    data: "DataFrame"
    columns: dict[str, str]
    partitioned: bool

    @property
    def carried(self) -> list[str]:
        """The partition column, where there is one."""
        return [PARTITION] if self.partitioned else []

    def typed_columns(self) -> dict[str, str]:
        """Columns as an expression may see them, the carried one included."""
        return {**self.columns, **dict.fromkeys(self.carried, "string")}


@dataclass(frozen=True)
class Step:
    """One node about to be applied: its place in the definitions, the local time zone of expressions, and what they
    may name beside columns."""

    where: str
    timezone: str
    parameters: Mapping[str, Parameter]
    udfs: Mapping[str, UdfCode]


def reference(name: str) -> "Column":
    """A column by its exact name, whatever characters it has."""
    from pyspark.sql import functions

    return functions.col(quoted(name))
