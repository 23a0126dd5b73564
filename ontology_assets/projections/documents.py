"""The pure fold of a batch of events into read model changes: what both projections make of an event.

Columnar where it can be: a batch in which no object occurs twice and no event is faulty is decoded property by
property. Otherwise its rows are judged one by one first.

A document is the object's state as far as the ontology knows it, in canonical form; for a state of known properties
that is the event's own text. An event that does not fit parks its object; later events of a parked object wait too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import compress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.projections.cells import Unfit
from ontology_assets.projections.decoding import all_fit, decode_states, state_texts
from ontology_assets.projections.digest import document_hashes
from resources.read_model.base import Changes, ParkedObject, TypeChanges
from resources.read_model.query import Cell, DomainLayout, TypeLayout

DELETED = "ObjectDeleted"
FIRST_DIGIT = {f"{number:02x}": number >> 4 for number in range(256)}
OBJECT_EVENTS = pa.array(["ObjectCreated", "ObjectUpdated", DELETED])
MAIN = "main"
COLUMNS = [
    "event_type",
    "branch",
    "aggregate_type",
    "aggregate_id",
    "position",
    "sequence_number",
    "bucket",
    "data",
]
TOMBSTONE = "null"

WordsOf = Callable[[TypeLayout, list[list[Cell]]], list[str | None]]
Parked = set[tuple[str, str]]
Rows = npt.NDArray[np.int64]
"""Numbers of rows in a batch."""


@dataclass(frozen=True)
class _Events:
    """The events of one type in a batch, in order."""

    ids: list[str]
    positions: list[int]
    sequences: list[int]
    buckets: list[int]
    deleted: list[bool]
    data: list[str]

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "_Events":
        return cls(
            ids=batch.column("aggregate_id").to_pylist(),
            positions=batch.column("position").to_pylist(),
            sequences=batch.column("sequence_number").to_pylist(),
            buckets=list(map(FIRST_DIGIT.__getitem__, batch.column("bucket").to_pylist())),
            deleted=pc.equal(batch.column("event_type"), DELETED).to_pylist(),
            data=batch.column("data").to_pylist(),
        )

    def at(self, rows: Sequence[int]) -> "_Events":
        return _Events(**{f.name: [getattr(self, f.name)[k] for k in rows] for f in fields(self)})


@dataclass(frozen=True)
class _Histories:
    """Whose each row of a type's events is: `object` by row; by object its first row; all last rows, ascending."""

    object: Rows
    first: Rows
    last: Rows

    @classmethod
    def of(cls, rows: pa.RecordBatch) -> "_Histories":
        ids = rows.column("aggregate_id").dictionary_encode()
        objects, at = ids.indices.to_numpy(), np.arange(rows.num_rows)
        first, last = np.empty(len(ids.dictionary), np.int64), np.empty(len(ids.dictionary), np.int64)
        last[objects] = at  # of several the last one counts
        first[objects[::-1]] = at[::-1]
        return cls(objects, first, np.sort(last))

    @property
    def repeated(self) -> bool:
        return len(self.last) < len(self.object)

    def starts(self, rows: pa.RecordBatch) -> tuple[list[int], list[bool]]:
        """Of the objects of the rows `last`: the position of the first event, and whether it is the first ever."""
        begun = pa.array(self.first[self.object[self.last]])
        sequences = rows.column("sequence_number").take(begun)
        return rows.column("position").take(begun).to_pylist(), pc.equal(sequences, 1).to_pylist()


def fold(
    batch: pa.RecordBatch, layout: DomainLayout, parked: Parked, words_of: WordsOf | None, *, values: bool = True
) -> Changes:
    """What the batch does to the domain's read model. `parked`: objects parked before. Events of other kinds, of types
    that the ontology does not have, and of other branches change nothing but the position.

    Without `values` the changes have no cells, links and words: for who asks for the hashes alone.
    """
    changes = Changes(position=batch.column("position")[batch.num_rows - 1].as_py(), set_aside=frozenset(parked))
    batch = batch.select(COLUMNS)
    kinds = batch.column("aggregate_type")
    wanted = pc.and_(
        pc.and_(pc.is_in(batch.column("event_type"), OBJECT_EVENTS), pc.equal(batch.column("branch"), MAIN)),
        pc.is_in(kinds, pa.array([t.name for t in layout.types], pa.string())),
    )
    for name in pc.unique(kinds.filter(wanted)).to_pylist():
        type_layout = layout.type(name)
        assert type_layout is not None  # noqa: S101  filtered by the layout's names
        of_type = pc.and_(wanted, pc.equal(kinds, name))
        # Most batches hold one type only; filtering those would copy every text once more.
        rows = batch if pc.all(of_type).as_py() else batch.filter(of_type)
        _TypeFold(layout.domain, type_layout, parked, words_of, changes, values).run(rows)
    return changes


