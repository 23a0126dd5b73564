"""Writing a domain's part of a SQLite read model: fenced, one transaction per batch, the digest kept along.

The file is a cache of the log. One that is missing, damaged, or laid out for another ontology is built anew from
position 0; the follower notices by the position.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from resources.clock import Now, utc_now
from resources.fencing import Fenced
from resources.read_model.base import BucketDigest, Changes, ParkedObject, ReadModelWriter, StoredState, TypeChanges
from resources.read_model.connection import MAPPED_BYTES
from resources.read_model.digest_sums import DigestSums
from resources.read_model.query import DomainLayout, Row, TypeLayout
from resources.read_model.sqlite_layout import (
    PAGE_SIZE,
    ModelOptions,
    all_columns,
    create_base,
    create_domain,
    drop_domain,
    fingerprint,
    index_ids,
    settle_type,
)
from resources.read_model.sqlite_rows import row_reader
from resources.sqlite_file import FileDamaged, SqliteFile

logger = logging.getLogger(__name__)
CACHE_KIB = 64_000
CHECKPOINT_PAGES = 16_000
"""64 MB of write-ahead log before it is copied back: the first load otherwise waits for the disk each 4 MB."""


class SqliteWriter(ReadModelWriter):
    def __init__(self, path: Path, layout: DomainLayout, options: ModelOptions, *, now: Now = utc_now) -> None:
        self._layout, self._options, self._now = layout, options, now
        # A lost tail after a power cut is followed again from the stored position, so NORMAL is enough.
        self._file = SqliteFile(path, self._prepare, page_size=PAGE_SIZE, synchronous="NORMAL")
        self._numbers: dict[str, int] = {}
        self._settled: set[str] = set()

    def state(self) -> StoredState:
        return self._read_state(self._connection())

    def claim(self, epoch: int) -> None:
        self._connection()
        with self._sound(epoch), self._file.writing() as connection:
            held = self._read_state(connection).epoch
            if held >= epoch:
                raise Fenced(self._place, mine=epoch, held=held)
            connection.execute("UPDATE state SET epoch = ? WHERE domain = ?", (epoch, self._layout.domain))

    def write(self, changes: Changes, epoch: int, *, settle: bool) -> None:
        with self._sound(epoch), self._read_fast(settle=settle), self._file.writing() as connection:
            stamp = (self._now() - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
            held = connection.execute(
                "UPDATE state SET position = ?, updated_at = ? WHERE domain = ? AND epoch = ? RETURNING epoch",
                (changes.position, stamp, self._layout.domain, epoch),
            ).fetchall()
            if not held:
                raise Fenced(self._place, mine=epoch, held=self._read_state(connection).epoch)
            sums = DigestSums()
            for part in changes.live:
                self._write_live(connection, part, sums)
            for part in changes.gone:
                self._write_gone(connection, part, sums)
            self._write_parked(connection, changes.parked)
            self._write_digest(connection, sums)
            if settle:
                self._settle(connection)
        if settle:
            self._settled = set(self._numbers)

    def settled(self) -> bool:
        self._connection()
        return len(self._settled) == len(self._numbers)

    def parked(self) -> list[ParkedObject]:
        rows = self._connection().execute(
            "SELECT type, id, bucket, position, reason, waiting FROM parked WHERE domain = ? ORDER BY position",
            (self._layout.domain,),
        )
        return [ParkedObject(*row) for row in rows]

    def digest(self) -> dict[int, BucketDigest]:
        rows = self._connection().execute(
            "SELECT bucket, documents, lane0, lane1, lane2, lane3 FROM digest WHERE domain = ? ORDER BY bucket",
            (self._layout.domain,),
        )
        return {bucket: BucketDigest(documents, (a, b, c, d)) for bucket, documents, a, b, c, d in rows}

    def documents(self, type_name: str) -> Iterator[Row]:
        layout = self._type(type_name)
        connection = self._connection()
        sql, to_row = row_reader(self._numbers[type_name], layout)
        yield from map(to_row, connection.execute(f"{sql} ORDER BY rid"))

    def tombstones(self) -> Iterator[tuple[str, str, int]]:
        names = {no: name for name, no in self._numbers.items()}
        for no, key, position in self._connection().execute("SELECT no, id, position FROM gone ORDER BY no, id"):
            if no in names:
                yield names[no], key, position

    def close(self) -> None:
        self._file.close()

    @property
    def _place(self) -> str:
        return f"{self._file.path.name} ({self._layout.domain})"

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._file.connection()
        except FileDamaged as fault:
            self.discard(fault.detail)
            return self._file.connection()

    @contextmanager
    def _sound(self, epoch: int) -> Iterator[None]:
        """Damage that shows in the middle: the file goes, and the writer with it (the new one is held by nobody)."""
        try:
            yield
        except sqlite3.DatabaseError as fault:
            if not is_damage(fault):
                raise
            self.discard(str(fault))
            raise Fenced(self._place, mine=epoch, held=self.state().epoch) from fault

    def discard(self, reason: str) -> None:
        """Remove the file: it is a cache, and a damaged one is worth less than none."""
        logger.warning("%s is damaged (%s): removed, it is built again from the log", self._file.path, reason)
        self._file.close()
        for suffix in ("", "-wal", "-shm"):
            self._file.path.with_name(self._file.path.name + suffix).unlink(missing_ok=True)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("BEGIN IMMEDIATE")
        create_base(connection)
        domain = self._layout.domain
        stored = connection.execute("SELECT fingerprint, epoch FROM state WHERE domain = ?", (domain,)).fetchone()
        if stored is not None and stored[0] != fingerprint(self._layout, self._options):
            logger.warning("%s: the ontology changed, it is built again from the log", self._place)
            drop_domain(connection, domain)
        if stored is None or stored[0] != fingerprint(self._layout, self._options):
            create_domain(connection, self._layout, self._options, epoch=0 if stored is None else stored[1])
        rows = connection.execute("SELECT type, no, settled FROM types WHERE domain = ?", (domain,)).fetchall()
        connection.execute("COMMIT")
        self._numbers = {name: no for name, no, _ in rows}
        self._settled = {name for name, _, settled in rows if settled}

    def _read_state(self, connection: sqlite3.Connection) -> StoredState:
        return read_state(connection, self._layout.domain)

    @contextmanager
    def _read_fast(self, *, settle: bool) -> Iterator[None]:
        """Map the file while indexes are built: each reads the whole table, and copying its pages takes half the time.

        Only what is in the file itself is mapped, so the write-ahead log is copied back before.
        """
        connection = self._connection()
        if settle:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}").fetchall()
        yield
        if settle:
            connection.execute("PRAGMA mmap_size=0").fetchall()

    def _type(self, name: str) -> TypeLayout:
        layout = self._layout.type(name)
        if layout is None:
            raise KeyError(name)
        return layout

    def _settle(self, connection: sqlite3.Connection) -> None:
        for name, no in self._numbers.items():
            if name not in self._settled:
                started = time.monotonic()
                settle_type(connection, no, self._type(name), self._options)
                logger.info("%s: indexes of %s in %.1f s", self._place, name, time.monotonic() - started)
        if len(self._settled) < len(self._numbers):
            # Without figures the planner takes any index; a sample of each is enough.
            connection.execute("PRAGMA analysis_limit=1000")
            connection.execute("ANALYZE")

    def _write_live(self, connection: sqlite3.Connection, part: TypeChanges, sums: DigestSums) -> None:
        no = self._numbers[part.type.name]
        words = self._options.words and part.type.has_words
        born = list(part.first)
        if not all(part.fresh):
            keep = self._clear_old(connection, part, no, born, sums)
            if len(keep) < len(part.ids):
                part, born = _pick(part, keep), [born[k] for k in keep]
        sums.add(part.buckets, part.hashes)
        columns = [born, part.ids, part.sequences, part.positions, part.hashes]
        if words:
            columns.append(part.words)
        columns += [*part.links, *part.cells]
        marks = ",".join("?" * len(all_columns(part.type, self._options)))
        connection.executemany(f"INSERT INTO t{no} VALUES ({marks})", zip(*columns, strict=True))  # noqa: S608
        if words and part.type.name in self._settled:
            connection.executemany(
                f"INSERT INTO f{no}(rowid, words) VALUES (?, ?)",  # noqa: S608
                zip(born, part.words, strict=True),
            )

    def _write_gone(self, connection: sqlite3.Connection, part: TypeChanges, sums: DigestSums) -> None:
        no = self._numbers[part.type.name]
        born = list(part.first)
        if not all(part.fresh):
            keep = self._clear_old(connection, part, no, born, sums)
            if len(keep) < len(part.ids):
                part, born = _pick(part, keep), [born[k] for k in keep]
        sums.add(part.buckets, part.hashes)
        connection.executemany(
            "INSERT INTO gone (no, id, born, sequence, position, hash) VALUES (?, ?, ?, ?, ?, ?)",
            [(no, *row) for row in zip(part.ids, born, part.sequences, part.positions, part.hashes, strict=True)],
        )

    def _clear_old(
        self, connection: sqlite3.Connection, part: TypeChanges, no: int, born: list[int], sums: DigestSums
    ) -> list[int]:
        """Take away what is stored of these objects, with its digest; keep its `born`.

        Returns the indexes of the changes that are newer than what is stored.
        """
        index_ids(connection, no)
        at = {key: k for k, key in enumerate(part.ids) if not part.fresh[k]}
        keep = set(range(len(part.ids)))
        wanted = json.dumps(list(at))
        indexed_words = self._options.words and part.type.has_words and part.type.name in self._settled
        words = "words" if self._options.words and part.type.has_words else "NULL"
        live = connection.execute(
            f"SELECT id, rid, position, hash, {words} FROM t{no} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (wanted,),
        ).fetchall()
        gone = connection.execute(
            "SELECT id, born, position, hash, NULL FROM gone WHERE no = ? AND id IN (SELECT value FROM json_each(?))",
            (no, wanted),
        ).fetchall()
        for key, old_born, position, _hash, _words in live + gone:
            k = at[key]
            if position >= part.positions[k]:
                keep.discard(k)
            else:
                born[k] = old_born
        old_live = [row for row in live if at[row[0]] in keep]
        old_gone = [row for row in gone if at[row[0]] in keep]
        stale = old_live + old_gone
        sums.subtract([part.buckets[at[row[0]]] for row in stale], [row[3] for row in stale])
        if indexed_words:
            connection.executemany(
                f"INSERT INTO f{no}(f{no}, rowid, words) VALUES ('delete', ?, ?)",  # noqa: S608
                [(row[1], row[4]) for row in old_live],
            )
        connection.executemany(f"DELETE FROM t{no} WHERE rid = ?", [(row[1],) for row in old_live])  # noqa: S608
        connection.executemany("DELETE FROM gone WHERE no = ? AND id = ?", [(no, row[0]) for row in old_gone])
        return sorted(keep)

    def _write_parked(self, connection: sqlite3.Connection, parked: list[ParkedObject]) -> None:
        connection.executemany(
            "INSERT INTO parked (domain, type, id, bucket, position, reason, waiting) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (domain, type, id) DO UPDATE SET waiting = waiting + excluded.waiting",
            [(self._layout.domain, p.type, p.id, p.bucket, p.position, p.reason, p.waiting) for p in parked],
        )

    def _write_digest(self, connection: sqlite3.Connection, sums: DigestSums) -> None:
        connection.executemany(
            "INSERT INTO digest VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, bucket) DO UPDATE SET "
            "documents = documents + excluded.documents, lane0 = lane0 + excluded.lane0, "
            "lane1 = lane1 + excluded.lane1, lane2 = lane2 + excluded.lane2, lane3 = lane3 + excluded.lane3",
            [(self._layout.domain, bucket, d.documents, *d.lanes) for bucket, d in sums.buckets().items()],
        )


_MICROSECOND = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)


def is_damage(fault: sqlite3.DatabaseError) -> bool:
    """The low byte is the kind: an index, a virtual table or a header may be what is broken."""
    return fault.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def read_state(connection: sqlite3.Connection, domain: str) -> StoredState:
    position, epoch, generation, secret, stamp = connection.execute(
        "SELECT position, epoch, generation, secret, updated_at FROM state WHERE domain = ?", (domain,)
    ).fetchone()
    updated_at = None if stamp is None else datetime(1970, 1, 1, tzinfo=UTC) + stamp * _MICROSECOND
    return StoredState(position, epoch, generation, secret, updated_at)


def _pick(part: TypeChanges, keep: list[int]) -> TypeChanges:
    picked = {name: [getattr(part, name)[k] for k in keep] for name in _PER_OBJECT}
    return TypeChanges(
        part.type,
        **picked,
        cells=[[column[k] for k in keep] for column in part.cells],
        links=[[column[k] for k in keep] for column in part.links],
        words=[part.words[k] for k in keep] if part.words else [],
    )


_PER_OBJECT = ("ids", "first", "fresh", "positions", "sequences", "buckets", "hashes")
