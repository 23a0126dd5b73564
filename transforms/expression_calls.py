"""Calls of functions: which may stand where, their arguments, and what makes one an aggregate or window function."""

from typing import TYPE_CHECKING

from sqlglot import exp

from transforms.expression_errors import Fault, place_of
from transforms.expression_parts import function_of
from transforms.functions import OVER, Function
from transforms.sql_values import Mismatch, Sql, not_negative_zero
from transforms.types import ColumnType

if TYPE_CHECKING:
    from transforms.expression_nodes import Walker


def call(walker: "Walker", node: exp.Anonymous) -> Sql:
    key, function = function_of(node)
    if function.kind != "scalar":
        return group_call(walker, key, function, node)
    arguments = arguments_of(walker, function, node)
    return applied(walker, function, arguments, node)


def group_call(walker: "Walker", key: str, function: Function, node: exp.Anonymous) -> Sql:
    """An aggregate or window function."""
    if walker.inside_group:
        raise Fault(f"{key}() can't stand inside another aggregate or window function", place_of(node))
    if not walker.scope.aggregate and walker.scope.over is None:
        place = (
            "a `window` node" if function.kind == "window" else "`aggregate` of a group_by node, or in a `window` node"
        )
        raise Fault(f"{key}() works only in {place}", place_of(node))
    if walker.scope.over is None and function.kind == "window":
        raise Fault(f"{key}() works only in a `window` node", place_of(node))
    if function.needs_order and not walker.scope.ordered:
        raise Fault(f"{key}() needs `order_by` of its node", place_of(node))
    walker.inside_group = True
    value = applied(walker, function, arguments_of(walker, function, node), node)
    walker.inside_group = False
    over = walker.scope.over
    if over is None:
        walker.aggregated = True
    else:
        walker.windowed = True
        walker.by_row = walker.by_row or over.places(function)
    behind = "" if over is None else f" {over.of(function)}"
    sql = value.text.replace(OVER, behind) if OVER in value.text else value.text + behind
    return Sql(sql, value.type, exact=value.exact)


def arguments_of(walker: "Walker", function: Function, node: exp.Anonymous) -> list[Sql]:
    given = list(node.expressions)
    if function.distinct and len(given) == 1 and isinstance(given[0], exp.Distinct) and len(given[0].expressions) == 1:
        value = walker.render(given[0].expressions[0])
        return [Sql(f"DISTINCT {not_negative_zero(value)}", value.type)]
    if function.takes_star and len(given) == 1 and isinstance(given[0], exp.Star) and not given[0].args.get("except_"):
        return [Sql("*", ColumnType("integer"))]
    if not function.least <= len(given) <= function.most:
        raise Fault(f"{node.name}() has {len(given)} arguments; it is {function.usage}", place_of(node))
    if function.of_rows and not any(isinstance(part, exp.Column) for part in given[0].walk()):
        raise Fault(f"{node.name}() takes a text of a column, and this one is the same in all rows", place_of(node))
    if function.unit:
        unit = given[0].name if isinstance(given[0], exp.Column | exp.Var | exp.Literal) else ""
        return [Sql("", ColumnType("string"), literal=unit), *(walker.render(argument) for argument in given[1:])]
    return [walker.render(argument) for argument in given]


def applied(walker: "Walker", function: Function, arguments: list[Sql], node: exp.Anonymous) -> Sql:
    try:
        return function.render(arguments, walker.conversion)
    except Mismatch as mismatch:
        raise Fault(f"{node.name}(): {mismatch}; it is {function.usage}", place_of(node)) from mismatch
