"""Queries of TPC-H as pipelines (`tpch/pipelines.yaml`), against the same queries by hand on the same engine.

`python -m tests.benchmarks.bench_tpch` prints one JSON line a figure (`figures.py`), at scale factor 1. Each answer is
compared with DuckDB's from the same files. The sides run in processes of their own, so that memory is their own, and
in turns, and the best time of each query counts.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from resources.lake.local import LocalLake
from resources.spark import delta, session, to_arrow
from tests.benchmarks.figures import SCALE, at_most, figure
from tests.benchmarks.tpch.queries import QUERIES
from transforms.definitions import Pipeline
from transforms.pipeline import PipelineTables, run_pipeline

TABLES = ("customer", "lineitem", "nation", "orders", "region", "supplier")
ROUNDS = 2
MB = 2 * 1024
FLAT = 0.8
"""What memory for a quarter of the rows has to be of that for all of them."""
SLOWER = 1.15
"""Times as long as by hand a pipeline may take."""


def make(folder: Path, scale: float, tables: Sequence[str] = TABLES) -> Path:
    """The tables as files, and as clean tables of a lake."""
    generator = Path(sys.executable).with_name("tpchgen-cli")
    command = [generator, "parquet", "-s", str(scale), "--tables", ",".join(tables), "--output-dir", folder / "files"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lake = LocalLake(folder / "lake")
    for table in tables:
        with pq.ParquetFile(folder / "files" / f"{table}.parquet") as file:
            schema = pa.schema([field.with_type(ours(field.type)) for field in file.schema_arrow])
            with lake.writer(f"clean/{table}", schema, partition_column=None) as writer:
                for batch in file.iter_batches():
                    writer.write(pa.Table.from_batches([batch]).cast(schema))
                writer.commit({"": "tpch"})
    return folder


def ours(kind: pa.DataType) -> pa.DataType:
    """The type of a clean column: one integer, one text."""
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.string() if pa.types.is_string_view(kind) else kind


def pipelines() -> dict[str, Pipeline]:
    text = (Path(__file__).parent / "tpch" / "pipelines.yaml").read_text(encoding="utf-8")
    return {name: Pipeline.model_validate(one) for name, one in YAML(typ="safe").load(text).items()}


def as_pipelines(folder: Path) -> dict[str, Callable[[], pa.Table]]:
    lake = LocalLake(folder / "lake")

    def answer(name: str, one: Pipeline) -> pa.Table:
        return to_arrow(PipelineTables(name, one, lake, session).output([""]).data)

    return {name: partial(answer, name, one) for name, one in pipelines().items()}


def by_hand(folder: Path) -> dict[str, Callable[[], pa.Table]]:
    lake, engine = LocalLake(folder / "lake"), session()
    for table in TABLES:
        delta(engine, lake.path(f"clean/{table}")).createOrReplaceTempView(table)
    return {name: partial(lambda query: to_arrow(engine.sql(query)), query) for name, query in QUERIES.items()}


def by_duckdb(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect() as db:
        for table in TABLES:
            db.read_parquet(str(folder / "files" / f"{table}.parquet")).create_view(table)
        return {name: sorted(db.sql(query).fetchall()) for name, query in QUERIES.items()}


def equal(found: Mapping[str, pa.Table], wanted: Mapping[str, list[tuple[Any, ...]]]) -> None:
    """Every value, whatever its number type."""
    for name, rows in wanted.items():
        got = sorted(tuple(row.values()) for row in found[name].to_pylist())
        assert len(got) == len(rows), f"{name}: {len(got)} rows, DuckDB has {len(rows)}"
        for mine, theirs in zip(got, rows, strict=True):
            assert all(map(same, mine, theirs)), f"{name}: {mine}, DuckDB has {theirs}"


def same(mine: Any, theirs: Any) -> bool:
    """An average of decimals is a double to DuckDB; as a decimal it is right in its last place."""
    if isinstance(mine, Decimal) and isinstance(theirs, float):
        return abs(mine - Decimal(theirs)) <= Decimal(1).scaleb(int(mine.as_tuple().exponent))
    if isinstance(mine, float):
        return math.isclose(mine, theirs, rel_tol=1e-9)
    return bool(mine == theirs)


SIDES = {"pipelines": as_pipelines, "by hand": by_hand}
LARGE = "large result"


def large_result(folder: Path) -> dict[str, Any]:
    """A pipeline whose result is as large as its input, written."""
    node = {"from": "lineitem", "compute": {"volume": "l_extendedprice * (1 - l_discount)"}}
    volumes = {"inputs": {"lineitem": "clean/lineitem"}, "nodes": {"volumes": node}, "output": "volumes"}
    lake = LocalLake(folder / "lake")
    report = run_pipeline("volumes", Pipeline.model_validate(volumes), lake, [""], engine=session)
    assert report.rows_out == report.rows_in == sum(lake.rows("clean/lineitem").values())
    return {"rows": report.rows_out}


def side(name: str, folder: Path) -> dict[str, Any]:
    if name == LARGE:
        return large_result(folder)
    answers = SIDES[name](folder)
    equal({query: answer() for query, answer in answers.items()}, by_duckdb(folder))
    seconds = dict.fromkeys(answers, math.inf)
    for _ in range(ROUNDS):
        for query, answer in answers.items():
            began = time.perf_counter()
            answer()
            seconds[query] = min(seconds[query], time.perf_counter() - began)
    return {"seconds": seconds}


def run_side(name: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_tpch", "--side", name, "--folder", str(folder)]
    figures: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=[*SIDES, LARGE])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.side:
        found = side(given.side, given.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(json.dumps({**found, "peak_rss_mb": round(peak)}))
        return
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as name:
        folder = make(Path(name) / "whole", SCALE)
        hand, mine = run_side("by hand", folder), run_side("pipelines", folder)
        large = run_side(LARGE, folder)
        small = run_side(LARGE, make(Path(name) / "quarter", SCALE / 4, ["lineitem"]))
    for query, seconds in mine["seconds"].items():
        figure(f"TPC-H {query}, s", seconds, hand["seconds"][query], lower_is_better=True)
    total, theirs = sum(mine["seconds"].values()), sum(hand["seconds"].values())
    figure(
        "TPC-H, all of these, s, against by hand on the same engine", total, theirs, 1 / SLOWER, lower_is_better=True
    )
    at_most("TPC-H, peak memory in MB", mine["peak_rss_mb"], MB)
    told = f"peak memory of a pipeline that writes {large['rows']:,} rows, in MB, against a quarter of them"
    figure(told, large["peak_rss_mb"], small["peak_rss_mb"], FLAT, lower_is_better=True)


if __name__ == "__main__":
    main()
