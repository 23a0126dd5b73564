"""A writer process: it does numbered pieces of work on a log, prints each when acknowledged, and may kill itself.

`python -m tests.kills.event_log_process ROOT WRITER COUNT [POINT HIT]`: at the HIT-th time that POINT is reached the
process kills itself with SIGKILL, which no handler sees. The points are where a store or a database is between two
steps.
"""

import os
import signal
import sys
from pathlib import Path

import pyarrow as pa

from ontology_assets.events.chain import LogEnd
from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealing import seal
from resources.lake.local import LocalLake
from resources.object_store.base import PutOutcome
from resources.object_store.local import LocalObjectStore
from tests.unit.events.making import DOMAIN, event, rows

BULK_EVERY = 4
BULK_ROWS = 30
POINTS = (
    "data file: in its temp file",
    "data file: put, no record yet",
    "record: in its temp file",
    "record: linked, folder not synced",
    "record: put, not acknowledged",
    "heads: in the transaction",
    "heads: folded, not acknowledged",
)
SEAL_POINTS = ("seal: rows written, no commit", "seal: committed, not acknowledged")


class Trap:
    """Kills its own process at one point, the given time that it is reached."""

    def __init__(self, point: str, hit: int) -> None:
        self.point, self.left = point, hit

    def reach(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class TrappedStore(LocalObjectStore):
    def __init__(self, root: Path, trap: Trap) -> None:
        super().__init__(root)
        self._trap, self._what = trap, ""

    def put(self, key: str, data: bytes | Path) -> None:
        self._what = "data file" if key.startswith("log-data/") else "hint"
        super().put(key, data)
        self._trap.reach(f"{self._what}: put, no record yet")

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        self._what = "record"
        done = super().put_if_absent(key, data)
        self._trap.reach("record: put, not acknowledged")
        return done

    def _write_temp(self, data: bytes | Path) -> Path:
        temp = super()._write_temp(data)
        self._trap.reach(f"{self._what}: in its temp file")
        return temp

    def _sync_folder(self, folder: Path) -> bool:
        if self._what == "record":
            self._trap.reach("record: linked, folder not synced")
        return super()._sync_folder(folder)


class TrappedHeads(Heads):
    trap: Trap

    def _write_end(self, at: LogEnd) -> None:
        super()._write_end(at)
        self.trap.reach("heads: in the transaction")


class TrappedLake(LocalLake):
    def __init__(self, root: Path, trap: Trap) -> None:
        super().__init__(root)
        self._trap = trap

    def append(self, table: str, data: object, **more: object) -> bool:
        def pieces() -> object:
            yield from data  # type: ignore[misc, attr-defined]
            self._trap.reach(SEAL_POINTS[0])

        done = super().append(table, pieces(), **more)  # type: ignore[arg-type]
        self._trap.reach(SEAL_POINTS[1])
        return done


def piece(heads: Heads, writer: str, i: int) -> Draft | None:
    """Piece i: a marker, an increment of an aggregate that all writers share, and now and then thirty new objects."""
    marker = f"{writer}-{i}"
    if heads.known_events([marker]):
        return None
    shared = heads.lookup("Counter", pa.array(["shared"]))
    before = shared["sequence"][0].as_py() if shared.num_rows else 0
    inline = [
        event(marker, 1, i, kind="Marker", event_id=marker, event_type="Marked"),
        event("shared", before + 1, before + 1, kind="Counter", event_type="Counted"),
    ]
    bulk = rows(*((f"{marker}/{k}", 1, k) for k in range(BULK_ROWS))) if i % BULK_EVERY == 0 else None
    return Draft(marker, events=bulk, inline=inline)


def main(root: Path, writer: str, count: int, trap: Trap) -> None:
    log = EventLog(TrappedStore(root / "objects", trap), DOMAIN)
    heads = TrappedHeads(root / "heads" / "shared.sqlite", log)  # of all writers, as in a home
    heads.trap = trap
    for i in range(count):
        log.append(heads, lambda h, i=i: piece(h, writer, i))  # type: ignore[misc]
        trap.reach("heads: folded, not acknowledged")
        print(i, flush=True)
    if trap.point in SEAL_POINTS:
        seal(log, TrappedLake(root / "lake", trap), DOMAIN)
        print("sealed", flush=True)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        Trap(sys.argv[4], int(sys.argv[5])) if sys.argv[4:] else Trap("", 0),
    )
