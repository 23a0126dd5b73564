"""What all asset factories share: an asset's options, its run's facts, the chunks it works in, its result."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import dagster as dg
from dagster_shared.utils.warnings import BetaWarning, PreviewWarning

from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import partitioning_of
from orchestration.components.partitions import partitions_of
from orchestration.progress import StageHandle
from orchestration.runtime import Runtime
from resources.errors import SpiceError
from resources.locks import exclusive
from transforms.digests import combined_version

# `backfill_policy=` of @asset is beta in 1.13 (docs/decisions/0006); nothing else of the beta or preview API is used.
warnings.filterwarnings("ignore", category=BetaWarning, message="Parameter `backfill_policy`.*")
# Dagster's own copying of definitions passes parameters that are beta; nobody at a terminal can do anything about it.
warnings.filterwarnings("ignore", category=BetaWarning, message="Parameter `(owners|execution_type)`.*")
warnings.filterwarnings("ignore", category=PreviewWarning, message="Parameter `partitions_def` of init.*AssetCheck.*")


Make: TypeAlias = Callable[[dg.AssetExecutionContext, Runtime], dg.MaterializeResult]
Step: TypeAlias = Callable[[dg.AssetExecutionContext, Runtime], Iterator["dg.AssetCheckResult | dg.MaterializeResult"]]


def key_of(asset: str) -> dg.AssetKey:
    return dg.AssetKey(asset.split("/"))


def asset_options(
    domain: Domain,
    asset: str,
    *,
    group: str,
    kinds: set[str],
    description: str,
    deps: Sequence[str] = (),
    tier: str = "core",
) -> dict[str, Any]:
    """The arguments of `@dg.asset` that every data asset of a domain has.

    All partitioned assets of a domain are `single_run`, so that the year is one run of the job in which blocking checks
    block; dependencies between equal partitions are by identity, all others by all partitions.
    """
    partitions = partitions_of(partitioning_of(domain, asset))
    return {
        "key": key_of(asset),
        "deps": [_dependency(domain, asset, upstream) for upstream in deps],
        "group_name": group,
        "kinds": kinds,
        "owners": domain.owners or ["team:data"],
        "tags": {"domain": domain.name, "tier": tier},
        "description": description,
        "code_version": code_version(domain, asset),
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.single_run() if partitions else None,
    }


def _dependency(domain: Domain, asset: str, upstream: str) -> dg.AssetDep:
    mine, theirs = partitioning_of(domain, asset), partitioning_of(domain, upstream)
    if theirs is None or (mine is None and theirs is None):
        return dg.AssetDep(key_of(upstream))
    if mine is None:
        return dg.AssetDep(key_of(upstream), partition_mapping=dg.AllPartitionMapping())
    return dg.AssetDep(key_of(upstream), partition_mapping=dg.TimeWindowPartitionMapping())


@contextmanager
def writing(context: dg.AssetExecutionContext, runtime: Runtime, asset: str) -> Iterator[StageHandle]:
    """Hold the asset's write lock and show its progress while the block runs."""

    def told(other: str) -> None:
        context.log.info("%s is being written by %s; waiting.", asset, other)
        runtime.clock.say(f"{asset} is being written by {other}; waiting.")

    with (
        runtime.clock.stage(asset) as stage,
        exclusive(
            runtime.locks,
            asset,
            holder=f"run {context.run.run_id}",
            on_wait=told,
        ),
    ):
        yield stage


def told_by_check(asset: str, check_of: Callable[[SpiceError], str | None]) -> Callable[[Make], Step]:
    """Where the step raises what one of its checks stands for (`check_of` names it), that check is red, and says what
    the error says; then the error ends the step: nothing downstream runs."""

    def wrapped(make: Make) -> Step:
        def step(
            context: dg.AssetExecutionContext, runtime: Runtime
        ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
            try:
                made = make(context, runtime)
            except SpiceError as fault:
                check = check_of(fault)
                if check is not None:
                    yield red(asset, check, fault)
                raise
            yield made

        return step

    return wrapped


def red(asset: str, check: str, fault: SpiceError) -> dg.AssetCheckResult:
    """A failed check that says what an error says."""
    metadata: dict[str, Any] = {"where": fault.where or asset, "what": fault.title}
    return dg.AssetCheckResult(
        asset_key=key_of(asset), check_name=check, passed=False, description=fault.text(), metadata=metadata
    )


def altered(place: str, held: int, due: int) -> str:
    """Of a table whose files do not hold what its commit says."""
    return (
        f"{place}: Altered table: files hold {held:,} rows where {due:,} are due. Remove that folder and run again; "
        "the table is made again from its inputs, and objects and events are not touched."
    )


def event_metadata(context: dg.AssetExecutionContext, domain: Domain, asset: str) -> dict[str, str]:
    """`metadata` of the envelopes that this run appends: leads from the envelope to the run."""
    return {"run_id": context.run.run_id, "job": context.run.job_name, "code_version": code_version(domain, asset)}


def result(
    versions: Mapping[str, str],
    *,
    appended: int,
    metadata: Mapping[str, Any],
    check_results: Sequence[dg.AssetCheckResult] = (),
    asset_key: dg.AssetKey | None = None,
) -> dg.MaterializeResult:
    """The end of a step: metadata, one data version over the run's partitions, check results.

    Dagster copies one data version to every partition of a ranged run; that of each partition is in its envelope.
    """
    changed = "unchanged: nothing appended" if appended == 0 else f"{appended:,} envelopes appended"
    return dg.MaterializeResult(
        asset_key=asset_key,
        metadata={"change": changed, "partitions": len(versions), **metadata},
        data_version=dg.DataVersion(combined_version(versions)),
        check_results=list(check_results),
    )
