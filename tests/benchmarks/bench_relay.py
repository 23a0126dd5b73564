"""Relay a year of events to the embedded topic, against bare sqlite3 `executemany` of the same rows.

`python -m tests.benchmarks.bench_relay` prints one JSON line a figure (`figures.py`). Each side runs in a process of
its own, in turns, and the best time of each counts: what else the machine does only ever adds.
"""

import argparse
import hashlib
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from ontology_assets.cloudevents import messages
from ontology_assets.events.envelope import DRAFT_SCHEMA, Draft, bucket_of, derived_id
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.relay import Relay
from resources.lean_arrow import keep_pandas_out
from resources.object_store.local import LocalObjectStore
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.benchmarks.figures import SCALE, at_most, figure

DOMAIN = "bench"
YEAR = max(2_000, int(373_107 * SCALE))
ROUNDS = 3 if SCALE >= 0.1 else 1
CHUNK = 31_000
"""Events of a record: about a month of the sample data."""


def write_log(home: Path, events: int) -> None:
    log = open_log(home)
    heads = Heads(home / "heads.sqlite", log)
    for first in range(0, events, CHUNK):
        rows = [draft_row(number) for number in range(first, min(first + CHUNK, events))]
        draft = Draft(batch=derived_id("bench", str(first)), events=pa.Table.from_pylist(rows, schema=DRAFT_SCHEMA))
        log.append(heads, lambda _, draft=draft: draft)


def draft_row(number: int) -> dict[str, object]:
    """As large as an object of the sample data with its 19 properties and 5 links."""
    properties = {f"property_{letter}": number * 7 % 2_400 for letter in "abcdefghijklm"}
    names = {f"name_{letter}": f"N{number % 4_000:05d}" for letter in "abcdef"}
    links = {f"link_{letter}": [f"X{number % 100}"] for letter in "abcde"}
    state = json.dumps({"links": links, "properties": {**names, **properties}}, separators=(",", ":"), sort_keys=True)
    key = f"B6/{number}/JFK/2013-01-01T11%3A00%3A00Z"
    return {
        "event_id": derived_id("bench", key),
        "event_type": "ObjectCreated",
        "aggregate_type": "Thing",
        "aggregate_id": key,
        "sequence_number": 1,
        "occurred_at": None,
        "data": f'{{"state":{state}}}',
        "metadata": '{"run_id":"bench"}',
        "state_hash": hashlib.sha256(state.encode()).hexdigest(),
        "bucket": bucket_of(key),
        "owner": "ontology/thing/objects@2013-01-01",
    }


def open_log(home: Path) -> EventLog:
    return EventLog(LocalObjectStore(home / "objects"), DOMAIN)


def relay(home: Path) -> dict[str, float]:
    remove(home / "topic.sqlite")
    began = time.perf_counter()
    registry = SqliteRegistry(home / "registry.sqlite")
    done = catch_up(open_log(home), Relay(SqliteTopic(home / "topic.sqlite"), DOMAIN), registry, owner="bench")
    return {"events": done.events, "seconds": time.perf_counter() - began}


def decode(home: Path) -> dict[str, float]:
    """Reading the log and naming its fields as messages, without writing."""
    began = time.perf_counter()
    events = sum(messages(batch).num_rows for batch in open_log(home).events())
    return {"events": events, "seconds": time.perf_counter() - began}


def bare(home: Path) -> dict[str, float]:
    """The messages as tuples, made beforehand, into one table with the same pragmas and transactions."""
    columns = ("key", "ce_id", "ce_type", "ce_source", "ce_time", "ce_position", "ce_sequence", "ce_statehash", "data")
    batches = []
    for batch in open_log(home).events():
        ready = messages(batch)
        values = [
            (ready.column(name).view(pa.int64()) if name == "ce_time" else ready.column(name)).to_pylist()
            for name in columns
        ]
        batches.append(list(zip(*values, strict=True)))
    remove(home / "bare.sqlite")
    connection = sqlite3.connect(home / "bare.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"CREATE TABLE messages (offset INTEGER PRIMARY KEY, {', '.join(columns)})")
    began = time.perf_counter()
    for rows in batches:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return {"events": sum(map(len, batches)), "seconds": time.perf_counter() - began}


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


SIDES = {"relay": relay, "decode": decode, "bare": bare}


def run_side(side: str, home: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_relay", "--side", side, "--home", str(home)]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    if given.side:
        keep_pandas_out()
        figures = SIDES[given.side](given.home)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(json.dumps({**figures, "cpu_seconds": round(time.process_time(), 2), "peak_rss_mb": round(peak)}))
        return
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        home = Path(folder)
        write_log(home, YEAR)
        rounds = [{side: run_side(side, home) for side in SIDES} for _ in range(ROUNDS)]
    assert all(one["events"] == YEAR for sides in rounds for one in sides.values())
    best = {side: min(one[side]["seconds"] for one in rounds) for side in SIDES}
    figure("relay to the embedded topic, events/s", YEAR / best["relay"], YEAR / best["bare"], 0.6)
    figure("of it reading the log, events/s", YEAR / best["decode"])
    at_most("relay, peak memory in MB", max(one["relay"]["peak_rss_mb"] for one in rounds), 450)


if __name__ == "__main__":
    main()
