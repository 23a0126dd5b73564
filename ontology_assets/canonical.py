"""Canonical JSON: the one text of a value, so that equal states have equal hashes wherever they are computed.

The rules: keys sorted by code point; null = absent; no spaces; UTF-8, escaped only where JSON demands it (`"`, `\\`,
control characters; short forms where there are any, else `\\u001f` in lower case); integers plain, 64 bits; decimals
as text at the declared scale; doubles as Python's `repr` writes them (`0.1`, `1e+16`, `1e-05`), -0.0 as `0.0`, NaN and
infinities refused; dates `2013-01-01`; timestamps `2013-01-01T11:00:00.000000Z`; enums their code; geopoints
`{"lat":..,"lon":..}`.

Here: one Python value at a time. The same over Arrow columns is `ontology_assets.canonical_columns`; a property test
holds the two equal. Key texts, which people type, are `ontology_assets.keys`.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Any

import orjson

from resources.errors import SpiceError
from transforms.types import ColumnType

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1


class NotCanonical(SpiceError):
    """A value that has no canonical text as the given type."""

    kind = "spice:not-canonical"

    def __init__(self, detail: str, *, allowed: list[str] | None = None, where: str | None = None) -> None:
        super().__init__("No canonical form", detail, allowed=allowed, where=where)


def text_of(value: Any, declared: ColumnType) -> str:
    """The canonical text of one value, not null, without JSON's quotes: `B6`, `2013-01-01`. Raises NotCanonical."""
    return _TEXTS[declared.kind](value, declared)


def json_of(value: Any, declared: ColumnType) -> str:
    """The canonical JSON of one value, not null. Raises NotCanonical."""
    text = text_of(value, declared)
    return text if declared.kind in _BARE else quoted(text)


def quoted(text: str) -> str:
    """A JSON string. Raises NotCanonical for text that is no Unicode (lone surrogates)."""
    try:
        return orjson.dumps(text).decode()
    except orjson.JSONEncodeError as error:
        raise NotCanonical(f"{text!r} can't be written as UTF-8: it holds half of a surrogate pair") from error


def state_json(
    properties: Mapping[str, Any], types: Mapping[str, ColumnType], links: Mapping[str, Sequence[str] | None]
) -> str:
    """The canonical state of an object: `{"links":{..},"properties":{..}}`, absent ones left out."""
    fields = ",".join(
        f"{quoted(name)}:{json_of(value, types[name])}"
        for name, value in sorted(properties.items())
        if value is not None
    )
    targets = ",".join(
        f"{quoted(name)}:[{','.join(map(quoted, ids))}]" for name, ids in sorted(links.items()) if ids is not None
    )
    return f'{{"links":{{{targets}}},"properties":{{{fields}}}}}'


def canonical_json(document: Any) -> str:
    """Canonical JSON of a document without declared types: dicts with text keys, lists, texts, booleans, numbers.

    An entry whose value is None is absent. Raises NotCanonical for anything else (a None in a list, a date, a Decimal).
    """
    match document:
        case bool():
            return "true" if document else "false"
        case str():
            return quoted(document)
        case int():
            return _integer(document, _INTEGER)
        case float():
            return _double(document, _DOUBLE)
        case dict():
            entries = sorted((_key(key), value) for key, value in document.items() if value is not None)
            return "{" + ",".join(f"{quoted(key)}:{canonical_json(value)}" for key, value in entries) + "}"
        case list() | tuple():
            return "[" + ",".join(map(canonical_json, document)) + "]"
    allowed = ["text", "integer", "double", "boolean", "list", "dict"]
    raise NotCanonical(f"{document!r} has no canonical JSON of its own", allowed=allowed)


def state_hash(state: str) -> str:
    """sha256 of a canonical state's text, as lower-case hex; of a deleted object the state is `null`."""
    return hashlib.sha256(state.encode()).hexdigest()


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotCanonical(f"{key!r} is no name of a field; names are text")
    return key


def _string(value: Any, declared: ColumnType) -> str:
    if not isinstance(value, str):
        raise _wrong(value, declared, "text")
    return value


def _integer(value: Any, declared: ColumnType) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not INTEGER_MIN <= value <= INTEGER_MAX:
        raise _wrong(value, declared, "a whole number of 64 bits")
    return str(value)


def _double(value: Any, declared: ColumnType) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, declared, "a number")
    if not math.isfinite(value):
        raise _wrong(value, declared, "a finite number (not NaN, not infinite)")
    return repr(float(value) + 0.0)  # + 0.0 makes -0.0 to 0.0


def _boolean(value: Any, declared: ColumnType) -> str:
    if not isinstance(value, bool):
        raise _wrong(value, declared, "true or false")
    return "true" if value else "false"


def _date(value: Any, declared: ColumnType) -> str:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise _wrong(value, declared, "a date")
    return value.isoformat()


def _timestamp(value: Any, declared: ColumnType) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _wrong(value, declared, "a time with a zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _decimal(value: Any, declared: ColumnType) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(value, declared, "a decimal number")
    exact = Decimal(value)
    if not exact.is_finite():
        raise _wrong(value, declared, "a finite number")
    digits = declared.precision - declared.scale
    with localcontext(prec=100):
        fits = exact == 0 or exact.adjusted() < digits
        at_scale = exact.quantize(Decimal(1).scaleb(-declared.scale)) if fits else exact
    if not fits or at_scale != exact:
        raise _wrong(value, declared, f"at most {digits} digits before the point and {declared.scale} after it")
    return format(abs(at_scale) if at_scale == 0 else at_scale, "f")


def _geopoint(value: Any, declared: ColumnType) -> str:
    if not isinstance(value, Mapping) or set(value) != {"lat", "lon"}:
        raise _wrong(value, declared, "a mapping with lat and lon")
    return f'{{"lat":{_double(value["lat"], _DOUBLE)},"lon":{_double(value["lon"], _DOUBLE)}}}'


def _wrong(value: Any, declared: ColumnType, needed: str) -> NotCanonical:
    return NotCanonical(f"{value!r} is no {declared.base}", allowed=[needed])


_INTEGER, _DOUBLE = ColumnType("integer"), ColumnType("double")
_BARE = frozenset({"integer", "double", "boolean", "geopoint"})
"""Kinds whose canonical text is JSON as it stands; the others are JSON strings."""
_TEXTS: dict[str, Callable[[Any, ColumnType], str]] = {
    "string": _string,
    "enum": _string,
    "integer": _integer,
    "double": _double,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "decimal": _decimal,
    "geopoint": _geopoint,
}
