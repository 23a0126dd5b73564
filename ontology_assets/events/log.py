"""The event log of one domain, and its commit loop.

An append is one put-if-absent of record n+1, decided on heads that are exact at n. Any exception means "unknown": the
number is read and settled by batch id, and while it is unsettled nothing else is offered. What does not belong here:
bytes (record.py, data_files.py), what heads are (heads.py), reading (reading.py).
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ontology_assets.events import data_files
from ontology_assets.events.batch import Batch, already_there, check_sequences, prepare
from ontology_assets.events.chain import Chain, LogEnd
from ontology_assets.events.envelope import MAIN, Draft
from ontology_assets.events.errors import LogDamaged, OutcomeUnknown
from ontology_assets.events.heads import Heads
from ontology_assets.events.overlap import Reads
from ontology_assets.events.reading import Reader
from ontology_assets.events.record import NO_CHAIN, DataFile, Record, encode
from resources.object_store.base import ObjectStore, PutOutcome
from resources.object_store.probe import prove_put_if_absent

HINT_EVERY = 64
_DEFAULTS = ("actor", "command_id", "correlation_id", "causation_id")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 1.0


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


@dataclass(frozen=True)
class _Offer:
    """The bytes offered as record n. They never change while it is unknown whether they were taken."""

    record: Record
    data: bytes


def now_utc() -> datetime:
    return datetime.now(UTC)


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
    ) -> None:
        self.domain, self.store = domain, store
        self.chain = Chain(store, domain)
        self._reader = Reader(self.chain)
        self._clock, self._patience_s, self._sleep = clock, patience_s, sleep
        self._unsettled: _Offer | None = None
        self._committing = threading.Lock()

    def end(self) -> LogEnd:
        """The newest record: n = -1 and position 0 when there is none."""
        return self.chain.end()

    def append(self, heads: Heads, decide: Callable[[Heads], Draft | None]) -> Commit | None:
        """Catch the heads up, decide on them, offer the draft; None if there is nothing to append.

        `decide` runs again if somebody else's record touched what it read or wrote. Raises DraftRefused, EventIdReused
        (nothing was written), OutcomeUnknown (settled before the next append), LogDamaged.
        """
        with self._committing:
            self._settle()
            self._begin()
            while True:
                heads.catch_up()
                with heads.deciding() as reads:
                    draft = decide(heads)
                    if draft is None or not draft.rows:
                        return None
                    batch = prepare(draft, self.domain)
                    there = already_there(batch, heads, self.domain)
                    if there:
                        return self._earlier(heads, there)
                    check_sequences(batch, heads, self.domain)
                    base = heads.end
                for kind, (ids, _) in batch.touched.items():
                    reads.ids(kind, pa.array(ids, pa.string()))
                commit = self._offer(batch, base, reads)
                if commit is not None:
                    heads.catch_up()
                    return commit

    def records(self, from_n: int = 0) -> Iterator[Record]:
        """Records in order, each checked against the one before; stops with LogDamaged(n, why)."""
        return self.chain.records(from_n)

    def events(self, after_position: int = 0, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Events (EVENT_SCHEMA) after a position to the end of the log, in order, in constant memory."""
        return self._reader.events(after_position, batch_rows)

    def stream(self, records: Iterable[Record], batch_rows: int) -> Iterator[pa.Table]:
        """Events of consecutive records with their record's number (NUMBERED_SCHEMA), `batch_rows` at a time."""
        return self._reader.stream(records, batch_rows)

    def bulk(self, record: Record, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """(position of the first row, rows) of the record's bulk events, only these columns."""
        return self._reader.bulk(record, columns)

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
        low, high = 0, self.chain.newest() + 1
        while low < high:
            middle = (low + high) // 2
            if self.chain.span(middle)[2] <= moment:
                low = middle + 1
            else:
                high = middle
        return self.chain.span(low - 1)[1] if low else 0

    def stats(self, heads: Heads | None = None) -> dict[str, Any]:
        """{"position", "by_type", "by_branch"}: from the heads, or from every record's header."""
        if heads is not None:
            heads.catch_up()
            return heads.stats()
        position, by_type, by_branch = 0, dict[str, int](), dict[str, int]()
        for record in self.records():
            position = record.last
            for total, counts in ((by_type, record.by_type), (by_branch, record.by_branch)):
                for name, events in counts.items():
                    total[name] = total.get(name, 0) + events
        return {
            "position": position,
            "by_type": dict(sorted(by_type.items())),
            "by_branch": dict(sorted(by_branch.items())),
        }

    def _offer(self, batch: Batch, base: LogEnd, reads: Reads) -> Commit | None:
        """Offer the batch after `base`, and further on while the records that come between touch nothing of it."""
        files: tuple[DataFile, ...] = ()
        if batch.bulk.num_rows:
            files = data_files.write(self.store, self.domain, batch.draft.batch, batch.bulk)
        while True:
            offer = self._made(batch, files, base)
            if self._put(offer):
                record = offer.record
                return Commit(record.n, record.batch, record.first, record.last, record.recorded_at)
            for beaten_by in self.chain.records(base.n + 1):
                if reads.may_touch(beaten_by) and reads.touched_by(self._reader.touched(beaten_by)):
                    # The number is taken, so no record will ever name these files.
                    for file in files:
                        self.store.delete(file.key)
                    return None
                base = LogEnd.of(beaten_by)

    def _made(self, batch: Batch, files: tuple[DataFile, ...], base: LogEnd) -> _Offer:
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
        data, _ = encode(record)
        if record.n % HINT_EVERY == 0:
            self.chain.write_hint(base.n)
        return _Offer(record, data)

    def _settle(self) -> None:
        if self._unsettled is not None:
            self._put(self._unsettled)

    def _put(self, offer: _Offer) -> bool:
        """True if the record is ours, False if the number is another's. Raises OutcomeUnknown when patience ends."""
        self._unsettled = offer
        n, waited, pause = offer.record.n, 0.0, _FIRST_PAUSE_S
        while True:
            mine, cause = self._put_once(offer)
            if mine is not None:
                self._unsettled = None
                return mine
            if waited >= self._patience_s:
                raise OutcomeUnknown(self.domain, n, offer.record.batch, cause)
            self._sleep(pause)
            waited, pause = waited + pause, min(_LONGEST_PAUSE_S, pause * 2)

    def _put_once(self, offer: _Offer) -> tuple[bool | None, str]:
        """(mine?, why it is not known). Whatever is not a plain DONE is settled by reading the number."""
        n = offer.record.n
        try:
            outcome = self.store.put_if_absent(self.chain.key(n), offer.data)
            cause = f"put-if-absent was answered {outcome.value!r}"
        except Exception as error:  # noqa: BLE001 any exception means "unknown", never "failed" and never "conflict"
            outcome, cause = PutOutcome.UNKNOWN, repr(error)
        if outcome is PutOutcome.DONE:
            return True, ""
        try:
            found = self.chain.read(n)
        except LogDamaged:
            raise
        except Exception as error:  # noqa: BLE001 the read may fail for the reason that the put did
            return None, f"{cause}, then {error!r}"
        if found is None:
            return None, cause
        return found.batch == offer.record.batch and found.events == offer.record.events, ""

    def _begin(self) -> None:
        """Make record 0, which gives the log its id, unless it is there."""
        if self.chain.known >= 0 or self.chain.newest() >= 0:
            return
        prove_put_if_absent(self.store, "probe")
        first = Record(
            log_id=str(uuid.uuid4()),
            domain=self.domain,
            n=0,
            prev=NO_CHAIN,
            batch=str(uuid.uuid4()),
            first=1,
            last=0,
            recorded_at=self._clock(),
        )
        self._put(_Offer(first, encode(first)[0]))

    def _earlier(self, heads: Heads, positions: list[int]) -> Commit:
        n = heads.record_of(positions[0])
        record = self.chain.read(n) if n is not None else None
        if record is None:
            raise LogDamaged(self.domain, n or 0, "missing, though the heads know its events")
        return Commit(record.n, record.batch, record.first, record.last, record.recorded_at, already=True)


def _ints(positions: Iterable[int] | pa.Array) -> list[int]:
    return positions.to_pylist() if isinstance(positions, pa.Array | pa.ChunkedArray) else list(positions)
