"""Dates and timestamps that move: what leaves the years 1 to 9999 is missing, and no day or hour depends on the engine.

Engines count on beyond the year 9999, where no file and no reader follows; Sail's own truncation and its differences
in days hold for the years 1677 to 2262 only. So both are calculated here, from fields of dates and from microseconds.
"""

from transforms.sql_values import Conversion, Sql
from transforms.types import ColumnType

FIRST_DAY, LAST_DAY = "DATE '0001-01-01'", "DATE '9999-12-31'"
FIRST_MICROS, LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999
SECOND = 1_000_000
UNITS_OF_TIME = {"SECOND": SECOND, "MINUTE": 60 * SECOND, "HOUR": 3600 * SECOND}
UNITS_OF_LENGTH = {**UNITS_OF_TIME, "DAY": 86_400 * SECOND, "WEEK": 7 * 86_400 * SECOND}
MOST = {"DAY": 3_652_058, "MONTH": 119_987}
"""Days and months between the first and the last date."""


def between(sql: str, low: int, high: int) -> str:
    """SQL of a whole number, null where it is not within bounds."""
    return f"(CASE WHEN {sql} BETWEEN {low} AND {high} THEN {sql} END)"


def later(value: Sql, count: str, base: str) -> Sql:
    """A date so many days or months later (`count`: SQL of an int32 of moderate size)."""
    call = f"{'DATE_ADD' if base == 'DAY' else 'ADD_MONTHS'}({value.text}, {count})"
    sql = f"(CASE WHEN {call} BETWEEN {FIRST_DAY} AND {LAST_DAY} THEN {call} END)"
    return Sql(sql, value.type.with_nullable(nullable=True))


def moved_by(value: Sql, seconds: int) -> Sql:
    """A timestamp so many seconds later."""
    low = FIRST_MICROS - min(0, seconds) * SECOND
    high = LAST_MICROS - max(0, seconds) * SECOND
    if low > high:
        return Sql("CAST(NULL AS TIMESTAMP)", value.type.with_nullable(nullable=True))
    inside = f"{value.text} BETWEEN TIMESTAMP_MICROS({low}L) AND TIMESTAMP_MICROS({high}L)"
    sql = f"(CASE WHEN {inside} THEN {value.text} + INTERVAL '{seconds}' SECOND END)"
    return Sql(sql, value.type.with_nullable(nullable=True))


def moved_by_sql(value: Sql, unit: str, count: Sql) -> Sql:
    """A timestamp later by a number of units that differs by row."""
    length = UNITS_OF_LENGTH[unit]
    most = (LAST_MICROS - FIRST_MICROS) // length
    moved = f"(UNIX_MICROS({value.text}) + {between(count.text, -most, most)} * {length}L)"
    sql = f"TIMESTAMP_MICROS({between(moved, FIRST_MICROS, LAST_MICROS)})"
    return Sql(sql, ColumnType("timestamp", nullable=True))


def difference(unit: str, start: Sql, end: Sql) -> str:
    """Whole units from one timestamp to another; what is begun does not count."""
    return f"((UNIX_MICROS({end.text}) - UNIX_MICROS({start.text})) DIV {UNITS_OF_LENGTH[unit]}L)"


def first_day(day: str, unit: str) -> str:
    """The first date of the unit that a date lies in."""
    month = f"DATE_SUB({day}, DAY({day}) - 1)"
    return {
        "YEAR": f"DATE_SUB({day}, DAYOFYEAR({day}) - 1)",
        "QUARTER": f"ADD_MONTHS({month}, -((MONTH({day}) - 1) % 3))",
        "MONTH": month,
        "WEEK": f"DATE_SUB({day}, (DAYOFWEEK({day}) + 5) % 7)",
        "DAY": day,
    }[unit]


def first_moment(value: Sql, unit: str, conversion: Conversion) -> str:
    """The first instant of the unit of the domain's clock that a timestamp lies in."""
    local = conversion.local(value)
    if unit in UNITS_OF_TIME:  # taken off the instant: an hour that the clock has twice stays the one that it was
        return f"TIMESTAMP_MICROS(UNIX_MICROS({value.text}) - PMOD(UNIX_MICROS({local}), {UNITS_OF_TIME[unit]}L))"
    return conversion.instant(f"CAST({first_day(f'CAST({local} AS DATE)', unit)} AS TIMESTAMP)")
