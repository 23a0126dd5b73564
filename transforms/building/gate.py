"""The gate through which a build on a branch becomes main's: whole, judged good, and of the definitions of now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from resources.approvals.base import Approvals
from resources.errors import SpiceError
from resources.lake.base import UNPARTITIONED, Lake
from resources.lake.branches import MAIN, Branch, Promotion
from transforms.building.plan import key_of, no_engine
from transforms.building.schema_changes import SchemaChange, refuse_breaking, schema_changes
from transforms.definitions import Pipeline
from transforms.gating import TableRules, require_approved
from transforms.incremental.run import tables_beside
from transforms.incremental.watermarks import made_of
from transforms.pipeline import PipelineTables, table_name


class NotReady(SpiceError):
    """The build on the branch may not become main's: it is not whole, or of another definition."""

    kind = "urn:spice:not-ready"


@dataclass(frozen=True)
class Candidate:
    """A pipeline as it is defined now: the declared columns of its result, and what is demanded of that."""

    name: str
    pipeline: Pipeline
    columns: Mapping[str, str]
    rules: TableRules
    timezone: str

    @property
    def table(self) -> str:
        return table_name(self.name)

    def changes(self, lake: Lake) -> list[SchemaChange]:
        """Against the table in `lake`."""
        return schema_changes(lake, self.table, self.columns, key_of(self.pipeline))

    def refuse_breaking(self, lake: Lake, approved: Collection[str]) -> None:
        refuse_breaking(f"pipelines.{self.name}", self.changes(lake), approved)


def branch_for_build(lake: Lake, name: str) -> Branch:
    """The branch to build on, made of main as it is now where there is none."""
    if name == MAIN:
        raise SpiceError(
            "Not a branch", "a build is made on a branch; main is changed by a promotion.", where="--branch"
        )
    there = {one.name: one for one in lake.branches.every()}
    return there.get(name) or lake.branches.create(name)


def promote_build(
    lake: Lake, branch: str, candidates: Mapping[str, Candidate], approved: Collection[str], approvals: Approvals
) -> Promotion:
    """Make main's all that the branch changed. `candidates` by table; `approved`: breaking changes by name.

    Every changed table must be a pipeline's, hold what its definition makes of the branch's inputs, and be approved by
    its blocking rules at exactly these data versions; main must not have moved on it, or on what it was made of.
    Raises NotReady, NotApproved, BreakingChange, PromotionConflict.
    """
    there, found = lake.branches.at(branch), lake.branches.get(branch)
    beside = {table for one in candidates.values() for table in tables_beside(one.name, one.pipeline)}
    foreign = [table for table in found.changed if table not in candidates and table not in beside]
    if foreign:
        raise NotReady(
            "No build",
            f"{', '.join(foreign)} on the branch is no pipeline's result, so nothing says whether it is right.",
            where=f"branch {branch}",
            status=409,
        )
    changed = [candidates[table] for table in found.changed if table in candidates]
    if changed:  # else it was promoted before, and so were the changes
        refuse_breaking(f"branch {branch}", [change for one in changed for change in one.changes(lake)], approved)
    for one in changed:
        _check_whole(one, there, branch)
        require_approved(one.rules, there.versions(one.table), approvals)
    reads = {table for one in changed for table in one.pipeline.inputs.values()} - set(found.changed)
    return lake.branches.promote(branch, reads=sorted(reads))


def _check_whole(one: Candidate, there: Lake, branch: str) -> None:
    tables = PipelineTables(one.name, one.pipeline, there, no_engine, one.timezone)
    keys = sorted(there.versions(tables.followed)) if tables.followed else [UNPARTITIONED]
    made = made_of(there.state(one.table))
    stale = [key for key, version in tables.wanted_versions(keys).items() if made.get(key) != version]
    if stale:
        raise NotReady(
            "Not ready",
            f"{_some(stale)} is not what the definition, with its own parameters, makes of the branch's inputs: build "
            f"it again, `spice pipeline build {one.name} --branch {branch}`.",
            where=f"{one.table} on branch {branch}",
            status=409,
        )


def _some(keys: Sequence[str]) -> str:
    if keys == [UNPARTITIONED]:
        return "it"
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"partition{'s' if len(keys) > 1 else ''} {', '.join(keys[:3])}{more}"
