"""Pipelines: tables of tables, by a graph of nodes (`transforms.nodes`) that the session's engine runs.

A pipeline that follows the partitions of one input is computed for a few partitions at a time; its other inputs are
read whole. Every node keeps the partition of its rows apart (`transforms.nodes.frame`), so the pieces together are
the whole. A partition's data version is that of its definition and of what it read: of the followed input that
partition, of the others everything.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake, LakeConflictError
from resources.spark import EngineError, arrow_parts, delta, to_arrow
from transforms.building.built import Built
from transforms.chunks import partition_chunks
from transforms.definitions import Pipeline
from transforms.incremental.run import RunReport, incremental_run
from transforms.input_tables import rows_of_inputs, table_types
from transforms.look_back import Reach, input_columns, reach_of, spread
from transforms.nodes.frame import RAISED, Frame, Step, reference
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, raising
from transforms.outputs.definition import written_parts
from transforms.parameters import bound_parts
from transforms.placement import Engine
from transforms.raw import PartitionVersion
from transforms.schemas import nodes_in_order, scope_of
from transforms.types import parse_type
from transforms.versions import code_hash, derived_version, stale

CODE_VERSION = "2"
CHUNK_ROWS = 262_144
"""Rows of the followed input that are taken at once: most columns of them are never read."""
WRITTEN_ROWS = 262_144
"""Rows of a result without partitions that are held and written at once."""
FIRST = dict.fromkeys(
    [
        *("source", "filter", "compute", "select", "join", "on", "how", "keep", "group_by", "aggregate", "window"),
        *("partition_by", "order_by", "pivot", "values", "index", "columns"),
    ]
)
"""Fields that count in every node even where they are not set: the first ones there were."""
Progress = Callable[[int], None]
NOT_DECLARED: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class PipelineReport:
    """What a call did: versions and rows of the asked partitions, rows of the followed input (or of all inputs)."""

    partitions: dict[str, PartitionVersion]
    rows_in: int
    rows_out: int
    columns: dict[str, str]
    run: RunReport | None = None
    """Of a pipeline that says how its result is written, or that it is incremental."""


def table_name(pipeline: str) -> str:
    return f"transform/{pipeline}"


def code_version(pipeline: Pipeline, timezone: str) -> str:
    """All that decides what a pipeline makes of its inputs; its contract and expectations only judge it."""
    parts = pipeline.model_dump(include={"partition", "inputs", "output"}, mode="json")
    nodes = {name: _set_fields(node) for name, node in pipeline.nodes.items()}
    if pipeline.look_back is not None:
        parts["look_back"] = pipeline.look_back.model_dump()
    parts |= {name: one.model_dump(exclude_none=True) for name, one in written_parts(pipeline).items()}
    return code_hash("pipeline", CODE_VERSION, {**parts, "nodes": nodes, **bound_parts(pipeline)}, timezone)


def _set_fields(node: Node) -> dict[str, Any]:
    """A node's fields that are not their defaults: a new field of an operation moves no version."""
    return {**FIRST, **node.model_dump(mode="json", exclude_defaults=True)}


