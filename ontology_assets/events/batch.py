"""A draft made ready to be offered: its shape checked, its sequence numbers checked against the heads decided on."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import ASSET_TYPE, DRAFT_SCHEMA, MAIN, Draft, inline_batch
from ontology_assets.events.errors import DraftRefused, EventIdReused, SequenceConflict
from ontology_assets.events.heads import Heads
from ontology_assets.events.record import packed
from ontology_assets.events.state import hash_of_state

_BATCH_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_MAY_BE_NULL = frozenset({"occurred_at", "owner"})
_UNSEEN = 0
_FEW = 100
_TOUCHED = pa.schema([DRAFT_SCHEMA.field("aggregate_id"), DRAFT_SCHEMA.field("sequence_number")])


@dataclass(frozen=True)
class Batch:
    """A draft with everything that does not depend on where in the log it lands."""

    draft: Draft
    bulk: pa.Table
    inline: pa.RecordBatch
    body: bytes
    events: str
    by_type: dict[str, int]
    streams: tuple[tuple[str, str, int], ...]

    @property
    def rows(self) -> int:
        return int(self.bulk.num_rows) + int(self.inline.num_rows)

    @cached_property
    def touched(self) -> dict[str, pa.Table]:
        """By aggregate type: the ids written (`aggregate_id`) and their `sequence_number`, in order."""
        found: dict[str, list[pa.Table]] = {}
        for kind in pc.unique(self.bulk["aggregate_type"]).to_pylist() if self.bulk.num_rows else ():
            rows = self.bulk.filter(pc.equal(self.bulk["aggregate_type"], kind))
            found[kind] = [rows.select(_TOUCHED.names)]
        for kind in {event.aggregate_type for event in self.draft.inline}:
            mine = [e for e in self.draft.inline if e.aggregate_type == kind]
            columns = [[e.aggregate_id for e in mine], [e.sequence_number for e in mine]]
            found.setdefault(kind, []).append(pa.table(columns, schema=_TOUCHED))
        return {kind: pa.concat_tables(parts) for kind, parts in found.items()}


def prepare(draft: Draft, domain: str) -> Batch:
    """Check the draft's shape. Raises DraftRefused."""
    if not _BATCH_ID.fullmatch(draft.batch):
        raise DraftRefused(domain, f"batch id {draft.batch!r} must be 1 to 64 letters, digits and dashes, e.g. a uuid")
    bulk = _bulk(draft.events, domain)
    for event in draft.inline:
        if event.branch != MAIN:
            raise DraftRefused(domain, f"event {event.event_id} is on branch {event.branch!r}; only {MAIN!r} is there")
        if hash_of_state(event.data) != event.state_hash:
            raise DraftRefused(
                domain,
                f"event {event.event_id} ({event.event_type} {event.aggregate_id}): "
                "state_hash is not the hash of the state in its data",
            )
    inline = inline_batch(draft.inline)
    ids = pa.concat_arrays([*bulk["event_id"].chunks, inline["event_id"]]) if bulk.num_rows else inline["event_id"]
    if len(ids) > 1 and pc.count_distinct(ids).as_py() != len(ids):
        counts = ids.value_counts()
        twice = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"]
        raise DraftRefused(domain, f"event id {twice} occurs more than once in the batch")
    by_type = Counter(e.event_type for e in draft.inline)
    if bulk.num_rows:
        by_type.update({pair["values"]: pair["counts"] for pair in bulk["event_type"].value_counts().to_pylist()})
    return Batch(
        draft=draft,
        bulk=bulk,
        inline=inline,
        body=packed(inline),
        events=_joined_hash(ids),
        by_type=dict(by_type),
        streams=tuple((e.aggregate_type, e.aggregate_id, e.sequence_number) for e in draft.inline),
    )


def already_there(batch: Batch, heads: Heads, domain: str) -> list[int]:
    """Positions of the batch's events if all of it is in the log already, [] if none is. Raises EventIdReused."""
    known = heads.known_events([e.event_id for e in batch.draft.inline]) if batch.draft.inline else {}
    for event in batch.draft.inline:
        found = known.get(event.event_id)
        if found is None:
            continue
        given = (event.event_type, event.aggregate_type, event.aggregate_id, event.state_hash)
        there = (found.event_type, found.aggregate_type, found.aggregate_id, found.state_hash)
        if given != there:
            names = ("event type", "aggregate type", "aggregate id", "state hash")
            other = [name for name, a, b in zip(names, given, there, strict=True) if a != b]
            raise EventIdReused(domain, event.event_id, found.position, ", ".join(other))
    if known and (batch.bulk.num_rows or len(known) < len(batch.draft.inline)):
        event_id, found = next(iter(known.items()))
        raise EventIdReused(
            domain, event_id, found.position, "it was in another batch, without the other events of this"
        )
    return sorted(found.position for found in known.values())


