"""The functions that expressions may use: arguments, result, and how each is written for the engine.

A function that is not here does not exist. Results are brought to the types of our grammar (engines give int32 for a
length or a rank), and what would end a run or panic an engine (a negative length) is refused or guarded here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from transforms.patterns import pattern_fault
from transforms.portable_patterns import NotPortable, portable
from transforms.sql_values import Conversion, Mismatch, Sql, quote, spoken
from transforms.types import ColumnType

Kind = Literal["scalar", "aggregate", "window"]
Render = Callable[[list[Sql], Conversion], Sql]
OVER = "\0over\0"
"""Stands in the SQL of an aggregate behind each call that a window belongs to; no text of a user holds it."""
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
    `distinct`: DISTINCT may stand before its argument. `unit`: the first argument is a bare word such as HOUR.
    `strict`: it tells rows apart that are equal in `order_by`, so the other columns decide between them.
    `of_rows`: its first argument reads a column (Sail can't call it on constants)."""

    kind: Kind
    usage: str
    least: int
    most: int
    render: Render
    takes_star: bool = False
    distinct: bool = False
    unit: bool = False
    needs_order: bool = False
    strict: bool = False
    of_rows: bool = False


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


def small(value: Sql, conversion: Conversion, most: int = 2_000_000_000) -> str:
    """An integer argument as the engines want it where they count characters: 32 bits, and 0 where it is negative."""
    value = integer(value, conversion)
    if isinstance(value.literal, int):
        if not 0 <= value.literal <= most:
            raise Mismatch(f"takes a whole number from 0 to {most}")
        return value.text
    return (
        f"CAST((CASE WHEN {value.text} < 0 THEN 0 WHEN {value.text} > {most} THEN {most} ELSE {value.text} END) AS INT)"
    )


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
    return quote(shape.replace("T", "'T'"))


def checked_pattern(value: Sql) -> str:
    pattern = word(value, "a pattern")
    fault = pattern_fault(pattern)
    if fault:
        raise Mismatch(f"the pattern {fault}")
    try:
        return quote(portable(pattern))
    except NotPortable as error:
        raise Mismatch(f"the pattern {error}") from error


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
