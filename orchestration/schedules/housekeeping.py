"""Pruning of what otherwise grows without bound: Dagster's own records (each follower ends 26 runs a day), and
generations of read models. What an undo could not tell Dagster is told here.

A run that made the newest materialization of an asset or of one of its partitions stays: with it, the asset would lose
its place in the graph. Ticks are pruned by Dagster (`retention` in `resources/instance.py`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import dagster as dg

from ontology_assets.projections.rebuild.place import open_place
from ontology_assets.projections.rebuild.sweep import sweep
from ontology_assets.projections.sinks import OPTIONS
from orchestration.jobs.followers import FOLLOWER_TAG
from orchestration.undone import tell
from resources.clock import utc_now
from resources.home import Home
from resources.registry.sql import SqliteRegistry

KEPT_FOR = timedelta(days=1)
FOLLOWER_RUNS = 100
PAGE = 500
IDS_AT_ONCE = 5_000
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def housekeeping_definitions() -> dg.Definitions:
    """The job and its hourly schedule."""

    @dg.op(description="Deletes finished runs that nothing refers to any more, with their logs.")
    def prune_runs(context: dg.OpExecutionContext) -> None:
        deleted = prune(context.instance, utc_now(), keep=context.run_id)
        context.log.info("%s runs deleted", len(deleted))

    @dg.op(description="Removes generations of read models that nobody asks, fills or may go back to.")
    def remove_generations(context: dg.OpExecutionContext) -> None:
        home = Home.resolve()
        registry = SqliteRegistry(home.registry)
        for projection in sorted(OPTIONS):
            place = open_place(home, projection, [], registry, owner=f"run {context.run_id}")
            context.log.info("%s: generations removed: %s", projection, ", ".join(sweep(place)) or "none")
        registry.close()

    @dg.op(description="Reports the undos that nobody reported: their process ended before it could.")
    def report_undos(context: dg.OpExecutionContext) -> None:
        told = tell(Home.resolve(), context.instance)
        context.log.info("undos reported: %s", ", ".join(told) or "none")

    @dg.job(
        description="Prunes runs older than a day, except those that made what the asset graph shows, and all but the "
        f"last {FOLLOWER_RUNS} runs of followers. Removes generations of read models whose undo window is over. "
        "Reports undos that nobody reported.",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},
    )
    def housekeeping() -> None:
        prune_runs()
        remove_generations()
        report_undos()

    hourly = dg.ScheduleDefinition(
        name="hourly_housekeeping",
        job=housekeeping,
        cron_schedule="17 * * * *",
        execution_timezone="UTC",
        description="Runs the job housekeeping at 17 minutes past each hour, so that Dagster's records don't grow "
        "without bound.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[housekeeping], schedules=[hourly])


def prune(instance: dg.DagsterInstance, now: datetime, *, keep: str = "") -> list[str]:
    """Deletes what is due, with its captured output; returns the ids of the runs. Unfinished runs stay."""
    old = {run.run_id for run in _finished(instance, dg.RunsFilter(statuses=FINISHED, created_before=now - KEPT_FOR))}
    followers = dg.RunsFilter(statuses=FINISHED, tags={FOLLOWER_TAG: ["topic", "search", "graph"]})
    beyond = [run.run_id for run in _finished(instance, followers)][FOLLOWER_RUNS:]
    due = sorted((old | set(beyond)) - runs_that_made_the_newest(instance) - {keep})
    for run_id in due:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return due


def runs_that_made_the_newest(instance: dg.DagsterInstance) -> set[str]:
    """Ids of the runs that made the newest materialization of any asset or partition."""
    log = instance.event_log_storage
    found: set[str] = set()
    for record in log.get_asset_records():
        entry = record.asset_entry
        if entry.last_materialization_record is not None:
            found.add(entry.last_materialization_record.run_id)
        newest = log.get_latest_storage_id_by_partition(entry.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        for ids in _chunks(sorted(newest.values())):
            summaries = log.get_asset_event_summary_records(
                dg.DagsterEventType.ASSET_MATERIALIZATION, entry.asset_key, storage_ids=ids
            )
            found |= {summary.run_id for summary in summaries if summary.run_id}
    return found


def _finished(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> Iterator[dg.DagsterRun]:
    """Newest first."""
    cursor: str | None = None
    while True:
        runs = instance.get_runs(filters, cursor=cursor, limit=PAGE)
        yield from runs
        if len(runs) < PAGE:
            return
        cursor = runs[-1].run_id


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        yield ids[start : start + IDS_AT_ONCE]
