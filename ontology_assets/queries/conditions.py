"""Reading the conditions of a query document against a type: `["dep_delay", ">", 60]`.

An absent value satisfies no condition but `is_null: true`, not even `!=`. Text compares by code point. A timestamp is
given with its zone (a date alone is its midnight, UTC), a decimal as number or text: more digits than the property has
are compared exactly, not rounded.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ontology_assets.projections.cells import decimal_cell, timestamp_cell
from ontology_assets.queries.refusal import QueryRefused, read_list, read_object, shown
from resources.read_model.query import Cell, Circle, Condition, Field, Kind, Operator, TypeLayout

MAX_CONDITIONS, MAX_IN, MAX_TEXT = 50, 1_000, 10_000
MAX_KM = 20_040.0
"""Half of the earth's circumference, and a little."""
_EQUAL = (Operator.EQ, Operator.NE, Operator.IN, Operator.IS_NULL)
_ORDERED = (Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE, Operator.IN, Operator.IS_NULL)
OPERATORS: dict[Kind, tuple[Operator, ...]] = {
    **dict.fromkeys(Kind, _ORDERED),
    Kind.BOOLEAN: _EQUAL,
    Kind.ENUM: _EQUAL,
    Kind.GEOPOINT: (Operator.WITHIN, Operator.IS_NULL),
}
FORMS: dict[Kind, str] = {
    Kind.STRING: "text",
    Kind.ENUM: "one of its codes",
    Kind.INTEGER: "a whole number of 64 bits",
    Kind.DOUBLE: "a finite number",
    Kind.DECIMAL: "a number, or one as text",
    Kind.BOOLEAN: "true or false",
    Kind.DATE: "a date like 2013-01-31",
    Kind.TIMESTAMP: "a time with its zone like 2013-01-01T11:00:00Z",
    Kind.GEOPOINT: '{"lat": .., "lon": .., "km": ..}',
}


def read_conditions(value: Any, where: str, layout: TypeLayout) -> tuple[Condition, ...]:
    """The `where` member of a document, None if there is none. Raises QueryRefused."""
    entries = [] if value is None else read_list(value, where, MAX_CONDITIONS)
    return tuple(read_condition(entry, f"{where}[{k}]", layout) for k, entry in enumerate(entries))


def read_condition(entry: Any, where: str, layout: TypeLayout) -> Condition:
    if not isinstance(entry, list) or not 2 <= len(entry) <= 4:
        raise QueryRefused(f"{shown(entry)} is no condition", where=where, allowed=['["property", "operator", value]'])
    field = read_field(entry[0], f"{where}[0]", layout)
    operators = OPERATORS[field.kind]
    named = [o for o in operators if o.value == entry[1]]
    if not named:
        raise QueryRefused(
            f"{field.name} is {field.kind} and can't be compared by {shown(entry[1])}",
            where=f"{where}[1]",
            allowed=[o.value for o in operators],
        )
    operator, operands, place = named[0], entry[2:], f"{where}[2]"
    if operator is Operator.IS_NULL:
        return _is_null(field, operands, place)
    if operator is Operator.WITHIN:
        return Condition(field, operator, _circle(operands, place))
    if len(operands) != 1:
        raise QueryRefused(f"{shown(entry)} has no single value", where=where, allowed=[FORMS[field.kind]])
    if operator is Operator.IN:
        values = read_list(operands[0], place, MAX_IN)
        cells = [_exact(field, value, f"{place}[{k}]") for k, value in enumerate(values)]
        return Condition(field, operator, tuple(dict.fromkeys(cell for cell in cells if cell is not None)))
    return _comparison(field, operator, operands[0], place)


def read_field(name: Any, where: str, layout: TypeLayout) -> Field:
    """A property of the type."""
    field = layout.field(name) if isinstance(name, str) else None
    if field is None:
        raise QueryRefused(
            f"{layout.name} has no property {shown(name)}", where=where, allowed=[f.name for f in layout.fields]
        )
    return field


def _is_null(field: Field, operands: list[Any], where: str) -> Condition:
    if len(operands) > 1 or (operands and not isinstance(operands[0], bool)):
        raise QueryRefused("is_null takes true or false, or nothing", where=where, allowed=["true", "false"])
    return Condition(field, Operator.IS_NULL, operands[0] if operands else True)


