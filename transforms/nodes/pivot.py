"""`pivot`: values of one column become columns; one row per `index` (and partition).

Each cell comes from the one row that has this index and this value. Two such rows end the run with both named: there
is no right cell then. Rows with other values of the pivot column make no cell.
"""

from transforms.definitions import Node
from transforms.nodes.frame import Frame, Step, reference
from transforms.sql_values import name as quoted
from transforms.sql_values import quote
from transforms.types import parse_type

SEVERAL = "pivot: more than one row for "


def apply(node: Node, source: Frame, step: Step) -> Frame:
    from pyspark.sql import functions

    pivot, index, spread = node.pivot or "", node.index or [], node.columns or []
    kind = parse_type(source.columns[pivot])
    columns = {name: source.columns[name] for name in index}
    cells = []
    for value, suffix in (node.values or {}).items():
        text = quote(value) if kind.kind == "string" else f"CAST({quote(value)} AS {kind.sql})"
        here = f"{quoted(pivot)} = {text}"
        message = quote(f"{step.where}: {SEVERAL}{pivot} {value!r}")
        guard = f"COUNT(CASE WHEN {here} THEN 1 END) > 1"
        for column in spread:
            cell = f"MAX(CASE WHEN {here} THEN {quoted(column)} END)"
            target = parse_type(source.columns[column]).sql
            checked = f"CASE WHEN {guard} THEN CAST(RAISE_ERROR({message}) AS {target}) ELSE {cell} END"
            cells.append(functions.expr(checked).alias(f"{column}_{suffix}"))
    for column in spread:
        for suffix in (node.values or {}).values():
            columns[f"{column}_{suffix}"] = f"{source.columns[column].removesuffix('?')}?"
    grouped = source.data.groupBy(*(reference(name) for name in (*index, *source.carried))).agg(*cells)
    order = [reference(name) for name in (*columns, *source.carried)]
    return Frame(grouped.select(*order), columns, source.partitioned)
