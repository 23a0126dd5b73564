"""The functions that expressions may use: arguments, result, and how each is written for the engine.

A function that is not here does not exist. Results are brought to the types of our grammar (engines give int32 for a
length or a rank), and what would end a run or panic an engine (a negative length) is refused or guarded here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from transforms.patterns import pattern_fault
from transforms.sql_values import Conversion, Mismatch, Sql, spoken, unify_values
from transforms.types import ColumnType

Kind = Literal["scalar", "aggregate", "window"]
Render = Callable[[list[Sql], Conversion], Sql]
FORMAT = re.compile(r"(yyyy|MM|dd|HH|mm|ss|[ /:._T-])+")
UNITS = {
    "date": ["year", "quarter", "month", "week", "day"],
    "timestamp": ["year", "quarter", "month", "week", "day", "hour", "minute", "second"],
    "length": ["week", "day", "hour", "minute", "second"],
}
MAX_PADDING = 1000
STRING, INTEGER, DOUBLE = ColumnType("string"), ColumnType("integer"), ColumnType("double")
BOOLEAN, DATE, TIMESTAMP = ColumnType("boolean"), ColumnType("date"), ColumnType("timestamp")


@dataclass(frozen=True)
class Function:
    """`least` and `most` bound the number of arguments; `usage` is what users read. `takes_star`: `count(*)`.
    `distinct`: DISTINCT may stand before its argument. `unit`: the first argument is a bare word such as HOUR."""

    kind: Kind
    usage: str
    least: int
    most: int
    render: Render
    takes_star: bool = False
    distinct: bool = False
    unit: bool = False
    needs_order: bool = False


FUNCTIONS: dict[str, Function] = {}


def define(
    usage: str, least: int, most: int | None = None, kind: Kind = "scalar", **flags: bool
) -> Callable[[Render], Render]:
    """Enter a function into the table under the name that its usage begins with."""

    def enter(render: Render) -> Render:
        key = usage.partition("(")[0]
        FUNCTIONS[key] = Function(kind, usage, least, least if most is None else most, render, **flags)
        return render

    return enter


def want(value: Sql, kinds: tuple[str, ...], conversion: Conversion) -> Sql:
    """An argument as one of the kinds (the first is what text is converted to where conversions are lenient)."""
    kind = "string" if value.type.kind == "enum" else value.type.kind
    if kind in kinds:
        return value
    target = ColumnType(kinds[0])
    if kind == "null" or (
        kind == "string" and conversion.lenient and kinds[0] in ("integer", "double", "date", "timestamp")
    ):
        return conversion.cast(value, target)
    if kind == "string" and value.literal is not None and kinds[0] in ("date", "timestamp"):
        return conversion.cast(value, target)
    if kind == "date" and "timestamp" in kinds:
        return conversion.cast(value, TIMESTAMP)
    hint = f"; write try_cast(... AS {kinds[0]})" if kind == "string" else ""
    hint = "; write cast(... AS string)" if kinds == ("string",) else hint
    wanted = "a number" if len(kinds) == 3 else " or ".join(spoken(ColumnType(one)) for one in kinds)
    raise Mismatch(f"takes {wanted}, not {spoken(value.type)}{hint}")


def text(value: Sql, conversion: Conversion) -> Sql:
    return want(value, ("string",), conversion)


def integer(value: Sql, conversion: Conversion) -> Sql:
    return want(value, ("integer",), conversion)


def number(value: Sql, conversion: Conversion) -> Sql:
    return want(value, ("double", "integer", "decimal"), conversion)


def small(value: Sql, conversion: Conversion) -> str:
    """An integer argument as the engines want it: Spark refuses 64 bits where it counts characters or days."""
    value = integer(value, conversion)
    return value.text if isinstance(value.literal, int) else f"CAST({value.text} AS INT)"


def word(value: Sql, what: str) -> str:
    """An argument that must be written out as text."""
    if not isinstance(value.literal, str):
        raise Mismatch(f"takes {what} written out in quotes")
    return value.literal


def any_null(values: list[Sql]) -> bool:
    return any(value.nullable for value in values)


def checked_format(value: Sql) -> str:
    shape = word(value, "a format")
    if not FORMAT.fullmatch(shape):
        raise Mismatch(f"format '{shape}' is not known; it is made of yyyy MM dd HH mm ss and of space / : . _ - T")
    return value.text


def checked_pattern(value: Sql) -> str:
    fault = pattern_fault(word(value, "a pattern"))
    if fault:
        raise Mismatch(f"the pattern {fault}")
    return value.text


def simple(usage: str, sql: str, kinds: str, result: ColumnType, *, least: int | None = None) -> None:
    """A function whose SQL is a template over its arguments; `kinds` names them: s text, i small integer, n number."""
    takes: dict[str, Callable[[Sql, Conversion], str]] = {
        "s": lambda value, conversion: text(value, conversion).text,
        "i": small,
        "n": lambda value, conversion: number(value, conversion).text,
    }

    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        parts = [takes[kind](value, conversion) for kind, value in zip(kinds, arguments, strict=False)]
        call = sql.replace("{*}", ", ".join(parts))
        return Sql(call, result.with_nullable(nullable=any_null(arguments) or result.nullable))

    define(usage, len(kinds) if least is None else least, len(kinds))(render)


simple("upper(text)", "UPPER({*})", "s", STRING)
simple("lower(text)", "LOWER({*})", "s", STRING)
simple("trim(text)", "TRIM({*})", "s", STRING)
simple("ltrim(text)", "LTRIM({*})", "s", STRING)
simple("rtrim(text)", "RTRIM({*})", "s", STRING)
simple("initcap(text)", "INITCAP({*})", "s", STRING)
simple("reverse(text)", "REVERSE({*})", "s", STRING)
simple("left(text, length)", "LEFT({*})", "si", STRING)
simple("right(text, length)", "RIGHT({*})", "si", STRING)
simple("substr(text, start, length)", "SUBSTRING({*})", "sii", STRING, least=2)
simple("substring(text, start, length)", "SUBSTRING({*})", "sii", STRING, least=2)
simple("replace(text, old, new)", "REPLACE({*})", "sss", STRING)
simple("split_part(text, separator, number)", "SPLIT_PART({*})", "ssi", STRING)
simple("length(text)", "CAST(LENGTH({*}) AS BIGINT)", "s", INTEGER)
simple("instr(text, part)", "CAST(INSTR({*}) AS BIGINT)", "ss", INTEGER)
simple("contains(text, part)", "CONTAINS({*})", "ss", BOOLEAN)
simple("startswith(text, part)", "STARTSWITH({*})", "ss", BOOLEAN)
simple("endswith(text, part)", "ENDSWITH({*})", "ss", BOOLEAN)
simple("floor(number)", "CAST(FLOOR({*}) AS BIGINT)", "n", INTEGER)
simple("ceil(number)", "CAST(CEIL({*}) AS BIGINT)", "n", INTEGER)


@define("lpad(text, length, filler)", 3)
def _lpad(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _pad("LPAD", arguments, conversion)


@define("rpad(text, length, filler)", 3)
def _rpad(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _pad("RPAD", arguments, conversion)


def _pad(call: str, arguments: list[Sql], conversion: Conversion) -> Sql:
    subject, length, filler = arguments
    if not isinstance(length.literal, int) or not 0 <= length.literal <= MAX_PADDING:
        raise Mismatch(f"takes a length written out, 0 to {MAX_PADDING}")
    sql = f"{call}({text(subject, conversion).text}, {length.literal}, {text(filler, conversion).text})"
    return Sql(sql, STRING.with_nullable(nullable=any_null(arguments)))


@define("concat(value, ...)", 1, 50)
def _concat(arguments: list[Sql], conversion: Conversion) -> Sql:
    parts = ", ".join(conversion.cast(value, STRING).text for value in arguments)
    return Sql(f"CONCAT({parts})", STRING.with_nullable(nullable=any_null(arguments)))


@define("concat_ws(separator, value, ...)", 2, 50)
def _concat_ws(arguments: list[Sql], conversion: Conversion) -> Sql:
    parts = ", ".join(conversion.cast(value, STRING).text for value in arguments)
    return Sql(f"CONCAT_WS({parts})", STRING.with_nullable(nullable=arguments[0].nullable))


@define("regexp_extract(text, pattern, group)", 2, 3)
def _regexp_extract(arguments: list[Sql], conversion: Conversion) -> Sql:
    group = arguments[2].literal if len(arguments) > 2 else 1
    pattern = checked_pattern(arguments[1])
    groups = re.compile(word(arguments[1], "a pattern")).groups
    if not isinstance(group, int) or not 0 <= group <= groups:
        raise Mismatch(
            f"the pattern has {groups} groups; the third argument is the number of one, written out (0 = all)"
        )
    sql = f"REGEXP_EXTRACT({text(arguments[0], conversion).text}, {pattern}, {group})"
    return Sql(sql, STRING.with_nullable(nullable=arguments[0].nullable))


@define("regexp_replace(text, pattern, new)", 3)
def _regexp_replace(arguments: list[Sql], conversion: Conversion) -> Sql:
    subject, pattern, new = text(arguments[0], conversion), checked_pattern(arguments[1]), arguments[2]
    if "$" in word(new, "the new text") or "\\" in word(new, "the new text"):
        raise Mismatch("takes a new text without $ and \\ (engines differ in what they mean)")
    return Sql(f"REGEXP_REPLACE({subject.text}, {pattern}, {new.text})", subject.type)


@define("rlike(text, pattern)", 2)
def _rlike(arguments: list[Sql], conversion: Conversion) -> Sql:
    sql = f"({text(arguments[0], conversion).text} RLIKE {checked_pattern(arguments[1])})"
    return Sql(sql, BOOLEAN.with_nullable(nullable=arguments[0].nullable))


@define("abs(number)", 1)
def _abs(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = number(arguments[0], conversion)
    return Sql(f"ABS({value.text})", value.type, exact=value.exact)


@define("round(number, digits)", 1, 2)
def _round(arguments: list[Sql], conversion: Conversion) -> Sql:
    value, digits = number(arguments[0], conversion), arguments[1].literal if len(arguments) > 1 else 0
    if not isinstance(digits, int) or not 0 <= digits <= 18:
        raise Mismatch("takes a number of digits written out, 0 to 18")
    result = value.type
    if result.kind == "decimal":
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
    left, right = (number(value, conversion) for value in arguments)
    together = unify_values([left, right]).with_nullable(nullable=True)
    a, b = conversion.cast(left, together).text, conversion.cast(right, together).text
    return Sql(
        f"({a} % NULLIF({b}, {conversion.cast(Sql('0', INTEGER, exact=False), together).text}))", together, exact=False
    )


def _together(call: str, arguments: list[Sql], conversion: Conversion, *, nullable: bool) -> Sql:
    """A call whose arguments and result have one type."""
    result = unify_values(arguments)
    if result.kind == "geopoint" and call in ("GREATEST", "LEAST"):
        raise Mismatch("takes values that have an order, not geopoint")
    parts = ", ".join(conversion.cast(value, result).text for value in arguments)
    return Sql(f"{call}({parts})", result.with_nullable(nullable=nullable))


@define("coalesce(value, ...)", 1, 50)
def _coalesce(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _together("COALESCE", arguments, conversion, nullable=all(value.nullable for value in arguments))


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
