"""What is true: the records in the store, read without any of the code under test, and what follows from them.

Every record is looked at the moment it appears, so a wrong commit is named at its own step. `Violation` carries the
invariant's name of `reliability.md`.
"""

import hashlib
import io
import json
import struct
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

_FRAME = struct.Struct("<8sIQ")
_CHAIN = 32
NULL_HASH = hashlib.sha256(b"null").hexdigest()


class Violation(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        self.invariant, self.detail = invariant, detail
        super().__init__(f"{invariant}: {detail}")


@dataclass(frozen=True)
class Event:
    """One event, as far as checks look at it."""

    position: int
    id: str
    kind: str
    type: str
    key: str
    sequence: int
    state: str
    state_hash: str
    owner: str | None
    record: int
    batch: str

    @property
    def deleted(self) -> bool:
        return self.state == "null"


@dataclass
class TrueRecord:
    n: int
    batch: str
    chain: str
    sha: str
    events: list[Event]
    recorded_at: int


@dataclass
class Truth:
    """The log as the store holds it."""

    records: list[TrueRecord] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    by_id: dict[str, Event] = field(default_factory=dict)
    heads: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    log_id: str = ""

    @property
    def position(self) -> int:
        return len(self.events)

    def of(self, key: str, kind: str = "Box") -> list[Event]:
        return self.heads.get((kind, key), [])

    def add(self, n: int, data: bytes, files: dict[str, bytes]) -> TrueRecord:
        """The next record. Raises Violation."""
        if n < len(self.records):
            raise Violation("I1 acked is for ever", f"record {n} was written over")
        if n != len(self.records):
            raise Violation("I3 positions dense", f"record {n} was written, the log has {len(self.records)} records")
        _, header_bytes, body_bytes = _FRAME.unpack_from(data)
        start = _FRAME.size + header_bytes
        header = json.loads(data[_FRAME.size : start])
        before = self.records[-1].chain if self.records else "0" * 64
        chain = hashlib.sha256(bytes.fromhex(before) + data[:-_CHAIN]).digest()
        if chain != data[-_CHAIN:] or header["prev"] != before:
            raise Violation("I3 hash chain", f"record {n} does not follow record {n - 1}")
        if len(data) != start + body_bytes + _CHAIN:
            raise Violation("I3 hash chain", f"record {n} is torn")
        if self.records and header["recorded_at"] < self.records[-1].recorded_at:
            raise Violation("I3 recorded_at", f"record {n} was recorded before its predecessor")
        if header["first"] != self.position + 1:
            raise Violation("I3 positions dense", f"record {n} begins at {header['first']}, not {self.position + 1}")
        self.log_id = self.log_id or header["log_id"]
        rows = [
            row for file in header.get("files", ()) for row in pq.read_table(io.BytesIO(files[file["key"]])).to_pylist()
        ]
        rows += _inline(data[start:-_CHAIN])
        events = [_event(self.position + 1 + k, row, n, header["batch"]) for k, row in enumerate(rows)]
        if header["last"] != self.position + len(events):
            raise Violation("I3 positions dense", f"record {n} ends at {header['last']}, it holds {len(events)} events")
        for event in events:
            self._add_event(event)
        record = TrueRecord(
            n, header["batch"], chain.hex(), hashlib.sha256(data).hexdigest(), events, header["recorded_at"]
        )
        self.records.append(record)
        return record

    def _add_event(self, event: Event) -> None:
        earlier = self.by_id.get(event.id)
        if earlier is not None:
            raise Violation(
                "I4 one event per id",
                f"event {event.id} is at position {earlier.position} and again in record "
                f"{event.record} ({event.type} {event.key})",
            )
        history = self.heads.setdefault((event.type, event.key), [])
        if event.sequence != len(history) + 1:
            raise Violation(
                "I2 sequence 1..n",
                f"record {event.record}: {event.type} {event.key} has sequence {event.sequence} after {len(history)}",
            )
        if hashlib.sha256(event.state.encode()).hexdigest() != event.state_hash:
            raise Violation(
                "I2 state hash", f"record {event.record}: {event.key} has another state hash than its state"
            )
        self.by_id[event.id] = event
        history.append(event)
        self.events.append(event)


def again(objects: dict[str, Any], prefix: str, files: dict[str, bytes]) -> Truth:
    """The truth read anew from the store, after something was lost."""
    truth = Truth()
    for key in sorted(k for k in objects if k.startswith(prefix)):
        truth.add(int(key.rpartition("/")[2]), objects[key].data, files)
    return truth


def _inline(body: bytes) -> list[dict[str, Any]]:
    if not body:
        return []
    stream = pa.ipc.open_stream(zstandard.ZstdDecompressor().decompress(body))
    rows: list[dict[str, Any]] = stream.read_all().to_pylist()
    return rows


def _event(position: int, row: dict[str, Any], n: int, batch: str) -> Event:
    state = json.loads(row["data"])["state"]
    return Event(
        position,
        row["event_id"],
        row["event_type"],
        row["aggregate_type"],
        row["aggregate_id"],
        row["sequence_number"],
        text_of(state),
        row["state_hash"],
        row["owner"],
        n,
        batch,
    )


def text_of(state: Any) -> str:
    """Canonical text of strings, integers and lists: all that the workload uses."""
    return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
