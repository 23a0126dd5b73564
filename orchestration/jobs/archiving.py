"""Archiving the log's bulk rows: a job to be run by hand, and a schedule for those who want it done each night."""

from collections.abc import Sequence

import dagster as dg

from ontology_assets.model.definitions import Domain
from orchestration.runtime import Runtime


def archiving_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """One job for all domains; the schedule is off until somebody switches it on."""

    @dg.op(description="Compares what is sealed with the log, then removes the data files that hold the same rows.")
    def archive_logs(context: dg.OpExecutionContext, runtime: Runtime) -> None:
        from ontology_assets.events.archiving import archive

        removed = {}
        for domain in domains:
            report = archive(runtime.log(domain.name), runtime.lake, domain.name)
            removed[domain.name] = dg.MetadataValue.text(
                f"through record {report.through}: {report.files} files removed, {report.bytes:,} bytes"
            )
        context.add_output_metadata(removed)

    @dg.job(
        name="archive_events",
        description="Removes from the log's folder the bulk rows that are sealed in the tables `events/<domain>`, "
        "after comparing each. Records stay; readers go on from the table, which from then on must not be removed.",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},
    )
    def archive_events() -> None:
        archive_logs()

    nightly = dg.ScheduleDefinition(
        name="nightly_archiving",
        job=archive_events,
        cron_schedule="41 3 * * *",
        execution_timezone="UTC",
        description="Runs the job archive_events each night at 03:41. Off by default: it makes the sealed tables the "
        "only copy of what they hold.",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    return dg.Definitions(jobs=[archive_events], schedules=[nightly])