@dataclass(frozen=True)
class _TypeFold:
    """The fold of one type's events into `changes`."""

    domain: str
    layout: TypeLayout
    parked: Parked
    words_of: WordsOf | None
    changes: Changes
    values: bool

    def run(self, rows: pa.RecordBatch) -> None:
        """The events of the type in a batch, in order."""
        histories = _Histories.of(rows)
        none_waits = not any(name == self.layout.name for name, _ in self.parked)
        if none_waits and histories.repeated and _all_fit(rows, self.layout):
            self._build(_Events.of(rows.take(pa.array(histories.last))), *histories.starts(rows))
            return
        events = _Events.of(rows)
        if none_waits and not histories.repeated:
            try:
                self._build(events, events.positions, [sequence == 1 for sequence in events.sequences])
            except Unfit:
                pass  # somewhere in the batch: found row by row below
            else:
                return
        good, faults = _judge(events, self.layout, self.parked)
        chosen = replace(histories, last=np.asarray(good, dtype=np.int64))
        self._build(events.at(good), *chosen.starts(rows))
        self.changes.parked.extend(faults)

    def _build(self, events: _Events, first: list[int], fresh: list[bool]) -> None:
        """Append the changes of events of different objects. Raises Unfit before it appends anything."""
        parts = []
        for deleted in (False, True):
            chosen = [flag is deleted for flag in events.deleted]
            if not any(chosen):
                continue
            rows = events if all(chosen) else events.at(list(compress(range(len(chosen)), chosen)))
            part = TypeChanges(
                self.layout,
                ids=rows.ids,
                first=list(compress(first, chosen)),
                fresh=list(compress(fresh, chosen)),
                positions=rows.positions,
                sequences=rows.sequences,
                buckets=rows.buckets,
            )
            texts = [TOMBSTONE] * len(rows.ids)
            if not deleted and not self.values:
                texts = state_texts(rows.data, self.layout)
            elif not deleted:
                part.cells, part.links, texts = decode_states(rows.data, self.layout)
                if self.words_of is not None and self.layout.has_words:
                    part.words = self.words_of(self.layout, part.cells)
            name = self.layout.name
            part.hashes = document_hashes(self.domain, name, rows.ids, rows.positions, texts, deleted=deleted)
            parts.append((self.changes.gone if deleted else self.changes.live, part))
        for target, part in parts:
            target.append(part)


def _all_fit(rows: pa.RecordBatch, layout: TypeLayout) -> bool:
    """Of a long history most are only looked at, for later ones replace them."""
    return all_fit(rows.column("data").filter(pc.not_equal(rows.column("event_type"), DELETED)), layout)


def _judge(events: _Events, layout: TypeLayout, parked: Parked) -> tuple[list[int], list[ParkedObject]]:
    """The row of the last good event of each object, and the objects that are parked or have one more event waiting."""
    last: dict[str, int] = {}
    waiting: dict[str, ParkedObject] = {}
    for k, key in enumerate(events.ids):
        known = waiting.get(key)
        if known is not None or (layout.name, key) in parked:
            reason = known.reason if known is not None else "waits for an earlier event"
            position = known.position if known is not None else events.positions[k]
            count = known.waiting + 1 if known is not None else 1
            waiting[key] = ParkedObject(layout.name, key, events.buckets[k], position, reason, count)
            continue
        try:
            if not events.deleted[k]:
                decode_states([events.data[k]], layout)
        except Unfit as fault:
            waiting[key] = ParkedObject(layout.name, key, events.buckets[k], events.positions[k], str(fault))
        else:
            last[key] = k
    return sorted(last.values()), list(waiting.values())
