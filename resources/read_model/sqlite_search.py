"""Reading the SQLite search model."""

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from resources.read_model.base import (
    BucketDigest,
    NothingYet,
    NotReady,
    ParkedObject,
    SearchModel,
    Snapshot,
    StoredState,
)
from resources.read_model.connection import ReadPool
from resources.read_model.query import Condition, DomainLayout, Row, Selection, TypeLayout
from resources.read_model.sqlite_filters import (
    Sql,
    condition_sql,
    conjunction,
    filter_sql,
    ids_sql,
    segments,
    whole_order,
)
from resources.read_model.sqlite_layout import ModelOptions, fingerprint, read_digest, read_state
from resources.read_model.sqlite_rows import read_parked, row_reader
from resources.read_model.time_limit import TimeLimit

SEARCH = ModelOptions("search", words=True, backwards=False)
REMEMBERED_COUNTS = 4096
COUNTED_ROWS = 20_000
"""Numbers of rows that are kept to count them: some milliseconds to sort."""
WALK_ROWS = 10_000
"""Rows looked at for a page before the planner is asked: about a millisecond."""


class Counts:
    """Totals already counted. A count is for ever right at its generation and position, so nothing needs to expire."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], int] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> int | None:
        with self._lock:
            return self._known.get(key)

    def put(self, key: tuple[object, ...], count: int) -> None:
        with self._lock:
            self._known[key] = count
            while len(self._known) > REMEMBERED_COUNTS:
                self._known.popitem(last=False)


class SqliteSnapshot(Snapshot):
    """What both kinds of model read alike."""

    def __init__(
        self, connection: sqlite3.Connection, layout: DomainLayout, options: ModelOptions, counts: Counts
    ) -> None:
        self._connection, self._counts, self._domain = connection, counts, layout.domain
        self.state = _state_of(connection, layout.domain, options, layout_fingerprint(layout, options))
        rows = connection.execute("SELECT type, no, settled FROM types WHERE domain = ?", (layout.domain,)).fetchall()
        self._numbers = {name: no for name, no, _ in rows}
        self._settled = {name for name, _, settled in rows if settled}

    def rows(self, type_layout: TypeLayout, ids: list[str], where: tuple[Condition, ...] = ()) -> list[Row]:
        sql, to_row = row_reader(self._numbers[type_layout.name], type_layout)
        if len(ids) == 1 and not where:  # an object by its id: the plain statement is planned three times as fast
            return [to_row(found) for found in self._connection.execute(f"{sql} WHERE id = ?", ids)]
        condition = conjunction([ids_sql("id", ids), *map(condition_sql, where)])
        found = self._connection.execute(f"{sql} WHERE {condition.text} ORDER BY rid", condition.values)
        return [to_row(row) for row in found]

    def select(self, selection: Selection) -> list[Row]:
        no = self._numbers[selection.type.name]
        rows = self._counted_page(no, selection)
        if rows is None:
            rows = self._early_page(no, selection)
        return self._page(no, selection) if rows is None else rows

    def _page(self, no: int, selection: Selection) -> list[Row]:
        source, where = filter_sql(no, selection)
        left = -1 if selection.limit is None else selection.limit
        rows: list[Row] = []
        for segment, order in segments(no, selection, walk=self._walks(no, selection)):
            if left == 0:
                break
            if source == f"f{no}":  # words alone: only the rows of the page are read
                inner = f"SELECT rowid FROM f{no} WHERE {where.text} AND {segment.text} ORDER BY {order} LIMIT ?"  # noqa: S608
                sql, to_row = row_reader(no, selection.type)
                text = f"{sql} WHERE rid IN ({inner}) ORDER BY rid"
            else:
                sql, to_row = row_reader(no, selection.type, source)
                text = f"{sql} WHERE {where.text} AND {segment.text} ORDER BY {order} LIMIT ?"
            found = self._connection.execute(text, (*where.values, *segment.values, left)).fetchall()
            rows += map(to_row, found)
            left = left if left < 0 else left - len(found)
        return rows

    def _walks(self, no: int, selection: Selection) -> bool:
        """Whether a sorted page is found soonest along the index of its first sort field.

        The planner thinks so wherever there is a limit; where few rows match, it would look at nearly all others.
        """
        if not selection.sort or selection.limit is None or not (selection.where or selection.words):
            return True
        _, where = filter_sql(no, selection)
        known = self._counts.get(self._count_key(no, where))
        if known is None and len(selection.where) + len(selection.words) > 1:
            return True  # counting would look at each of them, and so would sorting
        matching = self.count(selection) if known is None else known
        low, high = self._ends(no)
        return matching * matching > selection.limit * (high - low + 1)

    def _ends(self, no: int) -> tuple[int, int]:
        """First and last number of a type's rows; asked for both in one SELECT, SQLite reads the whole table."""
        ends = f"SELECT (SELECT min(rid) FROM t{no}), (SELECT max(rid) FROM t{no})"  # noqa: S608
        low, high = self._connection.execute(ends).fetchone()
        return (1, 0) if high is None else (low, high)

    def _counted_page(self, no: int, selection: Selection) -> list[Row] | None:
        """A first page and the count in one pass, where each alone would look at the same rows again."""
        looked_up = len(selection.where) + len(selection.words) > 1 or selection.words
        if not looked_up or selection.after is not None or selection.limit is None:
            return None
        source, where = filter_sql(no, selection)
        if self._counts.get(self._count_key(no, where)) is not None:
            return None
        born = f"f{no}.rowid" if source.startswith("f") else "rid"
        ordered = (
            f"SELECT {born} AS born FROM {source} WHERE {where.text} ORDER BY {whole_order(no, selection)} LIMIT ?"  # noqa: S608
        )
        # As one value: row by row, Python's lock would be taken and given back thousands of times.
        text = f"SELECT json_group_array(born) FROM ({ordered})"  # noqa: S608
        numbers = json.loads(self._connection.execute(text, (*where.values, COUNTED_ROWS + 1)).fetchone()[0])
        if len(numbers) > COUNTED_ROWS:
            return None
        self._counts.put(self._count_key(no, where), len(numbers))
        wanted = numbers[: selection.limit]
        sql, to_row = row_reader(no, selection.type)
        condition = ids_sql("rid", wanted)
        found = {row[1]: row for row in self._connection.execute(f"{sql} WHERE {condition.text}", condition.values)}
        return [to_row(found[number]) for number in wanted]

    def _early_page(self, no: int, selection: Selection) -> list[Row] | None:
        """A page in order of age, where so many rows satisfy the conditions that a short walk along the table finds it.

        The planner can't know that: it would take an index, then sort a hundred thousand rows for the first fifty.
        """
        if selection.sort or selection.words or not selection.where or selection.limit is None:
            return None
        matching = self.count(selection)
        if matching <= selection.limit:
            return None
        low, high = self._ends(no)
        walk = 2 * selection.limit * (high - low + 1) // matching
        if walk > WALK_ROWS:
            return None
        start = low - 1 if selection.after is None else selection.after.born
        _, where = filter_sql(no, selection)
        sql, to_row = row_reader(no, selection.type, f"t{no} NOT INDEXED")
        found = self._connection.execute(
            f"{sql} WHERE rid > ? AND rid <= ? AND {where.text} ORDER BY rid LIMIT ?",
            (start, start + walk, *where.values, selection.limit),
        ).fetchall()
        return [to_row(row) for row in found] if len(found) == selection.limit else None

    def count(self, selection: Selection) -> int:
        no = self._numbers[selection.type.name]
        source, where = filter_sql(no, selection)
        key = self._count_key(no, where)
        known = self._counts.get(key)
        if known is None:
            sql = f"SELECT count(*) FROM {source} WHERE {where.text}"  # noqa: S608
            known = int(self._connection.execute(sql, where.values).fetchone()[0])
            self._counts.put(key, known)
        return known

    def _count_key(self, no: int, where: Sql) -> tuple[object, ...]:
        return (self.state.generation, self.state.position, no, where)

    def ready_for_words(self, type_layout: TypeLayout) -> bool:
        return type_layout.name in self._settled

    def parked(self, type_name: str, object_id: str) -> ParkedObject | None:
        row = self._connection.execute(
            "SELECT type, id, bucket, position, reason, waiting FROM parked WHERE domain = ? AND type = ? AND id = ?",
            (self._domain, type_name, object_id),
        ).fetchone()
        return None if row is None else ParkedObject(*row)

    def all_parked(self) -> list[ParkedObject]:
        return read_parked(self._connection, self._domain)

    def digest(self) -> dict[int, BucketDigest]:
        return read_digest(self._connection, self._domain)


