"""What people do to pipelines from outside Dagster: plan a run, build on a branch, promote what was built.

A plan reads definitions and tables in this process and asks no engine. Builds and promotions are runs of the Dagster
jobs that the UI's buttons start (`gateway/runs.py`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.domains import domains
from gateway.runs import run_job
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import downstream_of
from ontology_assets.model.table_columns import declared_columns
from resources.errors import SpiceError
from resources.home import Home
from resources.lake.local import LocalLake
from transforms.building.plan import Plan, plan
from transforms.parameters import with_values


@dataclass(frozen=True)
class Planned:
    """A plan, and the assets behind the table."""

    plan: Plan
    branch: str
    downstream: list[str]

    def document(self) -> dict[str, Any]:
        made = self.plan
        return {
            "pipeline": made.pipeline,
            "branch": self.branch,
            "partitions": [asdict(one) for one in made.partitions],
            "unchanged": made.unchanged,
            "rows": made.rows,
            "seconds": None if made.seconds is None else round(made.seconds, 1),
            "schema_changes": [asdict(one) for one in made.changes],
            "downstream": self.downstream,
        }


def domain_of_pipeline(name: str) -> Domain:
    """The domain that has the pipeline; names are unique among all."""
    for one in domains():
        if name in one.pipelines:
            return one
    known = sorted(pipeline for one in domains() for pipeline in one.pipelines)
    raise SpiceError("Unknown pipeline", f"there is no pipeline {name!r}.", where="pipeline", allowed=known)


def plan_of(home: Home, name: str, branch: str, partitions: str | None, parameters: dict[str, str | None]) -> Planned:
    """What a run of the pipeline would compute on main or on a branch."""
    domain = domain_of_pipeline(name)
    lake = LocalLake(home.lake).branches.at(branch)
    pipeline = with_values(name, domain.pipelines[name], parameters)
    keys = None
    if partitions is not None:
        if pipeline.partition is None:
            raise SpiceError("No partitions", f"{name} follows none; leave --partitions out.", where="--partitions")
        keys = _between(sorted(lake.versions(pipeline.inputs[pipeline.partition])), partitions)
    columns = declared_columns(domain).get(f"transform/{name}", {})
    made = plan(name, pipeline, lake, columns, keys, domain.timezone)
    return Planned(made, branch, downstream_of(domain, f"transform/{name}"))


def build(
    home: Home,
    name: str,
    branch: str,
    partitions: str | None,
    *,
    approve: Sequence[str],
    parameters: dict[str, str | None],
) -> dict[str, Any]:
    """Run the job `build_<name>`; its outcome, with the report of the build. SpiceError where a blocking check
    failed."""
    domain_of_pipeline(name)
    config = {"branch": branch, "approve": list(approve), "parameters": parameters}
    asset = f"transform/{name}/build"
    return run_job(home, f"build_{name}", partitions, bars=True, config={asset: config})


def promote(home: Home, name: str, branch: str, *, approve: Sequence[str]) -> dict[str, Any]:
    """Make what was built on the branch main's, by a run of `transform/<name>` (and of the other pipelines that were
    built on it) in the domain's job, which then finds nothing left to compute."""
    domain = domain_of_pipeline(name)
    found = LocalLake(home.lake).branches.get(branch)
    assets = [asset for asset in (f"transform/{one}" for one in domain.pipelines) if asset in found.changed]
    assets = assets or [f"transform/{name}"]
    if f"transform/{name}" not in assets:
        raise SpiceError(
            "Not built", f"the branch {branch} has no build of {name}.", where=f"branch {branch}", allowed=assets
        )
    config = {asset: {"promote": branch, "approve": list(approve)} for asset in assets}
    outcome = run_job(home, domain.name, None, bars=True, only=",".join(assets), config=config)
    return {**outcome, "assets": assets, "downstream": downstream_of(domain, f"transform/{name}")}


def _between(keys: list[str], asked: str) -> list[str]:
    """`A..B` or one key, of those that there are."""
    first, _, last = asked.partition("..")
    chosen = [key for key in keys if first <= key <= (last or first)]
    if not chosen:
        raise SpiceError(
            "Unknown partition",
            f"{asked!r} is none of the input's.",
            where="--partitions",
            allowed=[f"{keys[0]} .. {keys[-1]}"] if keys else [],
        )
    return chosen
