"""A log whose events are a pure function of their position: any process can hold it, any test can tell what is in it.

Eleven aggregates take turns. `last` is the end, or a file that holds it and that a test rewrites to make the log grow.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

AGGREGATES = 11
START = datetime(2013, 1, 1, 5, 15, 0, 250_000, tzinfo=UTC)


@dataclass(frozen=True)
class End:
    position: int


@dataclass
class GeneratedLog:
    last: int | Path
    domain: str = "harbour"

    def end(self) -> End:
        return End(int(self.last.read_text() or 0) if isinstance(self.last, Path) else self.last)

    def events(self, after_position: int = 0, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        end = self.end().position
        for first in range(after_position + 1, end + 1, batch_rows):
            yield batch(first, min(first + batch_rows - 1, end), self.domain)


def batch(first: int, last: int, domain: str = "harbour") -> pa.RecordBatch:
    """Events `first` to `last`, both included."""
    rows = [event(position, domain) for position in range(first, last + 1)]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def event(position: int, domain: str = "harbour") -> dict[str, object]:
    aggregate, sequence = (position - 1) % AGGREGATES, (position - 1) // AGGREGATES + 1
    data = f'{{"state":{{"properties":{{"n":{position}}}}}}}'
    return {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{domain} {position}")),
        "event_type": "ObjectCreated" if sequence == 1 else "ObjectUpdated",
        "domain": domain,
        "branch": "main",
        "aggregate_type": "Ship",
        "aggregate_id": f"ship/{aggregate}",
        "sequence_number": sequence,
        "occurred_at": START + timedelta(microseconds=position),
        "recorded_at": START + timedelta(days=1),
        "schema_version": "1",
        "data": data,
        "metadata": "{}",
        "state_hash": hashlib.sha256(data.encode()).hexdigest(),
        "position": position,
        "bucket": "00",
        "batch_id": "b",
    }


_TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    {
        name: {"sequence_number": pa.int64(), "position": pa.int64(), "occurred_at": _TIME, "recorded_at": _TIME}.get(
            name, pa.string()
        )
        for name in (
            *("event_id", "event_type", "domain", "branch", "aggregate_type", "aggregate_id", "sequence_number"),
            *("occurred_at", "recorded_at", "actor", "command_id", "correlation_id", "causation_id", "schema_version"),
            *("data", "metadata", "state_hash", "position", "bucket", "batch_id", "owner"),
        )
    }
)
