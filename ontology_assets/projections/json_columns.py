"""Reading the states of many events at once with Arrow's JSON reader, on all cores: a third of the time of row by row.

Only for texts that are just as the ontology says; for anything else the answer is None, and the caller looks closer.
"""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from resources.read_model.query import Kind, TypeLayout

WORTH_IT = 256
"""Fewer rows are read sooner one by one."""
_BLOCK_BYTES = 1 << 20
_ARROW = {
    Kind.INTEGER: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.GEOPOINT: pa.struct([("lat", pa.float64()), ("lon", pa.float64())]),
}
CHECKED_KINDS = frozenset({Kind.STRING, Kind.ENUM, Kind.INTEGER, Kind.BOOLEAN})
"""Of these every value that was read is right; the others are texts of a form, or numbers that may be infinite."""

Columns = tuple[list[pa.Array], list[pa.Array]]


def read_columns(texts: list[str] | pa.StringArray, layout: TypeLayout) -> Columns | None:
    """A column per field (text but for the kinds above) and one per link (its one target), null where absent.

    None unless every text is `{"changed"?, "state": {"links", "properties"}}` with known members of these types.
    """
    if len(texts) < WORTH_IT or not layout.links:  # the reader has no notion of an object without members
        return None
    lines = pa.array(texts, pa.string()) if isinstance(texts, list) else texts
    joined = _joined(lines)
    if b":null" in joined:
        return None
    longest = pc.max(pc.binary_length(lines)).as_py()
    try:
        table = pj.read_json(
            pa.BufferReader(joined),
            read_options=pj.ReadOptions(block_size=max(_BLOCK_BYTES, 2 * longest)),
            parse_options=pj.ParseOptions(explicit_schema=_schema(layout), unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(texts):
        return None
    state = _whole(table.column("state"))
    links, properties = state.field("links"), state.field("properties")
    if state.null_count or links.null_count or properties.null_count:
        return None
    targets = [_targets(links.field(link.name)) for link in layout.links]
    found = [target for target in targets if target is not None]
    return None if len(found) < len(targets) else ([properties.field(f.name) for f in layout.fields], found)


def _joined(lines: pa.StringArray) -> bytes:
    """A line each, without a Python text for any."""
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
    joined: bytes = whole.cast(pa.binary())[0].as_py()
    return joined


def _schema(layout: TypeLayout) -> pa.Schema:
    links = pa.struct([(link.name, pa.list_(pa.string())) for link in layout.links])
    properties = pa.struct([(f.name, _ARROW.get(f.kind, pa.string())) for f in layout.fields])
    state = pa.struct([("links", links), ("properties", properties)])
    return pa.schema([("changed", pa.list_(pa.string())), ("state", state)])


def _targets(lists: pa.ListArray) -> pa.Array | None:
    """The one element of each list; None if there is a list of another length."""
    lengths = pc.unique(pc.list_value_length(lists).drop_null()).to_pylist()
    if lengths not in ([], [1]):
        return None
    flat = lists.flatten()
    if flat.null_count:
        return None
    if not lists.null_count:
        return flat
    there = lists.is_valid()
    at = pc.subtract(pc.cumulative_sum(there.cast(pa.int64())), 1)
    return flat.take(pc.if_else(there, at, pa.scalar(None, pa.int64())))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
