"""The statements that bring one batch of changes into a SQLite read model, inside the writer's transaction."""

import json
import sqlite3
from dataclasses import dataclass
from itertools import repeat

from resources.read_model.base import Changes, ParkedObject, TypeChanges
from resources.read_model.digest_sums import DigestSums
from resources.read_model.sqlite_layout import ModelOptions, all_columns, index_ids


@dataclass
class Tables:
    """The numbers of a domain's types, and which of them have their indexes, as of one generation."""

    generation: str
    numbers: dict[str, int]
    settled: set[str]

    @property
    def all_settled(self) -> bool:
        return len(self.settled) == len(self.numbers)


@dataclass
class ChangeWriter:
    """One batch. `sums` collects what its documents add to and take from the digest."""

    connection: sqlite3.Connection
    domain: str
    options: ModelOptions
    tables: Tables
    sums: DigestSums
    verb: str = "INSERT"

    def apply(self, changes: Changes) -> None:
        for part in changes.live:
            self.live(part)
        for part in changes.gone:
            self.gone(part)
        self.parked(changes.parked)
        self.digest()

    def live(self, part: TypeChanges) -> None:
        no = self.tables.numbers[part.type.name]
        words = self.options.words and part.type.has_words
        born = list(part.first)
        if not all(part.fresh):
            keep = self._clear_old(part, no, born)
            if len(keep) < len(part.ids):
                part, born = pick(part, keep), [born[k] for k in keep]
        self.sums.add(part.buckets, part.hashes)
        columns = [born, part.ids, part.sequences, part.positions, part.buckets, part.hashes]
        if words:
            columns.append(part.words)
        columns += [*part.links, *part.cells]
        marks = ",".join("?" * len(all_columns(part.type, self.options)))
        self.connection.executemany(f"{self.verb} INTO t{no} VALUES ({marks})", zip(*columns, strict=True))
        if words and part.type.name in self.tables.settled:
            self.connection.executemany(
                f"INSERT INTO f{no}(rowid, words) VALUES (?, ?)",  # noqa: S608
                zip(born, part.words, strict=True),
            )

    def gone(self, part: TypeChanges) -> None:
        no = self.tables.numbers[part.type.name]
        born = list(part.first)
        if not all(part.fresh):
            keep = self._clear_old(part, no, born)
            if len(keep) < len(part.ids):
                part, born = pick(part, keep), [born[k] for k in keep]
        self.sums.add(part.buckets, part.hashes)
        self.connection.executemany(
            f"{self.verb} INTO tombstones (no, id, born, sequence, position, bucket, hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            zip(repeat(no), part.ids, born, part.sequences, part.positions, part.buckets, part.hashes),
        )

    def _clear_old(self, part: TypeChanges, no: int, born: list[int]) -> list[int]:
        """Take away what is stored of these objects, with its digest; keep its `born`.

        Returns the indexes of the changes that are newer than what is stored.
        """
        index_ids(self.connection, no)
        at = {key: k for k, key in enumerate(part.ids) if not part.fresh[k]}
        keep = set(range(len(part.ids)))
        wanted = json.dumps(list(at))
        indexed_words = self.options.words and part.type.has_words and part.type.name in self.tables.settled
        words = "words" if self.options.words and part.type.has_words else "NULL"
        live = self.connection.execute(
            f"SELECT id, rid, position, hash, {words} FROM t{no} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (wanted,),
        ).fetchall()
        gone = self.connection.execute(
            "SELECT id, born, position, hash, NULL FROM tombstones "
            "WHERE no = ? AND id IN (SELECT value FROM json_each(?))",
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
        self.sums.subtract([part.buckets[at[row[0]]] for row in stale], [row[3] for row in stale])
        if indexed_words:
            self.connection.executemany(
                f"INSERT INTO f{no}(f{no}, rowid, words) VALUES ('delete', ?, ?)",  # noqa: S608
                [(row[1], row[4]) for row in old_live],
            )
        self.connection.executemany(f"DELETE FROM t{no} WHERE rid = ?", [(row[1],) for row in old_live])  # noqa: S608
        self.connection.executemany(
            "DELETE FROM tombstones WHERE no = ? AND id = ?", [(no, row[0]) for row in old_gone]
        )
        return sorted(keep)

    def parked(self, parked: list[ParkedObject]) -> None:
        self.connection.executemany(
            "INSERT INTO parked (domain, type, id, bucket, position, reason, waiting) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (domain, type, id) DO UPDATE SET waiting = waiting + excluded.waiting",
            [(self.domain, p.type, p.id, p.bucket, p.position, p.reason, p.waiting) for p in parked],
        )

    def digest(self) -> None:
        self.connection.executemany(
            "INSERT INTO digest VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, bucket) DO UPDATE SET "
            "documents = documents + excluded.documents, lane0 = lane0 + excluded.lane0, "
            "lane1 = lane1 + excluded.lane1, lane2 = lane2 + excluded.lane2, lane3 = lane3 + excluded.lane3",
            [(self.domain, bucket, d.documents, *d.lanes) for bucket, d in self.sums.buckets().items()],
        )


def pick(part: TypeChanges, keep: list[int]) -> TypeChanges:
    """The changes of these objects only."""
    picked = {name: [getattr(part, name)[k] for k in keep] for name in _PER_OBJECT}
    return TypeChanges(
        part.type,
        **picked,
        cells=[[column[k] for k in keep] for column in part.cells],
        links=[[column[k] for k in keep] for column in part.links],
        words=[part.words[k] for k in keep] if part.words else [],
    )


_PER_OBJECT = ("ids", "first", "fresh", "positions", "sequences", "buckets", "hashes")
