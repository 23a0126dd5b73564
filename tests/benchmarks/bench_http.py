"""50 clients that never pause, against a real server on the demo's data: objects and searches, then graphs of 3 hops.

`python -m tests.benchmarks.bench_http` prints one JSON line a figure (`figures.py`). Server and clients are processes of their own on
the same machine. `SPICE_BENCH_SCALE` shortens the minute (0.01: 5 s in all). `--home` takes a finished home; without it
the sample is run first. The mix, drawn anew by each client from the sample's own values:

    50 %  object by its id: 80 % flights, the rest planes, airports, carrier days
    50 %  search, 20 objects a page; a quarter of those with a next page go on to it:
          35 % words in a type (a flight's designator)      15 % words in all types
          35 % two conditions (carrier, day) and a sort     10 % over a number, sorted by another, three fields
           5 % three conditions (a route from a day on) and a sort: up to 17,000 rows are looked at
    graphs: a plane, its flights, the weather at their departures, all flights in that weather; cut at 200 nodes
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from gateway.domains import domains
from gateway.readers import open_readers
from resources.home import PROJECT_ROOT, Home
from tests.benchmarks.figures import SCALE, at_most, figure

CLIENTS, SECONDS = 50, 60.0
TARGETS = {"objects and searches": 50, "graphs": 150}
"""p95 in milliseconds."""


def questions(home: Home) -> dict[str, Any]:
    """What the clients draw from."""
    queries = open_readers(home, domains()).queries
    draw = random.Random(1)
    flights: list[dict[str, Any]] = []
    days = [f"2013-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    for day in draw.sample(days, 60):
        where = [["flight_date", "=", day]]
        flights += queries.search({"type": "Flight", "where": where, "limit": 1000}).document["objects"]
    others = {
        kind: [one["id"] for one in queries.search({"type": kind, "limit": 1000, "fields": []}).document["objects"]]
        for kind in ("Plane", "Airport", "CarrierDay")
    }
    told = [one["properties"] for one in flights]
    return {
        "ids": {"Flight": [one["id"] for one in flights], **others},
        "designators": [one["designator"] for one in told],
        "words": ["jetblue", "boeing", "intl", "kennedy", "airbus", "muni*", "delta", "embraer", "a320*", "regional"],
        "departures": [(one["carrier"], one["flight_date"], one["origin"], one["dest"]) for one in told],
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(home: Home, port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gateway.api_server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ, "SPICE_HOME": str(home.root)}, cwd=PROJECT_ROOT)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/types"):
                return server
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


def processes_of(server: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    first = psutil.Process(server.pid)
    return [first, *first.children()]


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(home: Home, seconds: float) -> bool:
    """Whether every answer was one. What each kind of question took goes to stderr."""
    port = free_port()
    server = start(home, port)
    errors = 0
    try:
        processes = processes_of(server)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(questions(home), file)
            file.flush()
            for name, kind, share in (("objects and searches", "mix", 1.0), ("graphs", "graph", 0.5)):
                used = cpu_seconds(processes)
                load = [sys.executable, "-m", "tests.benchmarks.http_load", str(port), kind, str(CLIENTS)]
                done = subprocess.run(
                    [*load, str(seconds * share), file.name],
                    cwd=PROJECT_ROOT,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                answer = json.loads(done.stdout)
                used = cpu_seconds(processes) - used
                errors += answer["errors"]
                print(json.dumps({"name": name, **answer}), file=sys.stderr)
                at_most(f"http: {name}, {CLIENTS} clients, p95 in ms", answer["all"]["p95_ms"], TARGETS[name])
                figure(f"http: {name}, answers/s", answer["per_second"])
                figure(f"http: {name}, the server's processor in ms an answer", 1000 * used / answer["requests"])
        told = [process.memory_full_info() for process in processes]
        memory = sum(getattr(one, "pss", one.uss) for one in told)
        figure("http: memory of the server's processes in MB", memory / 1e6)
    finally:
        server.terminate()
        server.wait(10)
    return errors == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    seconds = max(SECONDS * SCALE, 3.0)
    if given.home is not None:
        return 0 if measure(Home(given.home), seconds) else 1
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        home = Home(Path(folder))
        command = [sys.executable, "-m", "gateway.cli.main", "--home", folder, "demo"]
        subprocess.run(command, cwd=PROJECT_ROOT, check=True, stdout=subprocess.DEVNULL)
        return 0 if measure(home, seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
