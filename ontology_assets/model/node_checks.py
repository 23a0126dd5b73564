"""A pipeline's nodes: each is one operation with its fields, all names exist, nothing goes round in a circle."""

from transforms.definitions import Node, Pipeline
from transforms.schemas import nodes_in_order
from transforms.yaml_source import FieldPath, YamlSource, suggestion

OPERATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "filter": ((), ()),
    "compute": ((), ()),
    "select": ((), ()),
    "join": (("on", "how"), ("keep",)),
    "group_by": (("aggregate",), ()),
    "window": ((), ("partition_by", "order_by")),
    "pivot": (("values", "index", "columns"), ()),
    "udf": ((), ("takes",)),
}
"""Operation -> fields that it needs, fields that it may have."""
HELPERS = sorted({field for needed, optional in OPERATIONS.values() for field in (*needed, *optional)})


def check_pipeline(source: YamlSource, at: FieldPath, pipeline: Pipeline) -> None:
    """Note what is wrong with the graph of one pipeline."""
    if pipeline.partition is not None and pipeline.partition not in pipeline.inputs:
        _unknown(source, (*at, "partition"), "input", pipeline.partition, list(pipeline.inputs))
    if pipeline.output not in pipeline.nodes:
        _unknown(source, (*at, "output"), "node", pipeline.output, list(pipeline.nodes))
    names = [*pipeline.inputs, *pipeline.nodes]
    for name, node in pipeline.nodes.items():
        here: FieldPath = (*at, "nodes", name)
        if name in pipeline.inputs:
            source.fault(here, f"'{name}' is an input already; a node needs a name of its own.", key=True)
        _check_operation(source, here, node)
        if node.source not in names:
            _unknown(source, (*here, "from"), "node or input", node.source, names)
        if node.join is not None and node.join not in names:
            _unknown(source, (*here, "join"), "node or input", node.join, names)
    circle = pipeline.nodes.keys() - set(nodes_in_order(pipeline))
    for name in sorted(circle):
        source.fault((*at, "nodes", name, "from"), f"nodes go round in a circle: {', '.join(sorted(circle))}.")


def _check_operation(source: YamlSource, at: FieldPath, node: Node) -> None:
    present = [name for name in OPERATIONS if getattr(node, name) is not None]
    if len(present) != 1:
        said = f"has {len(present)} operations ({', '.join(present)})" if present else "has no operation"
        source.fault(at, f"a node is one operation; this one {said}.", list(OPERATIONS), key=True)
        return
    operation = present[0]
    needed, optional = OPERATIONS[operation]
    for field in HELPERS:
        given = getattr(node, field) is not None
        if field in needed and not given:
            source.fault(at, f"the operation '{operation}' needs the field '{field}'.", key=True)
        if given and field not in (*needed, *optional):
            allowed = ["from", operation, *needed, *optional]
            source.fault((*at, field), f"the operation '{operation}' has no field '{field}'.", allowed, key=True)
    if operation == "window" and node.partition_by is None and node.order_by is None:
        source.fault(at, "a window needs `partition_by` or `order_by` or both.", key=True)


def _unknown(source: YamlSource, at: FieldPath, kind: str, name: str, allowed: list[str]) -> None:
    source.fault(at, f"there is no {kind} '{name}'.{suggestion(name, allowed)}", allowed)
