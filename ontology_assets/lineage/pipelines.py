"""The columns of a pipeline: those of each node, and how each operation makes them of those that it reads.

What depends on what each operation says itself (`transforms.nodes`); here it becomes part of the graph. A node that is
not the output is the table `transform/<pipeline>/<node>`, which exists only while the pipeline runs. Rows of a followed
input carry `_partition` through every node: groups, windows, pivots and joins of two such inputs never mix partitions,
so it is a key of theirs.
"""

from collections.abc import Mapping

from ontology_assets.lineage.datasets import PARTITION
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from transforms.definitions import LookBack, Pipeline
from transforms.nodes.lineage import AS_IS, Lineage
from transforms.nodes.shape import Shape
from transforms.outputs.definition import written_columns
from transforms.schemas import nodes_in_order, pipeline_shapes, scope_of


def add_pipeline(
    graph: ColumnGraph, name: str, pipeline: Pipeline, tables: Mapping[str, Mapping[str, str]], timezone: str
) -> dict[str, str] | None:
    """Add all nodes; returns the columns of the result with their types, None where those of an input are unknown."""
    if any(table not in tables for table in pipeline.inputs.values()):
        return None
    inputs = {local: dict(tables[table]) for local, table in pipeline.inputs.items()}
    shapes = pipeline_shapes(pipeline, inputs, report=lambda *_: None, timezone=timezone)
    scope = scope_of(pipeline, timezone)
    named = dict(pipeline.inputs)
    back, followed = pipeline.look_back, pipeline.partition
    if back is not None and followed is not None:
        named[followed] = f"transform/{name}/{followed}"
        _look_back(graph, named[followed], pipeline.inputs[followed], shapes[followed], back)
    for node_name, node in nodes_in_order(pipeline).items():
        made, read = shapes.get(node_name), [shapes.get(one) for _, one in node.reads()]
        known = [shape for shape in read if shape is not None]
        if made is None or len(known) < len(read):
            return None
        is_output = node_name == pipeline.output
        named[node_name] = table = f"transform/{name}" if is_output else f"transform/{name}/{node_name}"
        for column, kind in made.typed_columns().items():
            graph.add(Column(table, column), "transform", kind, inner=not is_output)
        lineage = Lineage(known, made, f"pipelines.{name}.nodes.{node_name}", scope)
        node.depends(lineage)
        tables_read = [named[one] for _, one in node.reads()]
        for one in lineage.found:
            source = Column(tables_read[one.reads], one.source)
            graph.link(source, Column(table, one.target), one.by, one.kind, plain=one.plain)
    output = shapes.get(pipeline.output)
    return None if output is None else _written(graph, f"transform/{name}", pipeline, output.columns)


def _written(graph: ColumnGraph, table: str, pipeline: Pipeline, result: dict[str, str]) -> dict[str, str]:
    """The columns of the table: a changelog has its own beside those of the result, made of which rows there are."""
    columns = written_columns(pipeline, result)
    for name in columns.keys() - result.keys():
        graph.add(Column(table, name), "transform", columns[name], inner=False)
        graph.link(Column(table, ROWS), Column(table, name), "change", "rows")
    return columns


def _look_back(graph: ColumnGraph, table: str, source: str, seen: Shape | None, back: LookBack) -> None:
    """The followed input as the nodes see it: its rows for each partition that reads them, and the day of that."""
    for column, kind in (seen.typed_columns() if seen is not None else {}).items():
        made = graph.add(Column(table, column), "transform", kind, inner=True)
        if column == back.day:
            graph.link(Column(source, PARTITION), made, f"look back: {back.partitions} partitions")
        else:
            graph.link(Column(source, column), made, AS_IS, plain=True)
    graph.same_rows(source, table)
