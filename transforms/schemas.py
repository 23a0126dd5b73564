"""The columns that each node of a pipeline has, worked out from the definitions alone.

Used to check a domain before anything runs, and by whoever needs a node's types without asking an engine.
"""

from collections.abc import Mapping

from transforms.definitions import Pipeline
from transforms.look_back import input_columns
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Columns, Fault, Report, Scope, Shape


def scope_of(pipeline: Pipeline, timezone: str) -> Scope:
    """What expressions of a pipeline may use beside columns."""
    return Scope(timezone, pipeline.parameters, pipeline.udfs)


def pipeline_columns(
    pipeline: Pipeline, inputs: Mapping[str, Columns | None], *, report: Report, timezone: str = "UTC"
) -> dict[str, Columns | None]:
    """Columns (name -> type) of all inputs and nodes of a pipeline; None for those behind a fault. Nodes are taken in
    the order of `nodes_in_order`, so those that go round in a circle are not there."""
    shapes = pipeline_shapes(pipeline, inputs, report=report, timezone=timezone)
    return {name: None if shape is None else shape.columns for name, shape in shapes.items()}


def pipeline_shapes(
    pipeline: Pipeline, inputs: Mapping[str, Columns | None], *, report: Report, timezone: str = "UTC"
) -> dict[str, Shape | None]:
    """The same with what is known of partitions."""
    shapes: dict[str, Shape | None] = {
        name: None if columns is None else Shape(input_columns(pipeline, name, columns), name == pipeline.partition)
        for name, columns in inputs.items()
    }
    scope = scope_of(pipeline, timezone)
    declared = {given: name for name, node in pipeline.nodes.items() for given in node.named(name)}
    for name, node in nodes_in_order(pipeline).items():
        read = [shapes.get(one) for _, one in node.reads()]
        known = [shape for shape in read if shape is not None]
        shapes[name] = None
        if len(known) == len(read):
            # What a node gives under a second name has the columns of the first: a fault is told once.
            told = report if name in pipeline.nodes else (lambda *_: None)
            try:
                shapes[name] = node.shape(known, Check(("nodes", declared[name]), scope, told))
            except Fault:
                continue
    return shapes


def nodes_in_order(pipeline: Pipeline) -> dict[str, Node]:
    """What the nodes give, by name, each after what it reads; what is in a circle, or behind one, is left out."""
    ordered: dict[str, Node] = {}
    waiting = {given: one for name, node in pipeline.nodes.items() for given, one in node.named(name).items()}
    while True:
        ready = {name: node for name, node in waiting.items() if not any(read in waiting for _, read in node.reads())}
        if not ready:
            return ordered
        ordered |= ready
        for name in ready:
            del waiting[name]
