"""`select`: some columns, in the order named."""

from transforms.definitions import Node
from transforms.nodes.frame import Frame, Step, reference


def apply(node: Node, source: Frame, step: Step) -> Frame:  # noqa: ARG001 - the shape of all nodes
    columns = {name: source.columns[name] for name in node.select or []}
    values = [reference(name) for name in (*columns, *source.carried)]
    return Frame(source.data.select(*values), columns, source.partitioned)
