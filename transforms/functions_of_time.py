"""Functions of dates and timestamps, entered into the table of `transforms.functions`.

Fields of a timestamp are those of the domain's clock. A day of a timestamp has 24 hours; months exist for dates only.
"""

from transforms.functions import (
    DATE,
    INTEGER,
    STRING,
    TIMESTAMP,
    UNITS,
    any_null,
    checked_format,
    define,
    integer,
    text,
    want,
    word,
)
from transforms.moments import MOST, between, difference, first_day, first_moment, later, moved_by_sql
from transforms.sql_values import Conversion, Mismatch, Sql
from transforms.types import ColumnType

FIELDS_OF_DAYS = ("year", "quarter", "month", "day", "dayofweek", "dayofyear", "weekofyear")
FIELDS_OF_TIMES = ("hour", "minute", "second")


def moment(value: Sql, conversion: Conversion) -> Sql:
    """A date or a timestamp; text becomes a date where conversions are lenient."""
    if value.type.kind == "timestamp":
        return value
    return want(value, ("date",), conversion)


def local(value: Sql, conversion: Conversion) -> str:
    """SQL of a moment whose fields are those of the domain's clock."""
    return conversion.local(value) if value.type.kind == "timestamp" else value.text


def _field(field: str) -> None:
    @define(f"{field}(moment)", 1)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        if field in FIELDS_OF_TIMES:
            value = want(arguments[0], ("timestamp",), conversion)
        else:
            value = moment(arguments[0], conversion)
        source = local(value, conversion)
        if field not in FIELDS_OF_TIMES:
            source = f"CAST({source} AS DATE)" if value.type.kind == "timestamp" else source
        return Sql(f"CAST({field.upper()}({source}) AS BIGINT)", INTEGER.with_nullable(nullable=value.nullable))


for _name in (*FIELDS_OF_DAYS, *FIELDS_OF_TIMES):
    _field(_name)


@define("make_date(year, month, day)", 3)
def _make_date(arguments: list[Sql], conversion: Conversion) -> Sql:
    """By way of text: MAKE_DATE ends the run for a 31st of April, on both engines."""
    parts = [integer(value, conversion) for value in arguments]
    year, month, day = (f"CAST({value.text} AS STRING)" for value in parts)
    text_of_day = f"IF(LENGTH({year}) = 4, CONCAT({year}, '-', {month}, '-', {day}), NULL)"
    return Sql(f"TRY_CAST({text_of_day} AS DATE)", DATE.with_nullable(nullable=True))


@define("to_date(text, format)", 1, 2)
def _to_date(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = arguments[0]
    if len(arguments) == 1:
        return conversion.cast(value, DATE)
    parsed = f"TRY_TO_TIMESTAMP({text(value, conversion).text}, {checked_format(arguments[1])})"
    return Sql(f"CAST({parsed} AS DATE)", DATE.with_nullable(nullable=True))


@define("to_timestamp(text, format)", 1, 2)
def _to_timestamp(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = arguments[0]
    if len(arguments) == 1:
        return conversion.cast(value, TIMESTAMP)
    parsed = f"TRY_TO_TIMESTAMP({text(value, conversion).text}, {checked_format(arguments[1])})"
    return Sql(conversion.instant(parsed), TIMESTAMP.with_nullable(nullable=True))


@define("date_format(moment, format)", 2)
def _date_format(arguments: list[Sql], conversion: Conversion) -> Sql:
    value, shape = moment(arguments[0], conversion), checked_format(arguments[1])
    return Sql(f"DATE_FORMAT({local(value, conversion)}, {shape})", STRING.with_nullable(nullable=value.nullable))


@define("date_trunc(unit, moment)", 2)
def _date_trunc(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = moment(arguments[1], conversion)
    unit = _unit(word(arguments[0], "a unit"), value.type.kind)
    if value.type.kind == "date":
        return Sql(first_day(value.text, unit), value.type)
    return Sql(first_moment(value, unit, conversion), value.type)


def _unit(given: str, kind: str) -> str:
    unit = given.lower().removesuffix("s")
    if unit not in UNITS[kind]:
        raise Mismatch(f"unit '{given}' is not known here; there are {', '.join(UNITS[kind])}")
    return unit.upper()


def _mover(spelling: str, base: str, sign: str) -> None:
    @define(spelling, 2)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        value, count = want(arguments[0], ("date",), conversion), integer(arguments[1], conversion)
        bounded = between(count.text, -MOST[base], MOST[base])
        return later(value, f"{sign}CAST({bounded} AS INT)", base)


_mover("date_add(date, days)", "DAY", "")
_mover("date_sub(date, days)", "DAY", "-")
_mover("add_months(date, months)", "MONTH", "")


@define("last_day(date)", 1)
def _last_day(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = want(arguments[0], ("date",), conversion)
    return Sql(f"LAST_DAY({value.text})", value.type)


@define("datediff(end, start)", 2)
def _datediff(arguments: list[Sql], conversion: Conversion) -> Sql:
    end, start = (want(value, ("date",), conversion) for value in arguments)
    return Sql(
        f"CAST(DATEDIFF({end.text}, {start.text}) AS BIGINT)", INTEGER.with_nullable(nullable=any_null(arguments))
    )


@define("timestampadd(unit, number, timestamp)", 3, unit=True)
def _timestampadd(arguments: list[Sql], conversion: Conversion) -> Sql:
    unit = _unit(str(arguments[0].literal), "length")
    value = want(arguments[2], ("timestamp",), conversion)
    return moved_by_sql(value, unit, integer(arguments[1], conversion))


@define("timestampdiff(unit, start, end)", 3, unit=True)
def _timestampdiff(arguments: list[Sql], conversion: Conversion) -> Sql:
    unit = _unit(str(arguments[0].literal), "length")
    start, end = (want(value, ("timestamp",), conversion) for value in arguments[1:])
    return Sql(difference(unit, start, end), INTEGER.with_nullable(nullable=any_null(arguments[1:])))


def _conversion(spelling: str, target: ColumnType) -> None:
    """`timestamp(x)` and its like are casts by another spelling."""

    @define(f"{spelling}(value)", 1)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        return conversion.cast(arguments[0], target)


for _spelling, _target in (
    ("timestamp", TIMESTAMP),
    ("date", DATE),
    ("string", STRING),
    ("int", INTEGER),
    ("bigint", INTEGER),
    ("double", ColumnType("double")),
    ("boolean", ColumnType("boolean")),
):
    _conversion(_spelling, _target)
