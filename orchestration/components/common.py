"""What all asset factories share: an asset's options, its run's facts, its work, a check that tells a fault."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import dagster as dg
from dagster_shared.utils.warnings import BetaWarning, PreviewWarning

from ontology_assets.events.heads import Heads
from ontology_assets.events.metrics import AppendMetrics
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import look_back_of, partitioning_of
from ontology_assets.objectify.gates import GateFailed
from orchestration.automation.conditions import condition_of, freshness_of
from orchestration.components.lineage import lineage_metadata
from orchestration.components.metadata import sample_table
from orchestration.components.partitions import partitions_of
from orchestration.components.run_tags import tag_run
from orchestration.progress import StageHandle
from orchestration.run_log import RunLog, Span, spans
from orchestration.runtime import Runtime
from resources.errors import SpiceError
from resources.locks import exclusive

# `backfill_policy=` of @asset is beta in 1.13 (docs/decisions/0006); nothing else of the beta or preview API is used.
warnings.filterwarnings("ignore", category=BetaWarning, message="Parameter `backfill_policy`.*")
# The first partitions of a calendar have fewer before them to look back on (docs/decisions/0017).
warnings.filterwarnings("ignore", category=BetaWarning, message="Parameter `allow_nonexistent_upstream_partitions`.*")
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
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The arguments of `@dg.asset` that every data asset of a domain has. `metadata` is known before any run.

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
        "metadata": {**lineage_metadata(domain, asset), **(metadata or {})},
        "code_version": code_version(domain, asset),
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.single_run() if partitions else None,
        "automation_condition": condition_of(domain, asset),
        "freshness_policy": freshness_of(domain, asset),
    }


def projection_options(projection: str, code_version: str, *, tier: str = "rebuild") -> dict[str, Any]:
    """The arguments that every asset of a read model has, whatever it does with it."""
    return {
        "group_name": f"projection/{projection}",
        "kinds": {"sqlite"},
        "owners": ["team:platform"],
        "tags": {"domain": "all", "tier": tier},
        "code_version": code_version,
    }


def _dependency(domain: Domain, asset: str, upstream: str) -> dg.AssetDep:
    mine, theirs = partitioning_of(domain, asset), partitioning_of(domain, upstream)
    if theirs is None or (mine is None and theirs is None):
        return dg.AssetDep(key_of(upstream))
    if mine is None:
        return dg.AssetDep(key_of(upstream), partition_mapping=dg.AllPartitionMapping())
    back = look_back_of(domain, asset, upstream)
    if not back:
        return dg.AssetDep(key_of(upstream), partition_mapping=dg.TimeWindowPartitionMapping())
    mapping = dg.TimeWindowPartitionMapping(start_offset=-back, allow_nonexistent_upstream_partitions=True)
    return dg.AssetDep(key_of(upstream), partition_mapping=mapping)


def about(what: str, *, comes_from: str, when_red: str) -> str:
    """An asset's description; its first sentence is what the graph shows of it."""
    return f"{what}\n\n**Comes from** {comes_from}\n\n**When it is red:** {when_red}"


@dataclass(frozen=True)
class Work:
    """What a step holds while it writes its asset: progress, and the domain's log and heads."""

    stage: StageHandle
    log: RunLog
    heads: Heads
    begun: int
    """Commits made through this log before the step."""
    before: AppendMetrics

    def spans(self) -> list[Span]:
        """Positions that the step appended."""
        return spans(self.log.appended[self.begun :])

    def cost(self) -> AppendMetrics:
        """What appending in the step took."""
        return self.log.metrics.since(self.before)


@contextmanager
def writing(context: dg.AssetExecutionContext, runtime: Runtime, domain: Domain, asset: str) -> Iterator[Work]:
    """Hold the asset's write lock and show its progress while the block runs; then say on the run what it appended."""

    def told(other: str) -> None:
        context.log.info("%s is being written by %s; waiting.", asset, other)
        runtime.clock.say(f"{asset} is being written by {other}; waiting.")

    log = runtime.log(domain.name)
    begun, before = len(log.appended), log.metrics
    with (
        runtime.clock.stage(asset) as stage,
        exclusive(
            runtime.locks,
            asset,
            holder=f"run {context.run.run_id}",
            on_wait=told,
        ),
    ):
        try:
            yield Work(stage, log, runtime.heads(domain.name), begun, before)
        finally:  # also of a step that fails after it has appended
            tag_run(context.instance, context.run.run_id, {domain.name: spans(log.appended[begun:])})


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
    """A failed check that says what an error says, with the rows that a closed gate names."""
    metadata: dict[str, Any] = {"where": fault.where or asset, "what": fault.title}
    if isinstance(fault, GateFailed):
        metadata |= {gate.code: gate.count for gate in fault.gates}
        columns = ("code", "file", "line", "key", "column", "value", "reason")
        rows = [{"code": gate.code, **vars(sample)} for gate in fault.gates for sample in gate.samples]
        metadata["sample"] = sample_table([{column: row[column] for column in columns} for row in rows])
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
