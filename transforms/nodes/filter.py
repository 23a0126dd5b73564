"""`filter`: the rows for which a condition is true."""

from transforms.definitions import Node
from transforms.expressions import compile_filter
from transforms.nodes.frame import Frame, Step


def apply(node: Node, source: Frame, step: Step) -> Frame:
    from pyspark.sql import functions

    condition = compile_filter(
        node.filter or "",
        source.columns,
        where=f"{step.where}.filter",
        timezone=step.timezone,
        parameters=step.parameters,
    )
    return Frame(source.data.where(functions.expr(condition.sql)), source.columns, source.partitioned)
