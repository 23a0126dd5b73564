"""Events, drafts and logs for the tests of the event log. Hashes and buckets are worked out here, independently."""

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from ontology_assets.events.envelope import DRAFT_SCHEMA, Draft, NewEvent
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import Commit, EventLog
from resources.object_store.base import ObjectStore
from resources.object_store.local import LocalObjectStore

DOMAIN = "harbour"


def state_of(value: Any) -> str:
    """Canonical text of a state with one property; None for a deleted object."""
    return "null" if value is None else json.dumps({"properties": {"v": value}}, separators=(",", ":"))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def kind_of(sequence: int, value: Any) -> str:
    if value is None:
        return "ObjectDeleted"
    return "ObjectCreated" if sequence == 1 else "ObjectUpdated"


def event(key: str, sequence: int, value: Any = 0, *, kind: str = "Ship", **more: Any) -> NewEvent:
    state = state_of(value)
    return NewEvent(
        event_id=more.pop("event_id", str(uuid.uuid4())),
        event_type=more.pop("event_type", kind_of(sequence, value)),
        aggregate_type=kind,
        aggregate_id=key,
        sequence_number=sequence,
        data=f'{{"state":{state}}}',
        state_hash=sha(state),
        **more,
    )


def inline(*events: NewEvent, batch: str | None = None) -> Draft:
    return Draft(batch or str(uuid.uuid4()), inline=list(events))


def rows(*given: tuple[str, int, Any], kind: str = "Ship", owner: str | None = None) -> pa.Table:
    """A bulk table of (key, sequence, value)."""
    made = []
    for key, sequence, value in given:
        state = state_of(value)
        made.append(
            {
                "event_id": str(uuid.uuid4()),
                "event_type": kind_of(sequence, value),
                "aggregate_type": kind,
                "aggregate_id": key,
                "sequence_number": sequence,
                "occurred_at": None,
                "data": f'{{"state":{state}}}',
                "metadata": "{}",
                "state_hash": sha(state),
                "bucket": sha(key)[:2],
                "owner": owner,
            }
        )
    return pa.Table.from_pylist(made, schema=DRAFT_SCHEMA)


def fleet(count: int, *, first: int = 0, kind: str = "Ship", owner: str | None = None) -> pa.Table:
    """`count` new objects in bulk."""
    return rows(*((f"ship/{i}", 1, i) for i in range(first, first + count)), kind=kind, owner=owner)


def bulk(table: pa.Table, *events: NewEvent, **more: Any) -> Draft:
    return Draft(str(uuid.uuid4()), events=table, inline=list(events), **more)


def always(draft: Draft | None) -> Callable[[Heads], Draft | None]:
    return lambda _: draft


def next_of(key: str, value: Any, *, kind: str = "Ship", **more: Any) -> Callable[[Heads], Draft]:
    """A decision that reads the aggregate's head and appends its next event."""

    def decide(heads: Heads) -> Draft:
        found = heads.lookup(kind, pa.array([key]))
        sequence = found["sequence"][0].as_py() if found.num_rows else 0
        return inline(event(key, sequence + 1, value, kind=kind, **more))

    return decide


def open_log(root: Path, store: ObjectStore | None = None, **more: Any) -> tuple[EventLog, Heads]:
    """A log below `root` (or on the store given) and heads of their own."""
    log = EventLog(store or LocalObjectStore(root / "objects"), DOMAIN, **more)
    return log, Heads(root / "heads" / f"{uuid.uuid4().hex}.sqlite", log)


def append(log: EventLog, heads: Heads, draft: Draft) -> Commit:
    commit = log.append(heads, always(draft))
    assert commit is not None
    return commit


def everything(log: EventLog, batch_rows: int = 10_000) -> list[dict[str, Any]]:
    return [row for batch in log.events(batch_rows=batch_rows) for row in batch.to_pylist()]


def record_path(root: Path, n: int) -> Path:
    return root / "objects" / "log" / DOMAIN / f"{n:020d}"


def data_files(root: Path) -> list[Path]:
    return sorted((root / "objects" / "log-data" / DOMAIN).glob("*.parquet"))
