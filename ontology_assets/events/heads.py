"""Heads: the last sequence, state hash and owner of every aggregate, as a snapshot of the log with its own position.

A SQLite file derived from the log, caught up before every decision, one transaction a step, thrown away and rebuilt
if it doesn't fit the log. Deleting it costs time and nothing else. One object serves one thread at a time; any number
of processes may share the file. Here is what heads can be asked; how they are caught up is heads_following.py.
"""

from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import NULL_STATE_HASH, OWN_TYPES
from ontology_assets.events.heads_following import HeadsFollowing

LOOKUP_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sequence", pa.int64()),
        ("state_hash", pa.string()),
        ("owner", pa.string()),
        ("position", pa.int64()),
        ("deleted", pa.bool_()),
    ]
)
_SEQUENCES = pa.schema([("id", pa.string()), ("sequence", pa.int64())])
_COLUMNS = "a.id, a.sequence, lower(hex(a.state_hash)), o.name, a.position, a.deleted"
# json_each is one statement for any number of ids: 30,000 of them take 0.1 s, no temp table to write.
_GIVEN = "json_each(?2) j CROSS JOIN aggregates a ON a.type_id = ?1 AND a.id = j.value"


@dataclass(frozen=True)
class AssetVersion:
    """The latest envelope of one (asset, partition); `data` is its JSON text."""

    data_version: str
    event_id: str
    event_type: str
    sequence: int
    position: int
    data: str


@dataclass(frozen=True)
class KnownEvent:
    """An inline event that is in the log already."""

    position: int
    event_type: str
    aggregate_type: str
    aggregate_id: str
    state_hash: str


@dataclass(frozen=True)
class KnownCommand:
    """A command that is in the log already: the hash of its request, its events' first and last position."""

    request: str
    first: int
    last: int


