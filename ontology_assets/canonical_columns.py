"""Canonical JSON over Arrow columns: the rules of `ontology_assets.canonical`, paid per column and not per value.

What is dear per value (escaping, `repr` of doubles) is paid per distinct value through dictionary encoding. Also the
hashes over columns of text: sha256 as hex, buckets, uuid5.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical import NotCanonical, quoted
from transforms.types import ColumnType

Column: TypeAlias = pa.Array | pa.ChunkedArray
Renderer: TypeAlias = Callable[..., pa.Array]
Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
ABSENT_IS_EMPTY = {"null_handling": "replace", "null_replacement": ""}
NEEDS_ESCAPE = r'["\\\x00-\x1f]'
PLAIN_DECIMAL_SCALE = 6
"""Up to this scale Arrow writes every decimal without an exponent."""
_DAYS = (-719_162, 2_932_896)
"""0001-01-01 and 9999-12-31 in days since 1970: the dates that have four digits of a year."""
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)


def flat(column: Column) -> pa.Array:
    """The column as one array."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column


def text_column(column: Column, declared: ColumnType) -> pa.Array:
    """Canonical text without JSON's quotes, null where the value is null. Raises NotCanonical."""
    array = flat(column)
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.string())
    return _TEXTS[declared.kind](array, declared)


def json_column(column: Column, declared: ColumnType) -> pa.Array:
    """Canonical JSON of each value, null where the value is null. Raises NotCanonical."""
    return _field(flat(column), "", declared)


def state_column(
    properties: Mapping[str, tuple[Column, ColumnType]], links: Mapping[str, pa.Array], rows: int
) -> pa.Array:
    """The canonical state of each row. `links`: lists of target ids, or one id a row; null = no link."""
    targets = [(name, flat(column), _targets) for name, column in sorted(links.items())]
    return pc.binary_join_element_wise(
        '{"links":{',
        *_entries(targets, rows),
        '},"properties":{',
        *_entries(_fields(properties), rows),
        "}}",
        "",
        **ABSENT_IS_EMPTY,
    )


def object_column(fields: Mapping[str, tuple[Column, ColumnType]], rows: int) -> pa.Array:
    """A flat canonical JSON object of each row: `{"name":value,..}`, nulls left out."""
    return pc.binary_join_element_wise("{", *_entries(_fields(fields), rows), "}", "", **ABSENT_IS_EMPTY)


def sha256_hex(texts: Column) -> pa.Array:
    """sha256 of each text's UTF-8 as 64 lower-case hex digits. No nulls."""
    return _hex(_digests(flat(texts), hashlib.sha256, 32))


def bucket(ids: Column) -> pa.Array:
    """First two hex digits of sha256 of each id. No nulls."""
    return _hex(_digests(flat(ids), hashlib.sha256, 32)[:, :1])


def uuid5_column(namespace: uuid.UUID, names: Column) -> pa.Array:
    """`str(uuid.uuid5(namespace, name))` of each name. No nulls."""
    start = namespace.bytes
    digests = _digests(flat(names), lambda name: hashlib.sha1(start + name, usedforsecurity=False), 20)[:, :16].copy()
    digests[:, 6] = (digests[:, 6] & 0x0F) | 0x50
    digests[:, 8] = (digests[:, 8] & 0x3F) | 0x80
    digits = _HEX[digests].view(np.uint8).reshape(len(digests), 32)
    spread = np.full((len(digests), 36), ord("-"), dtype=np.uint8)
    for at, begin, end in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        spread[:, at : at + end - begin] = digits[:, begin:end]
    return _fixed_strings(spread)


def per_distinct(array: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """`change` over the distinct values only."""
    encoded = array.dictionary_encode()
    return change(encoded.dictionary).take(encoded.indices)


def _field(array: pa.Array, prefix: str, declared: ColumnType) -> pa.Array:
    """prefix + JSON of each value; null where the value is null."""
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.string())
    if declared.kind in ("string", "enum"):
        return per_distinct(array, lambda distinct: _quote(_string(distinct, declared), prefix))
    text = _TEXTS[declared.kind](array, declared)
    quote = "" if declared.kind in ("integer", "double", "boolean", "geopoint") else '"'
    return text if prefix + quote == "" else pc.binary_join_element_wise(prefix + quote, text, quote, "")


def _targets(ids: pa.Array, prefix: str) -> pa.Array:
    """prefix + `["id",..]`. Ids are key texts: percent-encoded, so nothing in them needs an escape."""
    if pa.types.is_list(ids.type):
        joined = pc.binary_join(pc.cast(ids, pa.list_(pa.string())), '","')
        full = pc.binary_join_element_wise(prefix + '["', joined, '"]', "")
        return pc.if_else(pc.equal(pc.list_value_length(ids), 0), prefix + "[]", full)
    return pc.binary_join_element_wise(prefix + '["', ids, '"]', "")


def _fields(columns: Mapping[str, tuple[Column, ColumnType]]) -> list[tuple[str, pa.Array, Renderer]]:
    return [
        (name, flat(column), partial(_field, declared=declared)) for name, (column, declared) in sorted(columns.items())
    ]


def _entries(columns: Sequence[tuple[str, pa.Array, Renderer]], rows: int) -> list[pa.Array]:
    """`"name":value` of each column with a comma where an entry stands before it: texts to be joined side by side."""
    parts: list[pa.Array] = []
    before = pa.repeat(pa.scalar(False), rows)  # noqa: FBT003 - Arrow's signature
    anywhere = everywhere = False  # whether some row, or each row, has an entry already
    for name, column, render in columns:
        if anywhere and not everywhere:
            parts.append(pc.if_else(pc.and_(before, column.is_valid()), ",", ""))
        parts.append(render(column, prefix=f"{',' if everywhere else ''}{quoted(name)}:"))
        anywhere, everywhere = True, everywhere or column.null_count == 0
        before = before if everywhere else pc.or_(before, column.is_valid())
    return parts


