"""Build a read model again from a long log, and compare it with the log: time, memory, and what the checks take of it.

`python -m tests.benchmarks.bench_rebuild` prints one JSON line a figure (`figures.py`). Each part runs in a process of
its own, so that its memory is its own. Logs are synthetic and sealed: of ten events an object for memory and replay, of
one event an object and as many as the sample has for the checks. SPICE_LONG_TESTS=1 makes the first ten million events
over a million objects, which takes some ten minutes; otherwise it is a tenth of that.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ontology_assets.events.envelope import DRAFT_SCHEMA, Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealing import seal, table_of
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import ALL_BUCKETS, log_content
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.quick import quick
from ontology_assets.projections.rebuild.fill import fill_bucket, open_rebuild
from ontology_assets.projections.rebuild.place import Place, open_place
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.repair import verify
from resources.home import Home
from resources.lake.local import LocalLake
from resources.lean_arrow import keep_pandas_out
from resources.registry.sql import SqliteRegistry
from tests.benchmarks.figures import SCALE, at_most, figure
from tests.unit.events.counted import NotSynced

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
EVENTS = int((10_000_000 if LONG else 1_000_000) * SCALE)
EACH = 10
"""Events an object has in the long log, each in another load."""
SAMPLE = int(336_776 * SCALE)
MB = 1.5 * 1024
FLAT = 0.8 if LONG else 0.6
"""What memory for a tenth of the log has to be of that for all of it: below a million events parts are not full yet."""
PROJECTION, NAME, KIND = "search", "depot", "Part"
DEPOT = Domain.model_validate(
    {
        "name": NAME,
        "datasets": {},
        "mappings": {},
        "object_types": {
            KIND: {
                "name": KIND,
                "key": ["code"],
                "title": "name",
                "properties": {
                    "code": {"type": "string"},
                    "count": {"type": "integer?"},
                    "made": {"type": "timestamp?"},
                    "name": {"type": "string?", "search": "text"},
                    "price": {"type": "decimal(10,2)?"},
                    "weight": {"type": "double?"},
                },
                "links": {"fits": {"to": KIND, "by": ["code"], "inverse": "fitted_by"}},
            }
        },
    }
)


def load(db: duckdb.DuckDBPyConnection, objects: int, sequence: int) -> pa.Table:
    """The event of this sequence of each object, made in columns."""
    made = db.sql(
        f"""
        SELECT uuid()::VARCHAR AS event_id, '{"ObjectCreated" if sequence == 1 else "ObjectUpdated"}' AS event_type,
               '{KIND}' AS aggregate_type, id AS aggregate_id, {sequence}::BIGINT AS sequence_number,
               NULL::TIMESTAMPTZ AS occurred_at, '{{"state":' || state || '}}' AS data, '{{}}' AS metadata,
               sha256(state) AS state_hash, substr(sha256(id), 1, 2) AS bucket, 'load' AS owner
        FROM (SELECT id, '{{"links":{{"fits":["P' || (n * 7 % {objects}) || '"]}},"properties":{{"code":"' || id
                  || '","count":' || (n * {sequence} % 1000) || ',"made":"2013-0' || (1 + n % 9)
                  || '-11T0' || {sequence - 1} || ':30:00.000000Z","name":"part ' || (n % 5000) || ' of batch '
                  || (n // 5000) || '","price":"' || (n % 900) || '.50","weight":' || (n % 700) || '.25}}}}' AS state
              FROM (SELECT range AS n, 'P' || range AS id FROM range({objects})))
        """
    ).to_arrow_table()
    return made.cast(DRAFT_SCHEMA)


def make(folder: Path, objects: int, each: int) -> dict[str, Any]:
    """A log of so many events for each object, sealed. Nothing waits for the disk."""
    home = Home(folder)
    log = EventLog(NotSynced(home.objects), NAME)
    heads = Heads(home.heads / f"{NAME}.sqlite", log)
    db = duckdb.connect()
    for sequence in range(1, each + 1):
        rows = load(db, objects, sequence)
        log.append(heads, lambda _, rows=rows, n=sequence: Draft(f"load-{n}", events=rows), whole=False)
    heads.close()
    seal(log, LocalLake(home.lake), NAME)
    return {}


def place_of(folder: Path) -> Place:
    home = Home(folder)
    return open_place(home, PROJECTION, [DEPOT], SqliteRegistry(home.registry), owner="bench")


def timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def replay(folder: Path) -> dict[str, Any]:
    """The whole log into a new generation."""
    place = place_of(folder)
    opened = open_rebuild(place)

    def fill() -> None:
        for bucket in ALL_BUCKETS:
            fill_bucket(place, opened, bucket)

    return {"seconds": timed(fill)}


def swap_in(folder: Path) -> dict[str, Any]:
    """Its indexes, all buckets compared once more, and the move."""
    place = place_of(folder)
    return {"seconds": timed(lambda: swap(place))}


def check(folder: Path) -> dict[str, Any]:
    """The full check, one bucket (the mean of some), the quick one after a full one."""
    place, some = place_of(folder), (0, 7, 15)
    whole = timed(lambda: agreed(place, ALL_BUCKETS))
    bucket = sum(timed(lambda one=one: agreed(place, [one])) for one in some) / len(some)  # type: ignore[misc]
    found: list[Any] = []
    quickly = timed(lambda: found.extend(quick(place)))
    assert not any(one.comparison.different for one in found)
    return {"whole": whole, "bucket": bucket, "quick": quickly}


def agreed(place: Place, buckets: Any) -> None:
    assert not any(one.different for one in verify(place, buckets))


def fold(folder: Path) -> dict[str, Any]:
    """Histories to documents, with nothing written; and the same files, only read."""
    place, layout = place_of(folder), domain_layout(DEPOT)
    (source,) = place.sources
    position = source.log.end().position

    def documents() -> None:
        for bucket in ALL_BUCKETS:
            for _ in log_content(source.histories, layout, bucket, position):
                pass

    def scan() -> None:
        for file in LocalLake(Home(folder).lake).files(table_of(NAME)):
            with pq.ParquetFile(file) as opened:
                opened.read(use_threads=False)

    return {"fold": timed(documents), "scan": timed(scan)}


SIDES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "replay": replay,
    "swap": swap_in,
    "check": check,
    "fold": fold,
}


def run_side(side: str, folder: Path, *more: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_rebuild", "--side", side, "--folder", str(folder)]
    done = subprocess.run([*command, *map(str, more)], check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def made(folder: Path, objects: int, each: int) -> Path:
    run_side("make", folder, "--objects", objects, "--each", each)
    return folder


def long_history(root: Path) -> None:
    """Memory that does not grow with the log, and the fold without a store."""
    small = run_side("replay", made(root / "small", EVENTS // EACH // 10, EACH))
    folder = made(root / "large", EVENTS // EACH, EACH)
    large, swapped, folded = run_side("replay", folder), run_side("swap", folder), run_side("fold", folder)
    told = f"replay of {EVENTS:,} events over {EVENTS // EACH:,} objects"
    figure(f"{told}, events/s", EVENTS / large["seconds"])
    at_most(f"{told}, peak memory in MB", large["peak_rss_mb"], MB)
    figure("of a tenth of it, in MB", large["peak_rss_mb"], small["peak_rss_mb"], FLAT, lower_is_better=True)
    at_most("swap of it, peak memory in MB", swapped["peak_rss_mb"], MB)
    figure("replay fold without a store, events/s", EVENTS / folded["fold"], EVENTS / folded["scan"], 0.3)


def checks(root: Path) -> None:
    """What proving a read model takes, of the time in which it is built again."""
    folder = made(root / "sample", SAMPLE, 1)
    took = run_side("replay", folder)["seconds"] + run_side("swap", folder)["seconds"]
    checked = run_side("check", folder)
    figure(f"rebuild of {SAMPLE:,} objects, objects/s", SAMPLE / took)
    at_most("full drift check, of a rebuild's time", checked["whole"] / took, 0.30)
    at_most("drift check of one bucket, of a rebuild's time", checked["bucket"] / took, 0.03)
    at_most("quick drift check, of a rebuild's time", checked["quick"] / took, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=["make", *SIDES])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--objects", type=int)
    parser.add_argument("--each", type=int)
    given = parser.parse_args()
    if given.side:
        keep_pandas_out()
        figures = (
            make(given.folder, given.objects, given.each) if given.side == "make" else SIDES[given.side](given.folder)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(json.dumps({**figures, "peak_rss_mb": round(peak)}))
        return
    for part in (long_history, checks):
        with tempfile.TemporaryDirectory(prefix="spice-bench-") as place:
            part(Path(place))


if __name__ == "__main__":
    main()
