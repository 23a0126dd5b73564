"""The event log of one domain, and its commit loop.

An append is one put-if-absent of record n+1, decided on heads that are exact at n. What does not belong here: unknown
outcomes (offering.py), bytes (record.py, data_files.py), what heads are (heads.py), reading (reading.py).
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from ontology_assets.events import data_files
from ontology_assets.events.batch import Batch, already_there, check_expected, check_sequences, prepare
from ontology_assets.events.chain import Chain, LogEnd
from ontology_assets.events.data_files import History
from ontology_assets.events.envelope import MAIN, Draft
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads import Heads
from ontology_assets.events.metrics import AppendCounter, AppendMetrics
from ontology_assets.events.offering import Offer, Offering
from ontology_assets.events.overlap import Reads
from ontology_assets.events.reading import Reader
from ontology_assets.events.record import NO_CHAIN, DataFile, Record, encode
from ontology_assets.events.turns import DECIDED_AGAIN, Turns
from ontology_assets.events.upcasting import Upcasters
from resources.errors import SpiceError
from resources.object_store.base import ObjectStore
from resources.object_store.probe import prove_put_if_absent

HINT_EVERY = 64
_DEFAULTS = ("actor", "command_id", "correlation_id", "causation_id")


@dataclass(frozen=True)
class Commit:
    """Where a batch is: record n, positions first..last. `already`: it was there before, nothing was appended."""

    n: int
    batch: str
    first: int
    last: int
    recorded_at: datetime
    already: bool = False

    @property
    def events(self) -> int:
        return self.last - self.first + 1


def now_utc() -> datetime:
    return datetime.now(UTC)


def random_id() -> str:
    return str(uuid.uuid4())


class EventLog:
    """The chain of commit records of one domain. Opening it touches nothing; the first append begins it."""

    def __init__(
        self,
        store: ObjectStore,
        domain: str,
        *,
        clock: Callable[[], datetime] = now_utc,
        patience_s: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.perf_counter,
        new_id: Callable[[], str] = random_id,
        history: History | None = None,
        upcasters: Upcasters | None = None,
    ) -> None:
        """`clock`, `sleep`, `timer` and `new_id` are ports, as the store is: a simulator hands in its own.

        `history` is where archived bulk rows are read (SealedHistory); without it reading stops at the first of them.
        """
        self.domain, self.store = domain, store
        self.chain = Chain(store, domain)
        self._reader = Reader(self.chain, history, upcasters)
        self._clock, self._timer, self.new_id = clock, timer, new_id
        self._counter = AppendCounter()
        self._offering = Offering(self.chain, patience_s=patience_s, sleep=sleep, counter=self._counter)
        self._turns = Turns(store, domain, sleep, new_id)
        self._committing = threading.Lock()

    @property
    def metrics(self) -> AppendMetrics:
        """What appending through this object has cost so far."""
        return self._counter.total

    def end(self) -> LogEnd:
        """The newest record: n = -1 and position 0 when there is none."""
        return self.chain.end()

    def append(self, heads: Heads, decide: Callable[[Heads], Draft | None], *, whole: bool = True) -> Commit | None:
        """Catch the heads up, decide on them, offer the draft; None if there is nothing to append.

        `decide` runs again if somebody else's record touched what it read or wrote. One that asks about given
        aggregates alone says whole=False and never waits until a large load is folded. Raises SequenceConflict (an
        aggregate is not where the draft expects it), EventIdReused, DraftRefused (nothing was written), OutcomeUnknown
        (settled before the next append), LogDamaged.
        """
        with self._committing:
            began = self._timer()
            try:
                return self._append(heads, decide, whole=whole)
            finally:
                self._turns.done()
                self._counter.add(seconds=self._timer() - began)

    def _append(self, heads: Heads, decide: Callable[[Heads], Draft | None], *, whole: bool) -> Commit | None:
        self._offering.settle()
        self._begin()
        while True:
            self._turns.give_way()
            heads.catch_up(whole=whole)
            with heads.deciding(whole=whole) as reads:
                draft = decide(heads)
                if draft is None or not draft.rows:
                    self.chain.sync()  # "nothing to do" says of what is there that it is done
                    return None
                batch = prepare(draft, self.domain)
                there = already_there(batch, heads, self.domain)
                if there:
                    self._counter.add(repeated=1)
                    self.chain.sync()
                    return self._earlier(heads, there)
                check_expected(draft, heads, self.domain)
                check_sequences(batch, heads, self.domain)
                base = heads.end
            for kind, rows in batch.touched.items():
                reads.ids(kind, rows["aggregate_id"].combine_chunks())
            reads.written(event.event_id for event in draft.inline)
            commit = self._offer(batch, base, reads)
            if commit is not None:
                self._caught_up_after(heads)
                return commit
            self._counter.add(conflicts=1)
            self._turns.beaten(DECIDED_AGAIN)

    def _caught_up_after(self, heads: Heads) -> None:
        """A convenience for the caller: what fails here must not hide that the batch is committed."""
        try:
            heads.catch_up(whole=False)
        except SpiceError:
            raise
        except Exception:  # noqa: BLE001 whatever a store raises while reading; the next append catches up or says so
            return

    def records(self, from_n: int = 0) -> Iterator[Record]:
        """Records in order, each checked against the one before; stops with LogDamaged(n, why)."""
        return self.chain.records(from_n)

    def events(self, after_position: int = 0, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Events (EVENT_SCHEMA) after a position to the end of the log, in order, in constant memory."""
        return self._reader.events(after_position, batch_rows)

    def holds(self, history: str) -> bool:
        """Whether the log, as it lies in the store now, has this history (envelope.HISTORY) or goes on from it."""
        n, _, chain = history.partition("/")
        record = self.chain.read(int(n))
        return record is not None and record.chain == chain

    def stream(self, records: Iterable[Record], batch_rows: int) -> Iterator[pa.Table]:
        """Events of consecutive records with their record's number (NUMBERED_SCHEMA)."""
        return self._reader.stream(records, batch_rows)

    def bulk(self, record: Record, columns: list[str], skip: int = 0) -> Iterator[tuple[int, pa.Table]]:
        """(position of the first row, rows) of the record's bulk events after the first `skip`, only these columns."""
        return self._reader.bulk(record, columns, skip)

    def bulk_at(self, record: Record, ordinals: list[int], columns: list[str]) -> pa.Table:
        """`columns` and `position` of the given bulk rows (ascending) of the record."""
        return self._reader.bulk_at(record, ordinals, columns)

    def check(self, record: Record) -> None:
        """Raises LogDamaged unless the record's data files are what it names, or are archived."""
        self._reader.check(record)

    def states(self, positions: Iterable[int] | pa.Array) -> pa.Table:
        """(position, data) of the given positions, ascending; reads only the row groups they are in."""
        return self._reader.states(_ints(positions))

    def at(self, positions: Iterable[int] | pa.Array) -> pa.Table:
        """The events (EVENT_SCHEMA) of the given positions, ascending."""
        return self._reader.at(_ints(positions))

    def aggregate(self, aggregate_type: str, aggregate_id: str, *, heads: Heads | None = None) -> pa.Table:
        """All events of one aggregate, oldest first. With heads it reads only their row groups, else every header."""
        if heads is None:
            return self._reader.aggregate(aggregate_type, aggregate_id)
        heads.catch_up()
        return self._reader.at(heads.positions_of(aggregate_type, aggregate_id))

    def position_at(self, moment: datetime) -> int:
        """Position of the last event recorded at or before a moment; 0 if there is none."""
        return self.chain.position_at(moment)

    def _offer(self, batch: Batch, base: LogEnd, reads: Reads) -> Commit | None:
        """Offer the batch after `base`, and further on while the records that come between touch nothing of it."""
        files: tuple[DataFile, ...] = ()
        if batch.bulk.num_rows:
            files = data_files.write(self.store, self.domain, batch.draft.batch, batch.bulk, self.new_id())
        while True:
            offer = self._made(batch, files, base)
            if self._offering.put(offer):
                record = offer.record
                self._counter.add(
                    appends=1, events=record.rows, bytes=len(offer.data) + sum(file.bytes for file in files)
                )
                return Commit(record.n, record.batch, record.first, record.last, record.recorded_at)
            self._counter.add(beaten=1)
            self._turns.beaten()
            for beaten_by in self.chain.records(base.n + 1):
                if reads.repeated_by(beaten_by.inline()) or (
                    reads.may_touch(beaten_by) and reads.touched_by(self._reader.touched(beaten_by))
                ):
                    # The number is taken, so no record will ever name these files.
                    for file in files:
                        self.store.delete(file.key)
                    return None
                base = LogEnd.of(beaten_by)
            self._turns.give_way()

    def _made(self, batch: Batch, files: tuple[DataFile, ...], base: LogEnd) -> Offer:
        draft = batch.draft
        record = Record(
            log_id=base.log_id,
            domain=self.domain,
            n=base.n + 1,
            prev=base.chain,
            batch=draft.batch,
            first=base.position + 1,
            last=base.position + batch.rows,
            recorded_at=max(self._clock(), base.recorded_at),
            epoch=draft.epoch,
            events=batch.events,
            streams=batch.streams,
            bulk=data_files.statement(batch.bulk) if files else None,
            defaults={name: value for name in _DEFAULTS if (value := getattr(draft, name)) is not None},
            by_type=batch.by_type,
            by_branch={MAIN: batch.rows},
            files=files,
            body=batch.body,
        )
        if record.n % HINT_EVERY == 0:
            self.chain.write_hint(base.n)
        return Offer(record, *encode(record))

    def _begin(self) -> None:
        """Make record 0, which gives the log its id, unless it is there."""
        if self.chain.known >= 0 or self.chain.newest() >= 0:
            return
        prove_put_if_absent(self.store, "probe")
        first = Record(
            log_id=self.new_id(),
            domain=self.domain,
            n=0,
            prev=NO_CHAIN,
            batch=self.new_id(),
            first=1,
            last=0,
            recorded_at=self._clock(),
        )
        self._offering.put(Offer(first, *encode(first)))

    def _earlier(self, heads: Heads, positions: list[int]) -> Commit:
        n = heads.record_of(positions[0])
        record = self.chain.read(n) if n is not None else None
        if record is None:
            raise LogDamaged(self.domain, n or 0, "missing, though the heads know its events")
        return Commit(record.n, record.batch, record.first, record.last, record.recorded_at, already=True)


def _ints(positions: Iterable[int] | pa.Array) -> list[int]:
    return positions.to_pylist() if isinstance(positions, pa.Array | pa.ChunkedArray) else list(positions)
