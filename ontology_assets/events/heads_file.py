"""The SQLite file of heads: opening it, writing in one transaction, making it anew when it is no database any more."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ontology_assets.events.heads_schema import FORMAT, SCHEMA

_WAIT_S = 120.0
_LOOK_S = 0.001
CACHE_KIB = 8_192
"""Enough for commands, and what a process that commits for a day grows by at most."""
_BEGIN = "BEGIN IMMEDIATE"
_BEGIN_OR_NOT = "BEGIN IMMEDIATE TRANSACTION"
"""The same to SQLite; a `Patient` gives up at once."""


class Patient(sqlite3.Connection):
    """Looks each millisecond whether the file is free. SQLite's own waiting looks each 100 ms in the end, and never saw
    it free while another process folded slice after slice (1.1 s)."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql not in (_BEGIN, _BEGIN_OR_NOT):
            return super().execute(sql, parameters)
        super().execute("PRAGMA busy_timeout = 0")
        try:
            return self._begun(time.monotonic() + (_WAIT_S if sql == _BEGIN else 0))
        finally:
            super().execute(f"PRAGMA busy_timeout = {int(_WAIT_S * 1e3)}")

    def _begun(self, until: float) -> sqlite3.Cursor:
        while True:
            try:
                return super().execute(_BEGIN)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_LOOK_S)


class HeadsFile:
    """A cache in a file: whatever is wrong with it, it is made anew."""

    def __init__(self, path: Path, factory: type[sqlite3.Connection] = Patient) -> None:
        self._path, self._factory = path, factory
        self._fits = False
        """Whether the content was found to be a snapshot of the log."""
        self.rebuilt: str | None = None
        """Why the file was thrown away, if it was."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = self._opened()
        except sqlite3.DatabaseError as error:
            self._replace(error)

    def close(self) -> None:
        self._db.close()

    def _opened(self) -> sqlite3.Connection:
        # Deciding, catching up and closing may happen in different threads, one at a time (the lock above).
        db = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=_WAIT_S, factory=self._factory
        )
        try:
            db.execute("PRAGMA journal_mode = WAL")
            # A cache may lose its last transactions in a power cut; it must not be torn, and in WAL mode it is not.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            db.execute("PRAGMA wal_autocheckpoint = 8000")
            db.execute("PRAGMA journal_size_limit = 16777216")  # else one large fold leaves its log on the disk
            db.execute(_BEGIN)
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "meta" in tables:
                _check_format(db)
            else:
                for statement in SCHEMA.split(";\n"):
                    _run(db, statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")
            db.execute("COMMIT")
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def _replace(self, error: sqlite3.DatabaseError) -> None:
        """A file that is no database any more is made anew; a busy disk or a wrong statement is not that."""
        if type(error) is not sqlite3.DatabaseError:
            raise error
        self.rebuilt = f"{self._path.name} can't be read ({error})"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._db, self._fits = self._opened(), False

    @contextmanager
    def _writing(self, *, wait: bool = True) -> Iterator[None]:
        """One transaction. Without `wait` a file that somebody else is writing is an error at once (SQLITE_BUSY)."""
        self._db.execute(_BEGIN if wait else _BEGIN_OR_NOT)
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a COMMIT that failed may leave it open, and every later one would fail
                self._db.execute("ROLLBACK")
            raise


def _check_format(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found != FORMAT:
        raise sqlite3.DatabaseError(f"format {found}, not {FORMAT}")


def _run(db: sqlite3.Connection, statement: str) -> None:
    if statement.strip():
        db.execute(statement)
