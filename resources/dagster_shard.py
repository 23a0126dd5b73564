"""One SQLite file of the Dagster instance with the one connection that a process keeps to it.

Dagster's SQLite storages make an engine for each use, so a connection is opened and SQL compiled again each time.
Which rows go into which file belongs to `resources/dagster_storage.py`.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as db
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

BUSY_SECONDS = 30.0
"""How long a writer waits for another process's transaction. Dagster's run and schedule storages wait 5 s."""


class Shard:
    """A file and its connection; the threads of a process take turns.

    `users` is counted by the owner, under the owner's lock, so that it closes no shard in use.
    """

    def __init__(self, url: str) -> None:
        self.engine: Engine = db.create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        self.path = Path(self.engine.url.database or "")
        self.users = 0
        self._inode = self.path.stat().st_ino
        self._lock = threading.RLock()
        self._open: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction, committed at the end; a nested call in the same thread joins the one that is open."""
        with self._lock:
            if self._open is not None:
                yield self._open
                return
            with self.engine.begin() as connection:
                self._open = connection
                try:
                    yield connection
                finally:
                    self._open = None

    def is_stale(self) -> bool:
        """Whether the file was removed or replaced since: another process prunes runs."""
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def close(self) -> None:
        self.engine.dispose()


def has_tables(path: Path, table: str) -> bool:
    """Whether a storage was set up in the file. Asking Alembic takes 20 ms: too long for each of a page's runs."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"alembic_version", table} <= tables:
            return False
        return connection.execute("SELECT version_num FROM alembic_version").fetchone() is not None
