"""What running a pipeline would compute, and why, from its definition and the tables alone: no engine is asked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from resources.errors import SpiceError
from resources.lake.base import UNPARTITIONED, Lake
from transforms.building.built import Built
from transforms.building.schema_changes import SchemaChange, schema_changes
from transforms.definitions import Pipeline
from transforms.incremental.watermarks import made_of
from transforms.pipeline import PipelineTables, code_version, table_name

Reason = Literal["not built", "definition changed", "input changed", "definition or input changed"]


@dataclass(frozen=True)
class PlannedPartition:
    """A partition that would be computed; `rows` of the followed input (or of all) that it reads."""

    partition: str
    reason: Reason
    rows: int


@dataclass(frozen=True)
class Plan:
    """What would be computed; `seconds` by the last costs of this table, None where there are none."""

    pipeline: str
    partitions: list[PlannedPartition]
    unchanged: int
    changes: list[SchemaChange]
    rows: int
    seconds: float | None

    def reasons(self) -> dict[str, int]:
        """Partitions by reason."""
        return dict(Counter(one.reason for one in self.partitions))


def plan(  # noqa: PLR0917 - the same values as a run
    name: str,
    pipeline: Pipeline,
    lake: Lake,
    columns: Mapping[str, str],
    partitions: Sequence[str] | None = None,
    timezone: str = "UTC",
) -> Plan:
    """`columns`: those of the result, as declared. `partitions` None = all that the followed input has.

    Raises SpiceError where an input is not there.
    """
    tables = PipelineTables(name, pipeline, lake, no_engine, timezone)
    followed = tables.followed
    if partitions is None:
        partitions = sorted(lake.versions(followed)) if followed else [UNPARTITIONED]
    wanted = tables.wanted_versions(partitions)
    state, rows = lake.state(table_name(name)), tables.rows_read(partitions)
    built, code = Built.of(state), code_version(pipeline, timezone)
    made = made_of(state)
    planned = [
        PlannedPartition(key, _reason(made.get(key), built.codes.get(key), code), rows.get(key, 0))
        for key, version in wanted.items()
        if made.get(key) != version
    ]
    total = sum(one.rows for one in planned)
    return Plan(
        pipeline=name,
        partitions=planned,
        unchanged=len(wanted) - len(planned),
        changes=schema_changes(lake, table_name(name), columns, key_of(pipeline)),
        rows=total,
        seconds=built.estimate(total),
    )


def key_of(pipeline: Pipeline) -> list[str]:
    """The columns that its contract says are unique together."""
    return list(pipeline.contract.unique or []) if pipeline.contract is not None else []


def _reason(version: str | None, built: str | None, code: str) -> Reason:
    if version is None:
        return "not built"
    if built is None:
        return "definition or input changed"
    return "input changed" if built == code else "definition changed"


def no_engine() -> NoReturn:
    """For who looks at definitions and versions alone."""
    raise SpiceError("No engine", "a plan asks no engine.", status=500)