def check_expected(draft: Draft, heads: Heads, domain: str) -> None:
    """Every aggregate that the draft expects something of is there. Raises SequenceConflict."""
    by_type: dict[str, list[str]] = {}
    for kind, key in draft.expected:
        by_type.setdefault(kind, []).append(key)
    for kind, ids in by_type.items():
        found = heads.lookup(kind, pa.array(ids, pa.string()))  # noted as read: a later record may not touch it
        last = dict(zip(found["id"].to_pylist(), found["sequence"].to_pylist(), strict=True))
        for key in ids:
            expected, actual = draft.expected[kind, key], last.get(key, _UNSEEN)
            if expected != actual:
                raise SequenceConflict(domain, kind, key, expected, actual)


def check_sequences(batch: Batch, heads: Heads, domain: str) -> None:
    """Every aggregate's sequence goes on from its head, without gap or repeat. Raises DraftRefused."""
    for kind, rows in batch.touched.items():
        known = heads.sequences(kind, rows["aggregate_id"])
        if not (batch.bulk.num_rows and _each_is_next(rows, known)):
            _check_one_by_one(kind, rows, dict(zip(*(column.to_pylist() for column in known), strict=True)), domain)


def _each_is_next(rows: pa.Table, known: pa.Table) -> bool:
    """Is each row the next event of its aggregate, and the only one of it? Looks at columns, not at rows."""
    ids = rows["aggregate_id"]
    last = known["sequence"].take(pc.index_in(ids, value_set=known["id"].combine_chunks()))
    ahead = pc.subtract(rows["sequence_number"], pc.fill_null(last, _UNSEEN))
    return bool(pc.all(pc.equal(ahead, 1)).as_py()) and pc.count_distinct(ids).as_py() == len(ids)


def _check_one_by_one(kind: str, rows: pa.Table, last: dict[str, int], domain: str) -> None:
    """Several events of one aggregate follow each other."""
    for key, sequence in zip(rows["aggregate_id"].to_pylist(), rows["sequence_number"].to_pylist(), strict=True):
        head = last.get(key, _UNSEEN)
        if sequence != head + 1:
            raise DraftRefused(domain, f"{kind} {key} is at sequence {head}, so the next is {head + 1}, not {sequence}")
        last[key] = sequence


def _joined_hash(ids: pa.Array) -> str:
    """sha256 of the ids, a line each; of a year's load no id becomes a Python object."""
    if len(ids) <= _FEW:
        return hashlib.sha256("\n".join(ids.to_pylist()).encode()).hexdigest()
    lines = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(ids)], pa.int32()), ids), "\n")
    return hashlib.sha256(lines[0].as_buffer()).hexdigest()


@cache
def _no_rows() -> pa.Table:
    return DRAFT_SCHEMA.empty_table()  # not at import: making any array makes pyarrow import pandas (1 s)


def _bulk(events: pa.Table | None, domain: str) -> pa.Table:
    if events is None:
        return _no_rows()
    missing = [name for name in DRAFT_SCHEMA.names if name not in events.column_names]
    if missing or len(events.column_names) != len(DRAFT_SCHEMA):
        raise DraftRefused(
            domain, f"bulk columns are {', '.join(events.column_names)}; they must be {', '.join(DRAFT_SCHEMA.names)}"
        )
    try:
        table = events.select(DRAFT_SCHEMA.names).cast(DRAFT_SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DraftRefused(domain, f"bulk columns have other types than the draft schema: {error}") from error
    for name in DRAFT_SCHEMA.names:
        if name not in _MAY_BE_NULL and table[name].null_count:
            raise DraftRefused(domain, f"{table[name].null_count} bulk rows have no {name}")
    if pc.any(pc.equal(table["aggregate_type"], ASSET_TYPE)).as_py():
        raise DraftRefused(domain, f"envelopes of type {ASSET_TYPE} are appended inline, not in bulk")
    return table
