"""What `spice doctor` looks at: configuration, each port, lag, disk; and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from gateway.home_care import disk, prune
from gateway.home_format import read_format
from gateway.readers import open_readers
from ontology_assets.events.orphans import remove_orphans
from ontology_assets.followers.errors import offer
from ontology_assets.model.definitions import Domain
from resources.errors import SpiceError
from resources.home import FORMAT, Home
from resources.lake.local import LocalLake

OK, WARN, FAULT = "ok", "look", "fault"
LOW_DISK = 2_000_000_000


@dataclass
class Diagnosis:
    """Findings over one home."""

    format: int
    disk: list[dict[str, Any]]
    checks: list[dict[str, str]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(one["state"] != FAULT for one in self.checks)

    def add(self, name: str, state: str, detail: str, advice: str = "") -> None:
        self.checks.append({"name": name, "state": state, "detail": detail})
        if advice:
            self.advice.append(advice)

    def document(self) -> dict[str, Any]:
        return {"format": self.format, "ok": self.ok, "disk": self.disk, "checks": self.checks, "advice": self.advice}


def diagnose(home: Home, domains: Sequence[Domain]) -> Diagnosis:
    """Look at everything that is configured; a part that can't be read is a finding, not an end."""
    if not home.format_file.exists():
        raise SpiceError(
            "No data home", f"there is nothing in {home.root} yet; run `make demo` or `spice run`.", where="--home"
        )
    parts = [{"part": part.name, "bytes": part.bytes, "files": part.files} for part in disk(home)]
    found = Diagnosis(read_format(home), parts)
    state = OK if found.format == FORMAT else FAULT
    found.add(
        "format", state, f"{found.format}, this program works on {FORMAT}", "" if state == OK else "run `spice upgrade`"
    )
    free = psutil.disk_usage(str(home.root)).free
    found.add(
        "disk",
        OK if free > LOW_DISK else WARN,
        f"{free / 1e9:.1f} GB free",
        "" if free > LOW_DISK else "free some disk",
    )
    for domain in domains:
        _sources(found, home, domain)
        _log(found, home, domain)
    return found


def _sources(found: Diagnosis, home: Home, domain: Domain) -> None:
    missing = [
        str(path.relative_to(home.root))
        for dataset in domain.datasets.values()
        if not (
            path := home.sources / (dataset.source.folder if dataset.source else domain.name) / dataset.file
        ).exists()
    ]
    if missing:
        found.add(
            f"{domain.name} sources",
            WARN,
            f"missing: {', '.join(missing)}",
            f"put the files there, or `spice sources fill --domain {domain.name}`",
        )
    else:
        found.add(f"{domain.name} sources", OK, f"{len(domain.datasets)} files")


def _log(found: Diagnosis, home: Home, domain: Domain) -> None:
    readers = open_readers(home, [domain])
    try:
        stats = readers.stats(domain.name)
        found.add(f"{domain.name} log", OK, f"position {stats['position']:,}")
        for name, figures in readers.status(domain.name).items():
            behind, parked = figures["lag"], figures["parked"]
            if figures["fault"]:
                found.add(f"{domain.name} {name}", FAULT, figures["fault"], f"{domain.name} {name}: {offer(name)}")
                continue
            advice = ""
            if parked:
                advice = f"{name}: {parked} objects are set aside; see `spice deadletters list`"
            elif behind and not figures["alive"]:
                advice = f"{name} is {behind:,} events behind and nobody follows: `spice dev`, or `spice run`"
            state = WARN if advice else OK
            found.add(f"{domain.name} {name}", state, f"position {figures['position']:,}, lag {behind:,}", advice)
    except SpiceError as error:
        found.add(f"{domain.name} log", FAULT, error.text(), "stop writers and see docs/operations.md")


def prune_home(home: Home, domains: Sequence[Domain]) -> list[str]:
    """Remove what nothing needs: old runs, replaced table files, data files that no record names."""
    runs = prune(home)
    lines = [f"{runs.runs} Dagster runs ({runs.bytes / 1e6:.1f} MB), {runs.runs_kept} kept"]
    lake = LocalLake(home.lake)
    freed = lake.branches.sweep() + sum(lake.prune(table) for table in lake.tables())
    lines.append(f"replaced table files ({freed / 1e6:.1f} MB)")
    for domain in domains:
        removed = remove_orphans(open_readers(home, [domain]).log(domain.name))
        lines.append(f"{domain.name}: {len(removed)} data files that no record names")
    return lines
