"""Runs of a domain's job at fixed times, as its file declares them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from ontology_assets.model.automation import Schedule
from ontology_assets.model.definitions import Domain
from orchestration.components.partitions import RANGE_END, RANGE_START


def schedule_definitions(
    domain: Domain, job: UnresolvedAssetJobDefinition, partitions: dg.TimeWindowPartitionsDefinition | None
) -> list[dg.ScheduleDefinition]:
    """`partitions`: those of the job; None where nothing of it is partitioned."""
    return [
        _schedule(domain, name, declared, job, partitions) for name, declared in domain.automation.schedules.items()
    ]


def _schedule(
    domain: Domain,
    name: str,
    declared: Schedule,
    job: UnresolvedAssetJobDefinition,
    partitions: dg.TimeWindowPartitionsDefinition | None,
) -> dg.ScheduleDefinition:
    zone = declared.timezone or domain.timezone

    @dg.schedule(
        name=f"{domain.name}_{name}",
        job=job,
        cron_schedule=declared.cron,
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{declared.description or f'Runs the job {domain.name}.'} At `{declared.cron}`, {zone}. Declared "
        "in domain.yaml: `automation.schedules`.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        due = context.scheduled_execution_time.astimezone(UTC)
        if partitions is None:
            yield dg.RunRequest(run_key=due.isoformat())
            return
        keys = _due_keys(partitions, due, declared.newest)
        if not keys:
            yield dg.SkipReason("no partition has ended yet")
            return
        yield dg.RunRequest(run_key=due.isoformat(), tags={RANGE_START: keys[0], RANGE_END: keys[-1]})

    return schedule


def _due_keys(partitions: dg.TimeWindowPartitionsDefinition, due: datetime, newest: int | None) -> list[str]:
    if newest is None:
        return list(partitions.get_partition_keys())
    return list(partitions.get_partition_keys(current_time=due))[-newest:]
