"""Bulk rows of records that are folded, all but those rows: they are looked up in the data files meanwhile.

A record of many rows is folded in slices, each in a transaction of its own, so that nobody waits for all of it. The
table `backlog` says up to where each such record is, `early` which rows were taken out of their turn, because an event
after them is of the same aggregate. So per aggregate events are folded in their order, always, and what is still behind
is newer than what the tables say.
"""

import sqlite3
from collections.abc import Iterator
from typing import Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.chain import Chain
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads_schema import FOLDED_COLUMNS
from ontology_assets.events.record import Record

MOST_BEHIND = 1_000_000
"""More rows than that are folded before anything is decided: their ids take 40 MB when somebody looks for one."""


class FoldedLog(Protocol):
    """What heads need of the log."""

    @property
    def chain(self) -> Chain: ...

    def bulk(self, record: Record, columns: list[str], skip: int = 0) -> Iterator[tuple[int, pa.Table]]: ...

    def bulk_at(self, record: Record, ordinals: list[int], columns: list[str]) -> pa.Table:
        """These columns and `position` of given rows (ascending) of the record."""

    def check(self, record: Record) -> None:
        """Raises LogDamaged unless the record's data files are what it names."""


class Backlog:
    """Reads what is behind. The ids of a record are kept in memory from the first look until its rows are folded."""

    def __init__(self, log: FoldedLog) -> None:
        self._log = log
        self._held: dict[int, tuple[Record, pa.ChunkedArray]] = {}

    def oldest(self, db: sqlite3.Connection) -> tuple[int, int] | None:
        """(number of the record, rows of it that are folded) of the first record that is behind."""
        row = db.execute("SELECT n, done FROM backlog ORDER BY n LIMIT 1").fetchone()
        if row is None:
            self._held.clear()
            return None
        return int(row[0]), int(row[1])

    def rows(self, db: sqlite3.Connection) -> int:
        """How many rows are behind, those taken early included."""
        (found,) = db.execute(
            "SELECT coalesce(sum(r.bulk - b.done), 0) FROM backlog b JOIN records r USING (n)"
        ).fetchone()
        return int(found)

    def of(self, db: sqlite3.Connection, aggregate_type: str, ids: pa.Array) -> Iterator[tuple[int, pa.Table]]:
        """(record, rows with their `position`) of these aggregates, in log order, but those taken early."""
        behind = db.execute("SELECT n, done FROM backlog ORDER BY n").fetchall()
        for gone in self._held.keys() - {n for n, _ in behind}:
            del self._held[gone]
        for n, done in behind:
            record, held = self._ids(n)
            if record.bulk is None or aggregate_type not in record.bulk.types:
                continue
            here = pc.indices_nonzero(pc.is_in(held.slice(done), value_set=ids)).to_pylist()
            if not here:
                continue
            rows = self._log.bulk_at(record, [done + place for place in here], FOLDED_COLUMNS)
            rows = rows.filter(pc.equal(rows["aggregate_type"], aggregate_type))
            rows = rows.filter(pc.invert(pc.is_in(rows["position"], value_set=_early(db, rows["position"]))))
            if rows.num_rows:
                yield n, rows

    def _ids(self, n: int) -> tuple[Record, pa.ChunkedArray]:
        if n not in self._held:
            record = self._log.chain.read(n)
            if record is None:
                raise LogDamaged(self._log.chain.domain, n, "missing, though the heads know it")
            parts = [rows["aggregate_id"].combine_chunks() for _, rows in self._log.bulk(record, ["aggregate_id"])]
            self._held[n] = record, pa.chunked_array(parts, pa.string())
        return self._held[n]


def with_positions(rows: pa.Table, first: int) -> pa.Table:
    """The rows with their `position`, counted from that of the first."""
    return rows.append_column("position", pa.array(range(first, first + rows.num_rows), pa.int64()))


def _early(db: sqlite3.Connection, positions: pa.ChunkedArray) -> pa.Array:
    found = db.execute(
        "SELECT e.position FROM json_each(?) j CROSS JOIN early e ON e.position = j.value",
        (orjson.dumps(positions.to_pylist()).decode(),),
    )
    return pa.array([row[0] for row in found], pa.int64())
