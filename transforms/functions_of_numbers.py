"""Functions of numbers, and those that choose among values, entered into the table of `transforms.functions`."""

from sqlglot import exp

from transforms.expression_operators import calculated
from transforms.functions import BOOLEAN, DOUBLE, INTEGER, any_null, define, number, want
from transforms.sql_values import (
    MAX_DIGITS_OF_DOUBLES,
    Conversion,
    Mismatch,
    Sql,
    integer_digits,
    not_negative_zero,
    tried,
    unify_values,
)
from transforms.types import ColumnType

SAFE_DIGITS = 18
"""Digits of a whole number that surely fits into 64 bits."""


def _to_whole(name: str) -> None:
    @define(f"{name}(number)", 1)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        value = number(arguments[0], conversion)
        if value.type.kind == "integer":
            return value
        if value.type.kind == "double":  # engines bring what is too large to the largest whole number
            whole = f"TRY_CAST({value.text} AS BIGINT)"
            beyond, step = (">", -1) if name == "floor" else ("<", 1)
            one = f"CASE WHEN CAST({whole} AS DOUBLE) {beyond} {value.text} THEN {step} ELSE 0 END"
            return Sql(f"({whole} + CAST({one} AS BIGINT))", INTEGER.with_nullable(nullable=True))
        if value.type.kind == "decimal" and integer_digits(value.type) <= SAFE_DIGITS:
            return Sql(f"CAST({name.upper()}({value.text}) AS BIGINT)", INTEGER.with_nullable(nullable=value.nullable))
        return Sql(tried(f"{name.upper()}({value.text})", INTEGER), INTEGER.with_nullable(nullable=True))


_to_whole("floor")
_to_whole("ceil")


@define("abs(number)", 1)
def _abs(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = number(arguments[0], conversion)
    if value.type.kind == "integer":
        value = conversion.cast(value, INTEGER)
        smallest = "CAST('-9223372036854775808' AS BIGINT)"
        return Sql(f"ABS(NULLIF({value.text}, {smallest}))", value.type.with_nullable(nullable=True))
    return Sql(f"ABS({value.text})", value.type, exact=value.exact)


@define("sign(number)", 1)
def _sign(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = number(arguments[0], conversion)
    x, zero = value.text, f"CAST(0 AS {value.type.sql})"
    sql = f"(CASE WHEN {x} > {zero} THEN 1 WHEN {x} < {zero} THEN -1 WHEN {x} = {zero} THEN 0 END)"
    return Sql(f"CAST({sql} AS BIGINT)", INTEGER.with_nullable(nullable=value.nullable))


@define("round(number, digits)", 1, 2)
def _round(arguments: list[Sql], conversion: Conversion) -> Sql:
    value, digits = number(arguments[0], conversion), arguments[1].literal if len(arguments) > 1 else 0
    most = MAX_DIGITS_OF_DOUBLES if value.type.kind == "double" else 18
    if not isinstance(digits, int) or not 0 <= digits <= most:
        raise Mismatch(f"takes a number of digits written out, 0 to {most}")
    result = value.type
    if result.kind == "integer":
        return value
    if result.kind == "double":
        return Sql(conversion.rounded(value.text, digits), result)
    scale = min(digits, result.scale)
    precision = min(38, result.precision - result.scale + 1 + scale)
    result = ColumnType("decimal", result.nullable, precision, scale)
    return Sql(f"ROUND({value.text}, {digits})", result, exact=False)


@define("sqrt(number)", 1)
def _sqrt(arguments: list[Sql], conversion: Conversion) -> Sql:
    """Missing for negative numbers: a not-a-number has no canonical form."""
    value = conversion.cast(number(arguments[0], conversion), DOUBLE).text
    return Sql(f"IF({value} >= 0, SQRT({value}), NULL)", DOUBLE.with_nullable(nullable=True))


@define("mod(number, divisor)", 2)
def _mod(arguments: list[Sql], conversion: Conversion) -> Sql:
    return calculated(exp.Mod, arguments[0], arguments[1], conversion)


@define("pmod(number, divisor)", 2)
def _pmod(arguments: list[Sql], conversion: Conversion) -> Sql:
    """Of whole numbers: the remainder has the sign of the divisor, or is zero."""
    left, right = (want(value, ("integer",), conversion) for value in arguments)
    a, b = (conversion.cast(value, INTEGER).text for value in (left, right))
    divisor = f"NULLIF({b}, CAST(0 AS BIGINT))"
    rest = f"({a} % {divisor})"
    sql = f"(CASE WHEN ({rest} < 0) <> ({b} < 0) AND {rest} <> 0 THEN {rest} + {b} ELSE {rest} END)"
    return Sql(sql, INTEGER.with_nullable(nullable=True))


def _together(call: str, arguments: list[Sql], conversion: Conversion, *, nullable: bool) -> Sql:
    """A call whose arguments and result have one type."""
    result = unify_values(arguments)
    if result.kind == "geopoint" and call in ("GREATEST", "LEAST"):
        raise Mismatch("takes values that have an order, not geopoint")
    values = [conversion.cast(value, result) for value in arguments]
    parts = [one.text if call == "COALESCE" else not_negative_zero(one) for one in values]
    return Sql(f"{call}({', '.join(parts)})", result.with_nullable(nullable=nullable))


def _first_known(spelling: str, most: int) -> None:
    @define(spelling, 2 if most == 2 else 1, most)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        return _together("COALESCE", arguments, conversion, nullable=all(value.nullable for value in arguments))


_first_known("coalesce(value, ...)", 50)
_first_known("ifnull(value, otherwise)", 2)
_first_known("nvl(value, otherwise)", 2)


@define("nvl2(value, then, otherwise)", 3)
def _nvl2(arguments: list[Sql], conversion: Conversion) -> Sql:
    result = unify_values(arguments[1:])
    yes, no = (conversion.cast(value, result).text for value in arguments[1:])
    return Sql(f"IF({arguments[0].text} IS NOT NULL, {yes}, {no})", result)


@define("isnull(value)", 1)
def _isnull(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001 - the shape of all renderers
    return Sql(f"({arguments[0].text} IS NULL)", BOOLEAN)


@define("isnotnull(value)", 1)
def _isnotnull(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
    return Sql(f"({arguments[0].text} IS NOT NULL)", BOOLEAN)


@define("greatest(value, ...)", 2, 50)
def _greatest(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _together("GREATEST", arguments, conversion, nullable=all(value.nullable for value in arguments))


@define("least(value, ...)", 2, 50)
def _least(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _together("LEAST", arguments, conversion, nullable=all(value.nullable for value in arguments))


@define("nullif(value, other)", 2)
def _nullif(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _together("NULLIF", arguments, conversion, nullable=True)


@define("if(condition, value, otherwise)", 3)
def _if(arguments: list[Sql], conversion: Conversion) -> Sql:
    condition = want(arguments[0], ("boolean",), conversion)
    result = unify_values(arguments[1:])
    yes, no = (conversion.cast(value, result).text for value in arguments[1:])
    return Sql(f"IF({condition.text}, {yes}, {no})", result)


@define("geopoint(lat, lon)", 2)
def _geopoint(arguments: list[Sql], conversion: Conversion) -> Sql:
    lat, lon = (number(value, conversion) for value in arguments)
    point = f"NAMED_STRUCT('lat', CAST({lat.text} AS DOUBLE), 'lon', CAST({lon.text} AS DOUBLE))"
    if any_null(arguments):
        point = f"IF({lat.text} IS NULL OR {lon.text} IS NULL, NULL, {point})"
    return Sql(point, ColumnType("geopoint", any_null(arguments)))
