"""Finding and reading the records of one log: by number, in order, the newest. Decides nothing and writes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.record import NO_CHAIN, Record, decode
from resources.object_store.base import ObjectNotFound, ObjectStore

_CACHED = 4_096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class LogEnd:
    """Where a log (or a cache of it) stands: after record n. n = -1 and log_id "" for a log that is not begun."""

    log_id: str
    n: int
    position: int
    chain: str
    recorded_at: datetime

    @classmethod
    def of(cls, record: Record) -> "LogEnd":
        return cls(record.log_id, record.n, record.last, record.chain, record.recorded_at)


NOT_BEGUN = LogEnd("", -1, 0, NO_CHAIN, _EPOCH)


class Chain:
    """The records `log/<domain>/<n>`, n dense from 0."""

    def __init__(self, store: ObjectStore, domain: str) -> None:
        self.store, self.domain = store, domain
        self._log_id: str | None = None
        self._newest = -1
        self._headers: dict[int, tuple[int, int, datetime]] = {}

    @property
    def known(self) -> int:
        """The highest number read so far, -1 for none."""
        return self._newest

    def key(self, n: int) -> str:
        return f"log/{self.domain}/{n:020d}"

    @property
    def hint_key(self) -> str:
        """Holds the number of some record near the newest. Started from, never trusted."""
        return f"log-hint/{self.domain}"

    def read(self, n: int, *, after: LogEnd | None = None) -> Record | None:
        """Record n, or None if there is none. With `after` (the end at n-1) it must follow it. Raises LogDamaged."""
        try:
            data = self.store.get(self.key(n))
        except ObjectNotFound:
            return None
        if self._log_id is None and n > 0:
            self._begin()
        record = decode(data, self.domain, n, log_id=self._log_id, prev=after.chain if after else None)
        if n == 0:
            self._log_id = record.log_id
            if record.prev != NO_CHAIN:
                raise LogDamaged(self.domain, 0, "unchained: the first record must follow nothing")
        if after is not None:
            self._check_follows(record, after)
        self._newest = max(self._newest, n)
        return record

    def next(self, after: LogEnd) -> Record | None:
        """The record that follows `after`, or None at the end. A hole with records behind it is damage."""
        record = self.read(after.n + 1, after=after)
        if record is None and (after.n + 1 < self._newest or self.store.head(self.key(after.n + 2)) is not None):
            record = self.read(after.n + 1, after=after)  # others may have committed both between the two looks
            if record is None:
                raise LogDamaged(self.domain, after.n + 1, "missing, though later records are there")
        return record

    def records(self, from_n: int = 0) -> Iterator[Record]:
        """Records from number `from_n` on to the end, each checked against the one before."""
        at = NOT_BEGUN
        if from_n > 0:
            before = self.read(from_n - 1)
            if before is None:
                return
            at = LogEnd.of(before)
        while (record := self.next(at)) is not None:
            yield record
            at = LogEnd.of(record)

    def newest(self) -> int:
        """Number of the newest record, -1 if there is none: doubling steps from the last known, then bisection."""
        low = self._newest if self._newest >= 0 else self._hint()
        if low < 0 or self.store.head(self.key(low)) is None:
            self._newest = -1
            low = self._listed()
        if low < 0:
            return -1
        step = 1
        while self.store.head(self.key(low + step)) is not None:
            low, step = low + step, step * 2
        high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            if self.store.head(self.key(middle)) is None:
                high = middle
            else:
                low = middle
        self._newest = low
        return low

    def end(self) -> LogEnd:
        n = self.newest()
        record = self.read(n) if n >= 0 else None
        return LogEnd.of(record) if record else NOT_BEGUN

    def sync(self) -> None:
        """Make durable what is seen. A record whose writer died before its sync is read, and a power cut takes it back:
        nothing may be called done because of it before this.
        """
        self.store.sync(f"log/{self.domain}/")

    def write_hint(self, n: int) -> None:
        self.store.put(self.hint_key, orjson.dumps({"n": n}))

    def span(self, n: int) -> tuple[int, int, datetime]:
        """First and last position and time of record n, which is there; kept, so that bisections read a record once."""
        if n not in self._headers:
            record = self.read(n)
            if record is None:
                raise LogDamaged(self.domain, n, "missing, though later records are there")
            if len(self._headers) >= _CACHED:
                self._headers.clear()
            self._headers[n] = (record.first, record.last, record.recorded_at)
        return self._headers[n]

    def holding(self, position: int) -> int:
        """Number of the first record whose last position is at or after `position`; newest + 1 if there is none."""
        low, high = 0, self.newest() + 1
        while low < high:
            middle = (low + high) // 2
            if self.span(middle)[1] >= position:
                high = middle
            else:
                low = middle + 1
        return low

    def position_at(self, moment: datetime) -> int:
        """Position of the last event recorded at or before a moment; 0 if there is none."""
        low, high = 0, self.newest() + 1
        while low < high:
            middle = (low + high) // 2
            if self.span(middle)[2] <= moment:
                low = middle + 1
            else:
                high = middle
        return self.span(low - 1)[1] if low else 0

    def _begin(self) -> None:
        if self.read(0) is None:
            raise LogDamaged(self.domain, 0, "missing, though later records are there")

    def _check_follows(self, record: Record, after: LogEnd) -> None:
        if record.first != after.position + 1:
            raise LogDamaged(
                self.domain, record.n, f"its first position is {record.first}, should be {after.position + 1}"
            )
        if record.recorded_at < after.recorded_at:
            raise LogDamaged(self.domain, record.n, "recorded before its predecessor")

    def _hint(self) -> int:
        try:
            found = orjson.loads(self.store.get(self.hint_key))
        except (ObjectNotFound, orjson.JSONDecodeError):
            return -1
        n = found.get("n") if isinstance(found, dict) else None
        return n if isinstance(n, int) else -1

    def _listed(self) -> int:
        numbers = [int(key.rsplit("/", 1)[1]) for key in self.store.list(f"log/{self.domain}/")]
        expected = 0
        for n in numbers:
            while expected < n:  # a list that is made while records are may lack some of them
                if self.store.head(self.key(expected)) is None:
                    raise LogDamaged(self.domain, expected, f"missing, though record {n} is there")
                expected += 1
            expected = n + 1
        return expected - 1
