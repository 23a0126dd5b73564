"""Given objects of a domain in a SQLite read model: compared with what they should be, and replaced where they differ.

All that is stored of an object counts: its row with every column, its tombstone, its place among the parked. Objects
that are as they should be are not touched.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resources.read_model.base import BUCKETS, Changes, TypeChanges
from resources.read_model.object_names import ObjectName, by_type
from resources.read_model.query import DomainLayout
from resources.read_model.sqlite_changes import ChangeWriter, pick
from resources.read_model.sqlite_layout import all_columns, index_ids
from resources.read_model.sqlite_rows import stored_sums

Stored = tuple[Any, ...]
_LIVE, _GONE, _PARKED = "live", "gone", "parked"
_RID, _ID, _BUCKET, _HASH, _WORDS = 1, 2, 5, 6, 7
"""Places in a live row, behind the mark that says it is one."""


def different(change: ChangeWriter, objects: Mapping[str, Sequence[str]], content: Changes) -> list[ObjectName]:
    """Those of `objects` (ids by type) of which something else is stored than `content` says."""
    stored, wanted = _stored(change, objects), _wanted(change, content)
    return [
        (name, key)
        for name, ids in objects.items()
        for key in ids
        if not _equal(stored.get((name, key), []), wanted.get((name, key), []))
    ]


def replace_objects(
    change: ChangeWriter,
    layout: DomainLayout,
    objects: Mapping[str, Sequence[str]],
    content: Changes,
    *,
    intact: bool,
) -> list[ObjectName]:
    """Bring those that differ to what `content` says; returns them. Inside the writer's transaction.

    `intact`: what is stored of them is what was once written, so the digest and the index of words move by the
    difference. Otherwise nothing of it is believed: both are made again of the rows, where they are concerned.
    """
    for name in objects:
        index_ids(change.connection, change.tables.numbers[name])
    found = different(change, objects, content)
    if not found:
        return []
    chosen = set(found)
    stored = _stored(change, by_type(found))
    wanted = {one: rows for one, rows in _wanted(change, content).items() if one in chosen}
    indexed = change.tables.settled & {kind.name for kind in layout.types if change.options.words and kind.has_words}
    if intact:
        _take_from_index(change, indexed, stored)
        gone = [row for rows in stored.values() for row in rows if row[0] != _PARKED]
        change.sums.subtract([row[_BUCKET] for row in gone], [row[_HASH] for row in gone])
    _remove(change, found)
    tables = change.tables if intact else replace(change.tables, settled=set())
    # A damaged row may stand where a good one belongs.
    writing = replace(change, tables=tables, verb="INSERT OR REPLACE")
    for parts, write in ((content.live, writing.live), (content.gone, writing.gone)):
        for part in parts:
            mine = [k for k, key in enumerate(part.ids) if (part.type.name, key) in chosen]
            if mine:
                write(replace(pick(part, mine), fresh=[True] * len(mine)))
    writing.parked([one for one in content.parked if (one.type, one.id) in chosen])
    if intact:
        writing.digest()
        change.connection.execute("DELETE FROM digest WHERE domain = ? AND documents = 0", (change.domain,))
        return found
    for name in sorted(indexed):
        if _words(stored, name) != _words(wanted, name):
            no = change.tables.numbers[name]
            change.connection.execute(f"INSERT INTO f{no}(f{no}) VALUES ('rebuild')")  # noqa: S608
    _count_again(change, {row[_BUCKET] for rows in [*stored.values(), *wanted.values()] for row in rows})
    return found


def _stored(change: ChangeWriter, objects: Mapping[str, Sequence[str]]) -> dict[ObjectName, list[Stored]]:
    """By object: each row of each table, the mark of its table in front, id and bucket at the same place in all."""
    found: dict[ObjectName, list[Stored]] = {}
    for name, ids in objects.items():
        no = change.tables.numbers[name]
        given = json.dumps(list(ids))
        for mark, rows in (
            (
                _LIVE,
                change.connection.execute(
                    f"SELECT * FROM t{no} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
                    (given,),
                ),
            ),
            (
                _GONE,
                change.connection.execute(
                    "SELECT born, id, sequence, position, bucket, hash FROM tombstones "
                    "WHERE no = ? AND id IN (SELECT value FROM json_each(?))",
                    (no, given),
                ),
            ),
            (
                _PARKED,
                change.connection.execute(
                    "SELECT waiting, id, reason, position, bucket FROM parked "
                    "WHERE domain = ? AND type = ? AND id IN (SELECT value FROM json_each(?))",
                    (change.domain, name, given),
                ),
            ),
        ):
            for row in rows:
                found.setdefault((name, row[1]), []).append((mark, *row))
    return found


def _wanted(change: ChangeWriter, content: Changes) -> dict[ObjectName, list[Stored]]:
    """The same of what should be there."""
    made: dict[ObjectName, list[Stored]] = {}
    for mark, parts in ((_LIVE, content.live), (_GONE, content.gone)):
        for part in parts:
            for row in zip(*_columns(change, part, mark), strict=True):
                made.setdefault((part.type.name, row[1]), []).append((mark, *row))
    for one in content.parked:
        row = (_PARKED, one.waiting, one.id, one.reason, one.position, one.bucket)
        made.setdefault((one.type, one.id), []).append(row)
    return made


def _columns(change: ChangeWriter, part: TypeChanges, mark: str) -> list[list[Any]]:
    columns: list[list[Any]] = [part.first, part.ids, part.sequences, part.positions, part.buckets, part.hashes]
    if mark == _LIVE:
        words = [part.words] if "words" in all_columns(part.type, change.options) else []
        columns += [*words, *part.links, *part.cells]
    return columns


def _equal(stored: Sequence[Stored], wanted: Sequence[Stored]) -> bool:
    """Also in type: 1 and 1.0 are two documents."""
    return len(stored) == len(wanted) and all(
        one == other and list(map(type, one)) == list(map(type, other))
        for one, other in zip(stored, wanted, strict=True)
    )


def _remove(change: ChangeWriter, objects: Iterable[ObjectName]) -> None:
    for name, ids in by_type(objects).items():
        no, given = change.tables.numbers[name], json.dumps(ids)
        change.connection.execute(f"DELETE FROM t{no} WHERE id IN (SELECT value FROM json_each(?))", (given,))  # noqa: S608
        change.connection.execute(
            "DELETE FROM tombstones WHERE no = ? AND id IN (SELECT value FROM json_each(?))", (no, given)
        )
        change.connection.execute(
            "DELETE FROM parked WHERE domain = ? AND type = ? AND id IN (SELECT value FROM json_each(?))",
            (change.domain, name, given),
        )


def _take_from_index(change: ChangeWriter, indexed: Iterable[str], stored: Mapping[ObjectName, list[Stored]]) -> None:
    for name in indexed:
        no = change.tables.numbers[name]
        change.connection.executemany(
            f"INSERT INTO f{no}(f{no}, rowid, words) VALUES ('delete', ?, ?)",  # noqa: S608
            _words(stored, name),
        )


def _words(rows: Mapping[ObjectName, list[Stored]], name: str) -> set[tuple[int, str | None]]:
    """(rid, words) of the live rows of a type."""
    return {
        (row[_RID], row[_WORDS])
        for (kind, _), of_one in rows.items()
        if kind == name
        for row in of_one
        if row[0] == _LIVE
    }


def _count_again(change: ChangeWriter, buckets: set[Any]) -> None:
    """The digest kept of these buckets, as the sum of what is stored. A hash that is none counts for nothing."""
    concerned = sorted(one for one in buckets if type(one) is int and 0 <= one < BUCKETS)
    change.connection.execute(
        "DELETE FROM digest WHERE domain = ? AND bucket IN (SELECT value FROM json_each(?))",
        (change.domain, json.dumps(concerned)),
    )
    replace(change, sums=stored_sums(change.connection, change.tables.numbers.values(), concerned)).digest()
