"""A pipeline on a sample: its nodes one after the other, on the engine and by the code of a run, with rows in and out.

What comes of the sample is fetched node by node and is small. What comes of other inputs alone stays with the engine,
which reads of them what the sample's nodes need; its rows are counted only where the inputs are not large.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.errors import SpiceError
from resources.lake.base import PARTITION
from resources.spark import EngineError, from_arrow, to_arrow
from transforms.input_tables import table_types
from transforms.nodes.frame import Frame
from transforms.nodes.group_by import GroupBy
from transforms.nodes.node import Node
from transforms.nodes.pivot import Pivot
from transforms.pipeline import PipelineTables, apply_node, frame_schema, placed
from transforms.preview.sampling import Sample
from transforms.yaml_source import suggestion

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COUNTED_ROWS = 200_000
"""Rows of inputs, together, up to which a node that reads no sample is counted."""


@dataclass(frozen=True)
class Ran:
    """A node or an input: its frame, its rows where they are at hand, and how many they are where that is known."""

    frame: Frame
    rows: pa.Table | None
    count: int | None


def run_nodes(tables: PipelineTables, sample: Sample, until: str) -> dict[str, Ran]:
    """The inputs, and the nodes that `until` is made of, in the order in which they run. Raises SpiceError."""
    pipeline = tables.pipeline
    needed = needed_for(tables, until)
    ran: dict[str, Ran] = {}
    for local in pipeline.inputs:
        if local in needed:
            ran[local] = sampled(tables, sample) if local == sample.local else _whole(tables, local)
    for name, node in tables.nodes.items():
        if name not in needed:
            continue
        read = [key for _, key in node.reads()]
        try:
            frame = apply_node(node, {key: one.frame for key, one in ran.items()}, tables.step(name))
            if any(ran[key].rows is not None for key in read):
                ran[name] = fetched(tables, frame, by=_keys(node))
            else:
                known = [ran[key].count for key in read]
                ran[name] = Ran(frame, None, None if None in known else frame.data.count())
        except EngineError as error:
            raise placed(error, tables.name, name) from error
    return ran


def needed_for(tables: PipelineTables, until: str) -> set[str]:
    """The node and all that it reads, directly or through others. SpiceError where there is no such node."""
    nodes = tables.nodes
    names = [*tables.pipeline.inputs, *nodes]
    if until not in names:
        raise SpiceError(
            "Unknown node", f"there is no node '{until}'.{suggestion(until, names)}", where="--node", allowed=names
        )
    needed, waiting = set[str](), [until]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [key for _, key in nodes[name].reads()] if name in nodes else []
    return needed


def _keys(node: Node) -> list[str]:
    """Columns by which its rows are put in order: an engine gives groups in any."""
    if isinstance(node, GroupBy):
        return list(node.group_by)
    return list(node.index) if isinstance(node, Pivot) else []


def fetched(tables: PipelineTables, frame: Frame, by: Sequence[str] = ()) -> Ran:
    """The rows of a frame, and a frame of just these rows."""
    rows = to_arrow(frame.data).cast(frame_schema(frame))
    if by:
        rows = rows.sort_by([(name, "ascending") for name in by])
    return Ran(of_rows(tables, rows, frame), rows, rows.num_rows)


def of_rows(tables: PipelineTables, rows: pa.Table, like: Frame) -> Frame:
    """A frame of these rows with the columns of another."""
    return Frame(_of_arrow(tables, rows), like.columns, like.partitioned)


def _of_arrow(tables: PipelineTables, rows: pa.Table) -> "DataFrame":
    return from_arrow(tables.engine(), rows)


def sampled(tables: PipelineTables, sample: Sample) -> Ran:
    """The sampled input as the pipeline's nodes see it."""
    columns = table_types(tables.lake, sample.table)
    carried = [PARTITION] if sample.local == tables.pipeline.partition else []
    rows = sample.rows.select([*columns, *carried])
    frame = Frame(_of_arrow(tables, rows), columns, bool(carried))
    return Ran(frame, rows, rows.num_rows)


def _whole(tables: PipelineTables, local: str) -> Ran:
    rows = sum(tables.lake.rows(tables.pipeline.inputs[local]).values())
    return Ran(tables.read(local, []), None, rows if rows <= COUNTED_ROWS else None)


def steps_to(tables: PipelineTables, ran: Mapping[str, Ran]) -> Sequence[str]:
    """The nodes that ran, in their order."""
    return [name for name in tables.nodes if name in ran]
