"""`compute`: new columns, or new values of old ones; every expression sees the columns as they were before."""

from transforms.definitions import Node
from transforms.expressions import compile_expression
from transforms.nodes.frame import Frame, Step, reference


def apply(node: Node, source: Frame, step: Step) -> Frame:
    from pyspark.sql import functions

    compiled = {
        name: compile_expression(
            text,
            source.columns,
            where=f"{step.where}.compute.{name}",
            timezone=step.timezone,
            parameters=step.parameters,
        )
        for name, text in (node.compute or {}).items()
    }
    columns = {**source.columns, **{name: expression.type for name, expression in compiled.items()}}
    values = [
        functions.expr(compiled[name].sql).alias(name) if name in compiled else reference(name)
        for name in (*columns, *source.carried)
    ]
    return Frame(source.data.select(*values), columns, source.partitioned)
