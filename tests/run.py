"""`python -m tests.run`: the groups of tests one after the other, with what each took of its budget.

Several groups, because tests that kill processes or take a machine's whole attention disturb the others. A group that
hangs is interrupted when all of them together have had their time, so that what was found until then is told. The last
line is the plain closing line of all groups together.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SLOWEST = 20
ALL_SECONDS = 58 * 60.0
"""Of `make test`, which means to end within 40 minutes; `make test-long` takes what it needs."""
STACKS_AFTER = 300
"""Seconds after which the stacks of a single test that goes on are shown."""
NO_TESTS = 5
"""pytest's exit status for an empty selection."""
OUT_OF_TIME = 124


@dataclass(frozen=True)
class Group:
    """Folders under `tests/` that run together, and the seconds that they may take on two cores.

    `beside`: whether two of its files run at once, each in a process of its own. Not where a test needs the machine.
    """

    name: str
    folders: tuple[str, ...]
    budget: int
    beside: bool = False


GROUPS = (
    Group("main", ("unit", "contracts", "embedded"), 600, beside=True),
    Group("simulator", ("simulator",), 270),
    Group("kills", ("kills",), 450),
    Group("pages", ("browser", "ui", "docs"), 360, beside=True),
)


@dataclass
class Result:
    """Outcome of one group: its counts, (seconds, name) of each test, and whether it failed as a whole."""

    group: Group
    seconds: float
    status: int
    passed: int
    failed: int
    skipped: int
    tests: list[tuple[float, str]]


def run_group(group: Group, report: Path, until: float) -> Result:
    """Run one group in a process of its own, until a moment of the monotonic clock at most."""
    folders = [str(ROOT / folder) for folder in group.folders if (ROOT / folder).is_dir()]
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", "-o", "junit_family=xunit2"]
    command += ["-o", f"faulthandler_timeout={STACKS_AFTER}"]
    command += ["--numprocesses", "2", "--dist", "loadfile"] if group.beside else []
    status = ended_in_time([*command, *folders], until) if folders else NO_TESTS
    return read_report(group, report, time.monotonic() - started, 0 if status == NO_TESTS else status)


def ended_in_time(command: list[str], until: float) -> int:
    """Exit status of a command; past its time it is interrupted, as by Ctrl-C, and killed if it heeds that not."""
    with subprocess.Popen(command, cwd=ROOT.parent) as process:
        try:
            return process.wait(None if until == float("inf") else max(1.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"out of time: {' '.join(command)}", flush=True)
            process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        return OUT_OF_TIME


def read_report(group: Group, report: Path, seconds: float, status: int) -> Result:
    """Counts and times from a JUnit file; a group that died without one has failed."""
    if not report.exists():
        return Result(group, seconds, status, 0, 1 if status else 0, 0, [])
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    times = [(float(case.get("time", "0")), f"{case.get('classname')}::{case.get('name')}") for case in cases]
    if status and not failed:
        failed = 1
    return Result(group, seconds, status, max(0, len(cases) - failed - skipped), failed, skipped, times)


def summary(results: list[Result]) -> list[str]:
    """The lines after the last group, closing line included."""
    lines = ["", f"slowest {SLOWEST} tests"]
    every = sorted((test for result in results for test in result.tests), reverse=True)
    lines += [f"  {seconds:7.2f} s  {name}" for seconds, name in every[:SLOWEST]]
    lines += ["", "seconds of each group"]
    for result in results:
        over = "  OVER ITS BUDGET" if result.seconds > result.group.budget else ""
        counts = f"{result.passed} passed, {result.failed} failed, {result.skipped} skipped"
        lines.append(f"  {result.group.name:8} {result.seconds:6.1f} of {result.group.budget} s  {counts}{over}")
    lines += ["", "seconds of each folder"]
    lines += [f"  {folder:10} {seconds:6.1f} s  {count} tests" for folder, (seconds, count) in by_folder(every).items()]
    lines.append("")
    total, budget = sum(r.seconds for r in results), sum(r.group.budget for r in results)
    lines += [f"  {'all':8} {total:6.1f} of {budget} s", ""]
    passed, failed, skipped = (sum(getattr(r, name) for r in results) for name in ("passed", "failed", "skipped"))
    lines.append(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return lines


def by_folder(tests: list[tuple[float, str]]) -> dict[str, tuple[float, int]]:
    """Seconds and number of the tests below each folder of `tests/`, the longest first."""
    found: dict[str, tuple[float, int]] = {}
    for seconds, name in tests:
        folder = name.removeprefix("tests.").partition(".")[0]
        known = found.get(folder, (0.0, 0))
        found[folder] = (known[0] + seconds, known[1] + 1)
    return dict(sorted(found.items(), key=lambda one: -one[1][0]))


def main() -> int:
    until = float("inf") if os.environ.get("SPICE_LONG_TESTS") else time.monotonic() + ALL_SECONDS
    with tempfile.TemporaryDirectory(prefix="spice-test-run-") as folder:
        os.environ.setdefault("SPICE_TEST_CACHE", str(Path(folder) / "cache"))
        Path(os.environ["SPICE_TEST_CACHE"]).mkdir(exist_ok=True, parents=True)
        results = []
        for group in GROUPS:
            print(f"== {group.name}: {', '.join(group.folders)}", flush=True)
            results.append(run_group(group, Path(folder) / f"{group.name}.xml", until))
    print("\n".join(summary(results)), flush=True)
    nothing = not any(result.passed for result in results)
    return 1 if nothing or any(result.status or result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
