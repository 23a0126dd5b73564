"""From decided rows to rows of the log: ids, data, metadata and order of object events. Nothing is decided here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical import canonical_json
from ontology_assets.canonical_columns import bucket, flat, object_column, uuid5_column
from ontology_assets.events.envelope import DRAFT_SCHEMA, NAMESPACE, NULL_STATE_HASH
from ontology_assets.events.state import state_text
from transforms.types import ColumnType

CREATED, UPDATED, DELETED = "ObjectCreated", "ObjectUpdated", "ObjectDeleted"
PreviousStates: TypeAlias = Callable[[pa.Array], pa.Table]
"""positions -> (position, data) of those events."""
_TEXT, _INTEGER = ColumnType("string"), ColumnType("integer")
_NULL_DATA = '{"state":null}'


@dataclass(frozen=True)
class Provenance:
    """What every event of a load says of where it comes from; data versions by partition."""

    asset: str
    data_versions: Mapping[str, str]
    run_id: str
    code_version: str


def draft_rows(
    type_name: str, changed: pa.Table, gone: pa.Table, provenance: Provenance, previous_states: PreviousStates
) -> pa.Table:
    """DRAFT_SCHEMA: the changed rows (with `base`, `owner`, `event_type`) and the deletions, by partition, row, id."""
    rows = pa.concat_tables([_written(changed, previous_states), _deleted(gone)])
    order = [("partition", "ascending"), ("row", "ascending"), ("id", "ascending")]
    rows = rows.take(pc.sort_indices(rows, sort_keys=order)).combine_chunks()
    ids, base = flat(rows["id"]), flat(rows["base"])
    return pa.table(
        [
            _event_ids(type_name, rows, provenance),
            rows["event_type"],
            pa.repeat(pa.scalar(type_name, pa.string()), rows.num_rows),
            ids,
            pc.add(base, 1),
            rows["occurred_at"],
            rows["data"],
            _metadata(rows, provenance),
            rows["state_hash"],
            rows["bucket"],
            rows["owner"],
        ],
        schema=DRAFT_SCHEMA,
    )


_ROWS = pa.schema(
    [
        ("partition", pa.string()),
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("source_file", pa.string()),
        ("id", pa.string()),
        ("base", pa.int64()),
        ("event_type", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("data", pa.string()),
        ("state_hash", pa.string()),
        ("bucket", pa.string()),
        ("owner", pa.string()),
    ]
)


def _written(changed: pa.Table, previous_states: PreviousStates) -> pa.Table:
    state = flat(changed["state"])
    data = pc.binary_join_element_wise('{"state":', state, "}", "")
    updated = flat(pc.equal(changed["event_type"], UPDATED))
    if pc.any(updated).as_py():
        before = _states_at(flat(changed["known_position"]).filter(updated), previous_states)
        after = state.filter(updated).to_pylist()
        names = [
            f'{{"changed":{_names_json(tuple(changed_fields(old, new)))},"state":{new}}}'
            for old, new in zip(before, after, strict=True)
        ]
        data = pc.replace_with_mask(data, updated, pa.array(names, pa.string()))
    columns = [data if name == "data" else changed[name] for name in _ROWS.names]
    return pa.table(columns, schema=_ROWS)


def changed_fields(before: str, after: str) -> list[str]:
    """Names of the properties and links that differ between two states, sorted."""
    old, new = orjson.loads(before), orjson.loads(after)
    names: list[str] = []
    for part in ("links", "properties"):
        was, now = old.get(part, {}), new.get(part, {})
        names += [name for name, value in now.items() if was.get(name) != value]
        names += [name for name in was if name not in now]
    return sorted(set(names))


@lru_cache(maxsize=1024)
def _names_json(names: tuple[str, ...]) -> str:
    return canonical_json(names)


def _states_at(positions: pa.Array, previous_states: PreviousStates) -> list[str]:
    """The states' texts in the order of the positions."""
    found = previous_states(positions)
    at = pc.index_in(positions, value_set=flat(found["position"]))
    return [state_text(data) for data in flat(found["data"]).take(at).to_pylist()]


def _deleted(gone: pa.Table) -> pa.Table:
    rows = gone.num_rows
    constants = {"event_type": DELETED, "data": _NULL_DATA, "state_hash": NULL_STATE_HASH}
    columns = []
    for field in _ROWS:
        if field.name in constants:
            columns.append(pa.repeat(pa.scalar(constants[field.name], pa.string()), rows))
        elif field.name == "bucket":
            columns.append(bucket(gone["id"]))
        elif field.name in ("partition", "id", "owner"):
            columns.append(flat(gone[field.name]))
        elif field.name == "base":
            columns.append(flat(gone["sequence"]))
        else:
            columns.append(pa.nulls(rows, field.type))
    return pa.table(columns, schema=_ROWS)


def _event_ids(type_name: str, rows: pa.Table, provenance: Provenance) -> pa.Array:
    """uuid5 of asset|partition|data version|type|id|base sequence."""
    partitions = flat(rows["partition"]).dictionary_encode()
    starts = pa.array(
        [
            f"{provenance.asset}|{name}|{provenance.data_versions[name]}|{type_name}"
            for name in partitions.dictionary.to_pylist()
        ],
        pa.string(),
    )
    names = pc.binary_join_element_wise(
        starts.take(partitions.indices), flat(rows["id"]), flat(rows["base"]).cast(pa.string()), "|"
    )
    return uuid5_column(NAMESPACE, names)


def _metadata(rows: pa.Table, provenance: Provenance) -> pa.Array:
    constants = {"asset": provenance.asset, "code_version": provenance.code_version, "run_id": provenance.run_id}
    columns = {
        name: (pa.repeat(pa.scalar(text, pa.string()), rows.num_rows), _TEXT) for name, text in constants.items()
    }
    return object_column(
        {
            **columns,
            "partition": (rows["partition"], _TEXT),
            "source_file": (rows["source_file"], _TEXT),
            "row": (rows["row"], _INTEGER),
            "line": (rows["line"], _INTEGER),
        },
        rows.num_rows,
    )
