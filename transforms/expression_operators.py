"""Arithmetic between numbers, and of dates and timestamps with intervals."""

from typing import TYPE_CHECKING

from sqlglot import exp

from transforms.expression_errors import Fault, place_of
from transforms.expression_parts import ARITHMETIC, INTERVALS, SECONDS, arithmetic_type, digits, interval
from transforms.functions import integer, number
from transforms.moments import later, moved_by
from transforms.sql_values import Conversion, Mismatch, Sql, narrowed, spoken
from transforms.types import ColumnType

if TYPE_CHECKING:
    from transforms.expression_nodes import Walker

DIVISIONS = (exp.Div, exp.Mod, exp.IntDiv)
CHECKED: dict[type[exp.Binary], str] = {exp.Add: "TRY_ADD", exp.Sub: "TRY_SUBTRACT", exp.Mul: "TRY_MULTIPLY"}


def arithmetic(walker: "Walker", node: exp.Binary) -> Sql:
    if isinstance(node.right, exp.Interval):
        return moved(walker, node)
    left, right = walker.render(node.left), walker.render(node.right)
    if left.type.kind in ("date", "timestamp"):
        raise Mismatch(
            f"'{ARITHMETIC[type(node)]}' takes numbers; see date_add, datediff and INTERVAL for {left.type.kind}s"
        )
    return calculated(type(node), left, right, walker.conversion)


def calculated(kind: type[exp.Binary], left: Sql, right: Sql, conversion: Conversion) -> Sql:
    """Two numbers by an operator. What does not fit into 64 bits, and a division by zero, is a missing value: engines
    wrap around, or end the run."""
    left, right = number(left, conversion), number(right, conversion)
    if kind is exp.IntDiv:
        left, right = integer(left, conversion), integer(right, conversion)
    result = arithmetic_type(kind, left, right)
    divisor_known = bool(right.literal)
    if kind in DIVISIONS and not divisor_known:
        result = result.with_nullable(nullable=True)
    if result.kind == "decimal":
        return _of_decimals(kind, left, right, result)
    target = ColumnType("double" if result.kind == "double" or kind is exp.Div else "integer")
    left, right = conversion.cast(left, target), conversion.cast(right, target)
    if kind in DIVISIONS:
        divisor = right.text if divisor_known else without_zero(right)
        if kind is exp.IntDiv and right.literal is None:
            return Sql(_whole_quotient(left.text, divisor, right.text), result)
        return Sql(f"({left.text} {ARITHMETIC[kind]} {divisor})", result)
    if target.kind == "integer":
        return Sql(f"{CHECKED[kind]}({left.text}, {right.text})", result.with_nullable(nullable=True))
    return Sql(f"({left.text} {ARITHMETIC[kind]} {right.text})", result)


def _of_decimals(kind: type[exp.Binary], left: Sql, right: Sql, result: ColumnType) -> Sql:
    divisor = right.text if kind not in DIVISIONS or right.literal else without_zero(right)
    if kind is not exp.Div:
        return Sql(f"({left.text} {ARITHMETIC[kind]} {divisor})", result, exact=False)
    # Sail gives four digits more than the dividend has and cuts off the rest, Spark rounds further back; so the
    # dividend gets as many digits as make both right in the last digit that is kept.
    whole, scale = digits(narrowed(left))
    dividend = ColumnType("decimal", precision=whole - scale + result.scale - 1, scale=result.scale - 1)
    numerator = f"CAST({left.text} AS {dividend.sql})"
    if right.type.kind == "integer":
        divisor = f"CAST({divisor} AS {ColumnType('decimal', precision=digits(narrowed(right))[0]).sql})"
    return Sql(f"CAST(ROUND({numerator} / {divisor}, {result.scale}) AS {result.sql})", result)


def without_zero(value: Sql) -> str:
    """SQL of a divisor: null where it is zero, also where that is a negative zero."""
    if value.type.kind == "double":
        return f"NULLIF({value.text} + CAST(0 AS DOUBLE), CAST(0 AS DOUBLE))"
    return f"NULLIF({value.text}, CAST(0 AS {value.type.sql}))"


def _whole_quotient(left: str, divisor: str, right: str) -> str:
    """The smallest integer by -1 does not fit, and ends the run on Sail."""
    plain = f"({left} DIV CASE WHEN {right} = -1 THEN 1 ELSE {divisor} END)"
    return f"TRY_MULTIPLY({plain}, CASE WHEN {right} = -1 THEN CAST(-1 AS BIGINT) ELSE CAST(1 AS BIGINT) END)"


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
        return later(value, str(count * factor), base)
    if value.type.kind == "timestamp":
        if unit not in SECONDS:
            raise Fault(f"a timestamp takes intervals of {', '.join(SECONDS).lower()}", place_of(node))
        return moved_by(value, count * SECONDS[unit])
    raise Fault(f"an INTERVAL is added to a date or timestamp, not to {spoken(value.type)}", place_of(node))
