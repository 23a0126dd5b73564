"""The checks of the live read models: equal to the log, bucket by bucket; and the job that repairs them.

Unpartitioned: one result that tells of all sixteen buckets. `digest` reads everything back, at the end of a domain's
job and each night; `kept_digest` compares what is stored of it, each hour.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import Comparison
from ontology_assets.projections.quick import quick
from ontology_assets.projections.repair import repair, verify
from ontology_assets.projections.sinks import OPTIONS
from orchestration.components.common import key_of
from orchestration.components.rebuild_assets import comparison_table, place_of
from orchestration.runtime import Runtime

DIGEST = "digest"
KEPT_DIGEST = "kept_digest"


def drift_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """Both checks of each projection, a nightly and an hourly job of all of them, a repair job of each."""
    whole = [_digest_check(name, domains) for name in sorted(OPTIONS)]
    kept = [_kept_check(name, domains) for name in sorted(OPTIONS)]
    nightly = dg.define_asset_job(
        "compare_projections",
        selection=dg.AssetSelection.checks(*whole),
        description="Reads every live read model back and compares it with the log, bucket by bucket.",
        executor_def=dg.in_process_executor,
    )
    hourly = dg.define_asset_job(
        "compare_digests",
        selection=dg.AssetSelection.checks(*kept),
        description="Compares the digests that are kept of every live read model with those of the log; seconds.",
        executor_def=dg.in_process_executor,
    )
    schedules = [
        _schedule("nightly_comparison", nightly.name, "43 3 * * *", "each night at 3:43 UTC"),
        _schedule("hourly_comparison", hourly.name, "37 * * * *", "at 37 minutes past each hour"),
    ]
    repairs = [_repair_job(name, domains) for name in sorted(OPTIONS)]
    return dg.Definitions(asset_checks=[*whole, *kept], jobs=[nightly, hourly, *repairs], schedules=schedules)


def _schedule(name: str, job: str, cron: str, when: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"Runs the job {job} {when}.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def drift_checks(name: str) -> list[dg.AssetCheckKey]:
    """Their schedules run them, not the run that brings the events: all that was ever stored is read for them."""
    return [dg.AssetCheckKey(key_of(f"projection/{name}/live"), check) for check in (DIGEST, KEPT_DIGEST)]


def _digest_check(name: str, domains: Sequence[Domain]) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of(f"projection/{name}/live"),
        name=DIGEST,
        description="What queries read is what the events say: count and digest of each of the 16 buckets, computed "
        f"from the rows and from the log, at one position. The job `repair_{name}` mends what differs.",
    )
    def digest(context: dg.AssetCheckExecutionContext, runtime: Runtime) -> dg.AssetCheckResult:
        place = place_of(runtime, name, domains, context.run.run_id)
        with runtime.clock.stage(f"projection/{name}/live, digest") as stage:
            found = verify(place)
            stage.advance(sum(one.model.documents for compared in found for one in compared.buckets))
        place.registry.close()
        return _result(name, found, "repair them")

    return digest


def _kept_check(name: str, domains: Sequence[Domain]) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of(f"projection/{name}/live"),
        name=KEPT_DIGEST,
        description="The hashes that rows were stored with and the digest kept with each transaction are what the "
        "events say: no row is missing, too many or back from the dead. Values are not read back: `digest` does that.",
    )
    def kept_digest(context: dg.AssetCheckExecutionContext, runtime: Runtime) -> dg.AssetCheckResult:
        place = place_of(runtime, name, domains, context.run.run_id)
        with runtime.clock.stage(f"projection/{name}/live, {KEPT_DIGEST}"):
            found = quick(place)
        place.registry.close()
        since = {f"log_digest_kept_at_{one.comparison.domain}": one.since for one in found if one.since is not None}
        return _result(name, [one.comparison for one in found], "compare and repair them", since)

    return kept_digest


def _result(
    name: str, found: Sequence[Comparison], advice: str, more: Mapping[str, int] | None = None
) -> dg.AssetCheckResult:
    different = {one.domain: one.different for one in found if one.different}
    told = "; ".join(f"{domain}: {', '.join(f'{one:x}' for one in buckets)}" for domain, buckets in different.items())
    return dg.AssetCheckResult(
        passed=not different,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"differs from the log in buckets {told}. To {advice}: the job repair_{name}, or "
        f"`spice projection repair {name}`."
        if different
        else None,
        metadata={
            "different": sum(len(buckets) for buckets in different.values()),
            "documents": sum(bucket.model.documents for one in found for bucket in one.buckets),
            **{f"position_{one.domain}": one.position for one in found},
            **(more or {}),
            "by_bucket": comparison_table(found),
        },
    )


def _repair_job(name: str, domains: Sequence[Domain]) -> dg.JobDefinition:
    @dg.op(
        name=f"repair_buckets_of_{name}",
        description="Makes the buckets that differ from the log again of it, and compares them afterwards.",
    )
    def repair_buckets(context: dg.OpExecutionContext, runtime: Runtime) -> None:
        place = place_of(runtime, name, domains, context.run.run_id)
        for one in repair(place):
            buckets = ", ".join(f"{bucket:x}" for bucket in one.buckets) or "none"
            context.log.info("%s: buckets made again and proved: %s", one.domain, buckets)
        place.registry.close()

    @dg.job(
        name=f"repair_{name}",
        description=f"Compares the read model {name} with the log and makes the buckets that differ again of it. Red "
        "(“Not repaired”) if they differ afterwards.",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},
    )
    def repair_projection() -> None:
        repair_buckets()

    return repair_projection
