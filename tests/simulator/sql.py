"""SQL, simulated: real SQLite files with a connection class that stops, fails and forgets at statements and commits.

What is checked of SQLite itself is nothing; what is checked is what our code does when a process dies before or after
a commit, when the reply of a commit is lost, when a statement fails in the middle, when another holds the lock.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from tests.simulator.machine import Killed, Process
from tests.simulator.world import World

BUSY_S = 20.0
_KEPT_IMAGES = 12
_RETRY_S = 0.01
_KINDS = {
    "SELECT": "read",
    "WITH": "read",
    "INSERT": "write",
    "UPDATE": "write",
    "DELETE": "write",
    "REPLACE": "write",
    "BEGIN": "begin",
    "COMMIT": "commit",
    "ROLLBACK": "rollback",
}


class SimConnection(sqlite3.Connection):
    """A connection of the process that opened it; `connections_of` makes the class for a world."""

    world: ClassVar[World]

    def __init__(self, database: Any, timeout: float = 0.0, **more: Any) -> None:
        super().__init__(database, timeout=0.0, **{**more, "check_same_thread": False})
        del timeout  # waiting is done in virtual time
        self.path = Path(str(database)).resolve()  # of an alias, what it leads to
        self.file = self.path.stem.partition("-")[0].partition(".")[0]
        self.writing = False
        self.generation = self.world.generations[self.path.name]
        actor = self.world.actor
        self.process: Process | None = actor.process if actor else None
        if self.process is not None:
            self.process.closing.append(self.close)

    def cursor(self, factory: Any = None) -> sqlite3.Cursor:  # type: ignore[override]
        del factory
        return super().cursor(SimCursor)

    # sqlite3's own shortcuts make a plain cursor.

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, parameters)

    def plain(self) -> sqlite3.Cursor:
        """For the harness: no faults, no turns."""
        return super().cursor()


class SimCursor(sqlite3.Cursor):
    """Statements as port calls."""

    connection: SimConnection

    def execute(self, sql: str, parameters: Any = ()) -> "SimCursor":
        self._fetched: list[Any] | None = None
        connection = self.connection
        world = connection.world
        actor = world.actor
        kind = _kind(sql)
        if actor is None:
            super().execute(sql, parameters)
        elif kind == "rollback":
            super().execute(sql)
            connection.writing = False
        elif actor.process.dead:
            raise Killed
        elif kind == "begin":
            self._begin(sql)
        elif kind == "commit":
            self._commit()
        elif kind == "read":
            if not connection.in_transaction:
                world.point("before", f"read {connection.file}", turn=0.2)
                if world.faults.draw(("sql: read fails",)):
                    raise _error("disk I/O error")
            self._patiently(sql, parameters)
        elif kind == "write":
            self._write(sql, parameters)
        else:
            self._patiently(sql, parameters)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any]) -> "SimCursor":
        self._fetched = None
        connection = self.connection
        world = connection.world
        if world.actor is None:
            super().executemany(sql, parameters)
            return self
        rows = list(parameters)
        world.point("in", f"transaction {connection.file}", turn=0.02)
        if len(rows) > 1 and world.faults.draw(("sql: part of a batch",)):
            world.note("sql: part of a batch")
            super().executemany(sql, rows[: len(rows) // 2])
            raise _error("database or disk is full", sqlite3.SQLITE_FULL)
        super().executemany(sql, rows)
        return self

    def fetchone(self) -> Any:
        if self._fetched is None:
            return super().fetchone()
        return self._fetched.pop(0) if self._fetched else None

    def fetchmany(self, size: int | None = None) -> Any:
        if self._fetched is None:
            return super().fetchmany() if size is None else super().fetchmany(size)
        size = size or self.arraysize
        taken, self._fetched = self._fetched[:size], self._fetched[size:]
        return taken

    def fetchall(self) -> Any:
        if self._fetched is None:
            return super().fetchall()
        taken, self._fetched = self._fetched, []
        return taken

    def _begin(self, sql: str) -> None:
        connection = self.connection
        connection.writing = False
        if "IMMEDIATE" not in sql.upper():
            super().execute(sql)
            return
        connection.world.point("before", f"begin {connection.file}")
        self._patiently(sql, ())
        connection.writing = True

    def _commit(self) -> None:
        connection = self.connection
        world = connection.world
        if not connection.writing:
            super().execute("COMMIT")
            return
        world.point("before", f"commit {connection.file}", turn=0.2)
        if world.faults.draw(("sql: commit fails",)):
            world.note("sql: commit fails")
            raise _error("disk I/O error")
        super().execute("COMMIT")
        connection.writing = False
        self._committed("commit")

    def _write(self, sql: str, parameters: Any) -> None:
        connection = self.connection
        world = connection.world
        if connection.in_transaction:
            world.point("in", f"transaction {connection.file}", turn=0.02)
            self._patiently(sql, parameters)
            return
        world.point("before", f"write {connection.file}")
        self._patiently(sql, parameters)
        self._fetched = super().fetchall() if "RETURNING" in sql else None
        self._committed("write")

    def _committed(self, call: str) -> None:
        connection = self.connection
        world = connection.world
        current = connection.generation == world.generations[connection.path.name]
        if current and connection.file == "topic":  # synced, and with it all that the journal has before it
            for stored in world.objects.values():
                stored.durable = True
        elif current and world.faults.power_cut:
            kept = world.images.setdefault(str(connection.path), [])
            kept.append((world.steps, connection.serialize()))
            del kept[:-_KEPT_IMAGES]
        actor = world.actor
        assert actor is not None
        if current:
            world.on_commit(connection.file, connection, actor.process)
        world.point("after", f"{call} {connection.file}")
        if world.faults.draw(("sql: reply of commit lost",)):
            world.note("sql: reply of commit lost")
            raise _error("server closed the connection unexpectedly")

    def _patiently(self, sql: str, parameters: Any) -> None:
        """Wait for the lock of another as the busy timeout does."""
        world = self.connection.world
        until = world.now + BUSY_S
        while True:
            try:
                super().execute(sql, parameters)
            except sqlite3.OperationalError as fault:
                if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or world.now >= until:
                    raise
                world.sleep(_RETRY_S)
            else:
                return


def connections_of(world: World) -> type[SimConnection]:
    """The connection class of this world."""
    return type("WorldConnection", (SimConnection,), {"world": world})


def _error(text: str, code: int = sqlite3.SQLITE_IOERR) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


_known: dict[str, str] = {}


def _kind(sql: str) -> str:
    found = _known.get(sql)
    if found is None:
        words = sql.split(None, 1)
        found = _known[sql] = _KINDS.get(words[0].upper() if words else "", "other")
    return found
