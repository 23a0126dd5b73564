"""Reading stored rows back: the way from a tuple to a Row; all of a bucket, what is parked, stored hashes."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from resources.read_model.base import ParkedObject
from resources.read_model.digest_sums import DigestSums
from resources.read_model.query import Row, TypeLayout
from resources.read_model.sqlite_layout import cell_columns, link_columns


def row_reader(no: int, layout: TypeLayout, source: str | None = None) -> tuple[str, Callable[[tuple[Any, ...]], Row]]:
    """`SELECT ... FROM <source>` (the type's table, if not told) and what makes a Row of each result."""
    cells, links = cell_columns(layout), link_columns(layout)
    names = ", ".join(["id", "rid", "sequence", "position", *cells, *links])
    end = 4 + len(cells)

    def to_row(found: tuple[Any, ...]) -> Row:
        return Row(layout, found[0], found[1], found[2], found[3], found[4:end], found[end:])

    return f"SELECT {names} FROM {source or f't{no}'}", to_row  # noqa: S608  names come from the layout


def read_documents(
    connection: sqlite3.Connection, no: int, layout: TypeLayout, bucket: int | None
) -> Iterator[tuple[int, Row]]:
    """Every live row of a type with the bucket it is counted to; of one bucket, or of all."""
    sql, _ = row_reader(no, layout)
    text = f"SELECT bucket, {sql.removeprefix('SELECT ')} WHERE ?1 IS NULL OR bucket = ?1 ORDER BY rid"
    end = 5 + len(cell_columns(layout))

    def counted(found: tuple[Any, ...]) -> tuple[int, Row]:
        return found[0], Row(layout, found[1], found[2], found[3], found[4], found[5:end], found[end:])

    return map(counted, connection.execute(text, (bucket,)))


def read_tombstones(
    connection: sqlite3.Connection, numbers: Mapping[str, int], bucket: int | None
) -> Iterator[tuple[int, str, str, int]]:
    """(bucket, type, id, position) of the deleted objects of these types."""
    names = {no: name for name, no in numbers.items()}
    text = "SELECT bucket, no, id, position FROM tombstones WHERE ?1 IS NULL OR bucket = ?1 ORDER BY no, id"
    for of_bucket, no, key, position in connection.execute(text, (bucket,)):
        if no in names:
            yield of_bucket, names[no], key, position


def read_parked(connection: sqlite3.Connection, domain: str) -> list[ParkedObject]:
    """The objects that are set aside, in order of position."""
    rows = connection.execute(
        "SELECT type, id, bucket, position, reason, waiting FROM parked WHERE domain = ? ORDER BY position", (domain,)
    )
    return [ParkedObject(*row) for row in rows]


HASHES_AT_ONCE = 50_000


def stored_sums(connection: sqlite3.Connection, numbers: Iterable[int], buckets: Sequence[int]) -> DigestSums:
    """The hashes that rows and tombstones of these types were stored with. One that is none counts for nothing."""
    sums = DigestSums()
    given = json.dumps(list(buckets))
    good = "bucket IN (SELECT value FROM json_each(?)) AND typeof(hash) = 'blob' AND length(hash) = 16"
    for no in numbers:
        for text, values in (
            (f"SELECT bucket, hash FROM t{no} WHERE {good}", (given,)),  # noqa: S608
            (f"SELECT bucket, hash FROM tombstones WHERE no = ? AND {good}", (no, given)),  # noqa: S608
        ):
            cursor = connection.execute(text, values)
            while rows := cursor.fetchmany(HASHES_AT_ONCE):
                sums.add([row[0] for row in rows], [row[1] for row in rows])
    return sums