class Heads(HeadsFollowing):
    """Heads of one log. All queries answer as of `position`, which only catch_up() moves.

    Inside deciding() what a query reads is noted.
    """

    def lookup(self, aggregate_type: str, ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        """LOOKUP_SCHEMA, one row per id that is known (deleted ones too), in no particular order."""
        if self._reads is not None:
            self._reads.ids(aggregate_type, _flat(ids))
        found = self._table(
            f"SELECT {_COLUMNS} FROM {_GIVEN} LEFT JOIN owners o USING (owner_id)",  # noqa: S608
            (self._type(aggregate_type), _json(ids)),
        )
        return self._newer(found, aggregate_type, ids)

    def owned(self, aggregate_type: str, owners: list[str]) -> pa.Table:
        """LOOKUP_SCHEMA of the live aggregates of these owners."""
        with self._whole():
            found = self._table(
                f"SELECT {_COLUMNS} FROM json_each(?2) j CROSS JOIN owners o ON o.name = j.value "  # noqa: S608
                # Left alone, the planner walks the whole type for each owner: 2.2 s for 31 of 365 days, 0.2 s with it.
                "CROSS JOIN aggregates a INDEXED BY live_by_owner "
                "ON a.owner_id = o.owner_id AND a.type_id = ?1 AND a.deleted = 0",
                (self._type(aggregate_type), orjson.dumps(owners).decode()),
            )
        if self._reads is not None:
            self._reads.owners(aggregate_type, owners)
            self._reads.ids(aggregate_type, _flat(found["id"]))
        return found

    def exist(self, aggregate_type: str, ids: pa.Array | pa.ChunkedArray) -> pa.BooleanArray:
        """For each id: is it known and not deleted? Null ids give False."""
        if self._reads is not None:
            self._reads.ids(aggregate_type, _flat(ids))
        asked = _flat(ids)
        with self._whole():
            live = self._db.execute(
                f"SELECT a.id FROM {_GIVEN} WHERE a.deleted = 0",  # noqa: S608
                (self._type(aggregate_type), _json(asked.unique())),
            ).fetchall()
        return pc.and_(pc.is_valid(asked), pc.is_in(asked, value_set=pa.array([r[0] for r in live], pa.string())))

    def sequences(self, aggregate_type: str, ids: pa.ChunkedArray) -> pa.Table:
        """(id, sequence) of each id that has any event. Not noted as a read: for checking what will be written."""
        found = self._db.execute(
            f"SELECT a.id, a.sequence FROM {_GIVEN}",  # noqa: S608
            (self._type(aggregate_type), _json(ids)),
        ).fetchall()
        known = pa.table([list(column) for column in zip(*found, strict=True)] or [[], []], schema=_SEQUENCES)
        return self._newer(known, aggregate_type, ids)

    def asset_versions(self, asset: str) -> dict[str, AssetVersion]:
        """By partition ("" when unpartitioned): the latest envelope of the asset."""
        if self._reads is not None:
            self._reads.asset(asset)
        rows = self._db.execute(
            "SELECT partition, data_version, event_id, event_type, sequence, position, data FROM assets "
            "WHERE asset = ? ORDER BY partition",
            (asset,),
        )
        return {row[0]: AssetVersion(*row[1:]) for row in rows}

    def counts(self) -> dict[str, int]:
        """Live objects by type, the log's own bookkeeping left out."""
        self._read_everything()
        with self._whole():
            rows = self._db.execute(
                "SELECT t.name, count(*) FROM aggregates a JOIN types t USING (type_id) "
                "WHERE a.deleted = 0 GROUP BY t.name ORDER BY t.name"
            )
            return {name: count for name, count in rows.fetchall() if name not in OWN_TYPES}

    def stats(self) -> dict[str, Any]:
        """{"position", "by_type": {event type: events}, "by_branch": {branch: events}} as of these heads."""
        self._read_everything()
        with self._lock:
            by_type = dict(self._db.execute("SELECT event_type, events FROM by_type ORDER BY event_type").fetchall())
            by_branch = dict(self._db.execute("SELECT branch, events FROM by_branch ORDER BY branch").fetchall())
        return {"position": sum(by_type.values()), "by_type": by_type, "by_branch": by_branch}

    def batch(self, batch: str) -> tuple[int, int, int] | None:
        """(n, first, last position) of the newest record with this batch id, or None."""
        row = self._db.execute(
            "SELECT n, first, last FROM records WHERE batch = ? ORDER BY n DESC LIMIT 1", (batch,)
        ).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def record_of(self, position: int) -> int | None:
        """Number of the record that holds this position."""
        row = self._db.execute("SELECT n FROM records WHERE last >= ? ORDER BY last, n LIMIT 1", (position,)).fetchone()
        return None if row is None else int(row[0])

    def positions_of(self, aggregate_type: str, aggregate_id: str) -> list[int]:
        """Positions of all events of one aggregate, oldest first."""
        with self._whole():
            rows = self._db.execute(
                "SELECT position FROM earlier WHERE type_id = ?1 AND id = ?2 "
                "UNION ALL SELECT position FROM aggregates WHERE type_id = ?1 AND id = ?2 ORDER BY position",
                (self._type(aggregate_type), aggregate_id),
            )
            return [row[0] for row in rows]

    def known_events(self, event_ids: list[str]) -> dict[str, KnownEvent]:
        """Of these ids those that an inline event in the log has."""
        rows = self._db.execute(
            "SELECT e.event_id, position, event_type, aggregate_type, aggregate_id, state_hash "
            "FROM json_each(?) j CROSS JOIN event_ids e ON e.event_id = j.value",
            (orjson.dumps(event_ids).decode(),),
        )
        return {row[0]: KnownEvent(*row[1:]) for row in rows}

    def known_commands(self, command_ids: list[str]) -> dict[str, KnownCommand]:
        """Of these command ids those that are in the log, exact at these heads' position, however long ago."""
        rows = self._db.execute(
            "SELECT c.command_id, c.request, c.first, c.last "
            "FROM json_each(?) j CROSS JOIN commands c ON c.command_id = j.value",
            (orjson.dumps(command_ids).decode(),),
        )
        return {row[0]: KnownCommand(*row[1:]) for row in rows}

    def edits(self, aggregate_type: str, ids: pa.Array | pa.ChunkedArray | None = None) -> dict[str, dict[str, Any]]:
        """By id: what people hold of the object against loads (see `objectify/edits.py`). None: of all ids of the
        type, which is not noted as a read."""
        if ids is None:
            rows = self._db.execute("SELECT id, edits FROM edits WHERE type_id = ?", (self._type(aggregate_type),))
        else:
            if self._reads is not None:
                self._reads.ids(aggregate_type, _flat(ids))
            rows = self._db.execute(
                "SELECT e.id, e.edits FROM json_each(?2) j CROSS JOIN edits e ON e.type_id = ?1 AND e.id = j.value",
                (self._type(aggregate_type), _json(ids)),
            )
        return {key: orjson.loads(edits) for key, edits in rows}

    def checksum(self) -> tuple[int, int]:
        """(aggregates, sum of their sequences): equals (aggregates, events) of the log."""
        with self._whole():
            count, total = self._db.execute("SELECT count(*), coalesce(sum(sequence), 0) FROM aggregates").fetchone()
        return int(count), int(total)

    def _newer(self, known: pa.Table, aggregate_type: str, ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        """`known` is what the tables say of these aggregates; where rows are behind, these are newer."""
        if self._backlog.oldest(self._db) is None:
            return known
        last: dict[str, dict[str, Any]] = {}
        for _, rows in self._backlog.of(self._db, aggregate_type, _flat(ids)):
            last |= {row["aggregate_id"]: row for row in rows.to_pylist()}
        behind = [
            {
                "id": key,
                "sequence": row["sequence_number"],
                "state_hash": row["state_hash"],
                "owner": row["owner"],
                "position": row["position"],
                "deleted": row["state_hash"] == NULL_STATE_HASH,
            }
            for key, row in last.items()
        ]
        older = pc.is_in(known["id"], value_set=pa.array(list(last), pa.string()))
        newer = pa.Table.from_pylist(behind, schema=LOOKUP_SCHEMA).select(known.column_names)
        return pa.concat_tables([known.filter(pc.invert(older)), newer])

    def _type(self, name: str) -> int:
        row = self._db.execute("SELECT type_id FROM types WHERE name = ?", (name,)).fetchone()
        return -1 if row is None else int(row[0])

    def _table(self, sql: str, parameters: tuple[Any, ...]) -> pa.Table:
        rows = self._db.execute(sql, parameters).fetchall()
        columns = zip(*rows, strict=True) if rows else ((),) * len(LOOKUP_SCHEMA)
        arrays = [
            pa.array(map(bool, values) if f.name == "deleted" else values, f.type)
            for values, f in zip(columns, LOOKUP_SCHEMA, strict=True)
        ]
        return pa.table(arrays, schema=LOOKUP_SCHEMA)

    def _read_everything(self) -> None:
        if self._reads is not None:
            self._reads.everything = True


def _flat(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    flat = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    return flat if flat.type == pa.string() else flat.cast(pa.string())


def _json(ids: pa.Array | pa.ChunkedArray) -> str:
    return orjson.dumps(ids.to_pylist()).decode()
