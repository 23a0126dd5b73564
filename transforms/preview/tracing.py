"""What becomes of some rows of a preview's sample, node by node, and why a node drops one.

A node that looks at each row alone is run again on the traced rows: what it gives is what becomes of them. A node that
looks at many rows (groups, windows, pivots) has run on the whole sample: the rows it made of the traced ones are those
that are equal in the columns which it passes on, or groups by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.lake.base import PARTITION
from resources.spark import to_arrow
from transforms.nodes.filter import Filter
from transforms.nodes.frame import Frame, Step
from transforms.nodes.group_by import Aggregate, GroupBy
from transforms.nodes.join import Join
from transforms.nodes.node import Node
from transforms.nodes.pivot import Pivot
from transforms.nodes.rows import Dedupe
from transforms.nodes.sides import pairs
from transforms.nodes.window import Window
from transforms.pipeline import PipelineTables, apply_node
from transforms.preview.running import Ran, fetched, of_rows
from transforms.preview.sampling import Sample
from transforms.table_diff import key_texts

SHOWN = 5


@dataclass(frozen=True)
class TraceStep:
    """At one node: how many traced rows came and what became of them; `why` where some are gone or became others."""

    node: str
    operation: str
    rows_in: int
    rows_out: int
    why: str | None
    rows: list[dict[str, Any]]


def trace(tables: PipelineTables, sample: Sample, ran: Mapping[str, Ran], order: Sequence[str]) -> list[TraceStep]:
    """The nodes that the traced rows come to, in their order; behind a node that drops them all there is none."""
    start = ran[sample.local]
    assert start.rows is not None  # noqa: S101 - the sampled input is at hand
    held = {sample.local: start.rows.filter(sample.traced)}
    steps = [_step(sample.local, "input", held[sample.local].num_rows, held[sample.local], None)]
    nodes = tables.nodes
    for name in order:
        node = nodes[name]
        coming = [key for _, key in node.reads() if key in held and held[key].num_rows]
        if not coming:
            continue
        came = held[coming[0]]
        if node.row_by_row and coming[0] == node.source:
            frames = {key: one.frame for key, one in ran.items()}
            frames[node.source] = of_rows(tables, came, ran[node.source].frame)
            gone = fetched(tables, apply_node(node, frames, tables.step(name))).rows
            assert gone is not None  # noqa: S101 - it was fetched
        else:
            gone = _equal(came, ran[name], _passed_on(node, came, ran[name].frame))
        held[name] = gone
        steps.append(_step(name, node.operation, came.num_rows, gone, _why(tables, name, came, gone, ran)))
    return steps


def _step(name: str, operation: str, rows_in: int, rows: pa.Table, why: str | None) -> TraceStep:
    shown = rows.slice(0, SHOWN)
    names = [column for column in shown.column_names if column != PARTITION]
    told = [{key: plain(value) for key, value in row.items()} for row in shown.select(names).to_pylist()]
    return TraceStep(name, operation, rows_in, rows.num_rows, why, told)


def _passed_on(node: Node, came: pa.Table, made: Frame) -> list[str]:
    """Columns by which a row that a node made is known to be of a row that it read."""
    if isinstance(node, GroupBy):
        return [*node.group_by, *made.carried]
    if isinstance(node, Aggregate):
        return made.carried
    if isinstance(node, Pivot):
        return [*node.index, *made.carried]
    new = {*node.window} if isinstance(node, Window) else set()
    return [name for name in came.column_names if name in {*made.columns, *made.carried} - new]


def _equal(came: pa.Table, made: Ran, columns: Sequence[str]) -> pa.Table:
    assert made.rows is not None  # noqa: S101 - it reads the sample
    if not columns:
        return made.rows
    same = pc.is_in(key_texts(made.rows, columns), value_set=key_texts(came, columns).combine_chunks())
    return made.rows.filter(same)


def _why(tables: PipelineTables, name: str, came: pa.Table, gone: pa.Table, ran: Mapping[str, Ran]) -> str | None:
    node = tables.nodes[name]
    if isinstance(node, Filter):
        return _filtered(node, tables, came, gone, source=ran[node.source].frame, step=tables.step(name))
    if isinstance(node, Join):
        return _joined(node, came, gone)
    if isinstance(node, Pivot):
        return _pivoted(node, came)
    if isinstance(node, GroupBy):
        keys = _said(came, node.group_by)
        return f"they are in {gone.num_rows:,} group{'s' if gone.num_rows != 1 else ''}: {keys}"
    return _left_out(node, came, gone, ran[name]) if gone.num_rows < came.num_rows else None


def _left_out(node: Node, came: pa.Table, gone: pa.Table, made: Ran) -> str:
    if isinstance(node, Dedupe) and not isinstance(node.dedupe, str):
        shown = [*node.dedupe, *(column for column in came.column_names if column != PARTITION)]
        return (
            f"another row of the same {', '.join(node.dedupe)} stayed: {_said(_equal(came, made, node.dedupe), shown)}"
        )
    return f"{node.operation} kept {gone.num_rows:,} of {came.num_rows:,}"


def _filtered(
    node: Filter, tables: PipelineTables, came: pa.Table, gone: pa.Table, *, source: Frame, step: Step
) -> str | None:
    """What the condition is for the rows that it drops, and the values that it looks at."""
    from pyspark.sql import functions

    if gone.num_rows == came.num_rows:
        return None
    condition = step.scope.condition(node.filter, source.columns, where=step.where)
    frame = of_rows(tables, came, source)
    used = [column for column in source.columns if column in condition.columns]
    asked = to_arrow(frame.data.select(functions.expr(condition.sql).alias("condition")))["condition"].combine_chunks()
    found = []
    for text, mask in (("false", pc.equal(asked, False)), ("unknown (null)", pc.is_null(asked))):  # noqa: FBT003
        rows = came.filter(pc.fill_null(mask, False))  # noqa: FBT003 - Arrow's signature
        if rows.num_rows:
            found.append(f"the condition is {text}: {_said(rows, used)}")
    return "; ".join(found)


def _joined(node: Join, came: pa.Table, gone: pa.Table) -> str | None:
    on = list(pairs(node.on))
    without = [name for name in on if came[name].null_count]
    if gone.num_rows < came.num_rows:
        said = f"no row of {node.join} has the same {', '.join(on)}: {_said(came, on)}"
        return f"{said}; {', '.join(without)} is missing, which equals nothing" if without else said
    if gone.num_rows > came.num_rows:
        return f"several rows of {node.join} have the same {', '.join(on)}: {_said(came, on)}"
    return None


def _pivoted(node: Pivot, came: pa.Table) -> str | None:
    """Values that make no column."""
    known = pa.array(list(node.values), pa.string())
    texts = came[node.pivot].cast(pa.string())
    other = pc.drop_null(pc.unique(texts.filter(pc.invert(pc.is_in(texts, value_set=known))))).to_pylist()
    if not other:
        return None
    return f"{node.pivot} {', '.join(other)} is none of {', '.join(node.values)}, so it makes no cell"


def _said(rows: pa.Table, columns: Sequence[str]) -> str:
    """Values of some columns, of the first rows."""
    each = [
        ", ".join(f"{name} {'missing' if value is None else value}" for name, value in row.items())
        for row in rows.select(list(dict.fromkeys(columns))).slice(0, 3).to_pylist()
    ]
    more = " ..." if rows.num_rows > 3 else ""
    return " | ".join(dict.fromkeys(each)) + more


def plain(value: Any) -> Any:
    """As JSON has it: what it has no type for is text, a moment in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
