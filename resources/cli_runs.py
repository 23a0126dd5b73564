"""Runs that a command line executes in its own process: which of them live, and an end for those that do not.

A run's process holds a lock named after the run. The system drops it however the process ends, so a run of a command
line that is not finished and whose lock is free is dead. Nothing else would ever end it: Dagster watches only the runs
that its own launcher started.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from resources.errors import SpiceError
from resources.home import Home
from resources.locks import exclusive, remove

if TYPE_CHECKING:
    from dagster import DagsterInstance

LAUNCHED_BY = "spice/launched_by"
CLI = "cli"
PROCESS, HOST = "spice/process", "spice/host"
ENDED = "Its process was killed, or the machine stopped. What it had written is kept; the next run completes it."


def run_tags() -> Mapping[str, str]:
    """Tags of a run that this process executes; process and host are for people, the lock decides."""
    return {LAUNCHED_BY: CLI, PROCESS: str(os.getpid()), HOST: socket.gethostname()}


@contextmanager
def living(home: Home, run_id: str) -> Iterator[None]:
    """The run lives while the block runs: begin it before the run is created."""
    try:
        with exclusive(home.locks, _lock(run_id), holder=f"run {run_id}"):
            yield
    finally:
        remove(home.locks, _lock(run_id))


def settle_dead_runs(home: Home, instance: "DagsterInstance") -> list[str]:
    """Give the runs whose process is gone the end FAILURE; their ids. May be called at any time, by any process."""
    from dagster import DagsterRunStatus, RunsFilter

    unfinished = [
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ]
    ended = []
    for run in instance.get_runs(RunsFilter(statuses=unfinished, tags={LAUNCHED_BY: CLI})):
        try:
            with exclusive(home.locks, _lock(run.run_id), holder="settling", wait_seconds=0):
                found = instance.get_run_by_id(run.run_id)  # it may have ended since it was listed
                if found is not None and not found.is_finished:
                    instance.report_run_failed(found, message=ENDED)
                    ended.append(run.run_id)
        except SpiceError:
            continue  # its process holds the lock: it lives
        remove(home.locks, _lock(run.run_id))
    return ended


def _lock(run_id: str) -> str:
    return f"run/{run_id}"
