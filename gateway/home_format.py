"""The version of a data home's layout: checked by every command, raised by `spice upgrade`.

`<home>/format` holds one number. What the numbers mean is the list of migrations here; paths belong to
`resources/home.py`.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from resources.errors import SpiceError
from resources.home import FORMAT, Home
from resources.instance import open_instance
from resources.locks import exclusive

PARTS = frozenset(
    {"sources", "lake", "objects", "heads", "topic.sqlite", "read", "registry.sqlite", "dagster", "locks", "logs"}
    | {"dev", "backups", "format", "demo-correction"}
)
"""Top-level names of a home; `-wal` and `-shm` beside an SQLite file belong to it."""
NOT_BACKED_UP = ("backups", "dev", "logs", "locks")


@dataclass(frozen=True)
class Migration:
    """One step from format `since` to `since + 1`. It may run again after a crash, so it must bear that."""

    since: int
    title: str
    apply: Callable[[Home], None]


MIGRATIONS: tuple[Migration, ...] = ()


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade did, or would do: the titles of its steps and where the copy of the former state is."""

    found: int
    steps: list[str]
    backup: Path | None


def is_part(name: str) -> bool:
    """Whether a top-level name belongs to a home."""
    return name.removesuffix("-wal").removesuffix("-shm").removesuffix("-journal") in PARTS


def check_format(home: Home, supported: int = FORMAT) -> None:
    """Pass when this program can work on the home; a new home is made. SpiceError says what to do otherwise."""
    if not home.format_file.exists():
        _refuse_foreign_folder(home)
        home.root.mkdir(parents=True, exist_ok=True)
        write_format(home, supported)
        return
    found = read_format(home)
    if found < supported:
        raise SpiceError(
            "Older data home",
            f"{home.root} has format {found}, this program works on {supported}: run `spice upgrade` "
            "(`--dry-run` shows the steps; a copy is kept).",
            where=str(home.format_file),
            status=409,
        )
    if found > supported:
        raise SpiceError(
            "Newer data home",
            f"{home.root} has format {found}, this program knows formats up to {supported}: use the newer program that "
            "wrote it, or another home.",
            where=str(home.format_file),
            status=409,
        )


def read_format(home: Home) -> int:
    text = home.format_file.read_text(encoding="utf-8").strip()
    if not text.isdigit():
        raise SpiceError(
            "Damaged format file", f"it holds {text[:40]!r} where a number is due.", where=str(home.format_file)
        )
    return int(text)


def write_format(home: Home, number: int) -> None:
    """Replace the number in one step, so that a crash leaves the former one."""
    part = home.format_file.with_name(f"format.{os.getpid()}.part")
    part.write_text(f"{number}\n", encoding="utf-8")
    part.replace(home.format_file)


def upgrade(
    home: Home, *, dry_run: bool, supported: int = FORMAT, migrations: Sequence[Migration] = MIGRATIONS
) -> Upgrade:
    """Bring an older home to `supported`, after a copy into `<home>/backups`; Dagster's own tables are migrated too."""
    if not home.format_file.exists():
        check_format(home, supported)
    found = read_format(home)
    if found > supported:
        check_format(home, supported)
    due = [migration for number in range(found, supported) for migration in migrations if migration.since == number]
    if len(due) != supported - found:
        raise SpiceError(
            "No way up", f"no migration leads from format {found} to {supported}.", where=str(home.format_file)
        )
    has_instance = (home.dagster / "dagster.yaml").exists()
    steps = [f"format {m.since} -> {m.since + 1}: {m.title}" for m in due]
    steps += ["Dagster's instance migrate"] if has_instance else []
    if dry_run or not (due or has_instance):
        return Upgrade(found, steps, None)
    with sole_user(home, "spice upgrade"):
        backup = _copy(home, found) if due else None
        for migration in due:
            migration.apply(home)
            write_format(home, migration.since + 1)
    if has_instance:  # outside: opening an instance takes a lock itself
        with open_instance(home) as instance:
            instance.upgrade()
    return Upgrade(found, steps, backup)


@contextmanager
def sole_user(home: Home, holder: str) -> Iterator[None]:
    """Hold every lock of a home while the block runs; SpiceError names the process that works on it."""
    names = {path.name.removesuffix(".lock") for path in home.locks.glob("*.lock")} | {"dev"}
    with ExitStack() as stack:
        for name in sorted(names):
            stack.enter_context(exclusive(home.locks, name, holder=holder, wait_seconds=0))
        yield


def _copy(home: Home, found: int) -> Path:
    now = datetime.now(tz=UTC)
    target = home.root / "backups" / f"format-{found}-{now:%Y%m%dT%H%M%SZ}"
    size = sum(path.stat().st_size for path in home.root.rglob("*") if path.is_file())
    free = shutil.disk_usage(home.root).free
    if free < size:
        raise SpiceError(
            "Disk too small",
            f"the copy before an upgrade takes {size // 1_000_000} MB and {free // 1_000_000} MB are free.",
            where=str(home.root),
            status=507,
        )
    part = target.with_name(target.name + ".part")
    for entry in sorted(home.root.iterdir()):
        if entry.name in NOT_BACKED_UP:
            continue
        if entry.is_dir():
            shutil.copytree(entry, part / entry.name, symlinks=True)
        else:
            part.mkdir(parents=True, exist_ok=True)
            shutil.copy2(entry, part / entry.name)
    part.rename(target)
    return target


def _refuse_foreign_folder(home: Home) -> None:
    """A mistyped --home must not fill somebody's folder, nor may a later reset empty it."""
    if not home.root.exists():
        return
    if not home.root.is_dir():
        raise SpiceError("No folder", f"{home.root} is a file.", where="--home")
    foreign = sorted(entry.name for entry in home.root.iterdir() if not is_part(entry.name))
    if foreign:
        raise SpiceError(
            "No data home",
            f"{home.root} has no format file and holds other things ({', '.join(foreign[:3])}): name an empty folder.",
            where="--home",
        )