def _quote(texts: pa.Array, prefix: str = "") -> pa.Array:
    plain = pc.binary_join_element_wise(prefix + '"', texts, '"', "")
    special = pc.match_substring_regex(texts, NEEDS_ESCAPE)
    if not pc.any(special).as_py():
        return plain
    escaped = pa.array([prefix + quoted(text) for text in texts.filter(special).to_pylist()], pa.string())
    return pc.replace_with_mask(plain, pc.fill_null(special, False), escaped)  # noqa: FBT003 - Arrow's signature


def _string(array: pa.Array, _: ColumnType) -> pa.Array:
    texts = array.cast(pa.string())
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        raise NotCanonical(f"a text is not UTF-8 ({error})") from error
    return texts


def _integer(array: pa.Array, _: ColumnType) -> pa.Array:
    return array.cast(pa.int64()).cast(pa.string())


def _double(array: pa.Array, _: ColumnType) -> pa.Array:
    numbers = pc.add(array.cast(pa.float64()), 0.0)  # -0.0 becomes 0.0
    if not pc.all(pc.is_finite(numbers)).as_py():
        raise NotCanonical("NaN or an infinity is no double", allowed=["a finite number (not NaN, not infinite)"])
    return per_distinct(
        numbers, lambda distinct: pa.array([None if x is None else repr(x) for x in distinct.to_pylist()], pa.string())
    )


def _boolean(array: pa.Array, _: ColumnType) -> pa.Array:
    return array.cast(pa.string())


def _date(array: pa.Array, declared: ColumnType) -> pa.Array:
    days = array.cast(pa.date32())
    _in_calendar(days.cast(pa.int32()), *_DAYS, declared)
    return per_distinct(days, lambda distinct: distinct.cast(pa.string()))


def _timestamp(array: pa.Array, declared: ColumnType) -> pa.Array:
    if array.type.tz is None:
        raise NotCanonical("a column of times without a zone is no timestamp", allowed=["a time with a zone"])
    moments = array.cast(pa.timestamp("us", "UTC"))
    day = 86_400_000_000
    _in_calendar(moments.cast(pa.int64()), _DAYS[0] * day, (_DAYS[1] + 1) * day - 1, declared)
    return per_distinct(
        moments, lambda distinct: pc.replace_substring(distinct.cast(pa.string()), " ", "T", max_replacements=1)
    )


def _decimal(array: pa.Array, declared: ColumnType) -> pa.Array:
    try:
        numbers = array.cast(pa.decimal128(declared.precision, declared.scale))
    except pa.ArrowInvalid as error:
        digits = declared.precision - declared.scale
        needed = f"at most {digits} digits before the point and {declared.scale} after it"
        raise NotCanonical(f"a value is no {declared.base} ({error})", allowed=[needed]) from error
    if declared.scale <= PLAIN_DECIMAL_SCALE:
        return numbers.cast(pa.string())
    return per_distinct(
        numbers,
        lambda distinct: pa.array([None if x is None else format(x, "f") for x in distinct.to_pylist()], pa.string()),
    )


def _geopoint(array: pa.Array, declared: ColumnType) -> pa.Array:
    latitude, longitude = pc.struct_field(array, "lat"), pc.struct_field(array, "lon")
    missing = pc.and_(pc.is_valid(array), pc.or_(pc.is_null(latitude), pc.is_null(longitude)))
    if pc.any(missing).as_py():
        raise NotCanonical(f"a {declared.base} has only one of its two numbers", allowed=["lat and lon"])
    return pc.binary_join_element_wise(
        '{"lat":', text_column(latitude, _DOUBLE), ',"lon":', text_column(longitude, _DOUBLE), "}", ""
    )


def _in_calendar(ticks: pa.Array, first: int, last: int, declared: ColumnType) -> None:
    bounds = pc.min_max(ticks).as_py()
    if bounds["min"] < first or bounds["max"] > last:
        raise NotCanonical(f"a {declared.base} lies outside the calendar", allowed=["0001-01-01 to 9999-12-31"])


def _digests(texts: pa.Array, algorithm: Callable[[bytes], Any], size: int) -> Bytes:
    """One row of `size` bytes a text."""
    if texts.null_count:
        raise ValueError("a null has no hash")
    binary = texts.cast(pa.binary())
    _, offsets, data = binary.buffers()
    if len(binary) == 0 or data is None:
        return np.frombuffer(algorithm(b"").digest() * len(binary), dtype=np.uint8).reshape(len(binary), size)
    ends = np.frombuffer(offsets, dtype=np.int32)[binary.offset : binary.offset + len(binary) + 1].tolist()
    content = data.to_pybytes() if len(data) < 2 * (ends[-1] - ends[0]) else data.slice(0, ends[-1]).to_pybytes()
    joined = b"".join([algorithm(content[start:end]).digest() for start, end in pairwise(ends)])
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(binary), size)


def _hex(digests: Bytes) -> pa.Array:
    return _fixed_strings(_HEX[digests].view(np.uint8).reshape(len(digests), 2 * digests.shape[1]))


def _fixed_strings(letters: Bytes) -> pa.Array:
    """Rows of ASCII letters as strings."""
    rows, width = letters.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters)))


_DOUBLE = ColumnType("double")
_TEXTS: dict[str, Callable[[pa.Array, ColumnType], pa.Array]] = {
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
