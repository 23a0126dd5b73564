"""How long a command waits beside a year's load of the same type, which runs in a process of its own on the same heads.

`python -m tests.benchmarks.bench_load_beside_commands` prints one JSON line a figure (`figures.py`). The load makes its
objects and then changes all of them; one client changes objects of that type, first some that the load does not have,
then some that it is loading. Every command is durable, and in the end the log is verified.
"""

import subprocess
import sys
import tempfile
import time
import uuid
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.commands.service import CommandDomain, CommandService
from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.verify import verify
from ontology_assets.model.definitions import Domain, ObjectType
from resources.object_store.local import LocalObjectStore
from tests.benchmarks.figures import SCALE, at_most, figure
from tests.unit.events.making import DOMAIN, rows, sha

ROWS = max(20_000, int(336_776 * SCALE))
OWN = 10_000_000
"""Keys from here on are of objects that the load does not have."""
LOADS = 2
SHIP = ObjectType.model_validate(
    {"name": "Ship", "key": ["n"], "title": "n", "properties": {"n": {"type": "integer"}, "v": {"type": "string"}}}
)
HOME = Domain(name=DOMAIN, datasets={}, object_types={"Ship": SHIP}, mappings={})


def opened(root: Path) -> tuple[EventLog, Heads]:
    log = EventLog(LocalObjectStore(root / "objects"), DOMAIN)
    return log, Heads(root / "heads.sqlite", log)


def load(root: Path) -> None:
    """In a process of its own: says when it is ready, waits for a line, then loads."""
    log, heads = opened(root)
    texts = [f'{{"properties":{{"n":{i},"v":"{i * 7919 % 104729:0200d}"}}}}' for i in range(ROWS)]
    table = rows(*((f"{i}", 1, 0) for i in range(ROWS)), owner="load")
    table = table.set_column(6, "data", pa.array([f'{{"state":{text}}}' for text in texts]))
    table = table.set_column(8, "state_hash", pa.array([sha(text) for text in texts]))
    ids = table["aggregate_id"]

    def decide(heads: Heads) -> Draft:
        known = heads.lookup("Ship", ids)
        at = pc.index_in(ids, value_set=known["id"].combine_chunks())
        sequences = pc.add(pc.fill_null(known["sequence"].take(at), 0), 1)
        names = pc.binary_join_element_wise(uuid.uuid4().hex, ids, "-")
        return Draft(
            uuid.uuid4().hex, table.set_column(4, "sequence_number", sequences).set_column(0, "event_id", names)
        )

    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(LOADS):
        log.append(heads, decide)
        heads.catch_up()


def beside(root: Path, first_key: int, keys: int) -> tuple[list[float], float]:
    """Seconds of each command while the load runs, and of the load."""
    words = [sys.executable, "-m", "tests.benchmarks.bench_load_beside_commands", str(root)]
    log, heads = opened(root)
    service = CommandService([CommandDomain(HOME, log, lambda: heads)])
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loading:
        assert loading.stdin is not None
        assert loading.stdout is not None
        for key in range(first_key, first_key + keys):
            service.run(
                {"command_id": f"make-{key}", "command": "create", "type": "Ship", "properties": {"n": key, "v": ""}}
            )
        loading.stdout.readline()
        loading.stdin.write("go\n")
        loading.stdin.flush()
        times, began, numbers = list[float](), time.perf_counter(), count()
        while loading.poll() is None:
            i = next(numbers)
            command = {"command_id": f"c-{i}", "command": "update", "type": "Ship", "id": str(first_key + i % keys)}
            asked = time.perf_counter()
            service.run({**command, "properties": {"v": str(i)}})
            times.append(time.perf_counter() - asked)
            time.sleep(0.01)
        took = time.perf_counter() - began
    service.close()
    report = verify(log, heads)
    held = LOADS * ROWS + keys + len(times)
    if not report.ok or report.position != held or loading.returncode:
        raise SystemExit(f"position {report.position} instead of {held}: {report.checks}")
    heads.close()
    return times, took


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        others, took = beside(Path(folder) / "others", OWN, 50)
        figure(f"{LOADS} loads of {ROWS:,} rows beside commands, events/s", LOADS * ROWS / took)
        at_most("longest wait of a command beside a load of its type, ms", max(others) * 1e3, 300.0)
        same, _ = beside(Path(folder) / "same", 0, 50)
        figure("longest wait of a command on objects that are being loaded, ms", max(same) * 1e3)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        load(Path(sys.argv[1]))
    else:
        main()
