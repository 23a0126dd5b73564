"""The check `reconciled` at `events/<domain>`: tables, log and Dagster's records agree; and the job that mends them.

It looks at every partition of every asset, so it runs each night or by hand, not in the domain's job.
"""

from collections.abc import Sequence

import dagster as dg

from ontology_assets.model.definitions import Domain
from ontology_assets.reconciling.difference import lines
from ontology_assets.reconciling.ledgers import Ledgers
from ontology_assets.reconciling.reconcile import Look, check_reconciled, look, repair
from orchestration.components.common import key_of
from orchestration.components.metadata import markdown_table
from orchestration.runtime import Runtime
from resources.cli_runs import settle_dead_runs
from resources.dagster_records import DagsterRecords

RECONCILED = "reconciled"
JOB = "reconcile"


def reconciler_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """A check of each domain, the nightly job of all of them, and the job that mends."""
    checks = [_check(domain) for domain in domains]
    nightly = dg.define_asset_job(
        "compare_records",
        selection=dg.AssetSelection.checks(*checks),
        description="Compares the tables of every domain, the envelopes of its log and Dagster's materializations.",
        executor_def=dg.in_process_executor,
    )
    schedule = dg.ScheduleDefinition(
        name="nightly_reconciliation",
        job=nightly,
        cron_schedule="53 3 * * *",
        execution_timezone="UTC",
        description="Runs the job compare_records each night at 3:53 UTC.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(asset_checks=checks, jobs=[nightly, _job(domains)], schedules=[schedule])


def reconciled_check(domain: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(key_of(f"events/{domain}"), RECONCILED)


def _ledgers(runtime: Runtime, domain: Domain, instance: dg.DagsterInstance) -> Ledgers:
    log, heads = runtime.log(domain.name), runtime.heads(domain.name)
    return Ledgers(domain, runtime.lake, log, heads, DagsterRecords(instance), runtime.locks)


def _check(domain: Domain) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of(f"events/{domain.name}"),
        name=RECONCILED,
        description="What the tables hold, what the log says of them, and what Dagster shows of their runs agree: data "
        f"versions, counts, positions. What a run died before is mended by the job `{JOB}`; for the rest the result "
        "says what to do.",
    )
    def reconciled(context: dg.AssetCheckExecutionContext, runtime: Runtime) -> dg.AssetCheckResult:
        settle_dead_runs(runtime.home, context.instance)
        with runtime.clock.stage(f"events/{domain.name}, {RECONCILED}"):
            found = look(_ledgers(runtime, domain, context.instance))
        return _result(found)

    return reconciled


def _result(found: Look) -> dg.AssetCheckResult:
    rows = [[one.asset, one.partition, one.kind, one.detail, one.advice] for one in found.differences]
    table = {"by_place": markdown_table(["asset", "partition", "what", "", "what to do"], rows)} if rows else {}
    return dg.AssetCheckResult(
        passed=not found.differences,
        severity=dg.AssetCheckSeverity.ERROR,
        description="\n".join(lines(found.differences)) or None,
        metadata={
            "differences": len(found.differences),
            "mended_by_the_job": sum(one.can_be_mended for one in found.differences),
            **found.compared,
            "at_work": ", ".join(sorted(found.at_work)) or "nobody",
            **table,
        },
    )


def _job(domains: Sequence[Domain]) -> dg.JobDefinition:
    @dg.op(
        name="mend_records",
        description="Appends the envelopes and tells Dagster the materializations that a run died before; looks again.",
    )
    def mend_records(context: dg.OpExecutionContext, runtime: Runtime) -> None:
        settle_dead_runs(runtime.home, context.instance)
        metadata = {"run_id": context.run.run_id, "job": context.run.job_name}
        done = [repair(_ledgers(runtime, domain, context.instance), metadata) for domain in domains]
        for one in done:
            told = "\n".join(lines(one.mended)) or "nothing to mend"
            context.log.info("%s: mended: %s", one.after.domain, told)
        context.add_output_metadata({one.after.domain: dg.MetadataValue.int(len(one.mended)) for one in done})
        check_reconciled(done)

    @dg.job(
        name=JOB,
        description="Compares tables, log and Dagster's records of every domain, and does what runs died before they "
        "could do. Red (“Not reconciled”) if something differs that somebody has to decide; the error says what to do.",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},
    )
    def reconcile() -> None:
        mend_records()

    return reconcile
