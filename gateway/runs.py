"""Runs from outside the Dagster UI: the same job, the same instance, in a child process that ends with its memory.

The gateway never imports the code location; it starts `python -m orchestration`.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from resources.errors import SpiceError
from resources.home import PROJECT_ROOT, Home
from resources.instance import ensure_instance

STAGES_FILE = "last-run-stages.json"
STOP_SECONDS = 20.0


def run_job(
    home: Home,
    job: str,
    partitions: str | None,
    *,
    bars: bool,
    only: str | None = None,
    config: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Run a job (`only`: one asset of it, or several separated by commas; `config` by asset) to its end and return its
    outcome (run_id, success, seconds, failures, reports by asset).

    Raises SpiceError with the failures' texts when the run failed.
    """
    ensure_instance(home)
    command = [sys.executable, "-m", "orchestration", job, "--home", str(home.root)]
    command += ["--partitions", partitions] if partitions else []
    command += ["--only", only] if only else []
    command += ["--config", orjson.dumps(config).decode()] if config else []
    command += ["--bars"] if bars else []
    environment = {**os.environ, "SPICE_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    with subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603
        output = _output(process)
    line = output.strip().splitlines()[-1] if output.strip() else b""
    if not line:
        raise SpiceError(
            "Run ended early",
            f"The run's process ended with status {process.returncode}; see the lines above. What it had written is "
            "kept; run again to complete it.",
            status=500,
        )
    outcome: dict[str, Any] = orjson.loads(line)
    if "problem" in outcome:
        raise SpiceError.of(outcome["problem"])
    if not outcome.get("success"):
        failures = outcome.get("failures")
        texts = failures if isinstance(failures, list) else ["see the run in the Dagster UI"]
        raise SpiceError("Run failed", "\n".join(texts), where=f"run {outcome.get('run_id')}", status=500)
    return outcome


def _output(process: subprocess.Popen[bytes]) -> bytes:
    """What the run's process prints. It ends with this one: Ctrl-C reaches both, SIGTERM is handed on.

    A run that is told to stop needs a moment to say so in the instance, which is waited for; a second Ctrl-C kills it.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
    try:
        return process.communicate()[0]
    except KeyboardInterrupt:
        sys.stderr.write("Stopping the run ...\n")
        try:
            process.communicate(timeout=STOP_SECONDS)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.kill()
        sys.stderr.write("Stopped. What was written is kept; run again to complete it.\n")
        raise


def stages_file(home: Home) -> Path:
    """Where the launched run leaves its stages' figures."""
    return home.root / "logs" / STAGES_FILE
