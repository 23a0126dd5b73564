"""Whole histories: all events of the aggregates of one bucket, up to a position.

The sealed history gives most of them, reading only the row groups of the bucket; what is not sealed yet comes from the
log. A large bucket comes in up to sixteen parts, so that memory grows with a part, not with the log.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, reduce
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import EVENT_SCHEMA, MAIN, bucket_of
from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import sealed_through, table_of
from ontology_assets.events.upcasting import Upcasters
from resources.errors import SpiceError
from resources.lake.base import Lake

HEX = "0123456789abcdef"
_NAMED = ("aggregate_type", "aggregate_id")
PART_EVENTS = 60_000
"""Events of a bucket that are given at once: a larger one is halved, up to four times, until its parts are so small."""
READ_EVENTS = 250_000
"""Events of a bucket that are read at once: a row group holds the events of several small parts."""
Part = tuple[str, str]
"""From one bucket of two hex digits to another."""


class HistoryIncomplete(SpiceError):
    """Sealed history and log together do not have each position once."""


@dataclass(frozen=True)
class Having:
    """Objects of these types that have an event on one of the days: (first, last) of each span, `occurred_at` in UTC.

    Events of other branches, and those that are no change of an object, choose nothing.
    """

    days: Sequence[tuple[date, date]]
    types: Collection[str]
    event_types: Collection[str]

    COLUMNS: ClassVar = [*_NAMED, "event_type", "branch", "occurred_at"]

    def mask(self, events: pa.Table) -> pa.ChunkedArray:
        """Which of the events (COLUMNS) choose their object."""
        day = pc.cast(pc.cast(events["occurred_at"], pa.timestamp("us")), pa.date32(), safe=False)
        within = [pc.and_(pc.greater_equal(day, first), pc.less_equal(day, last)) for first, last in self.days]
        chosen = reduce(pc.or_, within)
        for name, allowed in (("aggregate_type", self.types), ("event_type", self.event_types), ("branch", [MAIN])):
            chosen = pc.and_(chosen, pc.is_in(events[name], pa.array(sorted(allowed), pa.string())))
        return chosen


@dataclass
class WholeHistories:
    """Of one domain. `columns` of EVENT_SCHEMA are read."""

    log: EventLog
    lake: Lake
    columns: list[str]
    upcasters: Upcasters = field(default_factory=Upcasters)

    @cached_property
    def sealed(self) -> SealedHistory:
        return SealedHistory(self.lake, self.log.domain)

    def of_bucket(self, bucket: int, upto: int, having: Having | None = None) -> Iterator[pa.RecordBatch]:
        """Events 1..`upto` of one bucket in order of position: each aggregate's are in one batch. None is empty.

        `having`: of these objects only. Of a part that has none of them the events' data is not read.
        """
        digit = HEX[bucket]
        through = min(self._sealed_through(), upto)
        names = list(dict.fromkeys([*self.columns, "bucket", "position", "event_type", "schema_version"]))
        told = names if having is None else list(dict.fromkeys([*names, *Having.COLUMNS]))
        tail = self._tail(lambda rows: pc.starts_with(rows["bucket"], digit), through, upto, told)
        for wide in _parts(digit + "0", digit + "f", upto, READ_EVENTS):
            unsealed = _within(tail, wide)
            chosen = None if having is None else self._chosen(having, wide, through, unsealed)
            if chosen is not None and not len(chosen):
                continue
            read = pa.concat_tables([self.sealed.of_buckets(wide, through, names), unsealed.select(names)])
            if chosen is not None:
                read = read.filter(pc.is_in(_object_names(read), chosen))
            for part in _parts(*wide, upto, PART_EVENTS):
                rows = _within(read, part)
                if rows.num_rows:
                    rows = self.upcasters.table(rows.sort_by("position"), self.log.domain)
                    yield from rows.select(self.columns).combine_chunks().to_batches()

    def _chosen(self, having: Having, part: Part, through: int, tail: pa.Table) -> pa.Array:
        """The names (`_object_names`) of a part's objects that have such an event."""
        days = min(first for first, _ in having.days), max(last for _, last in having.days)
        sealed = self.sealed.of_buckets(part, through, Having.COLUMNS, days)
        events = pa.concat_tables([sealed, tail.select(Having.COLUMNS)])
        return _object_names(events.filter(having.mask(events))).unique()

    def of_objects(self, objects: Collection[tuple[str, str]], upto: int, after: int = 0) -> pa.Table:
        """The events after..`upto` of these (type, id), in order of position. Of the sealed history their buckets' row
        groups are read; of what is not sealed yet, all.
        """
        ids = pa.array(sorted({key for _, key in objects}), pa.string())
        names = list(dict.fromkeys([*self.columns, *_NAMED, "bucket", "position", "event_type", "schema_version"]))
        through = min(self._sealed_through(), upto)
        parts = [self._tail(lambda rows: pc.is_in(rows["aggregate_id"], ids), max(through, after), upto, names)]
        for bucket in sorted({bucket_of(key) for _, key in objects}) if after < through else ():
            rows = self.sealed.of_buckets((bucket, bucket), through, names)
            parts.append(rows.filter(pc.and_(pc.is_in(rows["aggregate_id"], ids), pc.greater(rows["position"], after))))
        rows = pa.concat_tables(parts).sort_by("position")
        return self.upcasters.table(rows.filter(are_of(rows, objects)), self.log.domain).select(self.columns)

    def _sealed_through(self) -> int:
        """Position up to which the sealed history holds this log; 0 where it holds another one's: sealing says so, and
        the log alone is right without it.
        """
        table = table_of(self.log.domain)
        try:
            return sealed_through(self.log, self.lake.state(table), table)[1]
        except SealMismatch:
            return 0

    def _tail(self, wanted: Callable[[pa.RecordBatch], pa.Array], after: int, upto: int, names: list[str]) -> pa.Table:
        """What is not sealed yet. Raises HistoryIncomplete where the log does not go on from there to `upto`."""
        found, reached = [], after
        if after < upto:
            for batch in self.log.events(after):
                rows = batch.select(names)
                if rows["position"][0].as_py() != reached + 1:
                    break
                rows = rows.slice(0, upto - reached)
                reached = rows["position"][-1].as_py()
                found.append(rows.filter(wanted(rows)))
                if reached == upto:
                    break
        if reached != upto:
            raise HistoryIncomplete(
                "History incomplete",
                f"sealed through event {after}, the log gives events to {reached}, {upto} was asked for. "
                "Check both with `spice events verify`.",
                where=self.log.domain,
                status=500,
            )
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in names])
        return pa.Table.from_batches([batch.replace_schema_metadata(None) for batch in found], schema)


def _parts(first: str, last: str, events: int, most: int) -> list[Part]:
    """These buckets, of a log of so many events, in parts of at most `most` events, or of one bucket each."""
    low, width = int(first, 16), int(last, 16) + 1 - int(first, 16)
    total = width
    while width > 1 and events * width > most * len(HEX) ** 2:
        width //= 2
    return [(f"{at:02x}", f"{at + width - 1:02x}") for at in range(low, low + total, width)]


def _within(rows: pa.Table, part: Part) -> pa.Table:
    return rows.filter((pc.field("bucket") >= part[0]) & (pc.field("bucket") <= part[1]))


def are_of(events: pa.Table | pa.RecordBatch, objects: Collection[tuple[str, str]]) -> pa.ChunkedArray | pa.Array:
    """Which of the events are of these (type, id)."""
    return pc.is_in(_object_names(events), pa.array([f"{kind} {key}" for kind, key in objects], pa.string()))


def _object_names(events: pa.Table | pa.RecordBatch) -> pa.ChunkedArray | pa.Array:
    """Type and id as one text; no type has a space."""
    return pc.binary_join_element_wise(events["aggregate_type"], events["aggregate_id"], " ")
