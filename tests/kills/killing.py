"""The harness: a process of `work.py` is started, dies at its point, is started again, and the home is looked at.

What counts is what is there (`evidence.py`), after the kill and at the end. An exit status says no more than that the
process died where it was to die.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kills.evidence import (
    assert_archived,
    assert_heads,
    assert_model,
    assert_pieces,
    assert_sealed,
    assert_topic,
    digest_in,
    log_of,
)
from tests.kills.pieces import LAST
from tests.kills.points import SAME_CODE
from tests.simulator.truth import Violation

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("append", "relay", "search", "rebuild", "heads", "seal", "archive")
HALF = LAST // 2
QUIET = ("--renew", "60")
"""No renewal of the lease beside the work: a process comes to its points in the same order each time."""


@dataclass(frozen=True)
class Ran:
    """One process: how it ended, and what it said."""

    status: int
    lines: list[dict[str, Any]]
    said: str = ""

    @property
    def acked(self) -> int:
        """How many of the writer's pieces have been acknowledged."""
        return max((line["acked"] + 1 for line in self.lines if "acked" in line), default=0)

    @property
    def recovery(self) -> float:
        """Seconds from its first instruction until it had caught up, or had settled the piece under way.

        Without those in which the processors were busy with other processes: a test says nothing about these.
        """
        return float(next(line["recovery"] for line in self.lines if "recovery" in line))

    @property
    def reached(self) -> Counter[str]:
        return Counter(next(line["reached"] for line in self.lines if "reached" in line))


def start(home: Path, role: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.kills.work", str(home), role, *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> Ran:
    out, said = process.communicate(timeout=120)
    return Ran(process.returncode, [json.loads(line) for line in out.splitlines()], said)


def run(home: Path, role: str, *options: str, dies: str = "") -> Ran:
    """A process to its end, which must be the one expected."""
    ran = ended(start(home, role, *options))
    if dies:
        died = (ran.status, ran.lines[-1:]) == (-signal.SIGKILL, [{"dies": dies}])
        assert died, f"{role} did not die at {dies!r}: {ran.status} {ran.said}"
    else:
        assert ran.status == 0, f"{role} ended {ran.status}: {ran.said}"
    return ran


@dataclass(frozen=True)
class Homes:
    """What each role begins with, and what one that nobody killed came to: its points, and its digest."""

    base: Mapping[str, Path]
    reached: Mapping[str, Counter[str]]
    digests: Mapping[str, list[Any]]

    def copy(self, role: str, to: Path) -> Path:
        if role in self.base:
            shutil.copytree(self.base[role], to)
        return to

    def hits(self, point: str) -> tuple[int, int, int]:
        """The first time, one in the middle and one of the last times that the role comes to this point."""
        role, _, name = point.partition(": ")
        count = self.reached[role][name]
        assert count, f"no {role} comes to {name!r}"
        return 1, (count + 1) // 2, count


def make_homes(folder: Path) -> Homes:
    """A log that is written, followed half-way, written to its end; the same sealed."""
    live, sealed, reached, digests = (
        folder / "live",
        folder / "sealed",
        dict[str, Counter[str]](),
        dict[str, list[Any]](),
    )
    run(live, "append", "--last", str(HALF))
    for role in ("relay", "search"):
        run(live, role)
    run(live, "append", "--first", str(HALF))
    shutil.copytree(live, sealed)
    reached["seal"] = run(sealed, "seal").reached
    log_alone = shutil.copytree(live, folder / "log-alone", ignore=shutil.ignore_patterns("heads", "read"))
    base = {
        **dict.fromkeys(("heads", "search"), log_alone),
        **dict.fromkeys(("relay", "rebuild", "seal"), live),
        "archive": sealed,
    }
    homes = Homes(base, reached, digests)
    for role in ("append", "relay", "search", "rebuild", "heads", "archive"):
        home = homes.copy(role, folder / f"unkilled-{role}")
        reached[role] = run(home, role, *QUIET).reached
        look(home, role, homes, ended=True, acked=LAST)
        if role in ("search", "rebuild"):
            digests[role] = digest_in(home, "search")
    return homes


def look(home: Path, role: str, homes: Homes, *, ended: bool, acked: int = 0) -> None:
    """Raises Violation where the home is not what the log says, or the log not what was asked for."""
    truth = log_of(home, archived=homes.base["archive"] if role == "archive" else None)
    if role == "append":
        _acknowledged(truth, acked, ended=ended)
    else:
        assert_pieces(truth, {"w": LAST})
    if role in ("append", "heads"):
        assert_heads(home, truth, ended=ended)
    elif role == "relay":
        assert_topic(home, truth, ended=ended)
    elif role in ("search", "rebuild"):
        assert_model(home, "search", truth, ended=ended)
        if ended and role in homes.digests and digest_in(home, "search") != homes.digests[role]:
            raise Violation("I16 replay = live", "the digest is not the one of a model that nobody killed")
    elif role == "seal":
        assert_sealed(home, truth, ended=ended)
    else:
        assert_archived(home, homes.base["archive"], truth, ended=ended)


def _acknowledged(truth: Any, acked: int, *, ended: bool) -> None:
    """All that was acknowledged, and at most the one piece more that was under way."""
    try:
        assert_pieces(truth, {"w": acked})
    except Violation:
        if ended:
            raise
        assert_pieces(truth, {"w": acked + 1})


def killed(point: str, hit: int, home: Path, homes: Homes, *, control: str = "") -> float:
    """One kill at a point and what follows; the seconds of the recovery. Raises Violation. The home is removed."""
    role, _, name = point.partition(": ")
    homes.copy(role, home)
    without = ("--control", control) if control else ()
    first = run(home, role, "--point", name, "--hit", str(hit), *QUIET, *without, dies=name)
    look(home, role, homes, ended=False, acked=first.acked)
    second = run(home, role, *(("--first", str(first.acked)) if role == "append" else ()), *QUIET, *without)
    look(home, role, homes, ended=True, acked=max(first.acked, second.acked))
    shutil.rmtree(home)
    return second.recovery


def unlisted(homes: Homes, points: Mapping[str, str]) -> set[str]:
    """Points that a role came to and at which nobody is killed."""
    return {
        f"{role}: {name}"
        for role, reached in homes.reached.items()
        for name in reached
        if f"{role}: {name}" not in points and f"{SAME_CODE.get(role)}: {name}" not in points
    }
