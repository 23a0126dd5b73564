"""Runs from outside the Dagster UI: the same job, the same instance, in a child process that ends with its memory.

The gateway never imports the code location; it starts `python -m orchestration.launch`.
"""

import os
import subprocess
import sys
from pathlib import Path

import orjson

from resources.errors import SpiceError
from resources.home import PROJECT_ROOT, Home
from resources.instance import ensure_instance

STAGES_FILE = "last-run-stages.json"


def run_job(home: Home, job: str, partitions: str | None, *, bars: bool) -> dict[str, object]:
    """Run a job to its end and return its outcome (run_id, success, seconds, failures).

    Raises SpiceError with the failures' texts when the run failed.
    """
    ensure_instance(home)
    command = [sys.executable, "-m", "orchestration.launch", job, "--home", str(home.root)]
    command += ["--partitions", partitions] if partitions else []
    command += ["--bars"] if bars else []
    environment = {**os.environ, "SPICE_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, check=False)  # noqa: S603
    line = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else b""
    if not line:
        raise SpiceError(
            "Run ended early",
            f"The run's process ended with status {done.returncode}; see the lines above.",
            status=500,
        )
    outcome: dict[str, object] = orjson.loads(line)
    if not outcome.get("success"):
        failures = outcome.get("failures")
        texts = failures if isinstance(failures, list) else ["see the run in the Dagster UI"]
        raise SpiceError("Run failed", "\n".join(texts), where=f"run {outcome.get('run_id')}", status=500)
    return outcome


def stages_file(home: Home) -> Path:
    """Where the launched run leaves its stages' figures."""
    return home.root / "logs" / STAGES_FILE
