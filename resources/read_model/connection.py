"""Read connections to a SQLite read model: a pool for many threads, each read in one transaction.

A follower may delete and rebuild the file at any moment, so a pooled connection is compared with the path before use.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.read_model.base import NothingYet, NotReady
from resources.read_model.sqlite_filters import distance_km
from resources.read_model.time_limit import TimeLimit, TooSlow
from resources.sqlite_file import BUSY_SECONDS

CONNECTIONS = 2
"""Reads at the same time in one process; others wait their turn. More only contend for the interpreter (50 threads:
p95 five times as long).
"""
MAPPED_BYTES = 1 << 30
"""For building indexes, which reads whole tables. Readers map nothing: the pages they touch would count as theirs
(300 MB after a minute of questions over the sample), and only the largest questions are a quarter slower without.
"""
STEPS_BETWEEN_LOOKS = 20_000
"""Instructions of SQLite's machine between two looks at the time limit: less than a millisecond."""
SHORT_BUSY_SECONDS = 0.01


class ReadPool:
    """`waits`: False makes a pool of one connection for reads that give up where others would wait."""

    def __init__(self, path: Path, *, waits: bool = True) -> None:
        self.path = path
        self._waits = waits
        self._lock = threading.Lock()
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        self._free = threading.BoundedSemaphore(CONNECTIONS if waits else 1)

    @contextmanager
    def transaction(self, limit: TimeLimit | None = None) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction. Raises NotReady where there is no sound file, or no turn to be had;
        TooSlow where the limit passes.

        Who holds one and asks for another in the same thread may wait for himself.
        """
        patience = BUSY_SECONDS if limit is None else min(limit.left, BUSY_SECONDS)
        if not self._free.acquire(timeout=patience if self._waits else 0):
            if limit is not None:
                raise TooSlow(limit.seconds)
            raise NotReady(f"{CONNECTIONS} other reads have taken {BUSY_SECONDS:.0f} s; ask again.", str(self.path))
        try:
            with self._transaction(limit) as connection:
                yield connection
        finally:
            self._free.release()

    @contextmanager
    def _transaction(self, limit: TimeLimit | None) -> Iterator[sqlite3.Connection]:
        inode, connection = self._take()
        if limit is not None:
            connection.set_progress_handler(limit.passed, STEPS_BETWEEN_LOOKS)
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as fault:
            kind = fault.sqlite_errorcode & 0xFF
            stopped = limit is not None and (
                kind == sqlite3.SQLITE_INTERRUPT or (kind == sqlite3.SQLITE_BUSY and not limit.waits)
            )
            if not stopped:
                connection.close()
                self._raise_damage(kind, fault)
            self._end(inode, connection)
            assert limit is not None  # noqa: S101  `stopped` says so
            raise TooSlow(limit.seconds) from fault
        except BaseException:
            self._end(inode, connection)
            raise
        self._give_back(inode, connection)

    def _raise_damage(self, kind: int, fault: sqlite3.DatabaseError) -> None:
        if kind not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise fault
        raise NotReady(
            f"the file {self.path} is damaged ({fault}). Delete it: its follower builds it again from the log.",
            str(self.path),
        ) from fault

    def _end(self, inode: int, connection: sqlite3.Connection) -> None:
        """After a read that did not come to its end."""
        connection.set_progress_handler(None, 0)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self._give_back(inode, connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self) -> tuple[int, sqlite3.Connection]:
        inode = self._inode()
        while True:
            with self._lock:
                found = self._idle.pop() if self._idle else None
            if found is None:
                found = inode, self._open()
                inode = self._inode()  # where the alias has moved meanwhile, it is not known which file was opened
            if found[0] == inode:
                return found
            found[1].close()

    def _inode(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            raise NothingYet(str(self.path)) from None

    def _give_back(self, inode: int, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(None, 0)
        with self._lock:
            self._idle.append((inode, connection))

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS if self._waits else SHORT_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,  # a connection moves between threads, but is used by one at a time
            )
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
                raise NothingYet(str(self.path)) from fault
            raise
        connection.create_function("distance_km", 4, distance_km, deterministic=True)
        return connection
