"""`make bench`: every benchmark one after the other, each in a process of its own; one JSON line a figure.

Ends non-zero when a benchmark fails, a line is no figure, or a ratio is below what it must be. `SPICE_LONG_TESTS=1`
adds the main job on ten years.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.figures import Figure

MINUTES, DISK_GB = 15, 4
"""What all of it may take on two cores, and of the disk that holds the temporary folder while it runs."""


@dataclass
class Ran:
    """What one benchmark printed, and how it ended."""

    name: str
    status: int = 0
    seconds: float = 0.0
    figures: list[Figure] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Lines that are no figures."""

    @property
    def failed(self) -> bool:
        return bool(self.status or self.wrong or not self.figures)


def run(name: str, command: list[str]) -> Ran:
    """Run one benchmark and show its lines as they come."""
    began, ran = time.monotonic(), Ran(name)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            try:
                ran.figures.append(Figure.parse(line))
            except ValueError:
                ran.wrong.append(line.rstrip())
    ran.status, ran.seconds = process.returncode, time.monotonic() - began
    return ran


def summary(every: list[Ran]) -> list[str]:
    """The lines after the last benchmark, the closing one included."""
    lines = ["", "seconds of each benchmark"]
    lines += [f"  {ran.name:24} {ran.seconds:6.1f} s  {len(ran.figures)} figures" for ran in every]
    seconds = sum(ran.seconds for ran in every)
    lines.append(f"  {'all':24} {seconds:6.1f} of {MINUTES * 60} s")
    missed = [one for ran in every for one in ran.figures if one.missed]
    lines += [f"missed: {one.name}: {one.ratio:.2f} of the bare tool, at least {one.want} is wanted" for one in missed]
    for ran in every:
        lines += [f"no figure: {ran.name}: {line}" for line in ran.wrong]
        if ran.failed:
            lines.append(f"failed: {ran.name} ended {ran.status} with {len(ran.figures)} figures")
    wanted = sum(one.want is not None for ran in every for one in ran.figures)
    failed = sum(ran.failed for ran in every)
    lines.append(f"{wanted - len(missed)} of {wanted} ratios reached, {failed} of {len(every)} benchmarks failed")
    return lines


def status(every: list[Ran]) -> int:
    return int(any(ran.failed or any(one.missed for one in ran.figures) for ran in every))


def main() -> int:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free / 1e9
    print(f"About {MINUTES} minutes on two quiet cores and {DISK_GB} GB in {folder}, where {free:.0f} GB are free.")
    if free < DISK_GB:
        print("Not started: set TMPDIR to a folder with more room.")
        return 1
    every = []
    for name in sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py")):
        print(f"== {name}", flush=True)
        every.append(run(name, [sys.executable, "-m", f"tests.benchmarks.{name}"]))
    print("\n".join(summary(every)), flush=True)
    return status(every)


if __name__ == "__main__":
    sys.exit(main())
