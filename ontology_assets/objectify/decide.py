"""Which objects are new, changed, gone or the same: states of some partitions against the heads, as one draft.

A pure function of what comes in and of the heads, so the log may ask again when another writer was faster. Rules:
`state_hash` decides, never a clock; a partition deletes only what it owns; a key that turns up in another partition
changes its owner; after a deletion the sequence goes on; nothing is decided of a partition whose data version is known.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical_columns import flat
from ontology_assets.events.envelope import Draft, asset_aggregate_id, asset_and_partition
from ontology_assets.events.heads import Heads
from ontology_assets.materializations import OBJECTS_OBJECTIFIED, Materialization, batch_id, envelope, is_new
from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.changes import CREATED, UPDATED, PreviousStates, Provenance, draft_rows
from ontology_assets.objectify.edited import split_edited
from ontology_assets.objectify.gates import GateFailed, key_elsewhere

Elsewhere: TypeAlias = Callable[[pa.Array, Sequence[str] | None], dict[str, str]]
"""(ids, partitions) -> which partition of the source, outside of this chunk, holds a row with that id now. `None` asks
about all partitions of the run. Called only where objects leave or enter a partition."""


@dataclass(frozen=True)
class PartitionLoad:
    """One partition that is loaded. `protected`: ids of quarantined rows, whose objects are not gone. `unreadable`:
    quarantined rows whose key can't be read, so that nothing of the partition can be called gone."""

    partition: str
    data_version: str
    upstream: Sequence[str] = ()
    quarantined: int = 0
    protected: frozenset[str] = frozenset()
    unreadable: int = 0


@dataclass(frozen=True)
class Load:
    """A chunk of partitions of one asset with the states (STATES_SCHEMA) of their rows."""

    asset: str
    object_type: ObjectType
    partitions: Sequence[PartitionLoad]
    states: pa.Table
    run_id: str
    code_version: str
    types: Mapping[str, ObjectType] = field(default_factory=dict)
    """The domain's types by name: where people edit objects, the links of an edited one are resolved again."""

    @cached_property
    def owners(self) -> dict[str, str]:
        return {one.partition: asset_aggregate_id(self.asset, one.partition) for one in self.partitions}


def pending(load: Load, heads: Heads) -> list[PartitionLoad]:
    """The partitions whose data version has no envelope yet."""
    known = heads.asset_versions(load.asset)
    return [
        one for one in load.partitions if is_new(Materialization(load.asset, one.partition, one.data_version), known)
    ]


def decide(
    load: Load, heads: Heads, previous_states: PreviousStates, elsewhere: Elsewhere | None = None
) -> Draft | None:
    """The events and one envelope per partition, or None where every partition's data version is known.

    `previous_states` is `log.states`. Raises GateFailed for a key that another partition's source still has.
    """
    todo = {one.partition: one for one in pending(load, heads)}
    if not todo:
        return None
    incoming = _of_partitions(load.states, list(todo))
    owned = heads.owned(load.object_type.name, [load.owners[name] for name in todo])
    comparison = _compare(load, incoming, _known(load, incoming, owned, heads))
    _check_moves(load, comparison, elsewhere)
    gone, held, protected = _gone(load, list(todo.values()), incoming["id"], owned, elsewhere)
    provenance = Provenance(
        load.asset, {one.partition: one.data_version for one in todo.values()}, load.run_id, load.code_version
    )
    sure = {load.owners[one.partition]: one.partition for one in todo.values() if not one.unreadable}
    split = split_edited(load, comparison.all, gone, sure, heads, provenance, previous_states)
    events = draft_rows(load.object_type.name, split.changed, split.gone, provenance, previous_states)
    known = heads.asset_versions(load.asset)
    counts = _counts(split.rows, gone, list(todo))
    made = [
        Materialization(
            load.asset,
            one.partition,
            one.data_version,
            {
                **counts[one.partition],
                "deletions_held": held.get(one.partition, 0),
                "protected": protected.get(one.partition, 0),
                "quarantined": one.quarantined,
            },
            one.upstream,
        )
        for one in sorted(todo.values(), key=lambda one: one.partition)
    ]
    metadata = {"run_id": load.run_id, "code_version": load.code_version}
    return Draft(
        batch=batch_id(made, known),
        events=events if events.num_rows else None,
        inline=[*split.inline, *(envelope(one, OBJECTS_OBJECTIFIED, known, metadata) for one in made)],
    )


@dataclass(frozen=True)
class _Comparison:
    """The incoming rows with `event_type` (null = unchanged), `moved`, and what the heads know of their ids."""

    all: pa.Table


def _of_partitions(states: pa.Table, partitions: list[str]) -> pa.Table:
    return states.filter(pc.is_in(states["partition"], pa.array(partitions, pa.string()))).combine_chunks()


