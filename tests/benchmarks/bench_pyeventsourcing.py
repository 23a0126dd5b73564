"""The event log beside pyeventsourcing, the best known event store of Python: appending one by one, in bulk, reading.

`python -m tests.benchmarks.bench_pyeventsourcing` prints one JSON line a figure (`figures.py`); bare is pyeventsourcing.
The same for both: machine, disk, one process and one thread, the same states as JSON text of about 500 bytes, each
event with its aggregate's id and version, the version checked at the append (optimistic concurrency), and durability:
an append returns after the disk has it. For SQLite that is WAL with synchronous=FULL, which is asserted; ours syncs the
record and its folder (two syncs for their one), and moves on its heads. Each side is given its events ready-made in its own form: ours an Arrow
table for bulk, objects for single ones; pyeventsourcing domain events, through its event store with its own mapper.

What each does beyond that is in its figure: ours hashes and chains, names each event for ever, finds repeated commands;
pyeventsourcing keeps an index by aggregate in the same file. Read is all events in order: as rows of Arrow against
stored rows, and as Python values against domain events.

PostgreSQL is measured too where pyeventsourcing's own variables (POSTGRES_DBNAME, ...) name an empty database and psycopg
is installed, which it is not by default.
"""

import os
import statistics
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson
import pyarrow as pa
from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import Notification
from eventsourcing.sqlite import SQLiteApplicationRecorder

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from tests.benchmarks.bench_event_log import fresh, seconds
from tests.benchmarks.figures import SCALE, figure
from tests.unit.events.making import append, event, inline, rows, state_of

SINGLE = max(30, int(1_000 * SCALE))
BULK = max(2_000, int(100_000 * SCALE))
PAGE, ROUNDS = 10_000, 3
STREAMS = [uuid.uuid5(uuid.NAMESPACE_URL, str(n)) for n in range(500)]
TEXT = "x" * 470
SAME = ["aggregate_id", "sequence_number", "event_type", "recorded_at", "data"]
FULL = 2
"""SQLite's synchronous=FULL: a commit waits for the disk."""


@dataclass(frozen=True)
class Changed(DomainEvent):
    """An event that carries the whole state, as ours do."""

    state: str


def their_event(stream: uuid.UUID, version: int, value: str) -> Changed:
    return Changed(stream, version, Changed.create_timestamp(), state_of(value))


def value_of(number: int) -> str:
    return f"{TEXT}{number:08d}"


def stores(root: Path) -> Iterator[tuple[str, Application[uuid.UUID]]]:
    settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(root / "theirs.sqlite")}
    yield "SQLite", Application(settings)
    if os.environ.get("POSTGRES_DBNAME"):
        yield "PostgreSQL", Application({"PERSISTENCE_MODULE": "eventsourcing.postgres"})


def check_durable(app: Application[uuid.UUID]) -> None:
    """Or the comparison would be with a store that has not written yet."""
    if isinstance(app.recorder, SQLiteApplicationRecorder):
        with app.recorder.datastore.transaction(commit=False) as cursor:
            for pragma, wanted in (("synchronous", FULL), ("journal_mode", "wal")):
                cursor.execute(f"PRAGMA {pragma}")
                found = cursor.fetchone()[0]
                assert found == wanted, f"SQLite's {pragma} is {found}"


def single(name: str, log: EventLog, heads: Heads, app: Application[uuid.UUID]) -> None:
    """One event an append, in turns, so that both meet the same disk."""
    ours, theirs = list[float](), list[float]()
    for number in range(SINGLE):
        stream, version = STREAMS[number % len(STREAMS)], number // len(STREAMS) + 1
        draft = inline(event(str(stream), version, value_of(number)))
        ours.append(seconds(partial(append, log, heads, draft)))
        theirs.append(seconds(partial(app.events.put, [their_event(stream, version, value_of(number))])))
    p50 = [1e3 * statistics.median(times) for times in (ours, theirs)]
    figure(f"one append, p50 in ms, beside pyeventsourcing on {name}", *p50, 0.3, lower_is_better=True)


def bulk(name: str, log: EventLog, heads: Heads, app: Application[uuid.UUID]) -> None:
    """All at once: one commit of ours, one transaction of theirs."""
    keys = [uuid.uuid5(uuid.NAMESPACE_URL, f"bulk {name} {n}") for n in range(BULK)]
    table = rows(*((str(key), 1, value_of(n)) for n, key in enumerate(keys)))
    events = [their_event(key, 1, value_of(n)) for n, key in enumerate(keys)]
    ours = seconds(lambda: append(log, heads, Draft(f"bulk-{name}", events=table)))
    theirs = seconds(lambda: app.events.put(events))
    figure(f"bulk append, events/s, beside pyeventsourcing on {name}", BULK / ours, BULK / theirs, 2.0)


def read(name: str, log: EventLog, app: Application[uuid.UUID]) -> None:
    """Everything from the beginning, in pages of 10,000; the best of three."""

    def best(pages: Callable[[], Iterator[object]]) -> float:
        return min(seconds(lambda: sum(1 for _ in pages())) for _ in range(ROUNDS))

    count = sum(batch.num_rows for batch in our_rows(log))
    assert count == sum(len(page) for page in their_rows(app)) == SINGLE + BULK, f"an empty {name} database is needed"
    ours, theirs = best(lambda: our_rows(log)), best(lambda: their_rows(app))
    figure(f"read as rows, events/s, beside pyeventsourcing on {name}", count / ours, count / theirs, 1.0)
    ours, theirs = best(lambda: our_values(log)), best(lambda: their_values(app))
    figure(f"read as Python values, events/s, beside pyeventsourcing on {name}", count / ours, count / theirs, 1.0)


def our_rows(log: EventLog) -> Iterator[pa.RecordBatch]:
    return log.events(batch_rows=PAGE)


def our_values(log: EventLog) -> Iterator[list[dict[str, object]]]:
    """Each event as a dict of what theirs has too, its data read."""
    for batch in our_rows(log):
        values = batch.select(SAME).to_pylist()
        for value in values:
            value["data"] = orjson.loads(value["data"])
        yield values


def their_rows(app: Application[uuid.UUID]) -> Iterator[list[Notification]]:
    start = 1
    while page := list(app.recorder.select_notifications(start, PAGE)):
        yield page
        start = page[-1].id + 1


def their_values(app: Application[uuid.UUID]) -> Iterator[list[object]]:
    """Each event as a domain event, its state read."""
    for page in their_rows(app):
        events = [app.mapper.to_domain_event(stored) for stored in page]
        yield [(one, orjson.loads(one.state)) for one in events]  # type: ignore[attr-defined]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        root = Path(folder)
        for name, app in stores(root):
            check_durable(app)
            with fresh(root, name) as (log, heads):
                single(name, log, heads, app)
                bulk(name, log, heads, app)
                read(name, log, app)
            app.close()


if __name__ == "__main__":
    main()
