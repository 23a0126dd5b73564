"""What people do to read models: verify, repair, rebuild by the Dagster job, undo."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gateway.runs import run_job
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import Comparison
from ontology_assets.projections.rebuild.place import Place, open_place
from ontology_assets.projections.rebuild.record import Rebuild, Undone
from ontology_assets.projections.rebuild.undo import undo
from ontology_assets.projections.replay.selection import unbroken
from resources.errors import SpiceError
from resources.home import PROJECT_ROOT, Home
from resources.instance import ensure_instance
from resources.registry.sql import SqliteRegistry

OWNER = "spice projection"
HEX = "0123456789abcdef"


@contextmanager
def place_of(home: Home, name: str, domains: Sequence[Domain]) -> Iterator[Place]:
    registry = SqliteRegistry(home.registry)
    try:
        yield open_place(home, name, domains, registry, owner=OWNER)
    finally:
        registry.close()


def buckets_of(given: str | None) -> list[int]:
    """`3`, `0,3,b` or `0..7` as numbers; all by default. Raises SpiceError."""
    if not given:
        return list(range(len(HEX)))
    first, dots, last = given.partition("..")
    names = (
        list(HEX[HEX.find(first) : HEX.find(last) + 1]) if dots and first in HEX and last in HEX else given.split(",")
    )
    if not names or any(len(name) != 1 or name not in HEX for name in names):
        raise SpiceError("Unknown bucket", f"{given!r} names no buckets.", where="--buckets", allowed=list(HEX))
    return [HEX.index(name) for name in names]


def rebuild(home: Home, name: str, given: str | None) -> dict[str, object]:
    """Fill and swap, or fill some buckets only: the run that the UI's button starts."""
    if given is None:
        return run_job(home, f"rebuild_{name}", None, bars=True)
    buckets = buckets_of(given)
    outcome: dict[str, object] = {}
    for first, last in unbroken(buckets):
        partitions = f"{HEX[first]}..{HEX[last]}"
        outcome = run_job(home, f"rebuild_{name}", partitions, bars=True, only=f"projection/{name}/fill")
    return outcome


def undo_here(home: Home, name: str, domains: Sequence[Domain], asked: str | None = None) -> Undone:
    """Go back to the former generation (`asked`: from this one only). Dagster is told afterwards: `tell_dagster`."""
    with place_of(home, name, domains) as place:
        return undo(place, asked)


def tell_dagster(home: Home) -> bool:
    """Report what was undone, in a process that loads Dagster. False: it could not, and the housekeeping job will."""
    ensure_instance(home)
    command = [sys.executable, "-m", "orchestration.undone", "--home", str(home.root)]
    return subprocess.run(command, cwd=PROJECT_ROOT, env=dict(os.environ), check=False).returncode == 0  # noqa: S603


def compared(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Comparisons as a JSON document."""
    return [
        {
            "domain": one.domain,
            "position": one.position,
            "different": [f"{bucket:x}" for bucket in one.different],
            "buckets": [
                {
                    "bucket": f"{bucket.bucket:x}",
                    "equal": bucket.equal,
                    "log": {"documents": bucket.log.documents, "digest": bucket.log_text},
                    "model": {"documents": bucket.model.documents, "digest": bucket.model_text},
                }
                for bucket in one.buckets
            ],
        }
        for one in found
    ]


def rebuild_document(rebuild: Rebuild | None) -> dict[str, Any] | None:
    if rebuild is None:
        return None
    return {
        "id": rebuild.id,
        "generation": rebuild.generation,
        "stage": str(rebuild.stage),
        "opened_at": rebuild.opened_at,
        "filled": [f"{bucket:x}" for bucket in sorted(rebuild.proofs)],
    }
