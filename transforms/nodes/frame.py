"""What goes through a pipeline's nodes: a lazy DataFrame with the types of its columns.

A frame that comes from the pipeline's partitioned input carries `_partition` beside its columns: every node keeps it,
groups and windows and pivots never mix two partitions, so a partition's result depends on that partition alone and
can be computed apart. Only the Spark Connect subset of the DataFrame API is used in nodes; expressions come compiled
and checked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.expressions import ordered_by, strict_order
from transforms.nodes.shape import Columns, Scope, Shape
from transforms.sql_values import name as quoted
from transforms.sql_values import quote
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RAISED = re.compile(r"(?P<where>pipelines\.[a-z0-9_./]+): (?P<detail>[a-z_]+: .*?)(?: SQLSTATE: \w+)?$")
"""How an error looks that a node raised on purpose, whatever the engine puts around it."""


@dataclass(frozen=True)
class Frame:
    """Rows to be. `columns` maps names to types, in order, without `_partition`."""

    data: "DataFrame"
    columns: Columns
    partitioned: bool

    @property
    def shape(self) -> Shape:
        return Shape(self.columns, self.partitioned)

    @property
    def carried(self) -> list[str]:
        """The partition column, where there is one."""
        return self.shape.carried

    def typed_columns(self) -> dict[str, str]:
        """Columns as an expression may see them, the carried one included."""
        return self.shape.typed_columns()

    def references(self, names: Iterable[str] | None = None) -> "list[Column]":
        """Columns (all of them where none are named) and the carried one."""
        return [reference(name) for name in (*(self.columns if names is None else names), *self.carried)]


@dataclass(frozen=True)
class Step:
    """One node about to be applied: its place in the definitions, and what its expressions may name beside columns."""

    where: str
    scope: Scope

    def expression(self, text: str, columns: Mapping[str, str], field: str, **options: object) -> "Column":
        """The value of an expression of a user. `field`: its place in the node."""
        return sql(self.scope.compiled(text, columns, where=f"{self.where}.{field}", **options).sql)

    def condition(self, text: str, columns: Mapping[str, str], field: str) -> "Column":
        return sql(self.scope.condition(text, columns, where=f"{self.where}.{field}").sql)

    def raised(self, operation: str, message: str, kind: str) -> str:
        """SQL that ends the run with a message. `message`: SQL of its text; `kind`: the type it stands in for."""
        head = quote(f"{self.where}: {operation}: ")
        return f"CAST(RAISE_ERROR(CONCAT({head}, {message})) AS {parse_type(kind).sql})"


def reference(name: str) -> "Column":
    """A column by its exact name, whatever characters it has."""
    from pyspark.sql import functions

    return functions.col(quoted(name))


def sql(text: str) -> "Column":
    """A column by SQL that was made here, of quoted names and checked expressions only."""
    from pyspark.sql import functions

    return functions.expr(text)


def over(shape: Shape, partition_by: Sequence[str], order_by: Sequence[str] = (), rows: str = "") -> str:
    """An OVER clause within the partition. Its order is total: what the entries leave open is settled by all other
    columns, in their order, so that the same rows always give the same."""
    bounds = [*partition_by, *shape.carried]
    parts = ["PARTITION BY " + ", ".join(map(quoted, bounds))] if bounds else []
    if order_by:
        types = {name: parse_type(kind) for name, kind in shape.columns.items()}
        parts.append(ordered_by(strict_order(order_by, types), types))
    return f"OVER ({' '.join([*parts, *([rows] if rows else [])])})"


def own_prefix(*names: Iterable[str]) -> str:
    """What no column's name begins with: for columns that live within one node."""
    taken = [name for several in names for name in several]
    prefix = "_own"
    while any(name.lower().startswith(prefix) for name in taken):
        prefix += "_"
    return prefix