def _known(load: Load, incoming: pa.Table, owned: pa.Table, heads: Heads) -> pa.Table:
    """What the heads know of the incoming ids. Most belong to their partition already and are not asked for again."""
    others = flat(incoming["id"])
    if owned.num_rows:
        others = others.filter(pc.invert(pc.is_in(others, value_set=flat(owned["id"]))))
    return pa.concat_tables([owned, heads.lookup(load.object_type.name, others)]) if len(others) else owned


def _compare(load: Load, incoming: pa.Table, known: pa.Table) -> _Comparison:
    ids = flat(incoming["id"])
    at = pc.index_in(ids, value_set=flat(known["id"]))
    sequence, known_hash, known_owner, position = (
        flat(known[name]).take(at) for name in ("sequence", "state_hash", "owner", "position")
    )
    deleted = flat(known["deleted"]).take(at)
    partitions = flat(incoming["partition"]).dictionary_encode()
    names = pa.array([load.owners[name] for name in partitions.dictionary.to_pylist()], pa.string())
    owner = names.take(partitions.indices)
    live = _true(pc.invert(deleted))
    moved = pc.and_(live, pc.invert(_true(pc.equal(owner, known_owner))))
    same = pc.and_(pc.and_(live, pc.invert(moved)), _true(pc.equal(known_hash, flat(incoming["state_hash"]))))
    event_type = pc.if_else(same, pa.scalar(None, pa.string()), pc.if_else(live, UPDATED, CREATED))
    table = incoming
    for name, column in {
        "base": pc.fill_null(sequence, 0),
        "owner": owner,
        "known_owner": known_owner,
        "known_position": position,
        "moved": moved,
        "event_type": event_type,
    }.items():
        table = table.append_column(name, column)
    return _Comparison(table)


def _check_moves(load: Load, comparison: _Comparison, elsewhere: Elsewhere | None) -> None:
    """A key that came from another partition is a move only if that partition's source does not have it any more."""
    moved = comparison.all.filter(comparison.all["moved"])
    if elsewhere is None or not moved.num_rows:
        return
    origins = [asset_and_partition(owner) for owner in pc.unique(moved["known_owner"].drop_null()).to_pylist()]
    here = set(load.owners)
    partitions = sorted({partition for asset, partition in origins if asset == load.asset and partition not in here})
    places = elsewhere(flat(moved["id"]), partitions) if partitions else {}
    if places:
        raise GateFailed(load.object_type.name, [key_elsewhere(load.object_type, places, moved)])


def _gone(
    load: Load, todo: list[PartitionLoad], incoming: pa.ChunkedArray, owned: pa.Table, elsewhere: Elsewhere | None
) -> tuple[pa.Table, dict[str, int], dict[str, int]]:
    """What the partitions own and did not bring, less what may not be called gone; and how many are held, protected."""
    absent = owned.filter(pc.invert(pc.is_in(owned["id"], value_set=flat(incoming))))
    held: dict[str, int] = {}
    protected: dict[str, int] = {}
    kept = []
    for one in todo if absent.num_rows else ():
        mine = absent.filter(pc.equal(absent["owner"], load.owners[one.partition]))
        if one.unreadable:
            held[one.partition] = mine.num_rows
            continue
        quarantined = pc.is_in(mine["id"], value_set=pa.array(sorted(one.protected), pa.string()))
        protected[one.partition] = pc.sum(quarantined).as_py() or 0
        rest = mine.filter(pc.invert(quarantined))
        kept.append(rest.append_column("partition", pa.repeat(pa.scalar(one.partition, pa.string()), rest.num_rows)))
    none = owned.slice(0, 0).append_column("partition", pa.array([], pa.string()))
    gone = pa.concat_tables([none, *kept])
    if elsewhere is not None and gone.num_rows:
        arriving = elsewhere(flat(gone["id"]), None)  # these move: the partition that has them now updates them
        gone = gone.filter(pc.invert(pc.is_in(gone["id"], value_set=pa.array(sorted(arriving), pa.string()))))
    return gone, held, protected


def _counts(rows: pa.Table, gone: pa.Table, partitions: list[str]) -> dict[str, dict[str, int]]:
    labels = pc.fill_null(rows["event_type"], "")
    table = pa.table({"partition": rows["partition"], "event_type": labels, "moved": rows["moved"].cast(pa.int64())})
    found = table.group_by(["partition", "event_type"]).aggregate([([], "count_all"), ("moved", "sum")])
    names = {CREATED: "created", UPDATED: "updated", "": "unchanged"}
    counts = {name: dict.fromkeys(("created", "updated", "deleted", "unchanged", "moved"), 0) for name in partitions}
    for row in found.to_pylist():
        counts[row["partition"]][names[row["event_type"]]] = row["count_all"]
        counts[row["partition"]]["moved"] += row["moved_sum"]
    for pair in pc.value_counts(gone["partition"]).to_pylist():
        counts[pair["values"]]["deleted"] = pair["counts"]
    return counts


def _true(mask: pa.Array) -> pa.Array:
    return pc.fill_null(mask, False)  # noqa: FBT003 - Arrow's signature
