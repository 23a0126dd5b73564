"""`transform/<pipeline>/build`: a pipeline computed and checked on a branch of the tables, beside main.

Its job is `build_<pipeline>`; the UI and `spice pipeline build` run the same one. Nothing of main changes: no table, no
envelope, no materialization of `transform/<pipeline>`. What is built becomes main's by a run of `transform/<pipeline>`
with `promote: <branch>` in its config (`transform_assets.py`).
"""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import partitioning_of
from ontology_assets.model.table_columns import declared_columns
from ontology_assets.model.table_rules import rules_of
from orchestration.components.common import about, asset_options, key_of
from orchestration.components.gate import ask_approval
from orchestration.components.metadata import column_schema
from orchestration.components.partitions import keys_of_run
from orchestration.components.results import ROWS, result
from orchestration.components.table_checks import check_result, check_specs, note_of
from orchestration.components.write_metadata import write_metadata
from orchestration.reports import REPORT
from orchestration.runtime import Runtime
from resources.lake.branches import Promotion
from resources.locks import exclusive
from resources.spark import session
from transforms.building.gate import Candidate, branch_for_build, promote_build
from transforms.checking import judge
from transforms.digests import combined_version
from transforms.gating import judged, past_of
from transforms.parameters import with_values
from transforms.pipeline import PipelineTables, run_pipeline


class BuildConfig(dg.Config):
    """Where to build, and what its caller takes upon himself."""

    branch: str
    approve: list[str] = Field(default_factory=list)
    parameters: dict[str, str | None] = Field(default_factory=dict)


def candidate(domain: Domain, name: str) -> Candidate:
    """A pipeline as the definitions have it now."""
    table = f"transform/{name}"
    columns = declared_columns(domain).get(table, {})
    return Candidate(name, domain.pipelines[name], columns, rules_of(domain, table), domain.timezone)


def promote_here(runtime: Runtime, domain: Domain, branch: str, approved: Sequence[str]) -> Promotion:
    """Make the builds on a branch main's."""
    every = {f"transform/{name}": candidate(domain, name) for name in domain.pipelines}
    with runtime.approvals() as approvals:
        return promote_build(runtime.lake, branch, every, approved, approvals)


def build_definitions(domain: Domain, name: str) -> dg.Definitions:
    """The asset and its job."""
    asset = build_asset(domain, name)
    job = dg.define_asset_job(
        f"build_{name}",
        selection=dg.AssetSelection.assets(asset.key),
        description=f"Computes and checks the pipeline {name} on a branch of the tables (`branch` in the config), "
        "which is made where there is none. Main does not change.",
        tags={"spice/pipeline": name},
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(assets=[asset], jobs=[job])


def build_asset(domain: Domain, name: str) -> dg.AssetsDefinition:
    """The build of one pipeline on a branch."""
    table, built = f"transform/{name}", f"transform/{name}/build"
    rules = rules_of(domain, table)
    inputs = list(dict.fromkeys(domain.pipelines[name].inputs.values()))
    options = asset_options(
        domain,
        table,
        group=f"transform/{name}",
        kinds={"deltalake", "spark"},
        tier="build",
        description=about(
            f"A build of the pipeline {name} on a branch, beside the table that everybody reads.",
            comes_from=", ".join(f"`{one}`" for one in inputs) + ", as they are on the branch.",
            when_red="a red check says what was expected and shows rows that differ; the branch holds what was built. "
            f"Correct the definition and build again. Main was not touched; `spice pipeline promote {name}` refuses "
            "what did not pass.",
        ),
        deps=inputs,
    )
    options |= {"key": key_of(built), "metadata": {"dagster/table_name": table}}

    @dg.asset(**options, check_specs=check_specs(built, rules))
    def build(context: dg.AssetExecutionContext, config: BuildConfig, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, partitioning_of(domain, table))
        lake = runtime.lake
        one = candidate(domain, name)
        pipeline = with_values(name, one.pipeline, config.parameters)
        with (
            runtime.clock.stage(built) as stage,
            exclusive(runtime.locks, f"{config.branch}/{table}", holder=f"run {context.run.run_id}"),
        ):
            branch = branch_for_build(lake, config.branch)
            one.refuse_breaking(lake.branches.fork_of(branch.name), config.approve)
            there = lake.branches.at(branch.name)
            ask_approval(runtime, domain, table, keys, there)
            report = run_pipeline(
                name,
                pipeline,
                there,
                keys,
                engine=session,
                timezone=domain.timezone,
                progress=stage.advance,
                declared=one.columns,
            )
            versions = {key: each.version for key, each in report.partitions.items()}
            with runtime.approvals() as approvals:
                judgement = judge(
                    rules,
                    there,
                    keys,
                    pipeline=PipelineTables(name, pipeline, there, session, domain.timezone),
                    past=past_of(rules, approvals, versions),
                    timezone=domain.timezone,
                )
                approvals.record(judged(rules, versions, judgement.outcomes, judgement.profiles, context.run.run_id))
            outcomes = judgement.outcomes
            stage.note(f"on branch {branch.name}: {report.rows_out:,} rows out; {note_of(outcomes)}")
        changed = [key for key, each in report.partitions.items() if each.changed]
        return result(
            context,
            versions,
            spans=[],
            seconds=stage.seconds,
            metadata={
                "branch": branch.name,
                "rows_in": report.rows_in,
                **write_metadata(report.run),
                "partitions_changed": len(changed),
                "promote": f"spice pipeline promote {name} --branch {branch.name}",
                "dagster/column_schema": column_schema(report.columns, {}),
                REPORT: {
                    "branch": branch.name,
                    "rows_in": report.rows_in,
                    "rows_out": report.rows_out,
                    "partitions": len(keys),
                    "partitions_changed": len(changed),
                    "checks": {each.name: _said(each.passed, each.severity) for each in outcomes},
                },
            },
            figures={ROWS: {key: each.rows for key, each in report.partitions.items()}},
            check_results=[check_result(each, built, combined_version(versions)) for each in outcomes],
        )

    return build


def _said(passed: bool, severity: str) -> str:  # noqa: FBT001 - of one outcome
    if passed:
        return "passed"
    return "failed" if severity == "block" else "warned"
