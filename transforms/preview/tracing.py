"""What becomes of some rows of a preview's sample, node by node, and why a node drops one.

A node that looks at each row alone is run again on the traced rows: what it gives is what becomes of them. A node that
looks at many rows (groups, windows, pivots) has run on the whole sample: the rows it made of the traced ones are those
that are equal in the columns which it passes on, or groups by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.lake.base import PARTITION
from resources.spark import to_arrow
from transforms.definitions import Node
from transforms.expressions import compile_filter
from transforms.nodes.frame import Frame
from transforms.pipeline import PipelineTables, apply_node
from transforms.preview.running import Ran, fetched, of_rows
from transforms.preview.sampling import Sample
from transforms.schemas import operation_of, reads_of
from transforms.table_diff import key_texts

ROW_BY_ROW = frozenset({"filter", "compute", "select", "join", "udf"})
"""Operations whose result for a row depends on no other row of the node that they read."""
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
    for name in order:
        node = tables.pipeline.nodes[name]
        coming = [key for key in reads_of(node) if key in held and held[key].num_rows]
        if not coming:
            continue
        came = held[coming[0]]
        operation = operation_of(node)
        if operation in ROW_BY_ROW and coming[0] == node.source:
            frames = {key: one.frame for key, one in ran.items()}
            frames[node.source] = of_rows(tables, came, ran[node.source].frame)
            gone = fetched(tables, apply_node(node, frames, tables.step(name))).rows
            assert gone is not None  # noqa: S101 - it was fetched
        else:
            gone = _equal(came, ran[name], _passed_on(node, operation, came, ran[name].frame))
        held[name] = gone
        steps.append(_step(name, operation, came.num_rows, gone, _why(tables, name, came, gone, ran)))
    return steps


def _step(name: str, operation: str, rows_in: int, rows: pa.Table, why: str | None) -> TraceStep:
    shown = rows.slice(0, SHOWN)
    names = [column for column in shown.column_names if column != PARTITION]
    told = [{key: plain(value) for key, value in row.items()} for row in shown.select(names).to_pylist()]
    return TraceStep(name, operation, rows_in, rows.num_rows, why, told)


def _passed_on(node: Node, operation: str, came: pa.Table, made: Frame) -> list[str]:
    """Columns by which a row that a node made is known to be of a row that it read."""
    if operation == "group_by":
        return [*(node.group_by or []), *made.carried]
    if operation == "pivot":
        return [*(node.index or []), *made.carried]
    new = {*(node.window or {})} if operation == "window" else set()
    return [name for name in came.column_names if name in {*made.columns, *made.carried} - new]


def _equal(came: pa.Table, made: Ran, columns: Sequence[str]) -> pa.Table:
    assert made.rows is not None  # noqa: S101 - it reads the sample
    if not columns:
        return made.rows
    same = pc.is_in(key_texts(made.rows, columns), value_set=key_texts(came, columns).combine_chunks())
    return made.rows.filter(same)


def _why(tables: PipelineTables, name: str, came: pa.Table, gone: pa.Table, ran: Mapping[str, Ran]) -> str | None:
    node = tables.pipeline.nodes[name]
    operation = operation_of(node)
    if operation == "filter":
        return _filtered(tables, name, came, gone, ran[node.source].frame)
    if operation == "join":
        return _joined(node, came, gone)
    if operation == "pivot":
        return _pivoted(node, came)
    if operation == "group_by":
        keys = _said(came, node.group_by or [])
        return f"they are in {gone.num_rows:,} group{'s' if gone.num_rows != 1 else ''}: {keys}"
    if gone.num_rows < came.num_rows:
        return f"{operation} kept {gone.num_rows:,} of {came.num_rows:,}"
    return None


def _filtered(tables: PipelineTables, name: str, came: pa.Table, gone: pa.Table, source: Frame) -> str | None:
    """What the condition is for the rows that it drops, and the values that it looks at."""
    from pyspark.sql import functions

    if gone.num_rows == came.num_rows:
        return None
    step, node = tables.step(name), tables.pipeline.nodes[name]
    condition = compile_filter(
        node.filter or "", source.columns, where=step.where, timezone=step.timezone, parameters=step.parameters
    )
    frame = of_rows(tables, came, source)
    used = [column for column in source.columns if column in condition.columns]
    asked = to_arrow(frame.data.select(functions.expr(condition.sql).alias("condition")))["condition"].combine_chunks()
    found = []
    for text, mask in (("false", pc.equal(asked, False)), ("unknown (null)", pc.is_null(asked))):  # noqa: FBT003
        rows = came.filter(pc.fill_null(mask, False))  # noqa: FBT003 - Arrow's signature
        if rows.num_rows:
            found.append(f"the condition is {text}: {_said(rows, used)}")
    return "; ".join(found)


def _joined(node: Node, came: pa.Table, gone: pa.Table) -> str | None:
    on = node.on or []
    without = [name for name in on if came[name].null_count]
    if gone.num_rows < came.num_rows:
        said = f"no row of {node.join} has the same {', '.join(on)}: {_said(came, on)}"
        return f"{said}; {', '.join(without)} is missing, which equals nothing" if without else said
    if gone.num_rows > came.num_rows:
        return f"several rows of {node.join} have the same {', '.join(on)}: {_said(came, on)}"
    return None


def _pivoted(node: Node, came: pa.Table) -> str | None:
    """Values that make no column."""
    known = pa.array(list(node.values or {}), pa.string())
    texts = came[node.pivot or ""].cast(pa.string())
    other = pc.drop_null(pc.unique(texts.filter(pc.invert(pc.is_in(texts, value_set=known))))).to_pylist()
    if not other:
        return None
    return f"{node.pivot} {', '.join(other)} is none of {', '.join(node.values or {})}, so it makes no cell"


def _said(rows: pa.Table, columns: Sequence[str]) -> str:
    """Values of some columns, of the first rows."""
    each = [
        ", ".join(f"{name} {'missing' if value is None else value}" for name, value in row.items())
        for row in rows.select(list(dict.fromkeys(columns))).slice(0, 3).to_pylist()
    ]
    more = " ..." if rows.num_rows > 3 else ""
    return " | ".join(dict.fromkeys(each)) + more


def plain(value: Any) -> Any:
    """As JSON has it: what it has no type for is text."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
