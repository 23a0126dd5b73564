"""Between the canonical JSON of an event's state and the comparable cells of a read model, both ways, exactly."""

import math
import re
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from resources.read_model.query import Cell, Field, Kind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PLAIN_DIGITS = 18
"""Decimals of up to so many digits are int64; larger ones are bytes that compare like the number."""
WIDE_OFFSET, WIDE_BYTES = 10**38, 17
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Unfit(ValueError):
    """A value that is not in the canonical form of its field."""


def encode_column(field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    """The cells of a column of JSON values, absent ones None: one list, two for geopoints. Raises Unfit."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds <= _JSON_TYPES[field.kind]:
        names = ", ".join(sorted(k.__name__ for k in kinds - _JSON_TYPES[field.kind]))
        raise Unfit(f"property {field.name} is {field.kind}, the event has {names}")
    try:
        return _ENCODERS[field.kind](field, values)
    except (ValueError, OverflowError, KeyError, TypeError) as error:
        raise Unfit(f"property {field.name} is {field.kind}: {error}") from error


def decode(field: Field, cells: Sequence[Cell]) -> Any:
    """The canonical JSON value of a field's cells (one; two for a geopoint), None if absent."""
    if cells[0] is None:
        return None
    return _DECODERS[field.kind](field, cells)


def timestamp_cell(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - EPOCH) // MICROSECOND


def decimal_cell(field: Field, scaled: int) -> Cell:
    """The cell of value * 10**scale. `scaled` has at most the field's digits."""
    return scaled if field.precision <= PLAIN_DIGITS else (scaled + WIDE_OFFSET).to_bytes(WIDE_BYTES, "big")


def _same(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    return [list(values)]


def _integers(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    array("q", [v for v in values if v is not None])  # an OverflowError beyond 64 bits
    return [list(values)]


def _doubles(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    if not all(math.isfinite(v) for v in values if v is not None):
        raise ValueError("not finite")
    return [[None if v is None else float(v) for v in values]]


def _booleans(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    return [[None if v is None else int(v) for v in values]]


def _distinct(values: Sequence[Any], convert: Callable[[Any], Cell]) -> list[list[Cell]]:
    """Convert each distinct value once: a day's rows share their dates and hours."""
    known: dict[Any, Cell] = {v: convert(v) for v in set(values) if v is not None}
    known[None] = None
    return [[known[v] for v in values]]


def _dates(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    def checked(text: str) -> str:
        if date.fromisoformat(text).isoformat() != text:
            raise ValueError(f"{text!r} is no date in canonical form")
        return text

    return _distinct(values, checked)


def _timestamps(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    def micros(text: str) -> int:
        if not _TIMESTAMP.fullmatch(text):
            raise ValueError(f"{text!r} is no timestamp in canonical form")
        return timestamp_cell(datetime.fromisoformat(text))

    return _distinct(values, micros)


def _decimals(field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    form = re.compile(rf"-?\d+\.\d{{{field.scale}}}" if field.scale else r"-?\d+", re.ASCII)

    def scaled(text: str) -> Cell:
        if not form.fullmatch(text):
            raise ValueError(f"{text!r} is no decimal at scale {field.scale}")
        number = int(text.replace(".", ""))
        if abs(number) >= 10**field.precision:
            raise ValueError(f"{text!r} has more than {field.precision} digits")
        return decimal_cell(field, number)

    return _distinct(values, scaled)


def _geopoints(_field: Field, values: Sequence[Any]) -> list[list[Cell]]:
    for v in values:
        if v is not None and (set(v) != {"lat", "lon"} or not {type(v["lat"]), type(v["lon"])} <= {float, int}):
            raise ValueError("a geopoint has two numbers, lat and lon")
    return [[None if v is None else float(v[part]) for v in values] for part in ("lat", "lon")]


def _decimal_text(field: Field, cells: Sequence[Cell]) -> str:
    cell = cells[0]
    scaled = int.from_bytes(cell, "big") - WIDE_OFFSET if isinstance(cell, bytes) else int(cell or 0)
    sign, digits = ("-" if scaled < 0 else ""), str(abs(scaled)).rjust(field.scale + 1, "0")
    return f"{sign}{digits[: -field.scale]}.{digits[-field.scale :]}" if field.scale else f"{sign}{digits}"


def _timestamp_text(_field: Field, cells: Sequence[Cell]) -> str:
    moment = EPOCH + int(cells[0] or 0) * MICROSECOND
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _plain(_field: Field, cells: Sequence[Cell]) -> Any:
    return cells[0]


_JSON_TYPES: dict[Kind, set[type]] = {
    Kind.STRING: {str},
    Kind.ENUM: {str},
    Kind.DATE: {str},
    Kind.TIMESTAMP: {str},
    Kind.DECIMAL: {str},
    Kind.INTEGER: {int},
    Kind.DOUBLE: {float, int},
    Kind.BOOLEAN: {bool},
    Kind.GEOPOINT: {dict},
}
_ENCODERS: dict[Kind, Callable[[Field, Sequence[Any]], list[list[Cell]]]] = {
    Kind.STRING: _same,
    Kind.ENUM: _same,
    Kind.DATE: _dates,
    Kind.TIMESTAMP: _timestamps,
    Kind.DECIMAL: _decimals,
    Kind.INTEGER: _integers,
    Kind.DOUBLE: _doubles,
    Kind.BOOLEAN: _booleans,
    Kind.GEOPOINT: _geopoints,
}
PLAIN = frozenset({Kind.STRING, Kind.ENUM, Kind.DATE, Kind.INTEGER, Kind.DOUBLE})
"""Of these the cell is the canonical value."""
_DECODERS: dict[Kind, Callable[[Field, Sequence[Cell]], Any]] = {
    **dict.fromkeys(PLAIN, _plain),
    Kind.TIMESTAMP: _timestamp_text,
    Kind.DECIMAL: _decimal_text,
    Kind.BOOLEAN: lambda _field, cells: bool(cells[0]),
    Kind.GEOPOINT: lambda _field, cells: {"lat": cells[0], "lon": cells[1]},
}
