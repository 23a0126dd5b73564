"""Rows become objects: id, links, canonical state and its hash, a whole chunk of rows at a time.

Nothing is compared or decided here (`ontology_assets.objectify.decide`), and rows that can't be objects are stopped by
the gates before their states are made.
"""

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical_columns import bucket, flat, sha256_hex, state_column
from ontology_assets.keys import key_column, key_types
from ontology_assets.model.definitions import Link, ObjectType
from ontology_assets.objectify.gates import GateFailed, check_keys, check_rows

PARTITION, ROW, LINE, SOURCE_FILE, OCCURRED_AT = "_partition", "_row", "_line", "_source_file", "_occurred_at"
LINK = "link:"
"""Prefix of the columns of a states table that hold target ids, one column a link type."""
STATES_SCHEMA = pa.schema(
    [
        ("partition", pa.string()),
        ("id", pa.string()),
        ("state", pa.string()),
        ("state_hash", pa.string()),
        ("bucket", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("source_file", pa.string()),
    ]
)


def states_of(object_type: ObjectType, types: Mapping[str, ObjectType], mapped: pa.Table) -> pa.Table:
    """STATES_SCHEMA and a `link:<name>` column (target id or null) per link type, one row per mapped row.

    `types` holds the link targets by name; `mapped` has a column per property, and `_partition`, `_row`, `_line`,
    `_source_file`, `_occurred_at` where known. Raises GateFailed with every row that can't be an object.
    """
    rows = _passed(object_type, conformed(object_type, mapped))
    ids = _ids(object_type, rows)
    _check_keys(object_type, rows, ids)
    links = link_ids(object_type, types, rows)
    properties = {name: (rows[name], declared.parsed) for name, declared in object_type.properties.items()}
    states = state_column(properties, links, rows.num_rows)
    columns = [
        _partitions(rows),
        ids,
        states,
        sha256_hex(states),
        bucket(ids),
        *(_or_null(rows, name, field.type) for name, field in _ORIGIN.items()),
    ]
    table = pa.table(columns, schema=STATES_SCHEMA)
    for name, targets in links.items():
        table = table.append_column(LINK + name, targets)
    return table


def check_gates(object_type: ObjectType, chunks: Iterable[pa.Table]) -> None:
    """Raises GateFailed where `states_of` would for any of these mapped tables, and where a key is in two of them.

    A load in several chunks asks this first: what a later chunk's gate stops, an earlier one must not have appended.
    """
    seen = []
    for mapped in chunks:
        rows = _passed(object_type, conformed(object_type, mapped))
        origin = {name: rows[name] for name in (SOURCE_FILE, LINE, ROW) if name in rows.column_names}
        seen.append(pa.table({"id": _ids(object_type, rows), **origin}))
    if seen:
        every = pa.concat_tables(seen).combine_chunks()
        _check_keys(object_type, every, flat(every["id"]))


def _passed(object_type: ObjectType, rows: pa.Table) -> pa.Table:
    failed = [gate for gate in check_rows(object_type, rows) if gate.count]
    if failed:
        raise GateFailed(object_type.name, failed)
    return rows


def _check_keys(object_type: ObjectType, rows: pa.Table, ids: pa.Array) -> None:
    duplicates = check_keys(object_type, rows, ids)
    if duplicates.count:
        raise GateFailed(object_type.name, [duplicates])


def link_rows(object_type: ObjectType, types: Mapping[str, ObjectType], mapped: pa.Table) -> pa.Table:
    """`partition`, `id` and the link columns only: what the link asset needs. `mapped` may lack other properties."""
    needed = {*object_type.key, *(name for link in object_type.links.values() for name in link.by)}
    rows = conformed(object_type, mapped, needed)
    table = pa.table({"partition": _partitions(rows), "id": _ids(object_type, rows)})
    for name, targets in link_ids(object_type, types, rows).items():
        table = table.append_column(LINK + name, targets)
    return table


def link_ids(object_type: ObjectType, types: Mapping[str, ObjectType], rows: pa.Table) -> dict[str, pa.Array]:
    """By link type: the target's key text of each row, null where any part of it is missing."""
    return {name: _targets(link, types[link.to], rows) for name, link in object_type.links.items()}


def conformed(object_type: ObjectType, mapped: pa.Table, only: set[str] | None = None) -> pa.Table:
    """The table in single chunks, each property in its declared Arrow type; a geopoint without numbers is absent."""
    columns: dict[str, pa.Array] = {}
    for name in mapped.column_names:
        column = flat(mapped[name])
        declared = object_type.properties.get(name)
        if declared is not None and (only is None or name in only):
            wanted = declared.parsed.arrow()
            column = column if column.type == wanted else column.cast(wanted)
            columns[name] = _present_points(column) if declared.base == "geopoint" else column
        elif declared is None:
            columns[name] = column
    missing = [name for name in (only or object_type.properties) if name not in columns]
    if missing:
        raise KeyError(f"the mapped table of {object_type.name} lacks the columns {', '.join(sorted(missing))}")
    return pa.table(columns)


def _present_points(points: pa.Array) -> pa.Array:
    empty = pc.and_(pc.is_null(pc.struct_field(points, "lat")), pc.is_null(pc.struct_field(points, "lon")))
    return pc.if_else(empty, pa.scalar(None, points.type), points)


def _ids(object_type: ObjectType, rows: pa.Table) -> pa.Array:
    return key_column([(rows[name], kind) for name, kind in zip(object_type.key, key_types(object_type), strict=True)])


def _targets(link: Link, target: ObjectType, rows: pa.Table) -> pa.Array:
    kinds = key_types(target)
    parts = [flat(rows[name]) for name in link.by]
    return key_column([(part.cast(kind.arrow()), kind) for part, kind in zip(parts, kinds, strict=True)])


def _partitions(rows: pa.Table) -> pa.Array:
    if PARTITION in rows.column_names:
        return flat(rows[PARTITION]).cast(pa.string())
    return pa.repeat(pa.scalar("", pa.string()), rows.num_rows)


def _or_null(rows: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    return flat(rows[name]).cast(kind) if name in rows.column_names else pa.nulls(rows.num_rows, kind)


_ORIGIN = {
    OCCURRED_AT: STATES_SCHEMA.field("occurred_at"),
    ROW: STATES_SCHEMA.field("row"),
    LINE: STATES_SCHEMA.field("line"),
    SOURCE_FILE: STATES_SCHEMA.field("source_file"),
}
