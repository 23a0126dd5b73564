"""One SQLite file that several processes share: how we open it, write to it, and notice that it was deleted.

Only the mechanics (WAL, busy timeout, one writer's transaction). Tables and statements belong to the adapter that owns
the file.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from resources.errors import SpiceError

BUSY_SECONDS = 20.0
"""How long a statement waits for another process's transaction. Batches take well under a second."""


class FileDamaged(SpiceError):
    """The file is no database, or a broken one."""

    def __init__(self, path: Path, fault: sqlite3.DatabaseError) -> None:
        super().__init__(
            "File damaged",
            f"SQLite says: {fault}. Everything in it comes from the log: delete the file, it is built again.",
            where=str(path),
            status=500,
        )


class SqliteFile:
    """A connection to the file that is at `path` *now*.

    A long-running process keeps the inode of a deleted file open and would go on writing to nowhere, so `connection`
    compares it with the path (one `stat`, 3 us) and opens anew. `schema` runs on each opening and creates what is
    missing. For one thread only: sqlite3 refuses another. `factory` makes the connections: there the simulator cuts in.
    `make_path` runs before each opening; it may lay a link at `path`.
    """

    def __init__(
        self,
        path: Path,
        schema: Callable[[sqlite3.Connection], None],
        *,
        page_size: int = 4096,
        synchronous: Literal["NORMAL", "FULL"] = "FULL",
        factory: type[sqlite3.Connection] = sqlite3.Connection,
        make_path: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self._make_path = make_path
        self._schema = schema
        self._page_size = page_size
        self._synchronous = synchronous
        self._factory = factory
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def connection(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._inode_at_path() == self._inode:
                return self._connection
            self.close()
        while True:
            before = self._inode_at_path()
            connection = self._open()
            self._inode = self._inode_at_path()
            # Of a link that was moved meanwhile it is not known which file was opened. A new file has none before.
            if before in (-1, self._inode):
                self._connection = connection
                return connection
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; taken at its start, so that what is read inside still holds when it commits."""
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # A full disk has rolled back already; a COMMIT that failed otherwise leaves it open, lock and all.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def remove(self) -> None:
        """Close and delete it, with what SQLite keeps beside it."""
        self.close()
        file = self.path.resolve()
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._make_path()
        if not self.path.exists():
            # A write-ahead log left beside a deleted database would be replayed into the new one.
            file = self.path.resolve()
            for suffix in ("-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, factory=self._factory)
        try:
            connection.execute(f"PRAGMA page_size={self._page_size}")  # heeded by an empty file only
            switch_to_wal(connection)
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            self._schema(connection)
        except sqlite3.DatabaseError as fault:
            connection.close()
            if is_damage(fault):
                raise FileDamaged(self.path, fault) from fault
            raise
        except BaseException:
            connection.close()
            raise
        return connection

    def _inode_at_path(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return -1


def switch_to_wal(connection: sqlite3.Connection) -> None:
    """Of two processes that open a new file at once one switches it; the other may be told "locked" at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def is_damage(fault: sqlite3.DatabaseError) -> bool:
    """The low byte is the kind: an index, a virtual table or a header may be what is broken."""
    return fault.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
