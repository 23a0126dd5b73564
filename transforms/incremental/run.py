"""One run of a pipeline that says how its result is written, or that it is incremental.

What changed of the inputs since the run before decides which values of `incremental.by` are computed again; where that
can't be known, all are. Then the mode says what the table's rows of these values should be, and one commit takes out
and puts in what differs, with the watermarks of the inputs in it: a run that dies before it has done nothing, a run
that is repeated finds nothing to do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from resources.errors import SpiceError
from resources.lake.base import UNPARTITIONED, Lake, LakeConflictError, TableState
from resources.spark import to_arrow
from transforms.definitions import Pipeline
from transforms.incremental.evaluation import Apply, Evaluation
from transforms.incremental.inputs import Input, since
from transforms.incremental.late import LateRows, late_table
from transforms.incremental.watermarks import TakenIn, Watermark, watermark
from transforms.nodes.frame import Frame
from transforms.nodes.shape import Columns, Report
from transforms.outputs.changes import MOST, Changes, arrow_schema
from transforms.outputs.definition import Write
from transforms.outputs.keys import keys_frame
from transforms.outputs.table import OutputTable, Written, removed_table
from transforms.placement import Engine
from transforms.schemas import pipeline_columns
from transforms.sql_values import name as quoted
from transforms.yaml_source import FieldPath, field_text

WHOLE = Write(mode="replace")


@dataclass(frozen=True)
class RunReport:
    """What a run did. `arrived` and `left`: rows of the inputs since the run before (None where all was computed);
    `late`: rows by input that this run found too late; `scope`: what was computed again, and why."""

    written: Written
    scope: str
    arrived: int | None = None
    left: int | None = None
    late: Mapping[str, int] = field(default_factory=dict)
    watermarks: Mapping[str, Watermark] = field(default_factory=dict)


@dataclass(frozen=True)
class IncrementalRun:
    """A pipeline about to be run. `states`: of its inputs, which are read so; `columns`: those of its inputs and
    nodes; `code` and `wanted`: its code version, and the data version of what that makes of the inputs."""

    name: str
    pipeline: Pipeline
    lake: Lake
    engine: Engine
    apply: Apply
    states: Mapping[str, TableState]
    columns: Mapping[str, Columns]
    code: str
    wanted: str

    def run(self, metadata: Callable[[], Mapping[str, str]]) -> RunReport:
        """Bring the table to what the inputs say. `metadata`: what else the commit is to say."""
        write = self.pipeline.write or WHOLE
        table = OutputTable(self.name, self.lake, self.engine, write, self.columns[self.pipeline.output])
        taken = TakenIn.of(table.state)
        if table.exists and taken.wanted == self.wanted:
            return RunReport(table.unchanged(), "nothing: no input changed", watermarks=taken.inputs)
        step = self._step(table, taken)
        spark = self.engine()
        evaluation = Evaluation(self.pipeline, step.inputs, self.apply, spark, self.columns)
        keys, result = None, None
        by = tuple(self.pipeline.incremental.by) if self.pipeline.incremental is not None else ()
        if step.changes is not None:
            found = evaluation.affected(self.pipeline.output, by, step.changes)
            keys = None if found is None else to_arrow(found.distinct())
            if keys is None or not keys.num_rows:
                written = table.touch(self.wanted, {**metadata(), **step.taken.metadata()})
                return step.report(written, "no value")
            evaluation.keys = keys_frame(spark, keys)
            result = evaluation.frame(self.pipeline.output, by).data
        else:
            result = evaluation.frame(self.pipeline.output).data
        changed = step.taken
        written = table.write(
            result,
            None if keys is None else (by, keys),
            self.wanted,
            taken.change + 1,
            lambda change: {**metadata(), **replace(changed, change=change).metadata()},
        )
        return step.report(written, step.scope if keys is None else f"{keys.num_rows:,} values of {', '.join(by)}")

    def _step(self, table: OutputTable, taken: TakenIn) -> "_Step":
        """What this run reads: the inputs, and what changed of them where that is known."""
        inputs = {
            local: Input(asset, self.states[local], self.columns[local], self.lake, self.engine)
            for local, asset in self.pipeline.inputs.items()
        }
        changes, scope = self._changes(inputs, table, taken)
        marks = {local: watermark(one.table, one.state, one.columns) for local, one in inputs.items()}
        same = table.exists and taken.code == self.code
        attempts = taken.late if same else ()
        attempt = f"{table.state.number} {self.wanted}"  # the same again only where it was not committed
        found: dict[str, int] = {}
        lateness = self.pipeline.incremental.lateness if self.pipeline.incremental is not None else {}
        for local, one in lateness.items():
            rows = LateRows(self.lake, late_table(self.name, local), arrow_schema(self.columns[local]), one)
            known = rows.known(attempts)
            if changes is None:
                inputs[local] = replace(inputs[local], late=known)
                clock = to_arrow(inputs[local].counted().selectExpr(f"MAX({quoted(one.column)}) AS latest"))["latest"]
                marks[local] = replace(marks[local], latest=rows.newest(clock))
                continue
            before = taken.inputs[local].latest
            in_time, too_late, oldest = rows.split(changes[local], before)
            marks[local] = replace(marks[local], latest=rows.newest(in_time.added[one.column], before))
            if too_late.num_rows:
                rows.keep(too_late, attempts, attempt, oldest)
                found[local] = too_late.num_rows
            changes = {**changes, local: in_time}
            every = pa.concat_tables([known, too_late.cast(known.schema)])
            inputs[local] = replace(inputs[local], late=every)
        late = (*attempts, attempt) if found else attempts
        return _Step(inputs, changes, scope, TakenIn(self.wanted, self.code, marks, taken.change, late), found)

    def _changes(
        self, inputs: Mapping[str, Input], table: OutputTable, taken: TakenIn
    ) -> tuple[dict[str, Changes] | None, str]:
        if not table.exists:
            return None, "all: the first run"
        if self.pipeline.incremental is None:
            return None, "all: the pipeline is not incremental"
        if not table.same_columns or taken.code != self.code:
            return None, "all: the definition changed"
        found = {}
        for local, one in inputs.items():  # late rows are told from the differences alone, however many
            most = None if local in self.pipeline.incremental.lateness else MOST
            changes = since(one, taken.inputs[local], most)
            if changes is None:
                return None, f"all: what {one.table} was is not there any more, or over {MOST:,} rows of it differ"
            found[local] = changes
        return found, ""


def tables_beside(name: str, pipeline: Pipeline) -> list[str]:
    """Tables that a pipeline writes beside its own: late rows, and rows that removed their keys."""
    lateness = pipeline.incremental.lateness if pipeline.incremental is not None else {}
    removing = pipeline.write is not None and pipeline.write.mode == "merge" and pipeline.write.remove is not None
    return [*(late_table(name, local) for local in lateness), *([removed_table(name)] if removing else [])]


class Tables(Protocol):
    """What is needed of a pipeline on the tables of a lake."""

    @property
    def name(self) -> str: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def lake(self) -> Lake: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def timezone(self) -> str: ...
    def columns_of(self, local: str) -> Columns: ...
    def applied(self, name: str, inputs: Sequence[Frame]) -> Frame: ...
    def wanted_versions(self, partitions: Sequence[str]) -> dict[str, str]: ...


def incremental_run(tables: Tables, code: str) -> IncrementalRun:
    """A run over the inputs as they are now. Raises SpiceError where one is not there or a column does not fit."""
    name, pipeline, lake = tables.name, tables.pipeline, tables.lake
    states = {local: lake.state(table) for local, table in pipeline.inputs.items()}
    wanted = tables.wanted_versions([UNPARTITIONED])[UNPARTITIONED]
    columns: dict[str, Columns | None] = {local: tables.columns_of(local) for local in pipeline.inputs}
    known = pipeline_columns(pipeline, columns, report=_raise_at(name), timezone=tables.timezone)
    if any(lake.state(table).number != states[local].number for local, table in pipeline.inputs.items()):
        raise LakeConflictError(f"transform/{name}", "an input of it was written while it was read.")
    given = {name: found or {} for name, found in known.items()}
    return IncrementalRun(name, pipeline, lake, tables.engine, tables.applied, states, given, code, wanted)


def _raise_at(pipeline: str) -> Report:
    def report(path: FieldPath, detail: str, allowed: Iterable[str], column: int | None) -> None:  # noqa: ARG001
        where = f"pipelines.{pipeline}.{field_text(path)}"
        raise SpiceError("Definition error", detail, where=where, allowed=list(allowed) or None)

    return report


@dataclass(frozen=True)
class _Step:
    """What one run has found out before it computes anything."""

    inputs: Mapping[str, Input]
    changes: Mapping[str, Changes] | None
    scope: str
    taken: TakenIn
    late: Mapping[str, int]

    def report(self, written: Written, scope: str) -> RunReport:
        several = None if self.changes is None else list(self.changes.values())
        return RunReport(
            written,
            scope,
            arrived=None if several is None else sum(one.added.num_rows for one in several),
            left=None if several is None else sum(one.dropped.num_rows for one in several),
            late=self.late,
            watermarks=self.taken.inputs,
        )
