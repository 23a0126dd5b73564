"""The benchmark's code runs; its figures are judged by `make bench`, never here."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_of_the_event_log_runs_at_one_percent() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_event_log"],
        cwd=ROOT,
        env={**os.environ, "SPICE_BENCH_SCALE": "0.01"},
        capture_output=True,
        text=True,
        check=True,
    )
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(figures) == 14
    assert all(set(line) == {"name", "ours", "bare", "ratio", "want", "machine"} for line in figures)
