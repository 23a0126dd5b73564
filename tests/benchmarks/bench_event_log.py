"""The event log against the bare tools on the same machine in the same run.

`python -m tests.benchmarks.bench_event_log` prints one JSON line a figure (`figures.py`): rates in events a second, or
milliseconds where the name says so. SPICE_BENCH_SCALE=0.01 runs the same code at 1 %.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from ontology_assets.commands.service import CommandDomain, CommandService
from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import seal
from ontology_assets.events.verify import verify
from ontology_assets.model.definitions import Domain, ObjectType
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore
from tests.benchmarks.figures import SCALE, at_most, figure
from tests.unit.events.counted import Counted, NotSynced
from tests.unit.events.making import DOMAIN, append, event, inline, rows, sha

YEAR = max(1_000, int(336_776 * SCALE))
COMMITS = max(300, int(100_000 * SCALE))
MEASURED = max(100, min(1_000, int(10_000 * SCALE)))
CLIENTS = 64
SEALED = max(40_000, int(1_000_000 * SCALE))
GROUP = 1_000


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
        figure("of it folding into heads, events/s", YEAR / fold)
        ids = table["aggregate_id"].slice(0, min(30_000, YEAR))
        took = statistics.median(seconds(lambda: heads.lookup("Ship", ids)) for _ in range(5))
        at_most("lookup of 30,000 ids in heads, ms", took * 1e3, 150.0)
        lake = LocalLake(root / "lake")
        sealing = seconds(lambda: seal(log, lake, DOMAIN))
        figure("sealing with its check, events/s", YEAR / sealing, YEAR / seconds(bare))
        verifying = seconds(lambda: verify(log, heads, lake))
        figure("verify with heads and sealed history, events/s", YEAR / verifying, YEAR / seconds(bare))


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
    """Durable one-event commits: the first and last {MEASURED:,} of many, beside bare durable puts of as many bytes.

    Those between are not synced, which changes nothing of what the last ones find.
    """
    young, old = root / "young", root / "old"
    log = EventLog(NotSynced(old / "objects"), DOMAIN)
    heads = Heads(old / "heads.sqlite", log)
    rss = 0
    for i in range(COMMITS - MEASURED):
        append(log, heads, inline(event(f"ship/{i % 500}", i // 500 + 1, i)))
        if i == MEASURED:
            rss = psutil.Process().memory_info().rss
    grown = psutil.Process().memory_info().rss
    heads.close()
    logs = []
    for folder in (young, old):
        log = EventLog(LocalObjectStore(folder / "objects"), DOMAIN)
        logs.append((log, Heads(folder / "heads.sqlite", log)))
        logs[-1][1].catch_up()
    first, last, bare = list[float](), list[float](), list[float]()
    for i in range(MEASURED):
        for (log, heads), times, start in ((logs[0], first, 0), (logs[1], last, COMMITS - MEASURED)):
            at = start + i
            draft = inline(event(f"ship/{at % 500}", at // 500 + 1, at))
            times.append(seconds(partial(append, log, heads, draft)))
        bare.append(seconds(partial(logs[0][0].store.put_if_absent, f"bare/{i}", b"x" * 1_700)))
    last_ms, first_ms = statistics.median(last) * 1e3, statistics.median(first) * 1e3
    figure("one durable commit, p50 in ms", last_ms, statistics.median(bare) * 1e3, 0.5, lower_is_better=True)
    figure(f"p50 of the last {MEASURED:,} of {COMMITS:,} commits, ms", last_ms, first_ms, 0.8, lower_is_better=True)
    figure(f"memory after {COMMITS:,} commits, MB", grown / 1e6, rss / 1e6, 0.9, lower_is_better=True)


def clients(root: Path) -> None:
    """Durable commands: 64 asyncio clients of one process against one client, in turns."""
    ship = ObjectType.model_validate(
        {"name": "Ship", "key": ["n"], "title": "n", "properties": {"n": {"type": "integer"}, "v": {"type": "string"}}}
    )
    domain = Domain(name=DOMAIN, datasets={}, object_types={"Ship": ship}, mappings={})
    with fresh(root, "clients") as (log, heads):
        service = CommandService([CommandDomain(domain, log, lambda: heads)])
        made = iter(range(10_000_000))

        async def work(many: int, each: int) -> None:
            async def client(k: int) -> None:
                for i in range(each):
                    command: dict[str, object] = {"command_id": f"c{next(made)}", "type": "Ship"}
                    if i == 0:
                        key = next(made)
                        command |= {"command": "create", "properties": {"n": key, "v": "x"}}
                    else:
                        command |= {"command": "update", "id": str(key), "properties": {"v": f"{k} {i}"}}
                    assert (await service.arun(command, 60.0)).status == "done"

            await asyncio.gather(*(client(k) for k in range(many)))

        each = max(20, int(100 * SCALE))
        alone, together = list[float](), list[float]()
        for _ in range(5):
            alone.append(2 * each / seconds(lambda: asyncio.run(work(1, 2 * each))))
            together.append(CLIENTS * each / seconds(lambda: asyncio.run(work(CLIENTS, each))))
        service.close()
    figure(f"{CLIENTS} clients against one, commands/s", statistics.median(together), statistics.median(alone), 20.0)


def sealed_reads(root: Path) -> None:
    """Bytes read of the sealed history for one aggregate, and for one day of one bucket, against all of its bytes."""
    lake, load = LocalLake(root / "sealed-lake"), min(SEALED, 125_000)
    noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    with fresh(root, "sealed") as (log, heads):
        for first in range(0, SEALED, load):
            table = rows(*((f"ship/{i}", 1, _state(i)) for i in range(first, first + load)))
            days = pa.array([noon + timedelta(days=i % 365) for i in range(load)], pa.timestamp("us", "UTC"))
            append(log, heads, Draft(f"load-{first}", events=table.set_column(5, "occurred_at", days)))
        seal(log, lake, DOMAIN)
    size = sum(Path(file).stat().st_size for file in lake.files(f"events/{DOMAIN}"))
    for name, want, read in (
        ("one aggregate", 0.05, lambda history: history.aggregate("Ship", "ship/77")),
        ("one day of one bucket", 0.10, lambda history: history.day_bucket(date(2013, 3, 3), "a")),
    ):
        tally = [0]
        took = seconds(partial(read, SealedHistory(lake, DOMAIN, partial(Counted, tally=tally))))
        at_most(f"bytes read for {name} of {SEALED:,} sealed events", tally[0], int(size * want))
        figure(f"reading {name}, ms", took * 1e3)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        root = Path(folder)
        bulk_append(root, year())
        follow(root)
        single_commits(root)
        clients(root)
        sealed_reads(root)


if __name__ == "__main__":
    main()
