"""An example of an operation: tables that go in, a node, the table that comes out. Shown to people, and run by a test.

Tables are written as people read them: `| shop: string | amount: integer? |`, a line for each row; nothing between two
bars is no value, quotes keep blanks and make the empty text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias

import pyarrow as pa

from transforms.types import ColumnType, parse_type

Cell: TypeAlias = str | int | float | bool | Decimal | date | datetime | None


@dataclass(frozen=True)
class Table:
    """A small table as text. Rows have no order unless somebody says so."""

    text: str

    @property
    def lines(self) -> list[list[str]]:
        return [
            [cell.strip() for cell in line.strip()[1:-1].split("|")] for line in self.text.splitlines() if line.strip()
        ]

    @property
    def columns(self) -> dict[str, str]:
        """Names and types; of a column without a type it is text that may be absent."""
        pairs = [cell.rpartition(":") if ":" in cell else (cell, ":", "string?") for cell in self.lines[0]]
        return {name.strip(): kind.strip() for name, _, kind in pairs}

    def rows(self) -> list[tuple[Cell, ...]]:
        kinds = [parse_type(kind) for kind in self.columns.values()]
        return [tuple(cell(text, kind) for text, kind in zip(line, kinds, strict=True)) for line in self.lines[1:]]

    def arrow(self) -> pa.Table:
        kinds = {name: parse_type(kind) for name, kind in self.columns.items()}
        fields = [pa.field(name, kind.arrow(), nullable=True) for name, kind in kinds.items()]
        rows = self.rows()
        arrays = [pa.array([row[index] for row in rows], one.type) for index, one in enumerate(fields)]
        return pa.table(arrays, schema=pa.schema(fields))

    def markdown(self) -> str:
        head, *rest = self.lines
        return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rest))


@dataclass(frozen=True)
class Example:
    """`tables`: inputs by name; `nodes`: YAML of the pipeline's nodes, the last of which gives `result`; `others`:
    more results by node."""

    tables: Mapping[str, Table]
    nodes: str
    result: Table
    others: Mapping[str, Table] | None = None


def table(*lines: str) -> Table:
    return Table("\n".join(lines))


def cell(text: str, kind: ColumnType) -> Cell:  # noqa: PLR0911 - an exit for each type
    """A value as a table of an example writes it."""
    if text == "":
        return None
    if kind.kind == "integer":
        return int(text)
    if kind.kind == "double":
        return float(text)
    if kind.kind == "decimal":
        return Decimal(text)
    if kind.kind == "boolean":
        return text == "true"
    if kind.kind == "date":
        return date.fromisoformat(text)
    if kind.kind == "timestamp":
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def sorted_rows(rows: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Rows in an order that any values have."""
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])
