"""Writing a domain's part of a SQLite read model: fenced, one transaction per batch, the digest kept along.

The file is a cache of the log. One that is missing, damaged, or laid out for another ontology is built anew from
position 0; the follower notices by the position.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from resources.clock import Now, utc_now
from resources.fencing import Fenced
from resources.read_model.base import (
    BucketDigest,
    Changes,
    NothingYet,
    ParkedMeanwhile,
    ParkedObject,
    ReadModelWriter,
    Replaced,
    StoredState,
)
from resources.read_model.connection import MAPPED_BYTES
from resources.read_model.digest_sums import DigestSums
from resources.read_model.generations import generation_of
from resources.read_model.query import DomainLayout, Row, TypeLayout
from resources.read_model.sqlite_buckets import replace_bucket
from resources.read_model.sqlite_changes import ChangeWriter, Tables
from resources.read_model.sqlite_layout import (
    EPOCH,
    MICROSECOND,
    PAGE_SIZE,
    ModelOptions,
    create_domain,
    drop_domain,
    fingerprint,
    prepare,
    read_digest,
    read_state,
    settle_type,
)
from resources.read_model.sqlite_objects import different, replace_objects
from resources.read_model.sqlite_rows import read_documents, read_parked, read_tombstones, stored_sums
from resources.sqlite_file import FileDamaged, SqliteFile, is_damage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Stored:
    """The domain's row: is it there, and was it laid out for this ontology?"""

    state: StoredState
    there: bool
    fits: bool


