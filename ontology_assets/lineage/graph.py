"""The graph of columns: its nodes and edges, and what is reached from a column.

Every table has, beside its columns, the node `*`: which rows there are. A column that decides about rows (a filter, a
key, a group) leads to `*` and not to each column; what reaches `*` reaches every column of its table.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

ROWS = "*"
Layer = Literal["file", "raw", "clean", "transform", "object", "event", "topic", "index"]
Kind = Literal["value", "rows"]
SAME_ROWS = "its rows"


@dataclass(frozen=True, order=True)
class Column:
    """A column of a table. `scope` is the object type whose field it is, where a table holds the fields of several
    (the link, where it lists those of several)."""

    table: str
    name: str
    scope: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.scope}.{self.name}" if self.scope else self.name

    @property
    def id(self) -> str:
        return f"{self.table}#{self.full_name}"

    @property
    def rows(self) -> "Column":
        """The rows node of its table (of its type's part of the table)."""
        return Column(self.table, ROWS, self.scope)

    @property
    def is_rows(self) -> bool:
        return self.name == ROWS


@dataclass(frozen=True)
class Node:
    """What is known of a column. `inner`: of a pipeline's node that is no table of its own."""

    column: Column
    layer: Layer
    type: str = ""
    title: str = ""
    inner: bool = False


@dataclass(frozen=True)
class Edge:
    """`target` depends on `source`. `by` is the expression or rule. `plain`: the value goes through as it is."""

    source: Column
    target: Column
    by: str
    kind: Kind
    plain: bool = False


@dataclass
class ColumnGraph:
    """Nodes and edges of one or several domains; filled by the builders of this package, then only read."""

    nodes: dict[Column, Node] = field(default_factory=dict)
    edges: dict[tuple[Column, Column, Kind], Edge] = field(default_factory=dict)

    def add(self, column: Column, layer: Layer, kind: str = "", title: str = "", *, inner: bool = False) -> Column:
        """Put a node, and with it the rows node of its table."""
        if column.rows not in self.nodes:
            self.nodes[column.rows] = Node(column.rows, layer, "", f"rows of {column.table}", inner)
        if not column.is_rows:
            self.nodes[column] = Node(column, layer, kind, title or column.name, inner)
        return column

    def link(self, source: Column, target: Column, by: str, kind: Kind = "value", *, plain: bool = False) -> None:
        """Put an edge; two rules between the same columns become one edge that names both."""
        place = (source, target, kind)
        known = self.edges.get(place)
        if known is not None and by not in known.by:
            by, plain = f"{known.by}; {by}", False
        self.edges[place] = Edge(source, target, by, kind, plain)

    def link_all(self, sources: Iterable[Column], target: Column, by: str, kind: Kind = "value") -> None:
        for source in sources:
            self.link(source, target, by, kind)

    def same_rows(self, source: str, target: str, by: str = SAME_ROWS) -> None:
        """The rows of one table are made of the rows of another."""
        self.link(Column(source, ROWS), Column(target, ROWS), by, "rows", plain=True)

    def without(self, edge: Edge) -> "ColumnGraph":
        """The graph with one edge taken out."""
        return ColumnGraph(
            dict(self.nodes),
            {place: one for place, one in self.edges.items() if place != (edge.source, edge.target, edge.kind)},
        )

    def into(self) -> dict[Column, list[Edge]]:
        """Edges by their target."""
        found: dict[Column, list[Edge]] = defaultdict(list)
        for edge in self.edges.values():
            found[edge.target].append(edge)
        return found

    def out_of(self) -> dict[Column, list[Edge]]:
        """Edges by their source."""
        found: dict[Column, list[Edge]] = defaultdict(list)
        for edge in self.edges.values():
            found[edge.source].append(edge)
        return found

    def columns_of(self, table: str) -> Iterator[Column]:
        """The columns of a table, without its rows nodes."""
        return (column for column in self.nodes if column.table == table and not column.is_rows)

    def affected_by(self, starts: Iterable[Column]) -> set[Column]:
        """All columns that may differ where these do: forwards, and from the rows of a table to all its columns."""
        members: dict[Column, list[Column]] = defaultdict(list)
        for column in self.nodes:
            members[column.rows].append(column)
        out_of = self.out_of()
        return _reached(
            starts,
            lambda column: [
                *(edge.target for edge in out_of[column]),
                *(members[column] if column.is_rows else ()),
            ],
        )

    def behind(self, starts: Iterable[Column]) -> set[Column]:
        """All columns that these are made of: backwards, and from each column to the rows of its table."""
        into = self.into()
        return _reached(
            starts,
            lambda column: [
                *(edge.source for edge in into[column]),
                *([column.rows] if column.rows in self.nodes else ()),
            ],
        )

    def ahead(self, starts: Iterable[Column], *, values_only: bool = False) -> set[Column]:
        """What is made of these, along the edges; the rows of a table stand for all its columns."""
        out_of = self.out_of()
        return _reached(
            starts,
            lambda column: [edge.target for edge in out_of[column] if not values_only or edge.kind == "value"],
        )


def _reached(starts: Iterable[Column], following: Callable[[Column], Iterable[Column]]) -> set[Column]:
    waiting = list(starts)
    seen = set(waiting)
    while waiting:
        for column in following(waiting.pop()):
            if column not in seen:
                seen.add(column)
                waiting.append(column)
    return seen
