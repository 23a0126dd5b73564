"""`group_by`: one row per set of values (and per partition), with aggregates."""

from transforms.definitions import Node
from transforms.expressions import compile_expression
from transforms.nodes.frame import Frame, Step, reference


def apply(node: Node, source: Frame, step: Step) -> Frame:
    from pyspark.sql import functions

    keys = node.group_by or []
    compiled = {
        name: compile_expression(
            text,
            source.columns,
            where=f"{step.where}.aggregate.{name}",
            aggregate=True,
            timezone=step.timezone,
            parameters=step.parameters,
        )
        for name, text in (node.aggregate or {}).items()
    }
    values = [functions.expr(expression.sql).alias(name) for name, expression in compiled.items()]
    grouped = source.data.groupBy(*(reference(name) for name in (*keys, *source.carried))).agg(*values)
    columns = {**{name: source.columns[name] for name in keys}, **{name: one.type for name, one in compiled.items()}}
    order = [reference(name) for name in (*columns, *source.carried)]
    return Frame(grouped.select(*order), columns, source.partitioned)
