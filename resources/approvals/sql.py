"""The approvals over SQLAlchemy Core, in the registry's database: a table of its own there.

`SqliteApprovals` is the embedded adapter. Another engine needs another constructor, not other statements.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resources.approvals.base import KEPT, Approvals, Verdict
from resources.clock import Now, utc_now
from resources.registry.base import RegistryUnavailable
from resources.registry.sql import sqlite_engine

IDS_AT_ONCE = 500
metadata = sa.MetaData()
verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("partition", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("rules", sa.Text, nullable=False),
    sa.Column("failed", sa.Text, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.UniqueConstraint("asset", "partition", "version", "rules", name="uq_verdicts"),
)


class SqlApprovals(Approvals):
    def __init__(self, engine: sa.Engine, *, now: Now = utc_now) -> None:
        self._engine, self._now = engine, now
        with self._writing() as connection:
            connection.execute(sa.schema.CreateTable(verdicts, if_not_exists=True))

    def record(self, verdicts_: Sequence[Verdict]) -> None:
        if not verdicts_:
            return
        at = self._now().timestamp()
        same = verdicts.delete().where(
            *(verdicts.c[name] == sa.bindparam(f"this_{name}") for name in ("asset", "partition", "version", "rules"))
        )
        rows = [
            {
                "asset": one.table,
                "partition": one.partition,
                "version": one.version,
                "rules": one.rules,
                "failed": json.dumps(list(one.failed)),
                "profile": json.dumps(one.profile),
                "run_id": one.run_id,
                "at": at,
            }
            for one in verdicts_
        ]
        with self._writing() as connection:
            named = ("asset", "partition", "version", "rules")
            connection.execute(same, [{f"this_{name}": row[name] for name in named} for row in rows])
            connection.execute(verdicts.insert(), rows)
            for table in sorted({one.table for one in verdicts_}):
                connection.execute(_beyond_kept(table))

    def verdicts(self, table: str, partitions: Sequence[str] | None = None) -> dict[str, list[Verdict]]:
        mine = sa.select(verdicts).where(verdicts.c.asset == table).order_by(verdicts.c.id.desc())
        found: dict[str, list[Verdict]] = {}
        chunks: list[sa.Select[Any]] = [mine]
        if partitions is not None:
            names = list(dict.fromkeys(partitions))
            chunks = [
                mine.where(verdicts.c.partition.in_(names[start : start + IDS_AT_ONCE]))
                for start in range(0, len(names), IDS_AT_ONCE)
            ]
        with self._reading() as connection:
            for statement in chunks:
                for row in connection.execute(statement):
                    found.setdefault(row.partition, []).append(_verdict(row))
        return found

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as fault:
            raise RegistryUnavailable(str(self._engine.url), str(fault.orig)) from fault

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as fault:
            raise RegistryUnavailable(str(self._engine.url), str(fault.orig)) from fault


class SqliteApprovals(SqlApprovals):
    """The embedded adapter. A power cut may take back the last verdicts (`synchronous=NORMAL`): then they are asked
    for again."""

    def __init__(self, path: Path, *, now: Now = utc_now) -> None:
        super().__init__(sqlite_engine(path), now=now)


def _beyond_kept(table: str) -> sa.Delete:
    rank = sa.func.row_number().over(partition_by=verdicts.c.partition, order_by=verdicts.c.id.desc())
    ranked = sa.select(verdicts.c.id, rank.label("place")).where(verdicts.c.asset == table).subquery()
    return verdicts.delete().where(verdicts.c.id.in_(sa.select(ranked.c.id).where(ranked.c.place > KEPT)))


def _verdict(row: sa.Row[Any]) -> Verdict:
    return Verdict(
        table=row.asset,
        partition=row.partition,
        version=row.version,
        rules=row.rules,
        failed=tuple(json.loads(row.failed)),
        profile=json.loads(row.profile),
        run_id=row.run_id,
        at=datetime.fromtimestamp(row.at, UTC),
    )
