"""The registry over SQLAlchemy Core: one statement per operation, so a transaction is one round trip on every engine.

`SqliteRegistry` is the embedded adapter. Another engine needs another constructor, not other statements.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resources.clock import Now, utc_now
from resources.registry.base import THIS_MACHINE, TTL_SECONDS, Lease, Mark, Processes, Registry, RegistryUnavailable
from resources.sqlite_file import BUSY_SECONDS, switch_to_wal

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# Times are seconds since 1970 as doubles: their difference is plain arithmetic on every engine.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("acquired_at", sa.Double, nullable=False),
    sa.Column("renewed_at", sa.Double),
    sa.Column("stop_requested", sa.Text),
)
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)


class SqlRegistry(Registry):
    def __init__(self, engine: sa.Engine, *, now: Now = utc_now, processes: Processes = THIS_MACHINE) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        # The dialects' own INSERTs know ON CONFLICT; only the module of the engine at hand is loaded.
        self._insert: Any = import_module(f"sqlalchemy.dialects.{engine.dialect.name}").insert
        self._now = now
        self._processes = processes
        with self._connection() as connection:
            for table in metadata.sorted_tables:
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))

    def acquire(
        self, name: str, *, owner: str, run_id: str = "", min_epoch: int = 0, ttl: float = TTL_SECONDS
    ) -> Lease | None:
        holder = self.read(name)
        now = self._now()
        is_gone = holder is not None and self._processes.is_gone(holder.host, holder.pid)
        if holder is not None and holder.is_fresh(now, ttl) and not is_gone:
            return None  # asking while another is at work costs no write transaction
        gone = holder.epoch if holder is not None and is_gone else -1
        seconds = now.timestamp()
        values = {
            "owner": owner,
            "run_id": run_id,
            "host": self._processes.host,
            "pid": self._processes.pid,
            "acquired_at": seconds,
            "renewed_at": seconds,
            "stop_requested": None,
        }
        epoch = sa.case((leases.c.epoch > min_epoch, leases.c.epoch), else_=min_epoch) + 1
        statement = (
            self._insert(leases)
            .values(name=name, epoch=min_epoch + 1, **values)
            .on_conflict_do_update(
                index_elements=[leases.c.name],
                set_={"epoch": epoch, **values},
                where=sa.or_(
                    leases.c.renewed_at.is_(None),
                    sa.func.abs(leases.c.renewed_at - seconds) > ttl,
                    leases.c.epoch == gone,
                ),
            )
            .returning(*leases.c)
        )
        return self._one(statement)

    def renew(self, lease: Lease) -> Lease | None:
        statement = (
            leases.update()
            .where(_is_held_as(lease.name, lease.epoch))
            .values(renewed_at=self._now().timestamp())
            .returning(*leases.c)
        )
        return self._one(statement)

    def release(self, lease: Lease) -> bool:
        return self._changes(leases.update().where(_is_held_as(lease.name, lease.epoch)).values(renewed_at=None))

    def read(self, name: str) -> Lease | None:
        return self._one(sa.select(leases).where(leases.c.name == name))

    def leases(self) -> list[Lease]:
        with self._connection() as connection:
            return [_lease(row) for row in connection.execute(sa.select(leases).order_by(leases.c.name))]

    def request_stop(self, name: str, reason: str) -> bool:
        held = sa.and_(leases.c.name == name, leases.c.renewed_at.is_not(None))
        return self._changes(leases.update().where(held).values(stop_requested=reason))

    def force_expire(self, name: str, epoch: int) -> bool:
        return self._changes(leases.update().where(_is_held_as(name, epoch)).values(renewed_at=None))

    def set_mark(self, key: str, value: str) -> None:
        values = {"value": value, "at": self._now().timestamp()}
        self._changes(
            self._insert(marks)
            .values(key=key, **values)
            .on_conflict_do_update(index_elements=[marks.c.key], set_=values)
        )

    def replace_mark(self, key: str, value: str, *, instead_of: str | None) -> bool:
        values = {"value": value, "at": self._now().timestamp()}
        if instead_of is None:
            return self._changes(self._insert(marks).values(key=key, **values).on_conflict_do_nothing())
        is_as_told = sa.and_(marks.c.key == key, marks.c.value == instead_of)
        return self._changes(marks.update().where(is_as_told).values(**values))

    def mark(self, key: str) -> Mark | None:
        with self._connection() as connection:
            row = connection.execute(sa.select(marks).where(marks.c.key == key)).one_or_none()
        return None if row is None else Mark(row.key, row.value, _time(row.at))

    def clear_mark(self, key: str) -> None:
        self._changes(marks.delete().where(marks.c.key == key))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as fault:
            raise RegistryUnavailable(str(self._engine.url), str(fault.orig)) from fault

    def _one(self, statement: sa.Executable) -> Lease | None:
        with self._connection() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _lease(row)

    def _changes(self, statement: sa.Executable) -> bool:
        with self._connection() as connection:
            return connection.execute(statement).rowcount > 0


class SqliteRegistry(SqlRegistry):
    """The embedded adapter: one file in WAL mode.

    A power cut may take back the last renewals (`synchronous=NORMAL`); epochs don't depend on it, see `acquire`.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Now = utc_now,
        processes: Processes = THIS_MACHINE,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        super().__init__(sqlite_engine(path, factory), now=now, processes=processes)


def sqlite_engine(path: Path, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sa.Engine:
    """An engine on the embedded registry's file, which is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "factory": factory})
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    switch_to_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")


def _is_held_as(name: str, epoch: int) -> sa.ColumnElement[bool]:
    return sa.and_(leases.c.name == name, leases.c.epoch == epoch, leases.c.renewed_at.is_not(None))


def _lease(row: sa.Row[Any]) -> Lease:
    return Lease(
        name=row.name,
        epoch=row.epoch,
        owner=row.owner,
        run_id=row.run_id,
        host=row.host,
        pid=row.pid,
        acquired_at=_time(row.acquired_at),
        renewed_at=None if row.renewed_at is None else _time(row.renewed_at),
        stop_requested=row.stop_requested,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
