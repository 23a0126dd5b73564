"""Verification of a whole log: every promise it makes is recomputed from its bytes.

Memory is 64 bytes an event for at most PASS_EVENTS events; a longer log is read in several passes, by bucket.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.chain import NOT_BEGUN, LogEnd
from ontology_assets.events.digest import LANES, Digest, row_lanes
from ontology_assets.events.envelope import EVENT_SCHEMA
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.record import Record
from ontology_assets.events.sealing import sealed_through, table_of
from ontology_assets.events.state import state_hashes
from resources.errors import SpiceError
from resources.lake.base import Lake

PASS_EVENTS = 4_000_000
BLOCK = 16_384
"""Positions of one block: sealed history and log are compared block by block, to say where they differ."""
_MOST_NAMED = 10
_BATCH_ROWS = 16_384

Hashes = npt.NDArray[np.uint64]
Column = npt.NDArray[Any]


@dataclass
class Check:
    """One promise. `failures` names record, position or aggregate, the first ten; `failed` counts all."""

    name: str
    checked: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        return not self.failed

    def fail(self, what: str, times: int = 1) -> None:
        self.failed += times
        if len(self.failures) < _MOST_NAMED:
            self.failures.append(what)


@dataclass(frozen=True)
class VerifyReport:
    """The checks, and what was verified."""

    domain: str
    log_id: str
    records: int
    position: int
    digest: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def verify(log: EventLog, heads: Heads | None = None, lake: Lake | None = None) -> VerifyReport:
    """Check the log, and heads and sealed history if given. Never raises for what it looks for: it reports."""
    return _Verification(log).run(heads, lake)


class _Verification:
    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._at = NOT_BEGUN
        self.chain = Check("chain")
        self.positions = Check("positions dense")
        self.sequences = Check("sequences 1..n per aggregate")
        self.ids = Check("event ids unique")
        self.states = Check("state hashes")
        self.buckets = Check("buckets")
        self.heads = Check("heads")
        self.sealed = Check("sealed history equals the log")
        self._blocks = np.zeros((0, LANES + 1), np.uint64)
        self._aggregates = 0
        self._kinds: dict[str, int] = {}

    def run(self, heads: Heads | None, lake: Lake | None) -> VerifyReport:
        self._whole_chain()
        events, passes = self._at.position, max(1, -(-self._at.position // PASS_EVENTS))
        for part in range(passes):
            self._pass(part, passes)
        self._compare_heads(heads)
        self._compare_sealed(lake)
        digest = Digest(events, tuple(int(lane) for lane in self._blocks[:, :LANES].sum(axis=0)))
        checks = (
            self.chain,
            self.positions,
            self.sequences,
            self.ids,
            self.states,
            self.buckets,
            self.heads,
            self.sealed,
        )
        return VerifyReport(self._log.domain, self._at.log_id, self._at.n + 1, events, digest.text(), checks)

    def _whole_chain(self) -> None:
        """Records and data files up to the first damage: further checks are of what is before it."""
        listed = sum(1 for _ in self._log.store.list(f"log/{self._log.domain}/"))
        try:
            for record in self._log.records():
                self._record(record)
        except LogDamaged as damage:
            self.chain.fail(f"record {damage.n}: {damage.reason}")
        if not self.chain.failed and listed > self._at.n + 1:
            self.chain.fail(f"{listed} objects are there, the chain ends after record {self._at.n}")

    def _record(self, record: Record) -> None:
        if record.first != self._at.position + 1:
            self.positions.fail(f"record {record.n}: begins at {record.first}, should at {self._at.position + 1}")
        held = record.bulk_rows + record.inline().num_rows
        if held != record.rows or sum(record.by_type.values()) != held:
            self.positions.fail(f"record {record.n}: positions {record.first} to {record.last}, but {held} events")
        self.chain.checked += 1
        self._at = LogEnd.of(record)

    def _pass(self, part: int, passes: int) -> None:
        """Sequences of the aggregates, and event ids, that fall into this pass."""
        aggregates, ids = _Gathered(), _Gathered()
        for rows in self._events():
            hashes = _hashes(rows["aggregate_id"])
            if part == 0:
                self._each_event(rows, hashes)
            kinds = [self._kinds.setdefault(kind, len(self._kinds)) for kind in rows["aggregate_type"].to_pylist()]
            numbers = (rows["sequence_number"].to_numpy(), rows["position"].to_numpy())
            aggregates.add((hashes[:, 0], hashes[:, 1], np.array(kinds), *numbers), part, passes)
            event_ids = _hashes(rows["event_id"])
            ids.add((event_ids[:, 0], event_ids[:, 1], numbers[1]), part, passes)
        if aggregates.columns:
            self._order(*aggregates.whole())
            self._unique(*ids.whole())

    def _events(self) -> Iterator[pa.Table]:
        """Rows of the records before the first damage."""
        try:
            yield from self._log.stream(takewhile(lambda r: r.n <= self._at.n, self._log.records()), _BATCH_ROWS)
        except LogDamaged as damage:
            self.chain.fail(f"record {damage.n}: {damage.reason}")

    def _each_event(self, rows: pa.Table, hashes: Hashes) -> None:
        positions = rows["position"].to_numpy()
        lanes = np.column_stack([row_lanes(rows), np.ones(rows.num_rows, np.uint64)])
        blocks = positions // BLOCK
        if blocks[-1] >= len(self._blocks):
            grown = np.zeros((int(blocks[-1]) + 1 + len(self._blocks) // 2, LANES + 1), np.uint64)
            grown[: len(self._blocks)] = self._blocks
            self._blocks = grown
        np.add.at(self._blocks, blocks, lanes)
        self.positions.checked += rows.num_rows
        for i in np.flatnonzero(np.diff(positions) != 1).tolist():
            self.positions.fail(f"{_place(rows, i)}: position {positions[i + 1]} follows")
        self.buckets.checked += rows.num_rows
        buckets = np.array([int(bucket, 16) for bucket in rows["bucket"].to_pylist()])
        for i in np.flatnonzero(buckets != hashes.view(np.uint8)[:, 0]).tolist():
            self.buckets.fail(f"{_place(rows, i)} is not in bucket {rows['bucket'][i]}")
        self.states.checked += rows.num_rows
        found, want = state_hashes(rows["data"]), rows["state_hash"].to_pylist()
        if found != want:
            for i, (a, b) in enumerate(zip(found, want, strict=True)):
                if a != b:
                    self.states.fail(_place(rows, i))

    def _order(self, *columns: Column) -> None:
        """Columns: aggregate's hash (two), type, sequence, position; in position order."""
        high, low, kinds, sequences, positions = columns
        order = np.lexsort((kinds, low, high))  # stable, so positions stay in order within an aggregate
        named = np.column_stack([high, low, kinds.astype(np.uint64)])[order]
        starts = np.flatnonzero(np.append(True, (named[1:] != named[:-1]).any(axis=1)))
        counts = np.diff(np.append(starts, len(order)))
        expected = np.arange(len(order)) - np.repeat(starts, counts) + 1
        wrong = np.flatnonzero(sequences[order] != expected)
        self._aggregates += len(starts)
        self.sequences.checked += len(starts)
        self._name(self.sequences, positions[order[wrong]], "sequence")

    def _unique(self, high: Column, low: Column, positions: Column) -> None:
        order = np.lexsort((low, high))
        same = np.flatnonzero((high[order][1:] == high[order][:-1]) & (low[order][1:] == low[order][:-1]))
        self.ids.checked += len(order)
        self._name(self.ids, positions[order[same + 1]], "event_id")

    def _name(self, check: Check, positions: npt.NDArray[np.int64], column: str) -> None:
        for row in self._log.at(np.sort(positions)[:_MOST_NAMED].tolist()).to_pylist():
            value = row["event_id"] if column == "event_id" else f"sequence {row['sequence_number']}"
            record = self._log.chain.holding(row["position"])
            check.fail(
                f"record {record}, position {row['position']}: {row['aggregate_type']} {row['aggregate_id']}, {value}"
            )
        check.failed += max(0, len(positions) - _MOST_NAMED)

    def _compare_heads(self, heads: Heads | None) -> None:
        if heads is None or self.chain.failed:
            self.heads.skipped = "not given" if heads is None else "the chain is broken"
            return
        try:
            heads.catch_up()
        except SpiceError as error:
            self.heads.fail(error.detail)
            return
        self.heads.checked = 1
        found, want = heads.checksum(), (self._aggregates, self._at.position)
        if heads.end != self._at or found != want:
            self.heads.fail(
                f"heads hold {found[0]} aggregates with {found[1]} events, the log {want[0]} with {want[1]}"
            )

    def _compare_sealed(self, lake: Lake | None) -> None:
        if lake is None or self.chain.failed:
            self.sealed.skipped = "not given" if lake is None else "the chain is broken"
            return
        table = table_of(self._log.domain)
        try:
            state = lake.state(table)
            if state.number < 0:
                self.sealed.skipped = "nothing is sealed yet"
                return
            _, position = sealed_through(self._log, state, table)
            self._sealed_blocks(lake, table, position)
        except SpiceError as error:
            self.sealed.fail(error.detail)

    def _sealed_blocks(self, lake: Lake, table: str, through: int) -> None:
        blocks = np.zeros_like(self._blocks)
        for batch in lake.batches(table, columns=EVENT_SCHEMA.names, batch_rows=_BATCH_ROWS):
            rows = pa.Table.from_batches([batch])
            at = rows["position"].to_numpy()
            self.sealed.checked += rows.num_rows
            if rows.num_rows and (at.min() < 1 or at.max() > through):
                self.sealed.fail(f"it has positions {at.min()} to {at.max()}, sealed are 1 to {through}")
                return
            np.add.at(blocks, at // BLOCK, np.column_stack([row_lanes(rows), np.ones(len(at), np.uint64)]))
        last = through // BLOCK
        mine = self._blocks.copy()
        mine[last:] = 0
        for rows in self._slice(last * BLOCK, through):
            lanes = np.column_stack([row_lanes(rows), np.ones(rows.num_rows, np.uint64)])
            mine[last] += lanes.sum(axis=0, dtype=np.uint64)
        for block in np.flatnonzero((blocks != mine).any(axis=1)).tolist():
            there, want = int(blocks[block, LANES]), int(mine[block, LANES])
            detail = f"{there} events instead of {want}" if there != want else "another digest"
            first = max(1, block * BLOCK)
            self.sealed.fail(f"positions {first} to {min(through, (block + 1) * BLOCK - 1)}: {detail}")

    def _slice(self, first: int, last: int) -> Iterator[pa.Table]:
        """Events of the positions first..last (first may be 0) as they were written: `events` would upcast them."""
        records = takewhile(lambda r: r.first <= last, self._log.records(self._log.chain.holding(max(1, first))))
        for rows in self._log.stream(records, _BATCH_ROWS):
            yield rows.filter((pc.field("position") >= first) & (pc.field("position") <= last))


class _Gathered:
    """Columns put together from the rows whose first column falls into a pass."""

    def __init__(self) -> None:
        self.columns: list[tuple[Column, ...]] = []

    def add(self, columns: tuple[Column, ...], part: int, passes: int) -> None:
        if passes > 1:
            mine = columns[0] % passes == part
            columns = tuple(column[mine] for column in columns)
        self.columns.append(columns)

    def whole(self) -> tuple[Column, ...]:
        return tuple(np.concatenate(column) for column in zip(*self.columns, strict=True))


def _hashes(texts: pa.ChunkedArray) -> Hashes:
    """128 bits of sha256 for each text, as two numbers."""
    whole = b"".join([hashlib.sha256(text).digest()[:16] for text in texts.cast(pa.binary()).to_pylist()])
    return np.frombuffer(whole, "<u8").reshape(-1, 2)


def _place(rows: pa.Table, i: int) -> str:
    kind, key = rows["aggregate_type"][i], rows["aggregate_id"][i]
    return f"record {rows['record'][i]}, position {rows['position'][i]}: {kind} {key}"
