"""Traps in the adapters of a real process: at a named point it sends itself SIGKILL, which no handler sees.

A point is a call of an adapter: before, in the middle of, or after what it does to a file or a database. `install` wraps
the adapters' own functions, so the same traps work in a bare process and in a run of Dagster; everything above the ports
is what ships. Nothing of the product is loaded before that, see `armed/`. Every call gets its name from what it is, so a new kind of call is a new name, which `points.py` must list.
"""

import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.object_store.local import LocalObjectStore

OBJECTS = {"log": "record", "log-data": "data", "log-hint": "hint", "log-archive": "mark"}
"""By the first part of a key. Turns (`log-turn`) are courtesy between writers, and no promise rests on them."""
FILES = ("topic", "search", "graph", "registry")
_WORDS = {
    "SELECT": "read",
    "WITH": "read",
    "BEGIN": "begin",
    "COMMIT": "commit",
    "CREATE": "tables",
    "DROP": "tables",
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "REPLACE"), "write"),
}


class Trap:
    """Kills its own process the `hit`-th time that it comes to `point`, and counts all that it comes to."""

    def __init__(self, point: str = "", hit: int = 0) -> None:
        self._point, self._hit = point, hit
        self.reached = Counter[str]()

    def reach(self, point: str) -> None:
        if self.due(point):
            self.die()

    def due(self, point: str) -> bool:
        """Whether the process is to die here; it may spoil something first."""
        self.reached[point] += 1
        return point == self._point and self.reached[point] == self._hit

    def die(self) -> None:
        os.write(1, json.dumps({"dies": self._point}).encode() + b"\n")
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()  # a thread goes on for a moment after its process was killed


