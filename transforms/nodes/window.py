"""`window`: new columns that look at the rows around each row, within `partition_by` (and within the partition)."""

from transforms.definitions import Node
from transforms.expressions import compile_expression
from transforms.nodes.frame import Frame, Step, reference


def apply(node: Node, source: Frame, step: Step) -> Frame:
    from pyspark.sql import functions

    compiled = {
        name: compile_expression(
            text,
            source.typed_columns(),
            where=f"{step.where}.window.{name}",
            window=True,
            partition_by=[*(node.partition_by or []), *source.carried],
            order_by=node.order_by or [],
            timezone=step.timezone,
            parameters=step.parameters,
        )
        for name, text in (node.window or {}).items()
    }
    columns = {**source.columns, **{name: expression.type for name, expression in compiled.items()}}
    values = [
        functions.expr(compiled[name].sql).alias(name) if name in compiled else reference(name)
        for name in (*columns, *source.carried)
    ]
    return Frame(source.data.select(*values), columns, source.partitioned)
