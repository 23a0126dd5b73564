"""Room on the disk: what a data home takes by part, emptying it, and pruning what nobody needs any more.

The log's own orphaned data files are the event log's job; the layout's version is `gateway/home_format.py`.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagster import DagsterEventType, DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from gateway.home_format import is_part, sole_user
from resources.errors import SpiceError
from resources.home import Home
from resources.instance import open_instance

KEPT_EVENTS = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_OBSERVATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}
"""A run with one of these stays: deleting it would take the green from the graph, and envelopes name it."""
LABELS = {
    "sources": "sources (yours)",
    "lake": "lake",
    "objects": "log",
    "heads": "heads",
    "topic.sqlite": "topic",
    "read": "read models",
    "registry.sqlite": "registry",
    "dagster": "Dagster runs",
    "logs": "logs",
    "backups": "backups",
}


@dataclass(frozen=True)
class DiskPart:
    """One part of a home: what it is, where, and what it takes."""

    name: str
    paths: tuple[str, ...]
    bytes: int
    files: int


@dataclass(frozen=True)
class ResetPlan:
    """What a reset removes and what it leaves."""

    removed: list[DiskPart]
    kept: list[str]

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.removed)


@dataclass(frozen=True)
class Pruned:
    """What pruning removed."""

    runs: int
    runs_kept: int
    bytes: int


def disk(home: Home) -> list[DiskPart]:
    """The parts of a home that exist, the largest first; what fits no part is `other`."""
    grouped: dict[str, list[Path]] = {}
    for entry in sorted(home.root.iterdir()) if home.root.exists() else []:
        base = entry.name.removesuffix("-wal").removesuffix("-shm").removesuffix("-journal")
        grouped.setdefault(LABELS.get(base, "other"), []).append(entry)
    parts = []
    for name, paths in grouped.items():
        sizes = [_size(path) for path in paths]
        parts.append(
            DiskPart(name, tuple(path.name for path in paths), sum(s[0] for s in sizes), sum(s[1] for s in sizes))
        )
    return sorted(parts, key=lambda part: (-part.bytes, part.name))


def reset_plan(home: Home) -> ResetPlan:
    """What `reset` would remove: all that this program has written but its locks, never `sources` nor foreign files."""
    if not home.format_file.exists():
        raise SpiceError("No data home", f"{home.root} has no format file, so it stays untouched.", where="--home")
    names = sorted(entry.name for entry in home.root.iterdir() if entry.name != home.locks.name)
    kept = [name for name in names if not is_part(name) or name == home.sources.name]
    ours = set(names) - set(kept)
    removed = []
    for part in disk(home):
        paths = tuple(name for name in part.paths if name in ours)
        if paths == part.paths:
            removed.append(part)
        elif paths:
            sizes = [_size(home.root / name) for name in paths]
            removed.append(DiskPart(part.name, paths, sum(s[0] for s in sizes), sum(s[1] for s in sizes)))
    return ResetPlan(removed, kept)


def reset(home: Home) -> ResetPlan:
    """Remove what `reset_plan` names. Refused while `spice dev` serves the home or a run writes into it."""
    plan = reset_plan(home)
    with sole_user(home, "spice reset"):
        names = [name for part in plan.removed for name in part.paths]
        # The format file goes last: a reset that was killed can be repeated.
        for name in sorted(names, key=lambda name: (name == "format", name)):
            path = home.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return plan


def prune(home: Home, *, days: int = 7, now: datetime | None = None) -> Pruned:
    """Delete finished runs older than `days` that made nothing (followers, failures), with their logs."""
    before = _size(home.dagster)[0]
    border = (now or datetime.now(tz=UTC)) - timedelta(days=days)
    deleted = kept = 0
    with open_instance(home) as instance:
        filters = RunsFilter(statuses=list(FINISHED_STATUSES), created_before=border)
        for run_id in instance.get_run_ids(filters):
            if _made_something(instance, run_id):
                kept += 1
                continue
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            deleted += 1
    return Pruned(deleted, kept, max(0, before - _size(home.dagster)[0]))


def _made_something(instance: DagsterInstance, run_id: str) -> bool:
    found: Any = instance.get_records_for_run(run_id, of_type=KEPT_EVENTS, limit=1)
    return bool(found.records)


def _size(path: Path) -> tuple[int, int]:
    """Bytes on the disk and number of files; a file with several names counts once, one that vanishes not at all."""
    total, seen = 0, set()
    files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names] if path.is_dir() else [path]
    for file in files:
        try:
            status = file.lstat()
        except FileNotFoundError:
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total, len(seen)
