"""Runs of a domain on changed copies of its files, and what then differs: every column of every table, event, message
and index, by the identity of its rows.

The runs are those of the domain's job, in this process and on an instance in memory: a second each. What holds values
is read as it is stored (Delta, the log, SQLite), by nothing that lineage is worked out with.
"""

import csv
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from gateway.main_job import follow_all
from gateway.readers import open_readers
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from ontology_assets.model.definitions import Domain, ObjectType
from orchestration.definitions import build_defs
from orchestration.launch import QUIET, run_tags
from orchestration.runtime import Runtime
from resources.home import Home
from resources.lake.local import LocalLake
from resources.topic.sqlite import SqliteTopic

Rows = list[dict[str, str]]
Files = Mapping[str, Rows]
"""Rows of each dataset's file, as texts."""
Change = Callable[[dict[str, str]], None]
"""Changes a row in place."""
Observed = dict[Column, dict[Any, Any]]
"""Values of each column by the identity of their rows; the rows node has the identities alone."""
OWN_IDENTITY = ("_partition", "_row")


def without_rules(domain: Domain) -> Domain:
    """The domain without what only judges: a changed value may not hold back what is downstream."""
    bare: dict[str, Any] = {"contract": None, "expectations": []}
    return domain.model_copy(
        update={
            "datasets": {name: one.model_copy(update=bare) for name, one in domain.datasets.items()},
            "pipelines": {name: one.model_copy(update=bare) for name, one in domain.pipelines.items()},
        }
    )


def to(column: str, value: Callable[[str], str], *, absent: Collection[str] = ("", "-")) -> Change:
    """Change every value of a column that there is."""

    def change(row: dict[str, str]) -> None:
        if row[column] not in absent:
            row[column] = value(row[column])

    return change


