"""The embedded topic: one SQLite file.

Anyone reads it with `SELECT * FROM messages ORDER BY "offset"`: that view has every attribute by its CloudEvents
name. Beneath it, what few messages differ in (type, source, ...) is stored once per combination and hashes as bytes,
which saves a third of the writing. Producers' positions and epochs are in the same file, because a transaction over
two files can be torn.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.clock import Now, utc_now
from resources.fencing import Fenced
from resources.sqlite_file import SqliteFile
from resources.topic.base import CONTENT_TYPE, MESSAGES, SPEC_VERSION, Producer, Topic

PAGE_SIZE = 16_384
"""4 % smaller and faster to append to than 4,096 with messages of half a kilobyte; no gain beyond."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS attributes (
    id INTEGER PRIMARY KEY,
    ce_type TEXT NOT NULL,
    ce_source TEXT NOT NULL,
    ce_aggregatetype TEXT NOT NULL,
    ce_branch TEXT NOT NULL,
    ce_domain TEXT NOT NULL,
    ce_schemaversion TEXT NOT NULL,
    UNIQUE (ce_type, ce_source, ce_aggregatetype, ce_branch, ce_domain, ce_schemaversion)
);
CREATE TABLE IF NOT EXISTS log (
    "offset" INTEGER PRIMARY KEY,
    attributes INTEGER NOT NULL REFERENCES attributes,
    key TEXT NOT NULL,
    ce_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    ce_position INTEGER NOT NULL,
    ce_sequence INTEGER NOT NULL,
    statehash,
    data TEXT NOT NULL,
    trace INTEGER REFERENCES traces
);
CREATE TABLE IF NOT EXISTS traces (id INTEGER PRIMARY KEY, traceparent TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS producers (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    updated_at TEXT,
    history TEXT
);
"""
VIEW = """
CREATE VIEW messages AS
SELECT
    "offset", key, ce_id, ce_type, ce_source, ce_aggregatetype || '/' || key AS ce_subject,
    strftime('%Y-%m-%dT%H:%M:%S', (time - ((time % 1000000) + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06dZ', ((time % 1000000) + 1000000) % 1000000) AS ce_time,
    '1.0' AS ce_specversion, 'application/json' AS ce_datacontenttype,
    ce_aggregatetype, ce_branch, ce_domain, ce_position, ce_schemaversion, ce_sequence,
    CASE typeof(statehash) WHEN 'blob' THEN lower(hex(statehash)) ELSE statehash END AS ce_statehash,
    traceparent AS ce_traceparent, data
FROM log JOIN attributes ON attributes.id = log.attributes LEFT JOIN traces ON traces.id = log.trace;
"""
OLDER = """\
DROP VIEW messages;
ALTER TABLE log ADD COLUMN trace INTEGER;
ALTER TABLE producers ADD COLUMN history TEXT;
"""
"""A topic of before there were traces and histories gets their columns: it is not to be published anew for that."""
READ = """
SELECT "offset", key, ce_id, time, ce_position, ce_sequence,
    CASE typeof(statehash) WHEN 'blob' THEN lower(hex(statehash)) ELSE statehash END, traceparent, data,
    ce_type, ce_source, ce_aggregatetype || '/' || key, ce_aggregatetype, ce_branch, ce_domain, ce_schemaversion
FROM log JOIN attributes ON attributes.id = log.attributes LEFT JOIN traces ON traces.id = log.trace
WHERE "offset" >= ? ORDER BY "offset" LIMIT ?
"""
READ_COLUMNS = (
    *("offset", "key", "ce_id", "ce_time", "ce_position", "ce_sequence", "ce_statehash", "ce_traceparent", "data"),
    *("ce_type", "ce_source", "ce_subject", "ce_aggregatetype", "ce_branch", "ce_domain", "ce_schemaversion"),
)
APPEND = """
INSERT INTO log ("offset", attributes, key, ce_id, time, ce_position, ce_sequence, statehash, data, trace)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_ATTRIBUTES = """
INSERT OR IGNORE INTO attributes (ce_type, ce_source, ce_aggregatetype, ce_branch, ce_domain, ce_schemaversion)
VALUES (?, ?, ?, ?, ?, ?)
"""
FIND_ATTRIBUTES = """
SELECT id FROM attributes
WHERE (ce_type, ce_source, ce_aggregatetype, ce_branch, ce_domain, ce_schemaversion) = (?, ?, ?, ?, ?, ?)
"""
COMBINED = ("ce_type", "ce_source", "ce_aggregatetype", "ce_branch", "ce_domain", "ce_schemaversion")
HASH_DIGITS = 64
SHA256 = f"^[0-9a-f]{{{HASH_DIGITS}}}$"


class SqliteTopic(Topic):
    def __init__(
        self, path: Path, *, now: Now = utc_now, factory: type[sqlite3.Connection] = sqlite3.Connection
    ) -> None:
        self._file = SqliteFile(path, _create, page_size=PAGE_SIZE, factory=factory)
        self._now = now

    def producer(self, name: str) -> "SqliteProducer":
        return SqliteProducer(self._file, name, self._now)

    def read(self, from_offset: int = 0, limit: int = 10_000) -> pa.Table:
        rows = self._file.connection().execute(READ, (from_offset, limit))
        columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(READ_COLUMNS)
        arrays = {name: _array(name, values) for name, values in zip(READ_COLUMNS, columns, strict=True)}
        arrays["ce_specversion"] = pa.repeat(SPEC_VERSION, len(columns[0]))
        arrays["ce_datacontenttype"] = pa.repeat(CONTENT_TYPE, len(columns[0]))
        return pa.Table.from_arrays([arrays[name] for name in MESSAGES.names], schema=MESSAGES)

    def end(self) -> int:
        return _end(self._file.connection())

    def close(self) -> None:
        self._file.close()


class SqliteProducer(Producer):
    def __init__(self, file: SqliteFile, name: str, now: Now) -> None:
        self._file = file
        self._name = name
        self._now = now

    def position(self) -> int:
        return self._row()[0]

    def epoch(self) -> int:
        return self._row()[1]

    def history(self) -> str | None:
        return self._row()[3]

    def updated_at(self) -> datetime | None:
        text = self._row()[2]
        return None if text is None else datetime.fromisoformat(text)

    def claim(self, epoch: int) -> None:
        with self._file.writing() as connection:
            claimed = connection.execute(
                "INSERT INTO producers (name, position, epoch) VALUES (?, 0, ?) "
                "ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch WHERE excluded.epoch > producers.epoch",
                (self._name, epoch),
            )
            if claimed.rowcount != 1:
                raise self._fenced(connection, epoch)

    def publish(self, messages: pa.RecordBatch, *, after: int, position: int, history: str | None, epoch: int) -> None:
        rows = _columns(messages)
        combinations, which = _combinations(messages)
        with self._file.writing() as connection:
            self._advance(connection, after, position, history, epoch)
            ids = np.array([_attributes_id(connection, combination) for combination in combinations])
            traces = _trace_ids(connection, messages.column("ce_traceparent"))
            first = _end(connection)
            offsets = range(first, first + messages.num_rows)
            connection.executemany(APPEND, zip(offsets, ids[which].tolist(), *rows, traces, strict=True))

    def _advance(self, connection: Connection, after: int, position: int, history: str | None, epoch: int) -> None:
        """The fence: moves on only at the claimed epoch and from the expected position."""
        moved = connection.execute(
            "UPDATE producers SET position = ?, history = ?, updated_at = ? "
            "WHERE name = ? AND epoch = ? AND position = ?",
            (position, history, self._now().isoformat(), self._name, epoch, after),
        )
        if moved.rowcount != 1:
            raise self._fenced(connection, epoch)

    def _fenced(self, connection: Connection, epoch: int) -> Fenced:
        row = connection.execute("SELECT epoch FROM producers WHERE name = ?", (self._name,)).fetchone()
        return Fenced(f"{self._file.path} ({self._name})", mine=epoch, held=row[0] if row else 0)

    def _row(self) -> tuple[int, int, str | None, str | None]:
        """Position, epoch, the time of the last move, and the history."""
        found = self._file.connection().execute(
            "SELECT position, epoch, updated_at, history FROM producers WHERE name = ?", (self._name,)
        )
        return found.fetchone() or (0, 0, None, None)


def _create(connection: Connection) -> None:
    complete = "SELECT 1 FROM sqlite_master WHERE name = 'traces'"
    if connection.execute(complete).fetchone():
        return
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute(complete).fetchone():  # another process may have been faster
        older = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'messages'").fetchone()
        for script in (OLDER, SCHEMA, VIEW) if older else (SCHEMA, VIEW):
            for statement in filter(str.strip, script.split(";\n")):
                connection.execute(statement)
    connection.execute("COMMIT")


def _end(connection: Connection) -> int:
    return int(connection.execute('SELECT coalesce(max("offset"), -1) + 1 FROM log').fetchone()[0])


def _columns(messages: pa.RecordBatch) -> list[list[Any]]:
    """The columns of `log` after `attributes`, as Python values: 50 ns each, where a dict per row takes
    microseconds.
    """
    return [
        messages.column("key").to_pylist(),
        messages.column("ce_id").to_pylist(),
        messages.column("ce_time").view(pa.int64()).to_pylist(),
        messages.column("ce_position").to_pylist(),
        messages.column("ce_sequence").to_pylist(),
        _all_packed(messages.column("ce_statehash")),
        messages.column("data").to_pylist(),
    ]


def _combinations(messages: pa.RecordBatch) -> tuple[list[tuple[str, ...]], "np.ndarray[Any, np.dtype[np.intp]]"]:
    """The few combinations of attributes that there are, and which of them each message has."""
    codes = np.zeros(messages.num_rows, np.int64)
    for name in COMBINED:
        distinct = messages.column(name).dictionary_encode()
        codes = codes * len(distinct.dictionary) + distinct.indices.to_numpy()
        codes = np.unique(codes, return_inverse=True)[1]  # else six columns of a batch might overflow
    first, which = np.unique(codes, return_index=True, return_inverse=True)[1:]
    return [tuple(messages.column(name)[int(row)].as_py() for name in COMBINED) for row in first], which


def _all_packed(hashes: pa.StringArray) -> list[bytes | str | None]:
    """Each as `_packed` has it; where all are hashes, in one go."""
    texts = hashes.drop_null()
    if len(texts) == len(hashes) and pc.all(pc.match_substring_regex(texts, SHA256)).as_py():
        packed = bytes.fromhex("".join(texts.to_pylist()))
        return [packed[at : at + HASH_DIGITS // 2] for at in range(0, len(packed), HASH_DIGITS // 2)]
    return [_packed(text) for text in hashes.to_pylist()]


def _packed(state_hash: str | None) -> bytes | str | None:
    """A sha256 in lowercase hex as its 32 bytes; any other text as it is."""
    if state_hash is None or len(state_hash) != HASH_DIGITS:
        return state_hash
    try:
        packed = bytes.fromhex(state_hash)
    except ValueError:
        return state_hash
    return packed if packed.hex() == state_hash else state_hash


def _trace_ids(connection: Connection, traceparents: pa.StringArray) -> list[int | None]:
    """A number for each trace context, stored now: those of one load are one, and one command has seldom many events,
    so none is looked for among the former.
    """
    distinct = traceparents.dictionary_encode()
    ids = [
        connection.execute("INSERT INTO traces (traceparent) VALUES (?)", (text,)).lastrowid
        for text in distinct.dictionary.to_pylist()
    ]
    return [None if index is None else ids[index] for index in distinct.indices.to_pylist()]


def _attributes_id(connection: Connection, combination: tuple[str, ...]) -> int:
    connection.execute(ADD_ATTRIBUTES, combination)
    return int(connection.execute(FIND_ATTRIBUTES, combination).fetchone()[0])


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    wanted = MESSAGES.field(name).type
    return pa.array(values, pa.int64()).view(wanted) if pa.types.is_timestamp(wanted) else pa.array(values, wanted)