def _circle(operands: list[Any], where: str) -> Circle:
    """`{"lat","lon","km"}`, or the point and the distance apart: `[point, km]`, `point, km`."""
    parts = operands[0] if len(operands) == 1 and isinstance(operands[0], list) else operands
    if len(parts) == 2 and isinstance(parts[0], Mapping):
        parts = [{**parts[0], "km": parts[1]}]
    members = ("lat", "lon", "km")
    given = read_object(parts[0] if len(parts) == 1 else parts, where, members, members)
    limits = {"lat": (-90.0, 90.0), "lon": (-180.0, 180.0), "km": (0.0, MAX_KM)}
    numbers = {}
    for name, (low, high) in limits.items():
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise QueryRefused(
                f"{shown(value)} is no such number", where=f"{where}.{name}", allowed=[f"{low:g} to {high:g}"]
            )
        numbers[name] = float(value)
    return Circle(numbers["lat"], numbers["lon"], numbers["km"])


def _comparison(field: Field, operator: Operator, value: Any, where: str) -> Condition:
    if field.kind is not Kind.DECIMAL:
        return Condition(field, operator, _READERS[field.kind](field, value, where))
    scaled = _scaled(field, value, where)
    whole, most = math.floor(scaled), 10**field.precision - 1
    exact = whole == scaled
    if operator in (Operator.EQ, Operator.NE) and (not exact or abs(whole) > most):
        # No stored number is equal: none for "=", each that is there for "!=".
        nothing: Cell | tuple[Cell, ...] = () if operator is Operator.EQ else False
        return Condition(field, Operator.IN if operator is Operator.EQ else Operator.IS_NULL, nothing)
    # Between two stored numbers: x < 1.25 is x <= 1.2, x > 1.25 is x > 1.2.
    if not exact:
        operator = {Operator.LT: Operator.LE, Operator.GE: Operator.GT}.get(operator, operator)
    if whole > most:
        operator, whole = {Operator.LT: Operator.LE, Operator.GE: Operator.GT}.get(operator, operator), most
    elif whole < -most:
        operator, whole = {Operator.LE: Operator.LT, Operator.GT: Operator.GE}.get(operator, operator), -most
    return Condition(field, operator, decimal_cell(field, whole))


def _exact(field: Field, value: Any, where: str) -> Cell:
    """The cell of an operand that a value may be equal to; None if no value of the type can be."""
    if field.kind is not Kind.DECIMAL:
        return _READERS[field.kind](field, value, where)
    scaled = _scaled(field, value, where)
    whole = math.floor(scaled)
    return decimal_cell(field, whole) if whole == scaled and abs(whole) < 10**field.precision else None


def _scaled(field: Field, value: Any, where: str) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 60:
            raise _wrong(field, value, where)
        number = Decimal(str(value))
        if not number.is_finite() or number.adjusted() > 60:
            raise _wrong(field, value, where)
        sign, digits, exponent = number.as_tuple()
        assert isinstance(exponent, int)  # noqa: S101  finite
        return Decimal((sign, digits, exponent + field.scale))
    except InvalidOperation as fault:
        raise _wrong(field, value, where) from fault


def _string(field: Field, value: Any, where: str) -> Cell:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not _is_unicode(value):
        raise _wrong(field, value, where)
    return value


def _enum(field: Field, value: Any, where: str) -> Cell:
    if value not in field.values:
        raise QueryRefused(f"{shown(value)} is no code of {field.name}", where=where, allowed=field.values)
    return str(value)


def _integer(field: Field, value: Any, where: str) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise _wrong(field, value, where)
    return value


def _double(field: Field, value: Any, where: str) -> Cell:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError as fault:
        raise _wrong(field, value, where) from fault
    if not math.isfinite(number):
        raise _wrong(field, value, where)
    return number


def _boolean(field: Field, value: Any, where: str) -> Cell:
    if not isinstance(value, bool):
        raise _wrong(field, value, where)
    return int(value)


def _date(field: Field, value: Any, where: str) -> Cell:
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError as fault:
        raise _wrong(field, value, where) from fault
    raise _wrong(field, value, where)


def _timestamp(field: Field, value: Any, where: str) -> Cell:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is None and len(str(value)) == 10:
            moment = moment.replace(tzinfo=UTC)
        if moment is not None and moment.tzinfo is not None:
            return timestamp_cell(moment)
    except (ValueError, OverflowError) as fault:
        raise _wrong(field, value, where) from fault
    raise _wrong(field, value, where)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _wrong(field: Field, value: Any, where: str) -> QueryRefused:
    return QueryRefused(f"{field.name} is {field.kind}, not {shown(value)}", where=where, allowed=[FORMS[field.kind]])


_READERS: dict[Kind, Callable[[Field, Any, str], Cell]] = {
    Kind.STRING: _string,
    Kind.ENUM: _enum,
    Kind.INTEGER: _integer,
    Kind.DOUBLE: _double,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
}