class SqliteWriter(ReadModelWriter):
    def __init__(
        self,
        path: Path,
        layout: DomainLayout,
        options: ModelOptions,
        *,
        now: Now = utc_now,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
        make_path: Callable[[], None] = lambda: None,
    ) -> None:
        """`make_path`: of an alias, `Generations.ensure`."""
        self._layout, self._options, self._now = layout, options, now
        # A lost tail after a power cut is followed again from the stored position, so NORMAL is enough.
        self._file = SqliteFile(
            path, prepare, page_size=PAGE_SIZE, synchronous="NORMAL", factory=factory, make_path=make_path
        )
        self._known: Tables | None = None

    def state(self) -> StoredState:
        try:
            stored = self._stored(self._connection())
        except sqlite3.DatabaseError as fault:
            if not is_damage(fault):
                raise
            self.discard(str(fault))
            stored = self._stored(self._connection())
        return stored.state if stored.fits else replace(stored.state, position=0, updated_at=None)

    def fits(self) -> bool:
        return self._stored(self._connection()).fits

    def history(self) -> str | None:
        connection = self._connection()
        with self._sound():
            if not self._stored(connection).fits:
                return None
            found = connection.execute("SELECT history FROM state WHERE domain = ?", (self._layout.domain,)).fetchone()
        return None if found is None else found[0]

    def claim(self, epoch: int) -> None:
        self._connection()
        with self._sound(epoch), self._file.writing() as connection:
            stored = self._stored(connection)
            if stored.state.epoch >= epoch:
                raise Fenced(self._place, mine=epoch, held=stored.state.epoch)
            if not stored.fits:
                # Only who holds the lease lays the tables out: a reader with other definitions must not drop them.
                if stored.there:
                    logger.warning("%s: the ontology changed, it is built again from the log", self._place)
                    drop_domain(connection, self._layout.domain)
                self._create(connection)
            connection.execute("UPDATE state SET epoch = ? WHERE domain = ?", (epoch, self._layout.domain))

    def write(self, changes: Changes, epoch: int, *, settle: bool) -> None:
        with self._sound(epoch), self._read_fast(settle=settle), self._file.writing() as connection:
            stamp = (self._now() - EPOCH) // MICROSECOND
            held = connection.execute(
                "UPDATE state SET position = ?, history = ?, updated_at = ? "
                "WHERE domain = ? AND epoch = ? RETURNING epoch",
                (changes.position, changes.history, stamp, self._layout.domain, epoch),
            ).fetchall()
            if not held:
                raise Fenced(self._place, mine=epoch, held=self._stored(connection).state.epoch)
            if {(one.type, one.id) for one in read_parked(connection, self._layout.domain)} != changes.set_aside:
                raise ParkedMeanwhile
            change = self._change(connection)
            change.apply(changes)
            if changes.renewed is not None:
                again = changes.renewed
                replace_objects(self._change(connection), self._layout, again.objects, again.content, intact=True)
            if settle:
                self._settle(connection, change.tables)

    def settled(self) -> bool:
        return self._tables(self._connection()).all_settled

    def parked(self) -> list[ParkedObject]:
        connection = self._connection()
        if not self._stored(connection).fits:
            return []
        with self._sound():
            return read_parked(connection, self._layout.domain)

    def digest(self) -> dict[int, BucketDigest]:
        connection = self._connection()
        return read_digest(connection, self._layout.domain) if self._stored(connection).fits else {}

    def stored_digest(self, buckets: Sequence[int]) -> dict[int, BucketDigest]:
        connection = self._connection()
        return stored_sums(connection, self._tables(connection).numbers.values(), buckets).buckets()

    @contextmanager
    def reading(self) -> Iterator[None]:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")

    def documents(self, type_name: str, bucket: int | None = None) -> Iterator[tuple[int, Row]]:
        connection = self._connection()
        no = self._tables(connection).numbers.get(type_name)
        return iter(()) if no is None else read_documents(connection, no, self._type(type_name), bucket)

    def tombstones(self, bucket: int | None = None) -> Iterator[tuple[int, str, str, int]]:
        connection = self._connection()
        yield from read_tombstones(connection, self._tables(connection).numbers, bucket)

    def begin_at(self, position: int, history: str | None) -> None:
        with self._file.writing() as connection:
            if not self._stored(connection).fits:
                drop_domain(connection, self._layout.domain)
                self._create(connection, position, history)

    def replace_bucket(self, bucket: int, content: Callable[[int], Iterable[Changes]]) -> int:
        with self._as_it_stands() as (position, change):
            replace_bucket(change, self._layout, bucket, content(position))
        return position

    def different(self, objects: Mapping[str, Sequence[str]], content: Changes) -> list[tuple[str, str]]:
        return different(self._change(self._connection()), objects, content)

    def replace_objects(
        self, objects: Mapping[str, Sequence[str]], content: Callable[[int], Changes], *, intact: bool
    ) -> Replaced:
        with self._as_it_stands() as (position, change):
            wanted = content(position)
            replaced = replace_objects(change, self._layout, objects, wanted, intact=intact)
            return Replaced(position, replaced, wanted.parked)

    @contextmanager
    def _as_it_stands(self) -> Iterator[tuple[int, ChangeWriter]]:
        """One transaction on the position that the domain has. Raises NothingYet where it is not laid out."""
        with self._sound(), self._file.writing() as connection:
            stored = self._stored(connection)
            if not stored.fits:
                raise NothingYet(str(self._file.path))
            yield stored.state.position, self._change(connection)

    def settle(self) -> None:
        with self._sound(), self._read_fast(settle=True), self._file.writing() as connection:
            self._settle(connection, self._tables(connection))

    @contextmanager
    def held_still(self) -> Iterator[None]:
        with self._file.writing():
            yield

    def close(self) -> None:
        self._file.close()

    @property
    def _place(self) -> str:
        return f"{self._file.path.name} ({self._layout.domain})"

    def _create(self, connection: sqlite3.Connection, position: int = 0, history: str | None = None) -> None:
        generation = generation_of(self._file.path.resolve())
        create_domain(connection, self._layout, self._options, position, history, generation=generation)

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._file.connection()
        except FileDamaged as fault:
            self.discard(fault.detail)
            return self._file.connection()

    @contextmanager
    def _sound(self, epoch: int = 0) -> Iterator[None]:
        """Damage that shows in the middle: the file goes, and the writer with it (the new one is held by nobody)."""
        try:
            yield
        except sqlite3.DatabaseError as fault:
            if not is_damage(fault):
                raise
            self.discard(str(fault))
            raise Fenced(self._place, mine=epoch, held=self.state().epoch) from fault

    def discard(self, reason: str) -> None:
        """It is a cache, and a damaged one is worth less than none."""
        logger.warning("%s is damaged (%s): removed, it is built again from the log", self._file.path, reason)
        self._file.remove()

    def _change(self, connection: sqlite3.Connection) -> ChangeWriter:
        return ChangeWriter(connection, self._layout.domain, self._options, self._tables(connection), DigestSums())

    def _stored(self, connection: sqlite3.Connection) -> _Stored:
        found = read_state(connection, self._layout.domain)
        if found is None:
            return _Stored(StoredState(0, 0, "", b"", None), there=False, fits=False)
        state, stored = found
        return _Stored(state, there=True, fits=stored == fingerprint(self._layout, self._options))

    def _tables(self, connection: sqlite3.Connection) -> Tables:
        """As they are now; read again when the domain was built anew, also by another process."""
        generation = self._stored(connection).state.generation
        if self._known is None or self._known.generation != generation or not self._known.all_settled:
            rows = connection.execute(
                "SELECT type, no, settled FROM types WHERE domain = ?", (self._layout.domain,)
            ).fetchall()
            numbers = {name: no for name, no, _ in rows}
            self._known = Tables(generation, numbers, {name for name, _, settled in rows if settled})
        return self._known

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

    def _settle(self, connection: sqlite3.Connection, tables: Tables) -> None:
        for name in sorted(tables.numbers.keys() - tables.settled):
            started = time.monotonic()
            settle_type(connection, tables.numbers[name], self._type(name), self._options)
            logger.info("%s: indexes of %s in %.1f s", self._place, name, time.monotonic() - started)
        # Without figures the planner takes any index; a sample of each is enough.
        connection.execute("PRAGMA analysis_limit=1000").fetchall()
        connection.execute("ANALYZE")
