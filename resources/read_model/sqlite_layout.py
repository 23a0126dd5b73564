"""The tables of a SQLite read model: names, columns, indexes. Statements that move data are elsewhere.

One file holds all domains. `state` has a row per domain; `types` numbers the types, because SQLite's names know no
case.

    t<no>   live objects: rid = born, id, sequence, position, bucket, hash, words?, l_<link>..., p_<property>...
            (a geopoint: lat_<property>, lon_<property>)
    f<no>   FTS5 over t<no>.words, where the model keeps words
    tombstones
    parked, digest
"""

import json
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from resources.read_model.base import BucketDigest, StoredState
from resources.read_model.query import DomainLayout, Field, Kind, TypeLayout

PAGE_SIZE = 4096
CACHE_KIB = 64_000
CHECKPOINT_PAGES = 16_000
"""64 MB of write-ahead log before it is copied back: the first load otherwise waits for the disk each 4 MB."""
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
VERSION = 2
"""Of this layout; another one in a file means: build anew."""

_BASE = """
CREATE TABLE IF NOT EXISTS state (
    domain TEXT PRIMARY KEY, position INTEGER NOT NULL, epoch INTEGER NOT NULL, generation TEXT NOT NULL,
    secret BLOB NOT NULL, fingerprint TEXT NOT NULL, updated_at INTEGER, history TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS types (
    no INTEGER PRIMARY KEY, domain TEXT NOT NULL, branch TEXT NOT NULL, type TEXT NOT NULL, settled INTEGER NOT NULL,
    UNIQUE (domain, branch, type));
CREATE TABLE IF NOT EXISTS tombstones (
    no INTEGER NOT NULL, id TEXT NOT NULL, born INTEGER NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
    bucket INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (no, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parked (
    domain TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, bucket INTEGER NOT NULL, position INTEGER NOT NULL,
    reason TEXT NOT NULL, waiting INTEGER NOT NULL, PRIMARY KEY (domain, type, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digest (
    domain TEXT NOT NULL, bucket INTEGER NOT NULL, documents INTEGER NOT NULL, lane0 INTEGER NOT NULL,
    lane1 INTEGER NOT NULL, lane2 INTEGER NOT NULL, lane3 INTEGER NOT NULL, PRIMARY KEY (domain, bucket))
    WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What a kind of model keeps beside rows: words (search) or a way back along each link (graph)."""

    name: str
    words: bool
    backwards: bool


def column(field: Field) -> str:
    return f"p_{field.name}"


def columns(field: Field) -> list[str]:
    if field.kind is Kind.GEOPOINT:
        return [f"lat_{field.name}", f"lon_{field.name}"]
    return [column(field)]


def cell_columns(layout: TypeLayout) -> list[str]:
    return [name for f in layout.fields for name in columns(f)]


def link_columns(layout: TypeLayout) -> list[str]:
    return [f"l_{link.name}" for link in layout.links]


def all_columns(layout: TypeLayout, options: ModelOptions) -> list[str]:
    words = ["words"] if options.words and layout.has_words else []
    return ["rid", "id", "sequence", "position", "bucket", "hash", *words, *link_columns(layout), *cell_columns(layout)]


def fingerprint(layout: DomainLayout, options: ModelOptions) -> str:
    return json.dumps([VERSION, options.name, layout.fingerprint])


def create_base(connection: sqlite3.Connection) -> None:
    """The tables of every file. What is complete is only looked at, so that readers do not wait for a writer."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tombstones'").fetchone():
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in _BASE.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("COMMIT")


def read_state(connection: sqlite3.Connection, domain: str) -> tuple[StoredState, str] | None:
    """Where the domain's part stands, and the fingerprint of its layout."""
    found = connection.execute(
        "SELECT position, epoch, generation, secret, updated_at, fingerprint FROM state WHERE domain = ?", (domain,)
    ).fetchone()
    if found is None:
        return None
    updated_at = None if found[4] is None else EPOCH + found[4] * MICROSECOND
    return StoredState(found[0], found[1], found[2], found[3], updated_at), found[5]


def prepare(connection: sqlite3.Connection) -> None:
    """Each connection that writes."""
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}").fetchall()
    connection.execute("PRAGMA temp_store=MEMORY")
    create_base(connection)
    keep_history(connection)


