"""Arithmetic between numbers, and of dates and timestamps with intervals."""

from typing import TYPE_CHECKING

from sqlglot import exp

from transforms.expression_errors import Fault, place_of
from transforms.expression_parts import ARITHMETIC, INTERVALS, SECONDS, arithmetic_type, interval
from transforms.functions import integer, number
from transforms.sql_values import Mismatch, Sql, spoken
from transforms.types import ColumnType

if TYPE_CHECKING:
    from transforms.expression_nodes import Walker


def arithmetic(walker: "Walker", node: exp.Binary) -> Sql:
    if isinstance(node.right, exp.Interval):
        return moved(walker, node)
    left, right = walker.render(node.left), walker.render(node.right)
    if left.type.kind in ("date", "timestamp"):
        raise Mismatch(
            f"'{ARITHMETIC[type(node)]}' takes numbers; see date_add, datediff and INTERVAL for {left.type.kind}s"
        )
    left, right = number(left, walker.conversion), number(right, walker.conversion)
    kind = type(node)
    if kind is exp.IntDiv:
        left, right = integer(left, walker.conversion), integer(right, walker.conversion)
    result = arithmetic_type(kind, left, right)
    divisor_known = bool(right.literal)
    divides = kind in (exp.Div, exp.Mod, exp.IntDiv)
    if result.kind == "double" or (kind is exp.Div and result.kind == "integer"):
        left, right = (walker.conversion.cast(value, ColumnType("double")) for value in (left, right))
    elif result.kind == "integer":
        left, right = (walker.conversion.cast(value, ColumnType("integer")) for value in (left, right))
    divisor = right.text
    if divides and not divisor_known:
        # Division by zero ends the run on both engines; here it is a missing value.
        zero = walker.conversion.cast(Sql("0", ColumnType("integer"), exact=False), right.type).text
        divisor = f"NULLIF({right.text}, {zero})"
        result = result.with_nullable(nullable=True)
    return Sql(f"({left.text} {ARITHMETIC[kind]} {divisor})", result, exact=result.kind != "decimal")


def moved(walker: "Walker", node: exp.Binary) -> Sql:
    """A date or timestamp plus or minus an interval."""
    if not isinstance(node, exp.Add | exp.Sub):
        raise Fault("an INTERVAL is added or subtracted", place_of(node))
    value, (count, unit) = walker.render(node.left), interval(node.right)
    count = -count if isinstance(node, exp.Sub) else count
    if value.type.kind == "date":
        if unit not in INTERVALS:
            raise Fault(f"a date takes intervals of {', '.join(INTERVALS).lower()}", place_of(node))
        base, factor = INTERVALS[unit]
        call = "DATE_ADD" if base == "DAY" else "ADD_MONTHS"
        return Sql(f"{call}({value.text}, {count * factor})", value.type)
    if value.type.kind == "timestamp":
        if unit not in SECONDS:
            raise Fault(f"a timestamp takes intervals of {', '.join(SECONDS).lower()}", place_of(node))
        return Sql(f"({value.text} + INTERVAL '{count * SECONDS[unit]}' SECOND)", value.type)
    raise Fault(f"an INTERVAL is added to a date or timestamp, not to {spoken(value.type)}", place_of(node))
