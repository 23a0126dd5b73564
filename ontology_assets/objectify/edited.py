"""Loaded rows of objects that people have edited: the edits stay on top, what the source says is remembered below.

These events are written inline, one by one, since the heads learn of edits from inline events alone: a load without
edited objects pays one empty lookup.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical import canonical_json, state_hash
from ontology_assets.canonical_columns import flat
from ontology_assets.events.envelope import EDITS, NULL_STATE_HASH, NewEvent, derived_id
from ontology_assets.events.heads import Heads
from ontology_assets.events.state import state_text
from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.changes import CREATED, DELETED, UPDATED, PreviousStates, Provenance, changed_fields
from ontology_assets.objectify.edits import Edits, overlaid
from ontology_assets.states import State, state_text_of


class EditedLoad(Protocol):
    """What is needed of a load."""

    @property
    def object_type(self) -> ObjectType: ...

    @property
    def types(self) -> Mapping[str, ObjectType]: ...


@dataclass(frozen=True)
class Split:
    """`rows` as they are counted; `changed` and `gone` are written in bulk, `inline` are the edited objects' events."""

    rows: pa.Table
    changed: pa.Table
    gone: pa.Table
    inline: tuple[NewEvent, ...] = ()


def split_edited(  # noqa: PLR0917 - the parts of one decision
    load: EditedLoad,
    rows: pa.Table,
    gone: pa.Table,
    partition_of: Mapping[str, str],
    heads: Heads,
    provenance: Provenance,
    previous_states: PreviousStates,
) -> Split:
    """`rows` are compared rows (id, state, event_type, base, owner, known_owner, known_position, moved, ...), `gone`
    what the partitions do not have any more; `partition_of`: of an owner, for partitions whose deletions count."""
    held = heads.edits(load.object_type.name)
    if not held:
        return Split(rows, rows.filter(rows["event_type"].is_valid()), gone)
    work = _Edited(load, provenance, previous_states)
    ids = pa.array(list(held), pa.string())
    mine = flat(pc.is_in(rows["id"], value_set=ids))
    event_types = rows["event_type"].to_pylist()
    for i in pc.indices_nonzero(mine).to_pylist():
        row = rows.slice(i, 1).to_pylist()[0]
        event_types[i] = work.loaded(row, Edits.of(held[row["id"]]))
    counted = rows.set_column(rows.column_names.index("event_type"), "event_type", pa.array(event_types, pa.string()))
    gone_mine = flat(pc.is_in(gone["id"], value_set=ids))
    for row in gone.filter(gone_mine).to_pylist():
        work.gone(row, Edits.of(held[row["id"]]))
    brought = set(rows["id"].filter(mine).to_pylist())
    hidden = [key for key, edits in held.items() if edits.get("deleted") and edits.get("loaded") and key not in brought]
    if hidden:
        for row in heads.lookup(load.object_type.name, pa.array(sorted(hidden), pa.string())).to_pylist():
            if row["owner"] in partition_of:
                work.gone({**row, "partition": partition_of[row["owner"]]}, Edits.of(held[row["id"]]))
    bulk = counted.filter(pc.and_(flat(counted["event_type"].is_valid()), pc.invert(mine)))
    return Split(counted, bulk, gone.filter(pc.invert(gone_mine)), tuple(work.events))


class _Edited:
    def __init__(self, load: EditedLoad, provenance: Provenance, previous_states: PreviousStates) -> None:
        self._load, self._from, self._previous = load, provenance, previous_states
        self.events: list[NewEvent] = []

    def loaded(self, row: dict[str, Any], edits: Edits) -> str | None:
        """The event type that the row counts as; None where nothing changes for those who read the object."""
        source: State = orjson.loads(row["state"])
        now = replace(edits, loaded=source)
        after = overlaid(self._load.object_type, self._load.types, source, now)
        if after is None:
            if edits.loaded != source or row["known_owner"] != row["owner"]:
                self._add(row, DELETED, None, now)
            return None
        if row["event_type"] == CREATED:
            self._add(row, CREATED, after, now)
            return CREATED
        if edits.loaded == source and not row["moved"]:
            return None
        self._add(row, UPDATED, after, now)
        return UPDATED

    def gone(self, row: dict[str, Any], edits: Edits) -> None:
        """The source has it no more: the object goes, what people hold of it waits for its return."""
        self._add({**row, "base": row["sequence"]}, DELETED, None, replace(edits, loaded=None))

    def _add(self, row: dict[str, Any], event_type: str, after: State | None, edits: Edits) -> None:
        text = "null" if after is None else state_text_of(after)
        changed = ""
        if event_type == UPDATED:
            at = pa.array([row["known_position"]], pa.int64())
            names = changed_fields(state_text(self._previous(at)["data"][0].as_py()), text)
            changed = f'"changed":{canonical_json(names)},'
        name, partition, base = self._load.object_type.name, row["partition"], row["base"]
        version = self._from.data_versions[partition]
        said = {
            "asset": self._from.asset,
            "code_version": self._from.code_version,
            "run_id": self._from.run_id,
            "partition": partition,
            **{origin: row[origin] for origin in ("source_file", "row", "line") if row.get(origin) is not None},
            EDITS: edits.document(),
        }
        self.events.append(
            NewEvent(
                event_id=derived_id(self._from.asset, partition, version, name, row["id"], str(base)),
                event_type=event_type,
                aggregate_type=name,
                aggregate_id=row["id"],
                sequence_number=base + 1,
                data=f'{{{changed}"state":{text}}}',
                state_hash=NULL_STATE_HASH if after is None else state_hash(text),
                metadata=orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode(),
                occurred_at=row.get("occurred_at"),
                owner=row["owner"],
            )
        )
