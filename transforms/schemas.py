"""The columns that each node of a pipeline has, worked out from the definitions alone.

Used to check a domain before anything runs, and by whoever needs a node's types without asking an engine.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from transforms.bound_definitions import Parameter
from transforms.definitions import Node, Pipeline, ordering
from transforms.expression_errors import ExpressionError
from transforms.expressions import compile_expression, compile_filter
from transforms.look_back import input_columns
from transforms.types import parse_type
from transforms.udf_code import UdfCode
from transforms.udf_columns import columns_with
from transforms.yaml_source import FieldPath, suggestion

Columns = dict[str, str]
OPERATIONS = ("filter", "compute", "select", "join", "group_by", "window", "pivot", "udf")
Report = Callable[[FieldPath, str, Iterable[str], int | None], None]
"""Told of a fault: field path below the pipeline, what is wrong, what is allowed, column of the expression's text."""


@dataclass(frozen=True)
class _Checks:
    """One pipeline's check: what is known of each name, and where faults go."""

    known: dict[str, Columns | None]
    report: Report
    timezone: str
    parameters: Mapping[str, Parameter]
    udfs: Mapping[str, UdfCode]

    def node(self, name: str, node: Node) -> Columns | None:
        """The columns of a node, None where a fault makes them unknown."""
        source = self.known.get(node.source)
        if source is None:
            return None
        steps = {
            "filter": self.filtered,
            "compute": self.computed,
            "select": self.selected,
            "join": self.joined,
            "group_by": self.grouped,
            "window": self.windowed,
            "pivot": self.pivoted,
            "udf": self.called,
        }
        step = next((step for field, step in steps.items() if getattr(node, field) is not None), None)
        return None if step is None else step(node, source, ("nodes", name))

    def exist(self, wanted: Iterable[str], columns: Columns, at: FieldPath) -> bool:
        """Whether all columns are there; the place is that of the list."""
        good = True
        for index, column in enumerate(wanted):
            if column not in columns:
                detail = f"there is no column '{column}'.{suggestion(column, columns)}"
                self.report((*at, index), detail, columns, None)
                good = False
        return good

    def chosen(self, wanted: Iterable[str], columns: Columns, at: FieldPath) -> Columns | None:
        wanted = list(wanted)
        return {column: columns[column] for column in wanted} if self.exist(wanted, columns, at) else None

    def filtered(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        try:
            compile_filter(node.filter or "", columns, where="", timezone=self.timezone, parameters=self.parameters)
        except ExpressionError as error:
            self.report((*at, "filter"), error.detail, error.allowed or [], error.column)
        return columns

    def selected(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        return self.chosen(node.select or [], columns, (*at, "select"))

    def typed(self, text: str, columns: Columns, at: FieldPath, *, aggregate: bool = False) -> str | None:
        """The type of one expression; None where it is faulty."""
        try:
            return compile_expression(
                text, columns, where="", aggregate=aggregate, timezone=self.timezone, parameters=self.parameters
            ).type
        except ExpressionError as error:
            self.report(at, error.detail, error.allowed or [], error.column)
            return None

    def computed(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        expressions = (node.compute or {}).items()
        types = {name: self.typed(text, columns, (*at, "compute", name)) for name, text in expressions}
        known = {name: kind for name, kind in types.items() if kind is not None}
        return {**columns, **known} if len(known) == len(types) else None

    def grouped(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        keys = self.chosen(node.group_by or [], columns, (*at, "group_by"))
        expressions = (node.aggregate or {}).items()
        types = {
            name: self.typed(text, columns, (*at, "aggregate", name), aggregate=True) for name, text in expressions
        }
        for name in types:
            if name in (node.group_by or []):
                self.report((*at, "aggregate", name), f"'{name}' is a column of group_by already.", [], None)
        known = {name: kind for name, kind in types.items() if kind is not None}
        return None if keys is None or len(known) < len(types) else {**keys, **known}

    def windowed(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        order = node.order_by or []
        good = self.exist(node.partition_by or [], columns, (*at, "partition_by"))
        good = self.exist([ordering(entry)[0] for entry in order], columns, (*at, "order_by")) and good
        result = dict(columns)
        for name, text in (node.window or {}).items() if good else ():
            try:
                found = compile_expression(
                    text,
                    columns,
                    where="",
                    window=True,
                    partition_by=node.partition_by or [],
                    order_by=order,
                    timezone=self.timezone,
                    parameters=self.parameters,
                )
                result[name] = found.type
            except ExpressionError as error:
                self.report((*at, "window", name), error.detail, error.allowed or [], error.column)
                good = False
        return result if good else None

    def joined(self, node: Node, left: Columns, at: FieldPath) -> Columns | None:
        right = self.known.get(node.join or "")
        if right is None:
            return None
        on = node.on or []
        good = self.exist(on, left, (*at, "on")) and self.exist(on, right, (*at, "on"))
        for index, column in enumerate(on if good else []):
            if parse_type(left[column]).kind != parse_type(right[column]).kind:
                detail = f"column '{column}' is {left[column]} on one side and {right[column]} on the other."
                self.report((*at, "on", index), detail, [], None)
                good = False
        keep = node.keep if node.keep is not None else {column: column for column in right if column not in on}
        result = dict(left)
        for column, name in keep.items():
            if column not in right:
                self.report(
                    (*at, "keep", column),
                    f"there is no column '{column}' in '{node.join}'.{suggestion(column, right)}",
                    right,
                    None,
                )
                good = False
            elif name in result:
                self.report(
                    (*at, "keep", column),
                    f"there is a column '{name}' already; give it another name in `keep`.",
                    [],
                    None,
                )
                good = False
            else:
                kind = right[column]
                result[name] = f"{kind.removesuffix('?')}?" if node.how == "left" else kind
        return result if good else None

    def called(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        return columns_with(node, self.udfs, columns, at, self.report)

    def pivoted(self, node: Node, columns: Columns, at: FieldPath) -> Columns | None:
        pivot, values = node.pivot or "", node.values or {}
        good = True
        if pivot not in columns:
            self.report((*at, "pivot"), f"there is no column '{pivot}'.{suggestion(pivot, columns)}", columns, None)
            good = False
        result = self.chosen(node.index or [], columns, (*at, "index"))
        good = self.exist(node.columns or [], columns, (*at, "columns")) and good and result is not None
        if not good or result is None:
            return None
        for column in node.columns or []:
            for suffix in values.values():
                name = f"{column}_{suffix}"
                if name in result:
                    self.report((*at, "values"), f"the pivot makes the column '{name}' twice.", [], None)
                    return None
                result[name] = f"{columns[column].removesuffix('?')}?"
        return result


def pipeline_columns(
    pipeline: Pipeline, inputs: Mapping[str, Columns | None], *, report: Report, timezone: str = "UTC"
) -> dict[str, Columns | None]:
    """Columns (name -> type) of all inputs and nodes of a pipeline; None for those behind a fault. Nodes are taken in
    the order of `nodes_in_order`, so those that go round in a circle are not there."""
    given = {
        local: None if columns is None else input_columns(pipeline, local, columns) for local, columns in inputs.items()
    }
    checks = _Checks(given, report, timezone, pipeline.parameters, pipeline.udfs)
    for name in nodes_in_order(pipeline):
        checks.known[name] = checks.node(name, pipeline.nodes[name])
    return checks.known


def reads_of(node: Node) -> list[str]:
    """The nodes and inputs that a node reads, the one whose rows it goes through first."""
    return [node.source, *([node.join] if node.join is not None else [])]


def operation_of(node: Node) -> str:
    """The one operation that a node is."""
    return next(name for name in OPERATIONS if getattr(node, name) is not None)


def nodes_in_order(pipeline: Pipeline) -> list[str]:
    """Nodes, each after those that it reads; nodes in a circle, or behind one, are left out."""
    ordered: list[str] = []
    waiting = dict(pipeline.nodes)
    while True:
        ready = [
            name for name, node in waiting.items() if not any(read in waiting for read in (node.source, node.join))
        ]
        if not ready:
            return ordered
        ordered += ready
        for name in ready:
            del waiting[name]
