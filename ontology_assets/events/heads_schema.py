"""The tables of a heads file.

A heads file is a cache: everything in it follows from the log. Position and content are written in one transaction.
"""

FORMAT = 3

TABLES = (
    "meta",
    "types",
    "owners",
    "aggregates",
    "earlier",
    "assets",
    "event_ids",
    "commands",
    "edits",
    "records",
    "backlog",
    "early",
    "by_type",
    "by_branch",
)

SCHEMA = """
-- One row once anything is folded: where these heads stand.
CREATE TABLE IF NOT EXISTS meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), log_id TEXT NOT NULL, n INTEGER NOT NULL, position INTEGER NOT NULL,
    chain TEXT NOT NULL, recorded_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS types (type_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS owners (owner_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS aggregates (
    type_id INTEGER NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, state_hash BLOB NOT NULL,
    owner_id INTEGER, position INTEGER NOT NULL, deleted INTEGER NOT NULL, PRIMARY KEY (type_id, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS live_by_owner ON aggregates (owner_id, type_id) WHERE deleted = 0 AND owner_id IS NOT NULL;
-- Where an aggregate's events before its last are: a first load costs nothing here.
CREATE TABLE IF NOT EXISTS earlier (
    type_id INTEGER NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (type_id, id, sequence)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS keep_earlier AFTER UPDATE ON aggregates
BEGIN INSERT INTO earlier VALUES (OLD.type_id, OLD.id, OLD.sequence, OLD.position); END;
CREATE TABLE IF NOT EXISTS assets (
    asset TEXT NOT NULL, partition TEXT NOT NULL, data_version TEXT NOT NULL, event_id TEXT NOT NULL,
    event_type TEXT NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (asset, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_ids (
    event_id TEXT PRIMARY KEY, position INTEGER NOT NULL, event_type TEXT NOT NULL, aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL, state_hash TEXT NOT NULL
) WITHOUT ROWID;
-- The commands that are in the log, for ever: a repeated one is answered from here.
CREATE TABLE IF NOT EXISTS commands (
    command_id TEXT PRIMARY KEY, request TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
) WITHOUT ROWID;
-- The fields that people hold against later loads; only inline events say so, a bulk row costs nothing here.
CREATE TABLE IF NOT EXISTS edits (
    type_id INTEGER NOT NULL, id TEXT NOT NULL, edits TEXT NOT NULL, PRIMARY KEY (type_id, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    n INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, bulk INTEGER NOT NULL, batch TEXT NOT NULL,
    recorded_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS records_by_last ON records (last);
CREATE INDEX IF NOT EXISTS records_by_batch ON records (batch);
-- Records of which only `done` bulk rows are in `aggregates`, and the rows after these that are there already.
CREATE TABLE IF NOT EXISTS backlog (n INTEGER PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS early (position INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS by_type (event_type TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS by_branch (branch TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID;
"""

FOLDED_COLUMNS = ["aggregate_type", "aggregate_id", "sequence_number", "state_hash", "owner"]
"""What the tables hold of a bulk row; its position follows from its place."""
