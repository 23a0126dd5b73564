"""Runs at both ends of a `spice dev`: `python -m gateway.dev_runs setup|stop|cancel|settle`.

`stop` asks the runs that the UI and the daemon launched to end, and waits. `settle` gives an end to runs whose
processes are gone (`cancel` to runs that a stop has killed), since nothing else would: a run of a killed process stays
STARTED for ever. Runs started by a command line (their tags name no code server) belong to that command, unless its
process is gone too.
"""

import sys
import time

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from dagster._core.storage.tags import GRPC_INFO_TAG

from gateway.dev_processes import UNFINISHED
from resources.cli_runs import settle_dead_runs
from resources.home import Home
from resources.instance import open_instance

LIVE = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
STOP_SECONDS = 10.0
BEGIN_SECONDS = 5.0
"""How long a run that is being started may take to begin, and then be stopped like any other: told to stop while it
begins it would end as failed, since its own "started" overwrites "canceling".
"""


def launched_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """Unfinished runs that a code server executes."""
    return [run for run in instance.get_runs(RunsFilter(statuses=LIVE)) if GRPC_INFO_TAG in run.tags]


def stop(instance: DagsterInstance, seconds: float = STOP_SECONDS) -> bool:
    """Ask each run to end; whether all did within `seconds`."""
    asked: set[str] = set()
    began = time.monotonic()
    deadline = began + seconds
    while runs := launched_runs(instance):  # again and again: the daemon may have launched one a moment ago
        for run in runs:
            beginning = run.status == DagsterRunStatus.STARTING and time.monotonic() - began < BEGIN_SECONDS
            if run.run_id not in asked and not beginning:
                asked.add(run.run_id)
                _terminate(instance, run)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _terminate(instance: DagsterInstance, run: DagsterRun) -> None:
    try:
        instance.run_launcher.terminate(run.run_id)
    except (DagsterUserCodeUnreachableError, DagsterUserCodeProcessError) as fault:
        sys.stderr.write(f"run {run.run_id} is executed by nobody any more: {fault}\n")
    current = instance.get_run_by_id(run.run_id)
    if run.status == DagsterRunStatus.STARTING and current and current.status == DagsterRunStatus.CANCELING:
        # Its worker does not begin a run that is being canceled, but exits, which the code server reports as a failure.
        instance.report_run_canceled(current, message="Stopped with spice dev before it began.")


def settle(instance: DagsterInstance, *, stopped: bool) -> None:
    """End the runs whose processes are gone: as canceled when they were `stopped` with intent, else as failed.

    Only called while no code server of this home lives.
    """
    for run in launched_runs(instance):
        if stopped or run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="Stopped with spice dev.")
        else:
            instance.report_run_failed(run, message="Its process was killed, or the machine stopped.")


def main() -> int:
    home = Home.resolve()
    with open_instance(home) as instance:
        if sys.argv[1] == "setup":
            return 0
        if sys.argv[1] in {"settle", "cancel"}:
            settle(instance, stopped=sys.argv[1] == "cancel")
            settle_dead_runs(home, instance)
            return 0
        return 0 if stop(instance) else UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
