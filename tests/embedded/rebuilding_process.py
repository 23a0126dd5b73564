"""A process that fills its share of the buckets of a rebuild, for the tests of full replays.

`python -m tests.embedded.rebuilding_process HOME PROJECTION PART_EVENTS WORKER WORKERS ORDER [PLANTED]`: HOME holds log,
sealed history and registry; whoever comes first opens the rebuild, the others join it. PART_EVENTS are the events of a
bucket that are held at once. ORDER is that of what does not depend on each other: buckets, types of the domain,
aggregates within a batch. PLANTED as in folding_process.py.
"""

import json
import locale
import random
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()
# ruff: noqa: E402

import pyarrow as pa

from ontology_assets.events import histories
from ontology_assets.events.histories import WholeHistories
from ontology_assets.model.definitions import Domain
from ontology_assets.projections import documents, proof
from ontology_assets.projections.rebuild.fill import fill_bucket, open_rebuild
from ontology_assets.projections.rebuild.place import open_place
from resources.home import Home
from resources.registry.sql import SqliteRegistry
from tests.contracts.library import LIBRARY
from tests.embedded.folding_process import PLANTED

ORDERS = ("position", "ascending", "descending", "shuffled")


def domain_in(order: str) -> Domain:
    names = list(LIBRARY.object_types)
    if order == "descending":
        names.reverse()
    if order == "shuffled":
        random.Random(3).shuffle(names)
    return LIBRARY.model_copy(update={"object_types": {name: LIBRARY.object_types[name] for name in names}})


def buckets_in(order: str, worker: int, workers: int) -> list[int]:
    mine = [bucket for bucket in range(16) if bucket % workers == worker]
    if order == "descending":
        mine.reverse()
    if order == "shuffled":
        random.Random(worker).shuffle(mine)
    return mine


def in_order(batch: pa.RecordBatch, order: str) -> pa.RecordBatch:
    """Each aggregate's events as they were, the aggregates one after the other."""
    if order == "position":
        return batch
    direction = "descending" if order == "descending" else "ascending"
    keys = [("aggregate_type", "descending"), ("aggregate_id", direction), ("position", "ascending")]
    return batch.sort_by(keys if order != "shuffled" else [*keys[1:2], keys[0], keys[2]])


def main(home: Path, projection: str, part_events: int, worker: int, workers: int, order: str, fault: str = "") -> None:
    told = locale.setlocale(locale.LC_ALL, "")
    histories.PART_EVENTS = part_events
    whole = WholeHistories.of_bucket

    def of_bucket(self: WholeHistories, bucket: int, upto: int, having: Any = None) -> Iterator[pa.RecordBatch]:
        for batch in whole(self, bucket, upto, having):
            yield in_order(batch, order)

    WholeHistories.of_bucket = of_bucket  # type: ignore[method-assign]
    if fault:
        for module in (documents, proof):  # both sides, or the bucket would differ from itself
            setattr(module, "document_hashes", PLANTED[fault])  # noqa: B010 - for a name that they import
    registry = SqliteRegistry(Home(home).registry)
    place = open_place(Home(home), projection, [domain_in(order)], registry, owner=f"worker {worker}")
    rebuild = open_rebuild(place)
    for bucket in buckets_in(order, worker, workers):
        rebuild = fill_bucket(place, rebuild, bucket)
    registry.close()
    answer = {
        "locale": [told, locale.getpreferredencoding(do_setlocale=False)],
        "zone": datetime.fromtimestamp(1_400_000_000).isoformat(),  # noqa: DTZ006 - what this process takes for local
        "seed": hash("spice"),
        "rebuild": rebuild.id,
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    part, number, of = map(int, sys.argv[3:6])
    main(Path(sys.argv[1]), sys.argv[2], part, number, of, *sys.argv[6:])