def keep_history(connection: sqlite3.Connection) -> None:
    """The column of histories for a file of before there were any: nothing in it is to be built again for that."""
    there = "SELECT 1 FROM pragma_table_info('state') WHERE name = 'history'"
    if connection.execute(there).fetchone():
        return
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute(there).fetchone():  # another process may have been faster
        connection.execute("ALTER TABLE state ADD COLUMN history TEXT")
    connection.execute("COMMIT")


def read_digest(connection: sqlite3.Connection, domain: str) -> dict[int, BucketDigest]:
    """The digest kept with each transaction, by bucket."""
    rows = connection.execute(
        "SELECT bucket, documents, lane0, lane1, lane2, lane3 FROM digest WHERE domain = ? ORDER BY bucket", (domain,)
    )
    return {bucket: BucketDigest(documents, (a, b, c, d)) for bucket, documents, a, b, c, d in rows}


def create_domain(
    connection: sqlite3.Connection,
    layout: DomainLayout,
    options: ModelOptions,
    position: int = 0,
    history: str | None = None,
    *,
    generation: str | None = None,
) -> None:
    """An empty part for the domain, inside the caller's transaction. `position` and `history`: what its buckets are to
    be filled up to. `generation`: of the file; with what is added here it names the build.
    """
    for layout_type in layout.types:
        connection.execute(
            "INSERT INTO types (domain, branch, type, settled) VALUES (?, 'main', ?, 0)",
            (layout.domain, layout_type.name),
        )
        no = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
        # No declared types for cells: SQLite then stores what it is given and compares numbers with numbers.
        names = ", ".join(all_columns(layout_type, options)[1:])
        connection.execute(f"CREATE TABLE t{no} (rid INTEGER PRIMARY KEY, {names})")
    build = f"{generation or 'alone'}-{secrets.token_hex(4)}"
    connection.execute(
        "INSERT INTO state (domain, position, history, epoch, generation, secret, fingerprint) "
        "VALUES (?, ?, ?, 0, ?, ?, ?)",
        (layout.domain, position, history, build, secrets.token_bytes(32), fingerprint(layout, options)),
    )


def drop_domain(connection: sqlite3.Connection, domain: str) -> None:
    for (no,) in connection.execute("SELECT no FROM types WHERE domain = ?", (domain,)).fetchall():
        connection.execute(f"DROP TABLE IF EXISTS f{no}")
        connection.execute(f"DROP TABLE IF EXISTS t{no}")
        connection.execute("DELETE FROM tombstones WHERE no = ?", (no,))
    for table in ("types", "parked", "digest", "state"):
        connection.execute(f"DELETE FROM {table} WHERE domain = ?", (domain,))  # noqa: S608  names from above


def index_ids(connection: sqlite3.Connection, no: int) -> None:
    """The way from id to row. Needed as soon as an object changes a second time."""
    connection.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS i{no}_id ON t{no}(id)")


def settle_type(connection: sqlite3.Connection, no: int, layout: TypeLayout, options: ModelOptions) -> None:
    """Build every index over the rows there are: a third of the time that keeping them up row by row takes."""
    index_ids(connection, no)
    for field in layout.fields:
        # A latitude narrows a circle to a band; the rest is computed.
        connection.execute(f"CREATE INDEX IF NOT EXISTS i{no}_{field.name} ON t{no}({columns(field)[0]})")
    if options.backwards:
        for name in link_columns(layout):
            connection.execute(f"CREATE INDEX IF NOT EXISTS i{no}_{name} ON t{no}({name}) WHERE {name} IS NOT NULL")
    if options.words and layout.has_words:
        # Words come normalised and separated by spaces, so the tokenizer has nothing left to decide.
        connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS f{no} USING fts5(words, content='t{no}', content_rowid='rid', "
            "detail=none, columnsize=0, tokenize='unicode61 remove_diacritics 0')"
        )
        connection.execute(f"INSERT INTO f{no}(f{no}) VALUES ('rebuild')")  # noqa: S608
    connection.execute("UPDATE types SET settled = 1 WHERE no = ?", (no,))
