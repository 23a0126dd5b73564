"""The event log against the bare tools on the same machine in the same run.

`python -m tests.benchmarks.bench_event_log` prints one JSON line a figure: {name, ours, bare, ratio, want, machine},
rates in events a second, or milliseconds where the name says so. SPICE_BENCH_SCALE=0.01 runs the same code at 1 %.
"""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealing import seal
from ontology_assets.events.verify import verify
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore
from tests.unit.events.making import DOMAIN, append, event, inline, rows, sha

SCALE = float(os.environ.get("SPICE_BENCH_SCALE", "1"))
YEAR = max(1_000, int(336_776 * SCALE))
COMMITS = max(100, int(10_000 * SCALE))
GROUP = 1_000
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def figure(name: str, ours: float, bare: float, want: float, *, lower_is_better: bool = False) -> None:
    ratio = bare / ours if lower_is_better else ours / bare
    line = {"name": name, "ours": ours, "bare": bare, "ratio": ratio, "want": want, "machine": MACHINE}
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}), flush=True)


@contextmanager
def fresh(root: Path, name: str) -> Iterator[tuple[EventLog, Heads]]:
    log = EventLog(LocalObjectStore(root / name / "objects"), DOMAIN)
    heads = Heads(root / name / "heads.sqlite", log)
    yield log, heads
    heads.close()


def seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def year() -> pa.Table:
    """As many objects as the sample has, as large as they are: 19 properties and 5 links."""
    table = rows(*((f"B6/{i}/JFK/2013-01-01T11%3A00%3A00Z", 1, 0) for i in range(YEAR)), owner="o")
    states = [_state(i) for i in range(YEAR)]
    table = table.set_column(6, "data", pa.array([f'{{"state":{state}}}' for state in states]))
    return table.set_column(8, "state_hash", pa.array([sha(state) for state in states]))


def _state(i: int) -> str:
    links = {f"link_{k}": [f"target/{(i * k) % 4_000}"] for k in range(5)}
    return orjson.dumps({"links": links, "properties": {f"property_{k}": i * k % 977 for k in range(19)}}).decode()


def bulk_append(root: Path, table: pa.Table) -> None:
    def bare() -> None:
        pq.write_table(table, root / "bare.parquet", compression="zstd", row_group_size=16_384)

    with fresh(root, "bulk") as (log, heads):
        ours = seconds(lambda: append(log, heads, Draft("year", events=table)))
        figure("bulk append, events/s", YEAR / ours, YEAR / seconds(bare), 0.5)
        fold = seconds(Heads(root / "again.sqlite", log).catch_up)
        figure("of it folding into heads, events/s", YEAR / fold, YEAR / ours, 0)
        ids = table["aggregate_id"].slice(0, min(30_000, YEAR))
        took = statistics.median(seconds(lambda: heads.lookup("Ship", ids)) for _ in range(5))
        figure("lookup of 30,000 ids in heads, ms", took * 1e3, 150.0, 1.0, lower_is_better=True)
        lake = LocalLake(root / "lake")
        sealing = seconds(lambda: seal(log, lake, DOMAIN))
        figure("sealing with its check, events/s", YEAR / sealing, YEAR / seconds(bare), 0)
        verifying = seconds(lambda: verify(log, heads, lake))
        figure("verify with heads and sealed history, events/s", YEAR / verifying, YEAR / seconds(bare), 0)


def follow(root: Path) -> None:
    """Decoding records of 1,000 inline events into Arrow, against zstd and orjson of the same events as JSON lines."""
    count = YEAR // GROUP
    with fresh(root, "follow") as (log, heads):
        packed = []
        for n in range(count):
            events = [event(f"a/{n}/{i}", 1, f"{n} {i}" * 20) for i in range(GROUP)]
            append(log, heads, inline(*events))
            packed.append(zstandard.compress(b"\n".join(orjson.dumps(vars(e)) for e in events), 1))

        def bare() -> None:
            for part in packed:
                for line in zstandard.decompress(part).split(b"\n"):
                    orjson.loads(line)

        ours = seconds(lambda: sum(batch.num_rows for batch in log.events()))
        figure("follow the log, events/s", count * GROUP / ours, count * GROUP / seconds(bare), 0.7)


def single_commits(root: Path) -> None:
    """Durable one-event commits, against bare durable puts of as many bytes in turn."""
    with fresh(root, "single") as (log, heads):
        ours, bare = list[float](), list[float]()
        for i in range(COMMITS):
            draft = inline(event(f"ship/{i % 500}", i // 500 + 1, i))
            ours.append(seconds(lambda d=draft: append(log, heads, d)))
            if i < 1_000 or i >= COMMITS - 1_000:
                bare.append(seconds(lambda i=i: log.store.put_if_absent(f"bare/{i}", b"x" * 1_700)))
        first, last = ours[:1_000], ours[-1_000:]
        figure(
            "one durable commit, p50 in ms",
            statistics.median(last) * 1e3,
            statistics.median(bare) * 1e3,
            0.5,
            lower_is_better=True,
        )
        figure(
            f"p50 of the last 1,000 of {COMMITS:,} commits against the first, ms",
            statistics.median(last) * 1e3,
            statistics.median(first) * 1e3,
            0.8,
            lower_is_better=True,
        )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        root = Path(folder)
        bulk_append(root, year())
        follow(root)
        single_commits(root)


if __name__ == "__main__":
    main()
