"""Objects as JSON documents, and the answer to "give me this one".

Properties are in the canonical JSON forms of the event's state: decimals as text at their scale, timestamps with six
decimals, geopoints as `{"lat","lon"}`; absent ones are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from ontology_assets.projections.cells import decode
from resources.read_model.query import Cell, Field, Kind, Row, TypeLayout

KEPT_VALUES = 4096
FULL, PARTIAL, MISSING = "FULL", "PARTIAL", "MISSING"
_AS_STORED = frozenset({Kind.STRING, Kind.ENUM, Kind.DATE, Kind.INTEGER, Kind.DOUBLE})

Document = dict[str, Any]
Fields = frozenset[str] | None
"""The members asked for; None means all."""


@dataclass(frozen=True)
class Answer:
    """A JSON document, and the log position that it is as of. `generation` names the build of the read model: the
    document is for ever right at both.
    """

    document: Document
    position: int
    generation: str = ""


ToJson = Callable[[Sequence[Cell], int], Any]


class _Slot(NamedTuple):
    """A property's first cell, and how its JSON value is made of it; None: it is the cell."""

    name: str
    at: int
    to_json: ToJson | None


def _to_json(field: Field) -> ToJson | None:
    """Times and decimals come again and again on a page, and take a quarter of its making."""
    if field.kind in _AS_STORED:
        return None
    if field.kind is Kind.GEOPOINT:
        return lambda cells, at: decode(field, cells[at : at + 2])
    kept = lru_cache(maxsize=KEPT_VALUES)(lambda cell: decode(field, (cell,)))
    return lambda cells, at: kept(cells[at])


class Renderer:
    """Rows of one type as documents."""

    def __init__(self, layout: TypeLayout) -> None:
        self._layout = layout
        slots: list[_Slot] = []
        at = 0
        for field in layout.fields:
            slots.append(_Slot(field.name, at, _to_json(field)))
            at += field.cells
        self._names = tuple(slot.name for slot in slots)
        self._first_cells = None if at == len(slots) else tuple(slot.at for slot in slots)
        """Where each property begins; None where each has one cell."""
        self._converted = tuple((slot.name, slot.at, slot.to_json) for slot in slots if slot.to_json is not None)
        self._title = next(slot for slot in slots if slot.name == layout.title)

    def properties(self, row: Row, fields: Fields = None) -> Document:
        cells = row.cells
        first = cells if self._first_cells is None else [cells[at] for at in self._first_cells]
        made: Document = {
            name: cell
            for name, cell in zip(self._names, first, strict=True)
            if cell is not None and (fields is None or name in fields)
        }
        for name, at, to_json in self._converted:
            if name in made:
                made[name] = to_json(cells, at)
        return made

    def title(self, row: Row) -> str:
        """The title property as text, or the id where it is absent."""
        _, at, to_json = self._title
        if row.cells[at] is None:
            return row.id
        value = row.cells[at] if to_json is None else to_json(row.cells, at)
        return value if isinstance(value, str) else str(value)

    def object(self, row: Row, fields: Fields = None) -> Document:
        """The whole object, or what was asked for of it."""
        links = {
            link.name: [target]
            for link, target in zip(self._layout.links, row.links, strict=True)
            if target is not None and (fields is None or link.name in fields)
        }
        return {
            "type": self._layout.name,
            "id": row.id,
            "title": self.title(row),
            "data_status": FULL if fields is None else PARTIAL,
            "properties": self.properties(row, fields),
            "links": links,
            "sequence": row.sequence,
            "position": row.position,
        }


@lru_cache(maxsize=1024)
def renderer(layout: TypeLayout) -> Renderer:
    return Renderer(layout)