class SqliteSearchModel(SearchModel):
    def __init__(self, path: Path, layouts: list[DomainLayout]) -> None:
        self._pools = {waits: ReadPool(path, waits=waits) for waits in (True, False)}
        self._layouts = {layout.domain: layout for layout in layouts}
        self._counts = Counts()

    @contextmanager
    def snapshot(self, domain: str, limit: TimeLimit | None = None) -> Iterator[Snapshot]:
        with self._pools[limit is None or limit.waits].transaction(limit) as connection:
            yield SqliteSnapshot(connection, self._layouts[domain], SEARCH, self._counts)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


@lru_cache(maxsize=256)
def layout_fingerprint(layout: DomainLayout, options: ModelOptions) -> str:
    """Asked at each read, and the longest part of a small one if it is made anew."""
    return fingerprint(layout, options)


def _state_of(connection: sqlite3.Connection, domain: str, options: ModelOptions, expected: str) -> StoredState:
    place = f"{options.name} of {domain}"
    try:
        found = read_state(connection, domain)
    except sqlite3.OperationalError as fault:
        if "no such table" in str(fault):
            raise NotReady("its file is being created; ask again.", place) from fault
        raise
    if found is None:
        raise NothingYet(place)
    state, stored = found
    if stored != expected:
        raise NotReady("it was built for another ontology; its follower builds it again from the log.", place)
    return state
