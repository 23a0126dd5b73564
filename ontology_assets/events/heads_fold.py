"""Folding records into the tables of a heads file, in an open transaction.

All of a record, or all but its bulk rows and later those slice by slice.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import (
    ASSET_TYPE,
    EDITS,
    NULL_STATE_HASH,
    REQUEST,
    asset_and_partition,
    micros,
)
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads_backlog import Backlog, with_positions
from ontology_assets.events.record import Record

_NULL_STATE = bytes.fromhex(NULL_STATE_HASH)
_CONTENT = ("event_type", "aggregate_type", "aggregate_id", "state_hash")
_INLINE_COLUMNS = ("event_id", *_CONTENT, "sequence_number", "data", "metadata", "command_id")

_INSERT = (
    "INSERT INTO aggregates (type_id, id, sequence, state_hash, owner_id, position, deleted) VALUES (?,?,?,?,?,?,?)"
)
_UPDATE = """UPDATE aggregates SET sequence = ?3, state_hash = ?4, owner_id = ?5, position = ?6, deleted = ?7
WHERE type_id = ?1 AND id = ?2 AND sequence = ?3 - 1"""


class Fold:
    """Folds records into an open transaction of a heads file."""

    def __init__(self, db: sqlite3.Connection, domain: str, backlog: Backlog) -> None:
        self._db, self._domain, self._backlog = db, domain, backlog
        self._behind = backlog.oldest(db) is not None
        self._names: dict[str, dict[str | None, int | None]] = {"types": {None: None}, "owners": {None: None}}

    def record(self, record: Record, bulk: Iterable[tuple[int, pa.Table]] | None) -> None:
        """`bulk` yields (position of the first row, rows) of the bulk events, None leaves them behind; the inline ones
        are in the record."""
        if bulk is None:
            self._db.execute("INSERT INTO backlog VALUES (?, 0)", (record.n,))
            self._behind = True
        else:
            for first, rows in bulk:
                self._rows(record.n, with_positions(rows, first))
        inline = record.inline()
        first = record.first + record.bulk_rows
        if first + inline.num_rows != record.last + 1:
            raise LogDamaged(self._domain, record.n, f"it holds {inline.num_rows} inline events, not what it says")
        self._take_early(inline)
        self._aggregates(record.n, with_positions(inline, first))
        self._inline(inline, first)
        run = self._db.execute
        run(
            "INSERT INTO records VALUES (?,?,?,?,?,?)",
            (record.n, record.first, record.last, record.bulk_rows, record.batch, micros(record.recorded_at)),
        )
        for table, counts in (("by_type", record.by_type), ("by_branch", record.by_branch)):
            self._db.executemany(
                f"INSERT INTO {table} VALUES (?1, ?2) ON CONFLICT DO UPDATE SET events = events + ?2",  # noqa: S608
                counts.items(),
            )

    def rest(self, record: Record, done: int, rows: pa.Table) -> None:
        """Fold the rows (FOLDED_COLUMNS) after the first `done` of a record that is behind."""
        first, after = record.first + done, record.first + done + rows.num_rows
        early = self._db.execute(
            "DELETE FROM early WHERE position >= ? AND position < ? RETURNING position", (first, after)
        )
        taken = pa.array([row[0] for row in early.fetchall()], pa.int64())
        mine = with_positions(rows, first)
        self._behind = False  # the record is the oldest that is behind: none of its rows waits for another's
        self._rows(
            record.n, mine.filter(pc.invert(pc.is_in(mine["position"], value_set=taken))) if len(taken) else mine
        )
        done += rows.num_rows
        if done < record.bulk_rows:
            self._db.execute("UPDATE backlog SET done = ? WHERE n = ?", (done, record.n))
        else:
            self._db.execute("DELETE FROM backlog WHERE n = ?", (record.n,))

    def _rows(self, n: int, rows: pa.Table) -> None:
        self._take_early(rows)
        self._aggregates(n, rows)
        if pc.any(pc.equal(rows["aggregate_type"], ASSET_TYPE)).as_py():
            raise LogDamaged(self._domain, n, "an asset's envelope is among the bulk rows")

    def _take_early(self, rows: pa.Table) -> None:
        """Fold first what is behind of the aggregates that the rows are of."""
        if not self._behind:
            return
        for kind in pc.unique(rows["aggregate_type"]).to_pylist():
            ids = pc.unique(rows["aggregate_id"].filter(pc.equal(rows["aggregate_type"], kind)))
            for n, found in self._backlog.of(self._db, kind, ids):
                self._aggregates(n, found)
                self._db.executemany("INSERT INTO early VALUES (?)", [(p,) for p in found["position"].to_pylist()])

    def _aggregates(self, n: int, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        hashes = list(map(bytes.fromhex, rows["state_hash"].to_pylist()))
        new = list(
            zip(
                self._codes("types", rows["aggregate_type"].to_pylist()),
                rows["aggregate_id"].to_pylist(),
                rows["sequence_number"].to_pylist(),
                hashes,
                self._codes("owners", rows["owner"].to_pylist()),
                rows["position"].to_pylist(),
                [h == _NULL_STATE for h in hashes],
                strict=True,
            )
        )
        # First events before later ones: within one aggregate that is their order anyway.
        created, changed = [row for row in new if row[2] == 1], [row for row in new if row[2] != 1]
        try:
            # In key order the tree is filled page by page.
            self._db.executemany(_INSERT, sorted(created) if len(created) > 1 else created)
        except sqlite3.IntegrityError:
            self._find_fault(n, created)
        cursor = self._db.executemany(_UPDATE, changed) if changed else None
        if cursor is not None and cursor.rowcount != len(changed):
            self._find_fault(n, changed)

    def _find_fault(self, n: int, rows: list[tuple[int, str, int, bytes, int | None, int, bool]]) -> None:
        for type_id, key, sequence, _, _, position, _ in rows:
            found = self._db.execute(
                "SELECT sequence, position FROM aggregates WHERE type_id = ? AND id = ?", (type_id, key)
            ).fetchone()
            if found is None or found[0] < sequence or (found[0] == sequence and found[1] != position):
                (kind,) = self._db.execute("SELECT name FROM types WHERE type_id = ?", (type_id,)).fetchone()
                last = found[0] if found else 0
                raise LogDamaged(
                    self._domain,
                    n,
                    f"position {position}: {kind} {key} has sequence {sequence} after {last}, must be 1, 2, 3 ...",
                )
        raise LogDamaged(self._domain, n, "an aggregate's sequence numbers are not 1, 2, 3 ...")

    def _codes(self, table: str, names: list[str | None]) -> list[int | None]:
        """Small integers for repeating names, made on first use."""
        known = self._names[table]
        column = "type_id" if table == "types" else "owner_id"
        for name in set(names) - known.keys():
            self._db.execute(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", (name,))  # noqa: S608
            (known[name],) = self._db.execute(
                f"SELECT {column} FROM {table} WHERE name = ?",  # noqa: S608
                (name,),
            ).fetchone()
        return [known[name] for name in names]

    def _inline(self, inline: pa.Table, first: int) -> None:
        if not inline.num_rows:
            return
        columns = {name: inline[name].to_pylist() for name in _INLINE_COLUMNS}
        positions = range(first, first + inline.num_rows)
        self._db.executemany(
            "INSERT OR IGNORE INTO event_ids VALUES (?,?,?,?,?,?)",
            zip(columns["event_id"], positions, *(columns[name] for name in _CONTENT), strict=True),
        )
        commands: dict[str, tuple[str, int, int]] = {}
        for i, position in enumerate(positions):
            if columns["aggregate_type"][i] == ASSET_TYPE:
                self._asset({name: values[i] for name, values in columns.items()}, position)
            command = columns["command_id"][i]
            if command is not None:
                said = orjson.loads(columns["metadata"][i])
                request, start, _ = commands.get(command, (said.get(REQUEST, ""), position, position))
                commands[command] = (request, start, position)
                if EDITS in said:
                    self._edits(columns["aggregate_type"][i], columns["aggregate_id"][i], said[EDITS])
            elif f'"{EDITS}"' in columns["metadata"][i]:
                said = orjson.loads(columns["metadata"][i])
                self._edits(columns["aggregate_type"][i], columns["aggregate_id"][i], said.get(EDITS))
        self._db.executemany(
            "INSERT OR IGNORE INTO commands VALUES (?,?,?,?)",
            [(command, *answer) for command, answer in commands.items()],
        )

    def _edits(self, kind: str, key: str, edits: dict[str, Any] | None) -> None:
        """What is held of one object from now on: all of it, not what is new."""
        (type_id,) = self._codes("types", [kind])
        if edits:
            text = orjson.dumps(edits, option=orjson.OPT_SORT_KEYS).decode()
            self._db.execute("INSERT OR REPLACE INTO edits VALUES (?,?,?)", (type_id, key, text))
        else:
            self._db.execute("DELETE FROM edits WHERE type_id = ? AND id = ?", (type_id, key))

    def _asset(self, row: dict[str, Any], position: int) -> None:
        asset, partition = asset_and_partition(row["aggregate_id"])
        state = orjson.loads(row["data"]).get("state")
        if state is None:
            self._db.execute("DELETE FROM assets WHERE asset = ? AND partition = ?", (asset, partition))
            return
        version = state.get("properties", {}).get("data_version", "")
        self._db.execute(
            "INSERT OR REPLACE INTO assets VALUES (?,?,?,?,?,?,?,?)",
            (
                asset,
                partition,
                version,
                row["event_id"],
                row["event_type"],
                row["sequence_number"],
                position,
                row["data"],
            ),
        )
