"""Catching heads up with their log, and standing still while somebody decides.

A record of many rows is folded in two parts: the record itself, which moves the position, and then its bulk rows slice
by slice (heads_backlog.py). Whoever needs all of them folds what is behind first; whoever asks about given aggregates
does not wait for it.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ontology_assets.events.chain import NOT_BEGUN, LogEnd
from ontology_assets.events.envelope import micros, moment
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads_backlog import MOST_BEHIND, Backlog, FoldedLog
from ontology_assets.events.heads_file import CACHE_KIB, HeadsFile, Patient
from ontology_assets.events.heads_fold import Fold
from ontology_assets.events.heads_schema import FOLDED_COLUMNS, TABLES
from ontology_assets.events.overlap import Reads
from ontology_assets.events.record import Record

STEP_ROWS = 8_192
"""Rows folded in one transaction, and how many a record has before it is folded in slices. Others wait 60 ms for it."""

FOLDING_CACHE_KIB = 65_536
"""While many rows are folded: with the usual cache each slice reads the tree's pages again."""


class HeadsFollowing(HeadsFile):
    """A heads file that follows its log. `step_rows` is for tests: with few rows every record is folded in slices."""

    def __init__(
        self,
        path: Path,
        log: FoldedLog,
        *,
        factory: type[sqlite3.Connection] = Patient,
        step_rows: int = STEP_ROWS,
    ) -> None:
        super().__init__(path, factory)
        self._log, self._step_rows = log, step_rows
        self._backlog = Backlog(log)
        self._lock = threading.RLock()
        self._reads: Reads | None = None

    @property
    def end(self) -> LogEnd:
        """Where these heads stand."""
        row = self._db.execute("SELECT log_id, n, position, chain, recorded_at FROM meta").fetchone()
        if row is None:
            return NOT_BEGUN
        log_id, n, position, chain, recorded_at = row
        return LogEnd(log_id, n, position, chain, moment(recorded_at))

    @property
    def position(self) -> int:
        return self.end.position

    def catch_up(self, *, whole: bool = True) -> int:
        """Fold what the log has more; returns the position reached. Raises LogDamaged.

        With whole=False the bulk rows of large records stay behind, for those who ask about given aggregates only.
        """
        with self._lock:
            try:
                self._follow(whole=whole)
            except sqlite3.DatabaseError as error:
                self._replace(error)
                self._follow(whole=whole)
            return self.position

    def work_off(self) -> bool:
        """Fold one slice of what is behind; False if nothing is, or if somebody else is writing. Raises LogDamaged."""
        with self._lock:
            oldest = self._backlog.oldest(self._db)
            if oldest is None:
                return False
            try:
                return self._fold_rest_of(*oldest, slices=1)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                return False

    @contextmanager
    def deciding(self, *, whole: bool = True) -> Iterator[Reads]:
        """One snapshot for all queries inside, and a note of what they read."""
        with self._lock, self._snapshot(whole=whole):
            self._reads = Reads()
            try:
                yield self._reads
            finally:
                self._reads = None

    @contextmanager
    def _snapshot(self, *, whole: bool) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            while self._backlog.oldest(self._db) is not None and whole:  # the first read takes the snapshot
                self._db.execute("COMMIT")
                self._fold_backlog()
                self._db.execute("BEGIN")
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """For answers that need every row in its place."""
        if self._reads is None:
            with self._snapshot(whole=True):
                yield
        elif self._backlog.oldest(self._db) is None:
            yield
        else:
            raise RuntimeError("this can be asked of whole heads only: decide with whole=True")

    def _follow(self, *, whole: bool) -> None:
        if not self._fits:
            self._check_fit()
        try:
            self._fold_records(whole=whole)
        except LogDamaged:
            # Is the log damaged, or was it replaced under a running process?
            if not self._check_fit():
                raise
            self._fold_records(whole=whole)

    def _check_fit(self) -> bool:
        """Throw the content away if it is not a snapshot of this log; True if it was."""
        at = self.end
        reason = None if at.n < 0 else self._misfit(at)
        self._fits = True
        if reason is None:
            return False
        self.rebuilt = reason
        with self._writing():
            for table in TABLES:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608
        return True

    def _misfit(self, at: LogEnd) -> str | None:
        begun = self._log.chain.read(0)
        if begun is None:
            return "the log is not begun"
        if begun.log_id != at.log_id:
            return f"it was made from log {at.log_id}, this is {begun.log_id}"
        record = self._log.chain.read(at.n)
        if record is None:
            return f"it stands at record {at.n}, which the log does not have: the log was restored from an older copy"
        if record.chain != at.chain:
            return (
                f"record {at.n} is another than the one it was made from: the log was restored and went on differently"
            )
        return None

    def _fold_records(self, *, whole: bool) -> None:
        chain, before, most_behind = self._log.chain, self.end, 0 if whole else MOST_BEHIND
        self._fold_backlog(most_behind)
        record = chain.next(before)
        while record is not None:
            self._check(record)  # here too, since hashing a year's rows takes 50 ms and the transaction excludes others
            with self._writing():
                # Another process may have folded meanwhile: what counts is the position inside the transaction.
                at, fold, folded = self.end, Fold(self._db, chain.domain, self._backlog), 0
                if at != before:
                    record = chain.next(at)
                while record is not None and folded < self._step_rows:
                    in_slices = self._check(record)
                    fold.record(record, None if in_slices else self._log.bulk(record, FOLDED_COLUMNS))
                    at, folded = LogEnd.of(record), folded + max(1, record.rows)
                    record = chain.next(at)
                self._write_end(at)
            before = at
            self._fold_backlog(most_behind)

    def _check(self, record: Record) -> bool:
        """Whether the record is folded in slices. Its files are checked before the position passes it."""
        if record.bulk_rows <= self._step_rows:
            return False
        self._log.check(record)
        return True

    def _fold_backlog(self, but: int = 0) -> None:
        """Fold until at most so many rows are behind; other processes may do the same at once."""
        if self._backlog.oldest(self._db) is None:
            return
        self._db.execute(f"PRAGMA cache_size = -{FOLDING_CACHE_KIB}")
        try:
            while (oldest := self._backlog.oldest(self._db)) is not None and self._backlog.rows(self._db) > but:
                self._fold_rest_of(*oldest)
        finally:
            self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    def _fold_rest_of(self, n: int, done: int, *, slices: int | None = None) -> bool:
        """Fold the slices of one record after the first `done` rows; False if another process was faster.

        With a number of slices the file is not waited for.
        """
        record = self._log.chain.read(n)
        if record is None:
            raise LogDamaged(self._log.chain.domain, n, "missing, though the heads know it")
        folded = 0
        for _, rows in self._log.bulk(record, FOLDED_COLUMNS, done):
            for first in range(0, rows.num_rows, self._step_rows):
                part = rows.slice(first, self._step_rows)
                with self._writing(wait=slices is None):
                    if self._backlog.oldest(self._db) != (n, done):
                        return False
                    Fold(self._db, record.domain, self._backlog).rest(record, done, part)
                done, folded = done + part.num_rows, folded + 1
                if folded == slices:
                    return True
        return True

    def _write_end(self, at: LogEnd) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?)",
            (at.log_id, at.n, at.position, at.chain, micros(at.recorded_at)),
        )
