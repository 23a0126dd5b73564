"""A log whose events are a pure function of their position: any process can hold it, any test can tell what is in it.

Eleven aggregates take turns. `last` is the end, or a file that holds it and that a test rewrites to make the log grow.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ontology_assets.events.envelope import HISTORY

AGGREGATES = 11
START = datetime(2013, 1, 1, 5, 15, 0, 250_000, tzinfo=UTC)


@dataclass(frozen=True)
class End:
    position: int


@dataclass
class GeneratedLog:
    last: int | Path
    domain: str = "harbour"
    log_id: str = "log 1"

    def end(self) -> End:
        return End(int(self.last.read_text() or 0) if isinstance(self.last, Path) else self.last)

    def holds(self, history: str) -> bool:
        position, _, log_id = history.partition("/")
        return log_id == self.log_id and int(position) <= self.end().position

    def events(self, after_position: int = 0, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        end = self.end().position
        for first in range(after_position + 1, end + 1, batch_rows):
            last = min(first + batch_rows - 1, end)
            rows = batch(first, last, self.domain)
            yield rows.replace_schema_metadata({HISTORY: f"{last}/{self.log_id}".encode()})


def batch(first: int, last: int, domain: str = "harbour") -> pa.RecordBatch:
    """Events `first` to `last`, both included."""
    positions = range(first, last + 1)
    columns = {name: [make(position, domain) for position in positions] for name, make in FIELDS.items()}
    arrays = [pa.array(columns.get(field.name) or [None] * len(positions), field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def event(position: int, domain: str = "harbour") -> dict[str, Any]:
    return {name: make(position, domain) for name, make in FIELDS.items()}


FIELDS: dict[str, Callable[[int, str], Any]] = {
    "event_id": lambda position, domain: f"{domain}-{position:032x}",
    "event_type": lambda position, _: "ObjectCreated" if position <= AGGREGATES else "ObjectUpdated",
    "domain": lambda _, domain: domain,
    "branch": lambda *_: "main",
    "aggregate_type": lambda *_: "Ship",
    "aggregate_id": lambda position, _: f"ship/{(position - 1) % AGGREGATES}",
    "sequence_number": lambda position, _: (position - 1) // AGGREGATES + 1,
    "occurred_at": lambda position, _: START + timedelta(microseconds=position),
    "recorded_at": lambda *_: START + timedelta(days=1),
    "schema_version": lambda *_: "1",
    "data": lambda position, _: f'{{"state":{{"properties":{{"n":{position}}}}}}}',
    "metadata": lambda *_: "{}",
    "state_hash": lambda position, _: f"{position:064x}",
    "position": lambda position, _: position,
    "bucket": lambda *_: "00",
    "batch_id": lambda *_: "b",
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