@dataclass(frozen=True)
class PipelineTables:
    """A pipeline on the tables of a lake: the frames of its inputs and nodes."""

    name: str
    pipeline: Pipeline
    lake: Lake
    engine: Engine
    timezone: str = "UTC"

    @property
    def code(self) -> str:
        return code_version(self.pipeline, self.timezone)

    @property
    def reach(self) -> Reach | None:
        return reach_of(self.name, self.pipeline)

    @property
    def followed(self) -> str | None:
        """The table whose partitions the pipeline follows."""
        return self.pipeline.inputs[self.pipeline.partition] if self.pipeline.partition else None

    def frames(self, partitions: Sequence[str]) -> dict[str, Frame]:
        """All inputs and nodes, lazily, for some partitions of the followed input."""
        inputs = {local: self.read(local, partitions) for local in self.pipeline.inputs}
        return node_frames(self.name, self.pipeline, inputs, self.timezone)

    def step(self, node: str) -> Step:
        """What a node is told beside its frames."""
        return Step(f"pipelines.{self.name}.nodes.{node}", scope_of(self.pipeline, self.timezone))

    @property
    def nodes(self) -> dict[str, Node]:
        """What its nodes give, by name, each after what it reads."""
        return nodes_in_order(self.pipeline)

    def output(self, partitions: Sequence[str]) -> Frame:
        return self.frames(partitions)[self.pipeline.output]

    def applied(self, name: str, inputs: Sequence[Frame]) -> Frame:
        """What a node gives, over what it reads."""
        return apply_to(self.nodes[name], inputs, self.step(name))

    def columns_of(self, local: str) -> dict[str, str]:
        """Columns of an input's table."""
        return table_types(self.lake, self.pipeline.inputs[local])

    def read(self, local: str, partitions: Sequence[str]) -> Frame:
        """One input; our own columns of it stay behind."""
        table = self.pipeline.inputs[local]
        follows = local == self.pipeline.partition
        columns = table_types(self.lake, table)
        reach = self.reach if follows else None
        chosen = list(reach.all_sources(partitions) if reach else partitions) if follows else None
        frame = delta(self.engine(), self.lake.path(table), chosen, version=self.lake.version(table))
        carried = [PARTITION] if follows else []
        rows = frame.select(*(reference(name) for name in (*columns, *carried)))
        if reach is not None and self.pipeline.look_back is not None:
            rows = spread(rows, self.engine, reach, partitions, self.pipeline.look_back.day)
        return Frame(rows, input_columns(self.pipeline, local, columns), follows)

    def rows_read(self, partitions: Sequence[str]) -> dict[str, int]:
        """Rows of the followed input (or of all inputs) that each partition is made of."""
        rows, reach = rows_of_inputs(self.pipeline, self.lake), self.reach
        if self.followed is None:
            return rows
        return {
            key: sum(rows.get(source, 0) for source in (reach.sources(key) if reach else [key])) for key in partitions
        }

    def wanted_versions(self, partitions: Sequence[str]) -> dict[str, str]:
        """The data versions that the partitions should have. SpiceError where an input is not there."""
        code, reach = self.code, self.reach
        own: dict[str, str] = {}
        others = []
        for local, table in sorted(self.pipeline.inputs.items()):
            versions = self.lake.versions(table)
            follows = local == self.pipeline.partition
            read = reach.all_sources(partitions) if reach else partitions
            absent = [key for key in read if key not in versions] if follows else []
            if not versions or absent:
                raise SpiceError(
                    "Input missing",
                    f"{table} has no partition {absent[0]}; run it first." if versions else f"run {table} first.",
                    where=f"pipelines.{self.name}.inputs.{local}",
                    status=409,
                )
            if follows:
                own = versions
            else:
                others.append(code_hash(sorted(versions.items())))
        return {key: derived_version(code, [*self._followed_versions(key, own), *others]) for key in partitions}

    def _followed_versions(self, key: str, own: Mapping[str, str]) -> list[str]:
        if not own:
            return []
        return [own[source] for source in (self.reach.sources(key) if self.reach else [key])]


def run_pipeline(
    name: str,
    pipeline: Pipeline,
    lake: Lake,
    partitions: Sequence[str],
    *,
    engine: Engine,
    timezone: str = "UTC",
    progress: Progress | None = None,
    chunk_rows: int = CHUNK_ROWS,
    declared: Mapping[str, str] = NOT_DECLARED,
) -> PipelineReport:
    """Bring the asked partitions of `transform/<name>` (`[""]` where it follows none) to what its inputs say.

    `declared`: the result's columns as the definitions promise them, which the table keeps for the next plan.
    """
    tables = PipelineTables(name, pipeline, lake, engine, timezone)
    if written_parts(pipeline):
        return _run_written(tables, progress or (lambda _: None), declared)
    wanted = tables.wanted_versions(partitions)
    target = table_name(name)
    changed = stale(lake.versions(target), wanted)
    rows = tables.rows_read(partitions)
    advance = progress or (lambda _: None)
    advance(sum(rows[key] for key in partitions) - sum(rows[key] for key in changed))
    if changed:
        begun = time.monotonic()
        column = PARTITION if tables.followed else None
        chunks = list(partition_chunks(changed, rows, chunk_rows))
        first = tables.output(chunks[0].partitions)  # once: a function in Python runs when its frame is made
        schema = frame_schema(first)
        with lake.writer(target, schema, partition_column=column) as writer:
            for ordinal, chunk in enumerate(chunks):
                for part in _rows(tables, tables.output(chunk.partitions) if ordinal else first, schema):
                    writer.write(part)
                advance(chunk.rows)
            built = Built.made(lake.state(target), pipeline, declared, dict.fromkeys(changed, tables.code), rows, begun)
            if tables.wanted_versions(partitions) != wanted:  # else the versions would tell of other rows than these
                raise LakeConflictError(target, "an input of it was written while it was read.")
            writer.commit({key: wanted[key] for key in changed}, built.metadata())
    after = lake.state(target)
    return PipelineReport(
        partitions={
            key: PartitionVersion(version, after.rows[key], changed=key in set(changed))
            for key, version in wanted.items()
        },
        rows_in=sum(rows[key] for key in partitions),
        rows_out=sum(after.rows[key] for key in partitions),
        columns=table_types(lake, target),
    )


