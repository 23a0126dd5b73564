"""Whether the rows of a pipeline's result that have certain values in some columns are made only of rows of the inputs
that have them too; those of other values can then be left as they are.

That is followed back from the result to the inputs: an operation on single rows lets a column through, one on groups
keeps values apart that are among its group's columns, a join brings rows of its other side to those that have the
values it joins on. Where it can't be followed, the pipeline can't be incremental by these columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.definitions import Pipeline
from transforms.nodes.cast import Cast
from transforms.nodes.compute import Compute
from transforms.nodes.explode import Explode
from transforms.nodes.fill import Fill
from transforms.nodes.filter import Filter
from transforms.nodes.geospatial import Geospatial
from transforms.nodes.group_by import GroupBy
from transforms.nodes.join import Join
from transforms.nodes.lookup import Lookup, StreamJoin
from transforms.nodes.node import Node
from transforms.nodes.pivot import Pivot, Unpivot
from transforms.nodes.rows import Dedupe, Sample, Sort
from transforms.nodes.select import Drop, Rename, Select
from transforms.nodes.shape import Report
from transforms.nodes.sides import pairs
from transforms.nodes.split import Split
from transforms.nodes.text import Normalize, PatternMining, RegexReplace
from transforms.nodes.udf import CallUdf
from transforms.nodes.union import Union
from transforms.nodes.window import Window
from transforms.schemas import nodes_in_order
from transforms.yaml_source import FieldPath, suggestion

By = tuple[str, ...]
Known = Mapping[str, Mapping[str, str] | None]
"""Columns of inputs and nodes, with their types."""
Columns = Callable[[Any], Sequence[str]]
ROWWISE: dict[type[Node], Columns] = {
    **dict.fromkeys((Filter, Split, Select, Drop, Rename, Sample, Sort, Dedupe, CallUdf), lambda _: ()),
    Compute: lambda node: [*node.compute],
    Cast: lambda node: [*node.cast, node.misfits],
    Fill: lambda node: [*node.fill],
    Normalize: lambda node: node.normalize,
    RegexReplace: lambda node: [rule.column for rule in node.regex_replace],
    PatternMining: lambda node: [node.to],
    Geospatial: lambda node: [node.to],
    Explode: lambda node: [node.explode, node.position],
    Unpivot: lambda node: [node.name_to, node.value_to],
    Window: lambda node: [*node.window],
}
"""Operations that make a row of one row, each with the columns that it makes."""
GROUPED: dict[type[Node], Columns] = {
    GroupBy: lambda node: node.group_by,
    Window: lambda node: node.partition_by or [],
    Pivot: lambda node: node.index,
    Dedupe: lambda node: node.dedupe,
    Fill: lambda node: node.partition_by or [],
    Sort: lambda _: (),
}
"""Operations that look at several rows, each with the columns that those have in common."""


@dataclass(frozen=True)
class Read:
    """What a node reads. `columns`: those that have the values, in the order of the node's own. `joined`: the values
    are those of these columns of the node's first input instead, whose rows then say which of the node's own."""

    name: str
    columns: By
    joined: By | None = None


class NotLocal(Exception):
    """A node that mixes rows of different values. `path`: the field that does, below the node."""

    def __init__(self, path: FieldPath, reason: str) -> None:
        super().__init__(reason)
        self.path, self.reason = path, reason


def reads_of(node: Node, by: By, known: Known) -> list[Read]:
    """What a node reads, for values of these columns of its result. Raises NotLocal."""
    if isinstance(node, Join | Lookup | StreamJoin):
        return _joined(node, by, known.get(node.source))
    if isinstance(node, Union):
        return _united(node, by, known)
    made = next((columns(node) for operation, columns in ROWWISE.items() if isinstance(node, operation)), ())
    for column in by:
        if column in made:
            raise NotLocal((node.operation,), f"it makes new values of '{column}'")
    bounds = _bounds(node)
    for column in by if bounds is not None else ():
        if bounds is not None and column not in bounds:
            raise NotLocal((node.operation,), f"it brings rows of different '{column}' together")
    names = {new: old for old, new in node.rename.items()} if isinstance(node, Rename) else {}
    return [Read(node.source, tuple(names.get(column, column) for column in by))]


def _bounds(node: Node) -> Sequence[str] | None:
    """The columns by which an operation keeps rows apart; None where it looks at single rows."""
    if isinstance(node, Dedupe) and node.dedupe == "all":
        return None
    if (isinstance(node, Fill) and not isinstance(node.fill, list)) or (isinstance(node, Sort) and node.limit is None):
        return None
    for operation, bounds in GROUPED.items():
        if isinstance(node, operation):
            return bounds(node)
    return None if isinstance(node, tuple(ROWWISE)) else []


def _joined(node: Join | Lookup | StreamJoin, by: By, own: Mapping[str, str] | None) -> list[Read]:
    other = node.join if isinstance(node, Join) else node.other
    on = pairs(node.on)
    if not on:
        raise NotLocal(("how",), f"a cross join brings every row of '{other}' to every other")
    both = node.how in ("right", "full") if isinstance(node, Join) else node.alone
    for column in by if both else ():
        if column not in on:
            raise NotLocal((node.operation,), f"rows of '{other}' that meet none have no '{column}' of their own")
    if both:
        return [Read(node.source, by), Read(other, tuple(on[column] for column in by))]
    for column in by if own is not None else ():
        if own is not None and column not in own:
            raise NotLocal((node.operation,), f"'{column}' comes from the joined side, '{other}'")
    return [Read(node.source, by), Read(other, tuple(on.values()), joined=tuple(on))]


def _united(node: Union, by: By, known: Known) -> list[Read]:
    found = []
    for _, name in node.reads():
        columns = known.get(name)
        for column in by if columns is not None else ():
            if columns is not None and column not in columns:
                raise NotLocal(("union",), f"rows of '{name}' have no '{column}'")
        found.append(Read(name, by))
    return found


def check_locality(pipeline: Pipeline, by: Sequence[str], known: Known, report: Report) -> None:
    """Tell of each node that makes the result other than local in `by`."""
    waiting, seen = [(pipeline.output, tuple(by))], set[tuple[str, By]]()
    nodes = nodes_in_order(pipeline)
    while waiting:
        name, columns = waiting.pop()
        if (name, columns) in seen:
            continue
        seen.add((name, columns))
        if name in pipeline.inputs:
            _check_input(name, columns, known.get(name), report)
        elif name in nodes:
            waiting += _followed(name, nodes[name], columns, known, report)


def _check_input(name: str, by: By, columns: Mapping[str, str] | None, report: Report) -> None:
    for column in by if columns is not None else ():
        if columns is not None and column not in columns:
            detail = f"there is no column '{column}' in '{name}' to be incremental by.{suggestion(column, columns)}"
            report(("inputs", name), detail, columns, None)


def _followed(name: str, node: Node, by: By, known: Known, report: Report) -> list[tuple[str, By]]:
    try:
        return [(read.name, read.columns) for read in reads_of(node, by, known)]
    except NotLocal as error:
        detail = (
            f"the pipeline can't be incremental by {', '.join(by)}: {error.reason}. Name other columns in "
            "`incremental.by`, or leave `incremental` out."
        )
        report(("nodes", name, *error.path), detail, [], None)
        return []
