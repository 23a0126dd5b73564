"""Checks on clean and transformed tables: contracts (pandera, always blocking) and expectations (Great Expectations).

One step per table evaluates all of them over the run's partitions, so that the table is read once. A result says for
which data versions it was found; a run over the same versions gives it again without evaluating anything. What the
blocking ones say is recorded for each partition (`resources.approvals`) before Dagster is told: consumers ask there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import partitioning_of
from ontology_assets.model.table_rules import rules_of
from orchestration.components.common import key_of
from orchestration.components.metadata import sample_table
from orchestration.components.partitions import keys_of_run
from orchestration.components.run_parameters import pipeline_of_run
from orchestration.runtime import Runtime
from resources.approvals.base import Approvals
from resources.spark import session
from transforms.checking import judge
from transforms.digests import combined_version
from transforms.gating import TableRules, judged, past_of
from transforms.outcomes import CheckName, CheckOutcome, contract_names, expectation_names
from transforms.pipeline import PipelineTables
from transforms.rule_definitions import Contract, Expectation

EVALUATED = "version_evaluated"
SAMPLES = 10
WARNS = "Where it is not so, the check warns and nothing is held back."
NAMED = 6
"""Columns of a sample that are shown beside its place, or named where it has no line in a file."""
FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
"""Status of evaluations that are over: this run has planned one of its own for each of its partitions."""


def table_checks(domain: Domain) -> list[dg.AssetChecksDefinition]:
    """A check step for each table that has a contract or expectations."""
    tables: list[tuple[str, Contract | None, list[Expectation]]] = [
        (f"clean/{name}", one.contract, one.expectations) for name, one in domain.datasets.items()
    ]
    tables += [(f"transform/{name}", one.contract, one.expectations) for name, one in domain.pipelines.items()]
    return [
        _checks_of(domain, asset, contract, expectations)
        for asset, contract, expectations in tables
        if contract is not None or expectations
    ]


def _checks_of(
    domain: Domain, asset: str, contract: Contract | None, expectations: list[Expectation]
) -> dg.AssetChecksDefinition:
    names = [*contract_names(contract), *expectation_names(expectations)]
    layer, _, name = asset.partition("/")
    specs = check_specs(asset, TableRules(asset, contract, expectations))

    @dg.multi_asset_check(name=f"{asset.replace('/', '__')}__checks", specs=specs)
    def checks(context: dg.AssetCheckExecutionContext, runtime: Runtime) -> Iterator[dg.AssetCheckResult]:
        keys = keys_of_run(context, partitioning_of(domain, asset))
        lake, rules = runtime.lake, rules_of(domain, asset)
        held = lake.versions(asset)
        versions = {key: held[key] for key in keys if key in held}
        read = {other: combined_version(lake.versions(other)) for other in rules.references}
        wanted = combined_version({**versions, **read, "checks": rules.hash()})
        with runtime.clock.stage(f"checks of {asset}") as stage, runtime.approvals() as approvals:
            stage.advance(sum(rows for key, rows in lake.rows(asset).items() if key in versions))
            known = _known(context, asset, names, wanted) if _is_recorded(rules, versions, approvals) else None
            if known is not None:
                stage.note("evaluated before")
                yield from known
                return
            pipeline = (
                PipelineTables(name, pipeline_of_run(context, domain, name), lake, session, domain.timezone)
                if layer == "transform"
                else None
            )
            judgement = judge(
                rules,
                lake,
                keys,
                pipeline=pipeline,
                past=past_of(rules, approvals, versions),
                timezone=domain.timezone,
            )
            approvals.record(judged(rules, versions, judgement.outcomes, judgement.profiles, context.run.run_id))
            stage.note(note_of(judgement.outcomes))
        yield from (check_result(one, asset, wanted) for one in judgement.outcomes)

    return checks


def check_specs(asset: str, rules: TableRules) -> list[dg.AssetCheckSpec]:
    """What Dagster knows of the checks of a table before any has run; `asset` is the table, or a build of it."""
    others = [key_of(one) for one in rules.references if one != rules.table]
    return [
        dg.AssetCheckSpec(
            one.name,
            asset=key_of(asset),
            additional_deps=others,
            blocking=one.severity == "block",
            description=f"Expected: {one.expected}. "
            + ("Where it is not so, what is downstream is held back." if one.severity == "block" else WARNS),
        )
        for one in [*contract_names(rules.contract), *expectation_names(rules.expectations)]
    ]


def _is_recorded(rules: TableRules, versions: Mapping[str, str], approvals: Approvals) -> bool:
    """Whether what was found before may be said again: it depends on no clock, and consumers can ask for it."""
    if not rules.timeless:
        return False
    gate, known = rules.gate(), approvals.verdicts(rules.table, list(versions))
    return all(
        any((one.version, one.rules) == (version, gate) for one in known.get(key, ()))
        for key, version in versions.items()
    )


def _known(
    context: dg.AssetCheckExecutionContext, asset: str, names: Sequence[CheckName], wanted: str
) -> list[dg.AssetCheckResult] | None:
    """The latest results, if all of them were found for these very data versions and rules."""
    found: list[dg.AssetCheckResult] = []
    for one in names:
        evaluation = _latest(context.instance, dg.AssetCheckKey(key_of(asset), one.name))
        if evaluation is None or evaluation.metadata.get(EVALUATED) != dg.TextMetadataValue(wanted):
            return None
        found.append(
            dg.AssetCheckResult(
                passed=evaluation.passed,
                asset_key=evaluation.asset_key,
                check_name=evaluation.check_name,
                severity=evaluation.severity,
                description=evaluation.description,
                metadata=evaluation.metadata,
            )
        )
    return found


def _latest(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """The newest finished evaluation."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=FINISHED):
        event = record.event.dagster_event if record.event is not None else None
        data = event.event_specific_data if event is not None else None
        if isinstance(data, dg.AssetCheckEvaluation):
            return data
    return None