def _run_written(tables: PipelineTables, advance: Progress, declared: Mapping[str, str]) -> PipelineReport:
    """Of a pipeline that follows no partitions and says how its result is written, or that it is incremental."""
    begun, lake, target = time.monotonic(), tables.lake, table_name(tables.name)
    rows = rows_of_inputs(tables.pipeline, lake)[UNPARTITIONED]
    try:
        run = incremental_run(tables, tables.code)
        state, codes, taken = lake.state(target), {UNPARTITIONED: tables.code}, {UNPARTITIONED: rows}
        report = run.run(lambda: Built.made(state, tables.pipeline, declared, codes, taken, begun).metadata())
    except EngineError as error:
        raise placed(error, tables.name) from error
    advance(rows)
    written = report.written
    partition = PartitionVersion(written.version, written.rows, changed=written.changed)
    return PipelineReport({UNPARTITIONED: partition}, rows, written.rows, table_types(lake, target), report)


def _rows(tables: PipelineTables, frame: Frame, schema: pa.Schema) -> Iterator[pa.Table]:
    """Part by part; those of a partition are together where there are partitions."""
    try:
        if tables.followed:
            result = to_arrow(frame.data).cast(schema)
            yield result.take(pc.sort_indices(result[PARTITION]))
        else:
            for part in arrow_parts(frame.data, WRITTEN_ROWS):
                yield part.cast(schema)
    except EngineError as error:
        raise placed(error, tables.name) from error


def placed(error: EngineError, pipeline: str, node: str | None = None) -> EngineError:
    """The error with the node that raised it on purpose, or else with `node` or its pipeline."""
    own = RAISED.search(error.detail)
    if own:
        return EngineError(own["detail"], where=own["where"])
    return EngineError(error.detail, where=f"pipelines.{pipeline}" + (f".nodes.{node}" if node else ""))


def frame_schema(frame: Frame) -> pa.Schema:
    """The columns of a frame as a table has them."""
    fields = [pa.field(name, parse_type(kind).arrow()) for name, kind in frame.columns.items()]
    return pa.schema(fields + [pa.field(name, pa.string()) for name in frame.carried])


def node_frames(name: str, pipeline: Pipeline, inputs: Mapping[str, Frame], timezone: str = "UTC") -> dict[str, Frame]:
    """The inputs and what all nodes make of them, lazily."""
    frames = dict(inputs)
    scope = scope_of(pipeline, timezone)
    for node_name, node in nodes_in_order(pipeline).items():
        frames[node_name] = apply_node(node, frames, Step(f"pipelines.{name}.nodes.{node_name}", scope))
    return frames


def apply_node(node: Node, frames: Mapping[str, Frame], step: Step) -> Frame:
    """The rows of one node. Raises SpiceError where something does not fit."""
    return apply_to(node, [frames[read] for _, read in node.reads()], step)


def apply_to(node: Node, inputs: Sequence[Frame], step: Step) -> Frame:
    """The same, given what it reads in its order."""
    made = node.shape([one.shape for one in inputs], Check((), step.scope, raising(step.where)))
    return Frame(node.apply(inputs, made, step), made.columns, made.partitioned)