class ArmedTrap(Trap):
    """For the first process that comes to the point that a file holds; the file goes with it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def due(self, point: str) -> bool:
        if not self._file.exists() or self._file.read_text() != point:
            return False
        self._file.unlink()
        return True


class _Now(threading.local):
    """What this thread is putting, and whether it is in the temp file."""

    what: str | None = None
    temp = False

    @property
    def inside(self) -> str | None:
        """What is being written; a hint is trusted by nobody, so that before and after it is enough."""
        return self.what if self.what != "hint" else None


def install(trap: Trap) -> None:
    """Lay the traps in this process."""
    _in_the_store(trap)
    in_databases(trap)
    _in_the_lake(trap)


def _kind(key: str) -> str | None:
    return OBJECTS.get(key.partition("/")[0])


def _in_the_store(trap: Trap) -> None:
    from resources.object_store.local import LocalObjectStore

    now = _Now()
    _in_puts(trap, now)
    _in_temp_files(trap, now)
    get, delete, sync = LocalObjectStore.get, LocalObjectStore.delete, LocalObjectStore.sync

    def trapped_get(self: "LocalObjectStore", key: str) -> bytes:
        if _kind(key) == "record":
            trap.reach("before get record")
        return get(self, key)

    def trapped_delete(self: "LocalObjectStore", key: str) -> None:
        if _kind(key) is None:
            delete(self, key)
            return
        trap.reach(f"before delete {_kind(key)}")
        delete(self, key)
        trap.reach(f"after delete {_kind(key)}")

    def trapped_sync(self: "LocalObjectStore", prefix: str) -> None:
        trap.reach("before sync")
        sync(self, prefix)
        trap.reach("after sync")

    replace(LocalObjectStore, get=trapped_get, delete=trapped_delete, sync=trapped_sync)


def _in_puts(trap: Trap, now: _Now) -> None:
    from resources.object_store.local import LocalObjectStore

    link = LocalObjectStore._link

    def trapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def put(self: "LocalObjectStore", key: str, data: Any) -> Any:
            now.what = _kind(key)
            if now.what is None:
                return original(self, key, data)
            trap.reach(f"before put {now.what}")
            done = original(self, key, data)
            trap.reach(f"after put {now.what}")
            now.what = None
            return done

        return put

    def trapped_link(self: "LocalObjectStore", temp: Path, target: Path) -> bool:
        made = link(self, temp, target)
        if made and now.inside:
            trap.reach(f"linked put {now.inside}")
        return made

    replace(
        LocalObjectStore,
        put=trapped(LocalObjectStore.put),
        put_if_absent=trapped(LocalObjectStore.put_if_absent),
        _link=trapped_link,
    )


def _in_temp_files(trap: Trap, now: _Now) -> None:
    from resources.object_store import local
    from resources.object_store.local import LocalObjectStore

    write_temp, write_all, sync = LocalObjectStore._write_temp, local._write_all, local._sync

    def trapped_write_temp(self: "LocalObjectStore", data: Any) -> Path:
        now.temp = True
        temp = write_temp(self, data)
        now.temp = False
        return temp

    def trapped_write_all(descriptor: int, data: bytes) -> None:
        if now.inside and trap.due(f"half put {now.inside}"):
            os.write(descriptor, data[: len(data) // 2])
            trap.die()
        write_all(descriptor, data)

    def trapped_sync(descriptor: int) -> None:
        what = now.inside if now.temp else None
        if what:
            trap.reach(f"unsynced put {what}")
        sync(descriptor)
        if what:
            trap.reach(f"synced put {what}")

    replace(LocalObjectStore, _write_temp=trapped_write_temp)
    replace(local, _write_all=trapped_write_all, _sync=trapped_sync)


def replace(owner: Any, **functions: Callable[..., Any]) -> None:
    for name, function in functions.items():
        setattr(owner, name, function)


class TrappedConnection(sqlite3.Connection):
    trap: Trap
    file = ""
    writing = False

    def cursor(self, factory: Any = None) -> sqlite3.Cursor:  # type: ignore[override]
        del factory
        return super().cursor(TrappedCursor)

    # sqlite3's own shortcuts make a plain cursor.

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, parameters)


class TrappedCursor(sqlite3.Cursor):
    connection: TrappedConnection
    _fetched: list[Any] | None = None

    def execute(self, sql: str, parameters: Any = ()) -> "TrappedCursor":
        connection, file = self.connection, self.connection.file
        reach, kind = connection.trap.reach, _WORDS.get(sql.split(None, 1)[0].upper(), "other")
        self._fetched = None
        if kind == "read" and not connection.in_transaction:
            reach(f"before read {file}")
        elif kind == "begin" and "IMMEDIATE" in sql:
            reach(f"before begin {file}")
            connection.writing = True
        elif kind == "commit" and connection.writing:
            reach(f"before commit {file}")
        elif kind == "tables" and connection.in_transaction:
            reach(f"in tables {file}")
        elif kind == "write":
            reach(f"in transaction {file}" if connection.in_transaction else f"before write {file}")
        alone = kind == "write" and not connection.in_transaction
        super().execute(sql, parameters)
        if alone:
            # It is committed when its rows are fetched.
            self._fetched = super().fetchall() if "RETURNING" in sql else None
            reach(f"after write {file}")
        elif kind == "commit" and connection.writing:
            connection.writing = False
            reach(f"after commit {file}")
        return self

    def executemany(self, sql: str, parameters: Iterable[Any]) -> "TrappedCursor":
        trap, file, rows = self.connection.trap, self.connection.file, list(parameters)
        trap.reach(f"in transaction {file}")
        if len(rows) > 1 and trap.due(f"half of rows {file}"):
            super().executemany(sql, rows[: len(rows) // 2])
            trap.die()
        super().executemany(sql, rows)
        if rows and "INTO parked" in sql:
            trap.reach(f"after parking {file}")
        return self

    def fetchone(self) -> Any:
        if self._fetched is None:
            return super().fetchone()
        return self._fetched.pop(0) if self._fetched else None

    def fetchmany(self, size: int | None = None) -> Any:
        if self._fetched is None:
            return super().fetchmany(size or self.arraysize)
        taken, self._fetched = self._fetched[: size or 1], self._fetched[size or 1 :]
        return taken

    def fetchall(self) -> Any:
        if self._fetched is None:
            return super().fetchall()
        taken, self._fetched = self._fetched, []
        return taken


def in_databases(trap: Trap) -> None:
    connect = sqlite3.connect

    def trapped(database: Any, *arguments: Any, **more: Any) -> sqlite3.Connection:
        path = Path(str(database))
        file = "heads" if path.parent.name == "heads" else path.stem
        if file not in (*FILES, "heads"):
            return connect(database, *arguments, **more)
        connection: sqlite3.Connection = connect(database, *arguments, **{**more, "factory": TrappedConnection})
        assert isinstance(connection, TrappedConnection)
        connection.trap, connection.file = trap, file
        return connection

    replace(sqlite3, connect=trapped)
    replace(sqlite3.dbapi2, connect=trapped)


def _in_the_lake(trap: Trap) -> None:
    """Of the sealed history alone: the other tables are the data plane's, see test_crash_points.py."""
    from resources.lake.writer import DataFile, LocalWriter

    write_file, publish = LocalWriter._write_file, LocalWriter._publish

    def trapped_write_file(self: LocalWriter, *arguments: Any) -> DataFile:
        file = write_file(self, *arguments)
        if self._table.startswith("events/"):
            if trap.due("torn file lake"):
                os.truncate(self._lake.folder(self._table) / file.path, file.size // 2)
                trap.die()
            trap.reach("half of files")
        return file

    def trapped_publish(self: LocalWriter, *arguments: Any, **more: Any) -> None:
        sealing = self._table.startswith("events/")
        if sealing:
            trap.reach("before commit lake")
        publish(self, *arguments, **more)
        if sealing:
            trap.reach("after commit lake")

    replace(LocalWriter, _write_file=trapped_write_file, _publish=trapped_publish)
