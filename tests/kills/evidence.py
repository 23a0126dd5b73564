"""What is left of a home, looked at without the code under test: bytes of records, Parquet files, plain SQLite.

The log is the evidence. Its records are read by the simulator's reader (`tests/simulator/truth.py`), which shares no code
with the product and raises `Violation` for a gap, a repeat, an event id that is there twice or a broken chain.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tests.kills.pieces import DOMAIN, SHARED, expected, pieces, shared
from tests.simulator.domain import ASSET, TYPES, amount_of
from tests.simulator.fold import Fold, compare
from tests.simulator.truth import Event, Truth, Violation

COLUMNS = "position, event_id, aggregate_type, aggregate_id, sequence_number, data"


class _Objects(dict[str, bytes]):
    """Objects of the store by key, read from their files; `archived` are those of before, where they are gone now."""

    def __init__(self, root: Path, archived: Path | None) -> None:
        super().__init__()
        self._roots = [root, *([archived] if archived else [])]

    def __missing__(self, key: str) -> bytes:
        return next(path for root in self._roots if (path := root / key).exists()).read_bytes()


def log_of(home: Path, *, domain: str = DOMAIN, archived: Path | None = None) -> Truth:
    """The whole log. Raises Violation. `archived` is a home that still has the data files that were archived here."""
    truth, objects = Truth(), _Objects(home / "objects", archived and archived / "objects")
    for record in sorted((home / "objects" / "log" / domain).glob("*")):
        truth.add(int(record.name), record.read_bytes(), objects)
    return truth


def assert_pieces(truth: Truth, writers: Mapping[str, int]) -> None:
    """The log holds the first `count` pieces of each writer, each once, and nothing else."""
    wanted = {key: states for writer, count in writers.items() for key, states in expected(writer, count).items()}
    found = {
        key: [event.state for event in events]
        for (kind, key), events in truth.heads.items()
        if kind == "Box" and key != SHARED
    }
    if found != wanted:
        differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        raise Violation(
            "I1, I6 each piece once", f"{ {key: (found.get(key), wanted.get(key)) for key in differing[:2]} }"
        )
    amounts = {event: amount for writer, count in writers.items() for event, amount in shared(writer, count).items()}
    before, added = 0, dict[str, int]()
    for event in truth.of(SHARED):
        before, added[event.id] = amount_of(event.state), amount_of(event.state) - before
    if added != amounts:
        raise Violation("I5, I6 each addition once", f"{sum(added.values())} was added, should {sum(amounts.values())}")
    envelopes = [event for event in truth.events if event.type not in TYPES]
    loads = {f"{ASSET}@{writer}p": 0 for writer in writers}
    for writer, count in writers.items():
        loads[f"{ASSET}@{writer}p"] = sum(piece.load for piece in pieces(writer)[:count])
    counted = {key: sum(event.key == key for event in envelopes) for key in loads}
    if counted != loads or len(envelopes) != sum(loads.values()):
        raise Violation("I6 one envelope per load", f"{counted} instead of {loads}")


@contextmanager
def opened(file: Path, scratch: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the database as it lies there, so that looking repairs nothing; an empty one if there is none."""
    copy = scratch / f"look-{file.name}"
    for suffix in ("", "-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        if suffix != "-shm" and file.with_name(file.name + suffix).exists():
            shutil.copy2(file.with_name(file.name + suffix), copy.with_name(copy.name + suffix))
    with closing(sqlite3.connect(copy)) as connection:
        yield connection


def has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def assert_topic(home: Path, truth: Truth, *, ended: bool) -> None:
    """The topic is the log up to the relay's position: each event once, in the log's order, per key too."""
    with opened(home / "topic.sqlite", home) as connection:
        rows, position = [], 0
        if has(connection, "producers"):
            position = (connection.execute("SELECT position FROM producers").fetchone() or (0,))[0]
            rows = connection.execute(
                'SELECT "offset", ce_position, ce_id, key, ce_sequence FROM log ORDER BY "offset"'
            ).fetchall()
    wanted = [(k, e.position, e.id, e.key, e.sequence) for k, e in enumerate(truth.events[:position])]
    if rows != wanted:
        raise Violation(
            "I9, I11 topic = log", f"{len(rows)} messages at position {position}: {_difference(rows, wanted)}"
        )
    if ended and position != truth.position:
        raise Violation("I13 caught up", f"the topic stands at {position}, the log at {truth.position}")


def assert_model(home: Path, name: str, truth: Truth, *, ended: bool) -> None:
    """The read model is the fold of the log up to its position, worked out row by row; its words find what they name."""
    with opened(home / "read" / f"{name}.sqlite", home) as connection:
        row = connection.execute("SELECT position FROM state").fetchone() if has(connection, "state") else None
        position = row[0] if row else 0
        fold = Fold()
        fold.advance(truth.events[:position], TYPES)
        if row:
            compare(connection.execute, fold)
            _words(connection)
    if ended and position != truth.position:
        raise Violation("I13 caught up", f"{name} stands at {position}, the log at {truth.position}")


def _words(connection: sqlite3.Connection) -> None:
    for (no,) in connection.execute("SELECT no FROM types WHERE settled = 1").fetchall():
        if not has(connection, f"f{no}"):
            continue
        held = connection.execute(f"SELECT rid, words FROM t{no} WHERE words IS NOT NULL").fetchall()
        wanted: dict[str, list[int]] = {}
        for rid, words in held:
            for word in set(words.split()):
                wanted.setdefault(word, []).append(rid)
        for word, rids in wanted.items():
            question = f"SELECT rowid FROM f{no} WHERE f{no} MATCH ? ORDER BY rowid"
            found = [rowid for (rowid,) in connection.execute(question, (f'"{word}"',))]
            if found != sorted(rids):
                raise Violation("I15 one effect", f"the index of words gives {found} for {word!r}, held by {rids}")


def digest_in(home: Path, name: str) -> list[Any]:
    """The digest that the model keeps: to compare with one of a model that nobody killed."""
    with opened(home / "read" / f"{name}.sqlite", home) as connection:
        return connection.execute("SELECT * FROM digest ORDER BY domain, bucket").fetchall()


def assert_heads(home: Path, truth: Truth, *, ended: bool) -> None:
    """The cache of heads is what the log says up to its position."""
    with opened(home / "heads" / f"{DOMAIN}.sqlite", home) as connection:
        row = connection.execute("SELECT position FROM meta").fetchone() if has(connection, "meta") else None
        position = row[0] if row else 0
        found = (
            []
            if row is None
            else connection.execute(
                "SELECT t.name, id, sequence, position, deleted FROM aggregates JOIN types t USING (type_id)"
            ).fetchall()
        )
        earlier = connection.execute("SELECT count(*) FROM earlier").fetchone()[0] if row else 0
    heads = {(e.type, e.key): e for e in truth.events[:position]}
    wanted = sorted((e.type, e.key, e.sequence, e.position, int(e.deleted)) for e in heads.values())
    if sorted(found) != wanted or earlier != position - len(wanted):
        raise Violation("heads = log", f"at {position}, with {earlier} earlier: {_difference(sorted(found), wanted)}")
    if ended and position != truth.position:
        raise Violation("I13 caught up", f"the heads stand at {position}, the log at {truth.position}")


def assert_sealed(home: Path, truth: Truth, *, ended: bool) -> None:
    """The table's files, as its own commits name them, hold a prefix of the log, each event once, with its content."""
    wanted = [_row(event) for event in truth.events]
    found = sealed_rows(home)
    if found != wanted[: len(found)] or (ended and len(found) != len(wanted)):
        raise Violation("I16 sealed = log", f"{len(found)} of {len(wanted)}: {_difference(found, wanted)}")


def sealed_rows(home: Path) -> list[tuple[Any, ...]]:
    folder = home / "lake" / "events" / DOMAIN
    files: set[str] = set()
    for commit in sorted((folder / "_delta_log").glob("*.json")):
        for action in map(json.loads, commit.read_text().splitlines()):
            if "add" in action:
                files.add(str(folder / action["add"]["path"]))
            if "remove" in action:
                files.discard(str(folder / action["remove"]["path"]))
    if not files:
        return []
    with duckdb.connect(config={"threads": 1}) as connection:
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM read_parquet(?) ORDER BY position", [sorted(files)]
        ).fetchall()
    return [(*row[:-1], _state(row[-1])) for row in rows]


def assert_archived(home: Path, before: Path, truth: Truth, *, ended: bool) -> None:
    """No record has changed; a data file is gone only where the sealed table has all of its rows."""
    for record in (before / "objects" / "log" / DOMAIN).glob("*"):
        if (home / "objects" / "log" / DOMAIN / record.name).read_bytes() != record.read_bytes():
            raise Violation("I1 acked is for ever", f"record {record.name} has changed")
    assert_sealed(home, truth, ended=True)
    left = {file.name for file in (home / "objects" / "log-data" / DOMAIN).glob("*")}
    if ended and left:
        raise Violation("archived", f"{sorted(left)} are still there")


def _row(event: Event) -> tuple[Any, ...]:
    return event.position, event.id, event.type, event.key, event.sequence, event.state


def _state(data: str) -> str:
    return json.dumps(json.loads(data)["state"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _difference(found: list[Any], wanted: list[Any]) -> str:
    at = next((k for k, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted)))
    return f"at row {at}: {found[at : at + 1]} instead of {wanted[at : at + 1]}"
