"""The pure fold of a batch of events into read model changes: what both projections make of an event.

Columnar where it can be: a batch in which no object occurs twice and no event is faulty is decoded property by
property. Otherwise its rows are judged one by one first.

A document is the object's state as far as the ontology knows it, in canonical form; for a state of known properties
that is the event's own text. An event that does not fit parks its object; later events of a parked object wait too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import compress
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical import canonical_json
from ontology_assets.projections.cells import Unfit, encode_column
from ontology_assets.projections.digest import document_hashes
from ontology_assets.projections.json_columns import read_columns
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
_Decoded = tuple[list[list[Cell]], list[list[str | None]], list[str]]
"""Cells by column, targets by link, document texts."""
DECODED_AT_ONCE = 500
"""Parsed events that stay in the processor's cache: 10,000 at once take twice the time a row."""


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


def fold(batch: pa.RecordBatch, layout: DomainLayout, parked: Parked, words_of: WordsOf | None) -> Changes:
    """What the batch does to the domain's read model. `parked`: objects parked before. Events of other kinds, of types
    that the ontology does not have, and of other branches change nothing but the position.
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
        events = _Events.of(batch if pc.all(of_type).as_py() else batch.filter(of_type))
        _TypeFold(layout.domain, type_layout, parked, words_of, changes).run(events)
    return changes


@dataclass(frozen=True)
class _TypeFold:
    """The fold of one type's events into `changes`."""

    domain: str
    layout: TypeLayout
    parked: Parked
    words_of: WordsOf | None
    changes: Changes

    def run(self, events: _Events) -> None:
        fresh = [sequence == 1 for sequence in events.sequences]
        repeated = len(set(events.ids)) < len(events.ids)
        none_waits = not any(name == self.layout.name for name, _ in self.parked)
        if none_waits and not repeated:
            try:
                self._build(events, events.positions, fresh)
            except Unfit:
                pass  # somewhere in the batch: found row by row below
            else:
                return
        last = _last_if_all_fit(events, self.layout) if none_waits and repeated else None
        rows, faults = _judge(events, self.layout, self.parked) if last is None else (last, [])
        began: dict[str, int] = {}
        for k, key in enumerate(events.ids):
            began.setdefault(key, k)
        starts = [began[events.ids[k]] for k in rows]
        self._build(events.at(rows), [events.positions[k] for k in starts], [fresh[k] for k in starts])
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
            if not deleted:
                part.cells, part.links, texts = _decode(rows.data, self.layout)
                if self.words_of is not None and self.layout.has_words:
                    part.words = self.words_of(self.layout, part.cells)
            name = self.layout.name
            part.hashes = document_hashes(self.domain, name, rows.ids, rows.positions, texts, deleted=deleted)
            parts.append((self.changes.gone if deleted else self.changes.live, part))
        for target, part in parts:
            target.append(part)


def _last_if_all_fit(events: _Events, layout: TypeLayout) -> list[int] | None:
    """The row of each object's last event, where every event fits: found in one go, not row by row."""
    try:
        _decode(list(compress(events.data, (not deleted for deleted in events.deleted))), layout)
    except Unfit:
        return None
    return sorted({key: k for k, key in enumerate(events.ids)}.values())


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
                _decode([events.data[k]], layout)
        except Unfit as fault:
            waiting[key] = ParkedObject(layout.name, key, events.buckets[k], events.positions[k], str(fault))
        else:
            last[key] = k
    return sorted(last.values()), list(waiting.values())


def _decode(data: list[str], layout: TypeLayout) -> _Decoded:
    """Raises Unfit."""
    at_once = read_columns(data, layout)
    if at_once is not None:
        columns, targets = at_once
        values = [column.to_pylist() for column in columns]
        cells = [column for f, v in zip(layout.fields, values, strict=True) for column in encode_column(f, v)]
        return cells, [ids.to_pylist() for ids in targets], [_state_text(text) for text in data]
    return _decode_one_by_one(data, layout)


def _decode_one_by_one(data: list[str], layout: TypeLayout) -> _Decoded:
    cells: list[list[Cell]] = [[] for _ in range(layout.cells)]
    links: list[list[str | None]] = [[] for _ in layout.links]
    texts: list[str] = []
    for start in range(0, len(data), DECODED_AT_ONCE):
        part = _decode_part(data[start : start + DECODED_AT_ONCE], layout)
        for column, more in zip(cells, part[0], strict=True):
            column.extend(more)
        for targets, ids in zip(links, part[1], strict=True):
            targets.extend(ids)
        texts.extend(part[2])
    return cells, links, texts


def _decode_part(texts: list[str], layout: TypeLayout) -> _Decoded:
    try:
        data = [orjson.loads(text) for text in texts]
        states = [d["state"] for d in data]
        properties = [state.get("properties", {}) for state in states]
        linked = [state.get("links", {}) for state in states]
        columns = [_member(f.name, properties) for f in layout.fields]
        targets = [_member(link.name, linked) for link in layout.links]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as fault:
        raise Unfit(f"the event's data is no state of an object: {fault!r}") from fault
    cells = [column for f, values in zip(layout.fields, columns, strict=True) for column in encode_column(f, values)]
    links = [_targets(link.name, values) for link, values in zip(layout.links, targets, strict=True)]
    # Counted over the whole batch: are there members that the layout does not have?
    known = sum(len(v) - v.count(None) for v in columns) == sum(map(len, properties)) and sum(
        len(v) - v.count(None) for v in links
    ) == sum(map(len, linked))
    shaped = (
        known and set(map(len, states)) == {2} and sum(map(len, data)) == len(data) + sum("changed" in d for d in data)
    )
    if shaped:
        return cells, links, [_state_text(text) for text in texts]
    rows = range(len(texts))
    return cells, links, [document_text(layout, [c[k] for c in columns], [t[k] for t in links]) for k in rows]


def _state_text(text: str) -> str:
    """The state's own text: it is the last member, and names before it can't be followed by a colon."""
    return text[9:-1] if text.startswith('{"state":') else text[text.index('"state":') + 8 : -1]


def _member(name: str, documents: list[dict[str, Any]]) -> list[Any]:
    """The member of each document, None where it is absent. Most have it: asking without a default is twice as fast."""
    try:
        return list(map(itemgetter(name), documents))
    except KeyError:
        return [document.get(name) for document in documents]


def document_text(layout: TypeLayout, values: Sequence[Any], targets: Sequence[str | None]) -> str:
    """The canonical document of JSON values in field order and link targets in link order."""
    return canonical_json(
        {
            "links": {link.name: None if t is None else [t] for link, t in zip(layout.links, targets, strict=True)},
            "properties": {f.name: value for f, value in zip(layout.fields, values, strict=True)},
        }
    )


def _targets(name: str, values: list[Any]) -> list[str | None]:
    """The one target of each row. Raises Unfit."""
    kinds = set(map(type, values))
    if not kinds <= {list, type(None)}:
        raise Unfit(f"link {name} is no list of ids")
    counts = set(map(len, values if kinds == {list} else filter(None, values)))
    if not counts <= {0, 1}:
        raise Unfit(f"link {name} leads to more than one object")
    if kinds == {list} and counts == {1}:
        targets = list(map(itemgetter(0), values))
    else:
        targets = [v[0] if v else None for v in values]
    if not set(map(type, targets)) <= {str, type(None)}:
        raise Unfit(f"link {name} holds something that is no id")
    return targets