def check_result(outcome: CheckOutcome, asset: str, version: str) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {
        "expected": outcome.expected,
        "observed": outcome.observed,
        "failing": outcome.failing_count,
        EVALUATED: version,
    }
    if outcome.samples:
        metadata["sample"] = sample_table(
            [_of_sample(sample, outcome.expected) for sample in outcome.samples[:SAMPLES]]
        )
    return dg.AssetCheckResult(
        passed=outcome.passed,
        asset_key=key_of(asset),
        check_name=outcome.name,
        severity=dg.AssetCheckSeverity.ERROR if outcome.severity == "block" else dg.AssetCheckSeverity.WARN,
        description=f"{outcome.observed}; expected: {outcome.expected}.{_advice(outcome)}",
        metadata=metadata,
    )


def _of_sample(sample: Mapping[str, Any], expected: str) -> dict[str, Any]:
    """Place first (no column of a table is called `source line`), then what the rule names, then a few others: the
    place leads to the whole row, and a wide table is cut off on the page."""
    known = sample.get("_source_file") is not None
    place = {"source file": sample["_source_file"], "source line": sample["_line"]} if known else {}
    names = [name for name in sample if not name.startswith("_")]
    named = [name for name in names if re.search(rf"\b{re.escape(name)}\b", expected)]
    shown = [*named, *(name for name in names if name not in named)][: max(NAMED, len(named))]
    return place | {name: sample[name] for name in shown}


def _advice(outcome: CheckOutcome) -> str:
    """Where one of the rows is, and what to do."""
    if outcome.passed:
        return ""
    place = f" E.g. {_place(outcome.samples[0])}." if outcome.samples else ""
    if outcome.severity == "warn":
        return f"{place} Nothing is held back for it; correct the source, or the rule in domain.yaml."
    return f"{place} What is downstream is held back: correct the source (or the rule in domain.yaml), and run again."


def _place(sample: Mapping[str, Any]) -> str:
    if sample.get("_source_file"):
        return f"{sample['_source_file']}, line {sample['_line']}"
    return ", ".join(f"{name} {value}" for name, value in list(sample.items())[:NAMED])


def note_of(outcomes: Sequence[CheckOutcome]) -> str:
    failed = [f"{one.name} ({one.severity}): {one.observed}" for one in outcomes if not one.passed]
    return "; ".join(failed) if failed else f"{len(outcomes)} passed"
