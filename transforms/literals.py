"""Values that people write in files, commands and run configurations, read by type; never part of a text of SQL.

A value has one canonical form, which is what hashes see: text as it is, whole numbers as numbers, decimals and doubles
without superfluous digits, days and times in ISO form.
"""

import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from transforms.types import ColumnType

Value = str | int | float | bool | None
WHOLE = re.compile(r"[-+]?[0-9]{1,25}")
NUMBER = re.compile(r"[-+]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][-+]?[0-9]{1,3})?")
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[-+][0-9]{2}:[0-9]{2})?"
)
MAX_TEXT = 4000


class WrongValue(ValueError):
    """A value is none of its type; the message says why but not where."""


def read_value(kind: ColumnType, value: object) -> Value:
    """The canonical form of a value that is written as itself (YAML, JSON) or as text (a command).

    Raises WrongValue.
    """
    if value is None:
        if not kind.nullable:
            raise WrongValue(f"a value is needed; null is one of type {kind.base}? only")
        return None
    return _READERS[kind.kind](kind, value)


def _text(kind: ColumnType, value: Any) -> Value:  # noqa: ARG001 - the shape of all readers
    if not isinstance(value, str):
        raise WrongValue(f"{_shown(value)} is not text; put it in quotes")
    if len(value) > MAX_TEXT:
        raise WrongValue(f"the text has more than {MAX_TEXT} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise WrongValue("the text holds a character that no table can hold (NUL or half a surrogate pair)")
    return value


def _integer(kind: ColumnType, value: Any) -> Value:  # noqa: ARG001
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (isinstance(value, str) and WHOLE.fullmatch(value)):
        raise WrongValue(f"{_shown(value)} is not a whole number")
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise WrongValue(f"{_shown(value)} does not fit into 64 bits")
    return number


def _double(kind: ColumnType, value: Any) -> Value:  # noqa: ARG001
    if isinstance(value, bool) or not (
        isinstance(value, int | float) or (isinstance(value, str) and NUMBER.fullmatch(value))
    ):
        raise WrongValue(f"{_shown(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WrongValue(f"{_shown(value)} is not a number that a double holds")
    return number + 0.0  # -0.0 is 0.0


def _decimal(kind: ColumnType, value: Any) -> Value:
    if isinstance(value, bool) or not (
        isinstance(value, int | float) or (isinstance(value, str) and NUMBER.fullmatch(value))
    ):
        raise WrongValue(f"{_shown(value)} is not a number")
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite() or abs(number.adjusted()) > 60:
        raise WrongValue(f"{_shown(value)} is not a {kind.base}")
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    units = int("".join(map(str, digits))) * 10 ** max(0, exponent + kind.scale)
    units, rest = divmod(units, 10 ** max(0, -(exponent + kind.scale)))
    if rest or units >= 10**kind.precision:
        before = kind.precision - kind.scale
        raise WrongValue(
            f"{_shown(value)} is not a {kind.base}: at most {before} digits before and {kind.scale} after the point"
        )
    text = str(units).rjust(kind.scale + 1, "0")
    whole, fraction = text[: len(text) - kind.scale], text[len(text) - kind.scale :]
    return ("-" if sign and units else "") + whole + (f".{fraction}" if fraction else "")


def _boolean(kind: ColumnType, value: Any) -> Value:  # noqa: ARG001
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise WrongValue(f"{_shown(value)} is not true or false")
    return value


def _date(kind: ColumnType, value: Any) -> Value:  # noqa: ARG001
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError  # noqa: TRY301 - said below
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise WrongValue(f"{_shown(value)} is not a day; write it in quotes, as '2013-01-31'") from None


def _timestamp(kind: ColumnType, value: Any) -> Value:  # noqa: ARG001
    try:
        if not isinstance(value, str) or not TIME.fullmatch(value):
            raise ValueError  # noqa: TRY301 - said below
        return datetime.fromisoformat(value).isoformat()
    except ValueError:
        raise WrongValue(f"{_shown(value)} is not a time; write it in quotes, as '2013-01-31T08:00:00Z'") from None


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = "".join(character if character.isprintable() else " " for character in text[:60])
    return f"'{text}'"


_READERS = {
    "string": _text,
    "integer": _integer,
    "double": _double,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}