def read_file(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Bench:
    """A domain, its files as they are, and folders to run it in."""

    domain: Domain
    files: Files
    folder: Path
    partitions: str | None = None
    _made: list[Path] = field(default_factory=list)

    def changed(self, dataset: str, change: Change) -> Files:
        """The files with one of them changed, row by row."""
        rows = [dict(row) for row in self.files[dataset]]
        for row in rows:
            change(row)
        return {**self.files, dataset: rows}

    def try_out(self, changes: Mapping[tuple[str, str], list[Change]], unchanged: Observed) -> "list[Tried]":
        """Run with each of the changes of each (dataset, column)."""
        found = []
        for (dataset, column), those in changes.items():
            runs = [self.observe(self.changed(dataset, change)) for change in those]
            differs = frozenset[Column]().union(*(differing(unchanged, run) for run in runs))
            empty = {one for one in unchanged if one.is_rows and not any(run.get(one) for run in [unchanged, *runs])}
            found.append(Tried(Column(f"file/{dataset}", column), differs, frozenset(empty)))
        return found

    def observe(self, files: Files) -> Observed:
        """Run the job in a new home over these files, and read all that it made."""
        home = Home(self.folder / f"home-{len(self._made)}")
        self._made.append(home.root)
        for name, rows in files.items():
            dataset = self.domain.datasets[name]
            assert dataset.source is not None
            place = home.sources / dataset.source.folder
            place.mkdir(parents=True, exist_ok=True)
            with (place / dataset.file).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        defs = build_defs(runtime=Runtime(home_dir=str(home.root)), domains=[self.domain])
        job = defs.resolve_job_def(self.domain.name)
        with dg.DagsterInstance.ephemeral() as instance:
            tags = run_tags(job, self.partitions)
            done = job.execute_in_process(instance=instance, tags=tags, run_config=QUIET, raise_on_error=True)
        assert done.success
        with open_readers(home, [self.domain]) as readers:
            follow_all(readers, self.domain, say=lambda _: None)
        return observed(home, self.domain)


def differing(before: Observed, after: Observed) -> set[Column]:
    """The columns that do not hold the same values in the same rows."""
    return {column for column in before.keys() | after.keys() if before.get(column) != after.get(column)}


def observed(home: Home, domain: Domain) -> Observed:
    """Every column that a home holds of a domain."""
    found: Observed = {}
    lake = LocalLake(home.lake)
    for table in lake.tables():
        layer = table.partition("/")[0]
        if layer in ("raw", "clean", "transform"):
            _table(found, table, lake.scan(table).to_pylist(), _identity(domain, table))
    _events(found, f"events/{domain.name}", lake.scan(f"events/{domain.name}").to_pylist(), domain)
    messages = SqliteTopic(home.topic).read(limit=1_000_000).to_pylist()
    _messages(found, messages, domain)
    for object_type in domain.object_types.values():
        if object_type.links:
            table = f"ontology/{object_type.snake}/dangling"
            _dangling(found, table, lake.scan(table).to_pylist(), object_type)
        _index(found, "projection/search/live", home.read_models / "search.sqlite", domain, object_type)
        _index(found, "projection/graph/live", home.read_models / "graph.sqlite", domain, object_type)
    return found


def _identity(domain: Domain, table: str) -> tuple[str, ...]:
    """What tells the rows of a table apart: their place in the file; of a pipeline's the key of the type made of it."""
    if not table.startswith("transform/"):
        return OWN_IDENTITY
    return next(
        tuple(domain.object_types[name].key) for name, mapping in domain.mappings.items() if mapping.source == table
    )


def _put(found: Observed, column: Column, values: Iterable[tuple[Any, Any]]) -> None:
    """Several values of one identity stand side by side."""
    held: dict[Any, Any] = {}
    for identity, value in values:
        held[identity] = (*held.get(identity, ()), value)
    found[column] = {identity: sorted(those, key=repr) for identity, those in held.items()}


def _table(found: Observed, table: str, rows: list[dict[str, Any]], identity: tuple[str, ...]) -> None:
    names = [tuple(row.get(part) for part in identity) for row in rows]
    _put(found, Column(table, ROWS), [(name, None) for name in names])
    for column in rows[0] if rows else ():
        _put(found, Column(table, column), [(name, row[column]) for name, row in zip(names, rows, strict=True)])


def _state(
    found: Observed, table: str, scope: str, states: Mapping[str, dict[str, Any]], object_type: ObjectType
) -> None:
    _put(found, Column(table, ROWS, scope), [(name, None) for name in states])
    for part, members in (("properties", object_type.properties), ("links", object_type.links)):
        for member in members:
            column = Column(table, f"data.state.{part}.{member}", scope)
            _put(found, column, [(name, state[part].get(member)) for name, state in states.items()])


def _events(found: Observed, table: str, rows: list[dict[str, Any]], domain: Domain) -> None:
    """The objects as the log has them, and the fields of their events."""
    for name, object_type in domain.object_types.items():
        mine = {row["aggregate_id"]: row for row in rows if row["aggregate_type"] == name}
        states = {key: json.loads(row["data"])["state"] for key, row in mine.items()}
        _state(found, table, name, states, object_type)
        objects = f"ontology/{object_type.snake}/objects"
        _put(found, Column(objects, ROWS), [(key, None) for key in states])
        for one in object_type.properties:
            _put(found, Column(objects, one), [(key, state["properties"].get(one)) for key, state in states.items()])
        links = f"ontology/{object_type.snake}/links"
        if object_type.links:
            _put(found, Column(links, ROWS), [(key, None) for key in states])
        for one in object_type.links:
            _put(found, Column(links, one), [(key, state["links"].get(one)) for key, state in states.items()])
        if domain.mappings[name].occurred_at is not None:
            _put(found, Column(table, "occurred_at", name), [(key, row["occurred_at"]) for key, row in mine.items()])
        metadata = {key: json.loads(row["metadata"]) for key, row in mine.items()}
        for member in ("source_file", "row", "line", "partition"):
            if any(one.get(member) is not None and one.get(member) != "" for one in metadata.values()):
                column = Column(table, f"metadata.{member}", name)
                _put(found, column, [(key, one.get(member)) for key, one in metadata.items()])


def _messages(found: Observed, rows: list[dict[str, Any]], domain: Domain) -> None:
    for name, object_type in domain.object_types.items():
        mine = {row["key"]: row for row in rows if row["ce_aggregatetype"] == name}
        states = {key: json.loads(row["data"])["state"] for key, row in mine.items()}
        _state(found, "topic", name, states, object_type)
        if domain.mappings[name].occurred_at is not None:
            _put(found, Column("topic", "ce_time", name), [(key, row["ce_time"]) for key, row in mine.items()])


def _dangling(found: Observed, table: str, rows: list[dict[str, Any]], object_type: ObjectType) -> None:
    for link in object_type.links:
        listed = [(row["from_id"], row["to_id"]) for row in rows if row["link"] == link]
        _put(found, Column(table, ROWS, link), [(name, None) for name, _ in listed])
        _put(found, Column(table, "to_id", link), listed)


def _index(found: Observed, table: str, file: Path, domain: Domain, object_type: ObjectType) -> None:
    """The stored cells, by SQLite's own words."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        (no,) = connection.execute(
            "SELECT no FROM types WHERE domain = ? AND type = ?", (domain.name, object_type.name)
        ).fetchone()
        rows = [dict(row) for row in connection.execute(f"SELECT * FROM t{no}")]
    name = object_type.name
    _put(found, Column(table, ROWS, name), [(row["id"], None) for row in rows])
    for one, declared in object_type.properties.items():
        cells = (f"lat_{one}", f"lon_{one}") if declared.base == "geopoint" else (f"p_{one}",)
        _put(found, Column(table, one, name), [(row["id"], tuple(row[cell] for cell in cells)) for row in rows])
    for one, link in object_type.links.items():
        _put(found, Column(table, one, name), [(row["id"], row[f"l_{one}"]) for row in rows])
        if "graph" in table:
            back = [(row[f"l_{one}"], row["id"]) for row in rows if row[f"l_{one}"] is not None]
            _put(found, Column(table, link.inverse, link.to), back)
    if any("words" in row for row in rows):
        _put(found, Column(table, "words", name), [(row["id"], row["words"]) for row in rows])


def by_table(columns: Iterable[Column]) -> dict[str, list[str]]:
    """For messages."""
    found: dict[str, list[str]] = defaultdict(list)
    for column in sorted(columns):
        found[column.table].append(column.full_name)
    return dict(found)


@dataclass(frozen=True)
class Tried:
    """What differed when one column of a file was changed."""

    column: Column
    differs: frozenset[Column]
    empty: frozenset[Column]
    """Rows nodes of what had no rows, changed or not: nothing can be seen of it."""


def faults(graph: ColumnGraph, tried: list[Tried], *, excused: Callable[[Column, Column], bool]) -> list[str]:
    """Where lineage and what happened do not agree: what differs and is not named, what is named and never differs.

    A column that decides about the rows of a table must change them, or a column there that no edge leads to, unless
    `excused` says of the column and the rows that these files can't show it.
    """
    found = []
    for one in tried:
        named = graph.affected_by([one.column])
        missed = one.differs - named
        if missed:
            found.append(f"{one.column.id} changes what lineage does not name: {by_table(missed)}")
        seen = {c for c, node in graph.nodes.items() if not node.inner and c.rows not in one.empty} - {one.column}
        values = graph.ahead([one.column], values_only=True) & seen
        if values - one.differs:
            found.append(f"{one.column.id} does not change what is made of it: {by_table(values - one.differs)}")
        reached = graph.ahead([one.column])
        decided = {c.rows for c in one.differs if c.is_rows or c not in reached}
        rows = {c for c in named & seen if c.is_rows and not excused(one.column, c)}
        if rows - decided:
            found.append(f"{one.column.id} decides about no rows: {by_table(rows - decided)}")
    return found
