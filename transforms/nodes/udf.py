"""`udf`: columns that a function in Python gives, which runs in a process of its own (`transforms.udf_calls`).

The rows come here, go through the function batch by batch, and go back to the engine: on every engine the function
runs in the same place and sees the same types.
"""

from resources.spark import to_arrow
from transforms.definitions import Node
from transforms.nodes.frame import Frame, Step, reference
from transforms.types import parse_type
from transforms.udf_calls import call_udf


def apply(node: Node, source: Frame, step: Step) -> Frame:
    udf = step.udfs[node.udf or ""]
    names = [*source.columns, *source.carried]
    rows = to_arrow(source.data.select(*(reference(name) for name in names)))
    for index, name in enumerate(source.columns):
        rows = rows.set_column(index, name, rows.column(index).cast(parse_type(source.columns[name]).arrow()))
    taken = {column: (node.takes or {}).get(column, column) for column in udf.takes}
    given = call_udf(udf, rows.select(list(taken.values())).rename_columns(list(taken)), where=step.where)
    columns = {**source.columns, **udf.gives}
    for name in udf.gives:
        rows = rows.append_column(name, given[name])
    frame = source.data.sparkSession.createDataFrame(rows.select([*columns, *source.carried]))
    return Frame(frame, columns, source.partitioned)
