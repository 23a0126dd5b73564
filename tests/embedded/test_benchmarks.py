"""Every benchmark of `make bench` runs, at 1 % of its size, and tells figures; they are judged there, never here."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT
from tests.benchmarks.figures import Figure

BENCHES = sorted(path.stem for path in (PROJECT_ROOT / "tests" / "benchmarks").glob("bench_*.py"))
ON_A_HOME = {"bench_http"}
"""Those that take a finished home, which would be most of their time to make."""


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_runs_at_one_percent(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    home = ["--home", str(request.getfixturevalue("demo_home"))] if name in ON_A_HOME else []
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *home],
        cwd=PROJECT_ROOT,
        env={**os.environ, "SPICE_BENCH_SCALE": "0.01", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = [Figure.parse(line) for line in done.stdout.splitlines()]
    assert figures
    assert not [told for told, times in Counter(one.name for one in figures).items() if times > 1]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
