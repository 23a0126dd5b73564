"""Reading stored rows back: the SELECT of a type and the way from a tuple to a Row."""

from collections.abc import Callable
from typing import Any

from resources.read_model.query import Row, TypeLayout
from resources.read_model.sqlite_layout import cell_columns, link_columns


def row_reader(no: int, layout: TypeLayout, source: str | None = None) -> tuple[str, Callable[[tuple[Any, ...]], Row]]:
    """`SELECT ... FROM <source>` (the type's table, if not told) and what makes a Row of each result."""
    cells, links = cell_columns(layout), link_columns(layout)
    names = ", ".join(["id", "rid", "sequence", "position", *cells, *links])
    end = 4 + len(cells)

    def to_row(found: tuple[Any, ...]) -> Row:
        return Row(layout, found[0], found[1], found[2], found[3], found[4:end], found[end:])

    return f"SELECT {names} FROM {source or f't{no}'}", to_row  # noqa: S608  names come from the layout
