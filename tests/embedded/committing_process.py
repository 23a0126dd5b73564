"""A process that commits single events, or bulk batches, on a log for some seconds and says how long each took.

`python -m tests.embedded.committing_process ROOT NAME SECONDS single|bulk KEYS`: single ones update one of KEYS shared
objects after another; bulk ones update all of them at once, as a load does. Prints {"commits", "longest", "seconds"}.
"""

import json
import sys
import time
from pathlib import Path

import pyarrow as pa

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from resources.object_store.local import LocalObjectStore
from tests.unit.events.making import DOMAIN, event, inline, rows


def single(heads: Heads, key: str, value: str) -> Draft:
    found = heads.lookup("Ship", pa.array([key]))
    return inline(event(key, found["sequence"][0].as_py() + 1, value))


def bulk(heads: Heads, keys: int, value: str) -> Draft:
    found = heads.lookup("Ship", pa.array([f"ship/{i}" for i in range(keys)])).select(["id", "sequence"]).to_pylist()
    table = rows(*((row["id"], row["sequence"] + 1, value) for row in found))
    return Draft(value, events=table)


def main(root: Path, name: str, seconds: float, kind: str, keys: int) -> None:
    log = EventLog(LocalObjectStore(root / "objects"), DOMAIN)
    heads = Heads(root / "heads" / f"{name}.sqlite", log)
    heads.catch_up()
    print("ready", flush=True)
    sys.stdin.readline()
    times: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        i, began = len(times), time.monotonic()
        if kind == "bulk":
            log.append(heads, lambda h, i=i: bulk(h, keys, f"{name}-{i}"))  # type: ignore[misc]
        else:
            log.append(heads, lambda h, i=i: single(h, f"ship/{i % keys}", f"{name}-{i}"))  # type: ignore[misc]
        times.append(time.monotonic() - began)
    metrics = log.metrics
    answer = {"commits": len(times), "longest": max(times), "beaten": metrics.beaten, "conflicts": metrics.conflicts}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
