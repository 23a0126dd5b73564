"""A process that folds its share of a log from the beginning and prints what came out, for the tests of replay.

`python -m tests.embedded.folding_process HOME OUT BATCH_ROWS WORKER WORKERS [PLANTED]`: HOME holds the log, OUT takes
the read models. One worker follows the log as a live projection does; several share its buckets, as a rebuild does.
PLANTED names one of `PLANTED`: the fold with a hash that depends on what it must not depend on.
"""

import json
import locale
import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()  # before anything that uses pyarrow: each of fifty processes would take half a second longer
# ruff: noqa: E402

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.digest import Digest, total
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.followers.follow import catch_up
from ontology_assets.projections import documents
from ontology_assets.projections.digest import document_hashes
from ontology_assets.projections.documents import fold
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.proof import recompute
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import graph_sink, search_sink
from resources.home import Home
from resources.object_store.local import LocalObjectStore
from resources.read_model.base import BucketDigest
from resources.read_model.sqlite_graph import GRAPH
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from resources.registry.sql import SqliteRegistry
from tests.contracts.library import LIBRARY

LAYOUT = domain_layout(LIBRARY)
SINKS = {"search": search_sink, "graph": graph_sink}
MODELS = {"search": (SEARCH, words_of), "graph": (GRAPH, None)}
_seen = count()

Hashes = Callable[..., list[bytes]]


def planted(mark: Callable[[int, str, int], object]) -> Hashes:
    """The product's hashes, each over a text that also holds `mark(number in the batch, id, position)`."""

    def hashes(domain: str, name: str, ids: list[str], positions: list[int], texts: list[str], **more: Any) -> Any:
        rows = enumerate(zip(ids, positions, texts, strict=True))
        marked = [f"{text}{mark(n, key, position)}" for n, (key, position, text) in rows]
        return document_hashes(domain, name, ids, positions, marked, **more)

    return hashes


PLANTED: dict[str, Hashes] = {
    "batch_rows": planted(lambda n, key, position: n),
    "workers": planted(lambda n, key, position: next(_seen)),
    "hash_seed": planted(lambda n, key, position: hash(key)),
    "zone": planted(lambda n, key, position: datetime.fromtimestamp(position).isoformat()),  # noqa: DTZ006
    "locale": planted(lambda n, key, position: "é".encode(locale.getpreferredencoding(do_setlocale=False), "replace")),
}


def share(batch: pa.RecordBatch, worker: int, workers: int) -> pa.RecordBatch:
    """The rows of the worker's buckets."""
    if workers == 1:
        return batch
    mine = [f"{bucket:02x}" for bucket in range(256) if (bucket >> 4) % workers == worker]
    return batch.filter(pc.is_in(batch.column("bucket"), pa.array(mine)))


def shares(log: EventLog, batch_rows: int, worker: int, workers: int) -> Iterator[pa.RecordBatch]:
    for batch in log.events(batch_rows=batch_rows):
        mine = share(batch, worker, workers)
        if mine.num_rows:
            yield mine


def project(name: str, log: EventLog, out: Path, batch_rows: int, worker: int, workers: int) -> dict[str, Any]:
    """Buckets as kept with each transaction, the same computed again from the rows, and what is parked."""
    if workers == 1:
        home = Home(out)
        sink, registry = SINKS[name](home, LIBRARY, log), SqliteRegistry(home.registry)
        catch_up(log, sink, registry, owner="test", batch_rows=batch_rows)
        sink.close()
        registry.close()
    options, words = MODELS[name]
    writer = SqliteWriter(out / "read" / f"{name}.sqlite", LAYOUT, options)
    if workers > 1:
        writer.claim(1)
        for batch in shares(log, batch_rows, worker, workers):
            parked = {(one.type, one.id) for one in writer.parked()}
            writer.write(fold(batch, LAYOUT, parked, words), 1, settle=False)
    found = {
        "kept": plain(writer.digest()),
        "recomputed": plain(recompute(writer, LAYOUT)),
        "parked": [[one.type, one.id, one.position, one.waiting] for one in writer.parked()],
    }
    writer.close()
    return found


def plain(buckets: dict[int, BucketDigest]) -> dict[int, list[int]]:
    return {bucket: [one.documents, *one.lanes] for bucket, one in sorted(buckets.items())}


def aggregates(heads: Heads) -> list[list[Any]]:
    """What the heads hold of every aggregate."""
    known = "SELECT t.name, a.id, sequence, hex(state_hash), o.name, position, deleted FROM aggregates a"
    named = "JOIN types t USING (type_id) LEFT JOIN owners o USING (owner_id) ORDER BY t.name, a.id"
    return [list(row) for row in heads._db.execute(f"{known} {named}")]


def main(home: Path, out: Path, batch_rows: int, worker: int, workers: int, fault: str = "") -> None:
    told = locale.setlocale(locale.LC_ALL, "")
    if fault:
        setattr(documents, "document_hashes", PLANTED[fault])  # noqa: B010 - for a name that it imports
    log = EventLog(LocalObjectStore(home / "objects"), LIBRARY.name)
    digest = total(Digest.of(pa.Table.from_batches([part])) for part in shares(log, batch_rows, worker, workers))
    answer = {
        "locale": [told, locale.getpreferredencoding(do_setlocale=False)],
        "zone": datetime.fromtimestamp(1_400_000_000).isoformat(),  # noqa: DTZ006 - what this process takes for local
        "seed": hash("spice"),
        "log": [digest.events, *digest.lanes],
        **{name: project(name, log, out, batch_rows, worker, workers) for name in SINKS},
    }
    if worker == 0:
        heads = Heads(out / "heads.sqlite", log)
        heads.catch_up()
        answer["heads"] = aggregates(heads)
        heads.close()
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    assert os.environ["PYTHONHASHSEED"], "the test names the seed"
    rows, number, of = map(int, sys.argv[3:6])
    main(Path(sys.argv[1]), Path(sys.argv[2]), rows, number, of, *sys.argv[6:])
