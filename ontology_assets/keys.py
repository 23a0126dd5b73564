"""Key text: an object's id as people and programs write it, injective over the whole key.

The parts in key order, in canonical text (integers plain, dates ISO, timestamps UTC without a fraction that is zero),
each percent-encoded but for RFC 3986's unreserved signs, joined by "/": `B6/709/2013-01-01T11%3A00%3A00Z`. An empty
text is an empty part; a missing part has no key text at all. There is one text for one key: another spelling of it
(`%3a`, `0709`) is refused when read as an id, and mended when typed as a part.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical import NotCanonical, text_of
from ontology_assets.canonical_columns import Column, flat, per_distinct, text_column
from ontology_assets.model.definitions import ObjectType
from resources.errors import SpiceError
from transforms.types import ColumnType

RESERVED = r"[^A-Za-z0-9._~-]"
ZERO_FRACTION = ".000000Z"
ALLOWED_PARTS = {
    "string": "text",
    "enum": "a code",
    "integer": "a whole number like 709",
    "boolean": "true or false",
    "date": "a date like 2013-01-31",
    "timestamp": "a time with its zone like 2013-01-01T11:00:00Z",
}


class KeyRefused(SpiceError):
    """A text that is no key of the type."""

    kind = "spice:key-refused"

    def __init__(self, detail: str, *, where: str, allowed: list[str] | None = None) -> None:
        super().__init__("Not a key", detail, where=where, allowed=allowed)


def key_types(object_type: ObjectType) -> list[ColumnType]:
    """The types of a key's parts, in key order."""
    return [object_type.properties[name].parsed for name in object_type.key]


def encode_key(values: Sequence[Any], types: Sequence[ColumnType]) -> str:
    """The key text of typed values. Raises NotCanonical for a value that is not of its type or is missing."""
    texts = [_part_text(value, declared) for value, declared in zip(values, types, strict=True)]
    try:
        return "/".join(quote(text, safe="") for text in texts)
    except UnicodeEncodeError as error:
        raise NotCanonical(f"{texts!r} can't be written as UTF-8: it holds half of a surrogate pair") from error


def decode_key(object_type: ObjectType, key: str) -> list[Any]:
    """The typed values of a key text. Raises KeyRefused for a text that `encode_key` can't have written."""
    parts = key.split("/")
    _check_count(object_type, parts)
    try:
        texts = [unquote(part, errors="strict") for part in parts]
    except UnicodeDecodeError as error:
        raise KeyRefused(f"{key!r} holds percent signs that are no UTF-8", where=object_type.name) from error
    values = _values(object_type, texts)
    written = encode_key(values, key_types(object_type))
    if written != key:
        raise KeyRefused(f"{key!r} is not how this key is written", where=object_type.name, allowed=[written])
    return values


def parse_key(object_type: ObjectType, parts: Sequence[str]) -> str:
    """The key text of parts that a person typed, decoded, in key order. Raises KeyRefused, NotCanonical."""
    _check_count(object_type, parts)
    return encode_key(_values(object_type, parts), key_types(object_type))


def key_parts(object_type: ObjectType, key: str) -> list[str]:
    """The decoded texts of a key's parts, as `parse_key` takes them."""
    decode_key(object_type, key)
    return [unquote(part) for part in key.split("/")]


def key_column(parts: Sequence[tuple[Column, ColumnType]]) -> pa.Array:
    """The key text of each row; null where any part is null."""
    encoded = [_encoded(flat(column), declared) for column, declared in parts]
    return encoded[0] if len(encoded) == 1 else pc.binary_join_element_wise(*encoded, "/")


def _encoded(column: pa.Array, declared: ColumnType) -> pa.Array:
    if declared.kind in ("integer", "date", "boolean", "decimal"):
        return text_column(column, declared)  # digits, letters, "-" and "." only
    if declared.kind == "timestamp":
        return per_distinct(column, lambda distinct: _percent(_shortened(text_column(distinct, declared))))
    if not declared.usable_in_key:
        raise NotCanonical(f"a {declared.base} can't be part of a key", allowed=[*ALLOWED_PARTS, "decimal"])
    return per_distinct(column, lambda distinct: _percent(text_column(distinct, declared)))


def _shortened(times: pa.Array) -> pa.Array:
    return pc.replace_substring(times, ZERO_FRACTION, "Z")


def _percent(texts: pa.Array) -> pa.Array:
    special = pc.fill_null(pc.match_substring_regex(texts, RESERVED), False)  # noqa: FBT003 - Arrow's signature
    if not pc.any(special).as_py():
        return texts
    encoded = pa.array([quote(text, safe="") for text in texts.filter(special).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, special, encoded)


def _part_text(value: Any, declared: ColumnType) -> str:
    if not declared.usable_in_key:
        raise NotCanonical(f"a {declared.base} can't be part of a key", allowed=[*ALLOWED_PARTS, "decimal"])
    text = text_of(value, declared)
    return text.replace(ZERO_FRACTION, "Z") if declared.kind == "timestamp" else text


def _check_count(object_type: ObjectType, parts: Sequence[str]) -> None:
    if len(parts) != len(object_type.key):
        raise KeyRefused(
            f"the key of {object_type.name} has {len(object_type.key)} parts, {len(parts)} given",
            where=object_type.name,
            allowed=[
                f"{name} ({_allowed_part(declared)})"
                for name, declared in zip(object_type.key, key_types(object_type), strict=True)
            ],
        )


def _values(object_type: ObjectType, texts: Sequence[str]) -> list[Any]:
    values = []
    for name, text in zip(object_type.key, texts, strict=True):
        declared, codes = object_type.properties[name].parsed, object_type.properties[name].values
        value = _parsed(text, declared)
        if value is None or (codes is not None and value not in codes):
            allowed = sorted(codes) if codes is not None else [_allowed_part(declared)]
            raise KeyRefused(f"{text!r} is no {declared.base}", where=f"{object_type.name}.{name}", allowed=allowed)
        values.append(value)
    return values


def _parsed(text: str, declared: ColumnType) -> Any | None:
    """The value of a part's text, None if there is none."""
    if declared.kind in ("string", "enum"):
        return text
    if not declared.usable_in_key:
        raise NotCanonical(f"a {declared.base} can't be part of a key", allowed=[*ALLOWED_PARTS, "decimal"])
    if not text.isascii() or "_" in text or text.strip() != text:  # what Python's own parsers would forgive
        return None
    try:
        value = _PARSERS[declared.kind](text)
        text_of(value, declared)
    except (ValueError, OverflowError, InvalidOperation, NotCanonical):
        return None
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is no instant")
    return moment.astimezone(UTC)


def _allowed_part(declared: ColumnType) -> str:
    if declared.kind == "decimal":
        digits = declared.precision - declared.scale
        return f"a number with at most {digits} digits before the point and {declared.scale} after"
    return ALLOWED_PARTS.get(declared.kind, declared.base)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "boolean": {"true": True, "false": False}.get,
    "integer": int,
    "date": date.fromisoformat,
    "timestamp": _moment,
    "decimal": Decimal,
}
