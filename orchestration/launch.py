"""`python -m orchestration JOB`: one run of a job in this process, in the same instance as the Dagster UI.

The run is created as the UI's button creates it (job, location, tags of the partition range), so the UI shows it, links
it to its job and counts its partitions; only the process differs. Prints one JSON line: run id, job, success, seconds,
or the problem because of which there is no run.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import make_new_run_id

from orchestration.components.partitions import RANGE_END, RANGE_START
from orchestration.definitions import LOCATION, build_defs
from orchestration.failures import failures
from orchestration.progress import process_clock
from orchestration.reports import asset_op, reports
from orchestration.runtime import Runtime
from resources import cli_runs
from resources.errors import SpiceError
from resources.home import Home
from resources.instance import open_instance

STAGES_FILE = "last-run-stages.json"
"""In `<home>/logs`: rows and seconds of each stage of the last run, for the summary of `spice demo`."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The terminal shows progress and the reason of a failure; the run's whole log is in the UI."""


def run_tags(job: dg.JobDefinition, asked: str | None) -> dict[str, str]:
    """Tags of the partition range `asked` ('A..B' or 'A'; default: all partitions of the job)."""
    definition = job.partitions_def
    if definition is None:
        if asked:
            raise SpiceError("No partitions", f"{job.name} has no partitioned dataset; leave --partitions out.")
        return {}
    keys = definition.get_partition_keys()
    first, _, last = (asked or f"{keys[0]}..{keys[-1]}").partition("..")
    last = last or first
    for key in (first, last):
        if key not in keys:
            raise SpiceError(
                "Unknown partition", f"{key!r} is no partition of {job.name}.", allowed=[f"{keys[0]} .. {keys[-1]}"]
            )
    if first > last:
        raise SpiceError("Empty range", f"{first}..{last} ends before it begins.", where="--partitions")
    return {RANGE_START: first, RANGE_END: last}


def launch(
    home: Home,
    job_name: str,
    partitions: str | None,
    *,
    bars: bool,
    only: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, object]:
    """Execute one run and return its outcome. `only`: of the job's assets just these,
    separated by commas; `config`: of its assets."""
    started, clock = time.monotonic(), process_clock(bars=bars)
    defs = build_defs(runtime=Runtime(home_dir=str(home.root), bars=bars))
    job = defs.resolve_job_def(job_name)
    tags = run_tags(job, partitions)
    selection = frozenset(dg.AssetKey(one.split("/")) for one in only.split(",")) if only else None
    if selection is not None:
        job = job.get_subset(asset_selection=selection)
    run_id = make_new_run_id()
    with open_instance(home) as instance, cli_runs.living(home, run_id):
        for dead in cli_runs.settle_dead_runs(home, instance):
            clock.say(f"run {dead} had lost its process and is ended; this one completes it.")
        run = instance.create_run_for_job(
            job_def=job,
            asset_selection=selection,
            run_id=run_id,
            run_config={
                **QUIET,
                "ops": {asset_op(asset): {"config": given} for asset, given in (config or {}).items()},
            },
            tags={**tags, **cli_runs.run_tags()},
            remote_job_origin=_origin(job_name),
        )
        result = execute_run(InMemoryJob(job), run, instance)
        clock.write(home.root / "logs" / STAGES_FILE)
        return {
            "run_id": run.run_id,
            "job": job_name,
            "success": result.success,
            "seconds": round(time.monotonic() - started, 3),
            "failures": failures(result.all_events),
            "reports": reports(result.all_events),
        }


def _origin(job_name: str) -> RemoteJobOrigin:
    location = ManagedGrpcPythonEnvCodeLocationOrigin(
        loadable_target_origin=LoadableTargetOrigin(
            executable_path=sys.executable, module_name="orchestration.definitions", attribute="defs"
        ),
        location_name=LOCATION,
    )
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job_name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job")
    parser.add_argument("--home", required=True)
    parser.add_argument("--partitions")
    parser.add_argument("--only", help="one asset of the job, or several separated by commas")
    parser.add_argument("--config", type=json.loads, help="JSON: config by asset")
    parser.add_argument("--bars", action="store_true", help="draw a progress bar per stage on stderr")
    options = parser.parse_args()
    try:
        outcome = launch(
            Home(Path(options.home)),
            options.job,
            options.partitions,
            bars=options.bars,
            only=options.only,
            config=options.config,
        )
    except SpiceError as error:  # asked for what there is not; faults within the run are in its outcome
        outcome = {"success": False, "problem": error.problem()}
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 0 if outcome["success"] else 1
