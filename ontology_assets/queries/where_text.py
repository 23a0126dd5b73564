"""Conditions as people type them: `dep_delay > 60`, `tzone is_null`, `location within 40.6,-73.8,50`, `code in A,B`.

The text becomes the JSON form of a query document; whether it makes sense is checked where that is read. A value may be
put in double quotes (JSON text) to keep its spaces at the ends or its commas.
"""

import re
from typing import Any

import orjson

from ontology_assets.queries.refusal import QueryRefused
from resources.read_model.query import Field, Kind, Operator, TypeLayout

FORM = "'property op value' with op one of = != < <= > >= in is_null within"
_CONDITION = re.compile(
    r"\s*(?P<name>\w+)\s*(?P<operator>!=|<=|>=|=|<|>|\bin\b|\bis_null\b|\bwithin\b)\s*(?P<value>.*?)\s*", re.DOTALL
)


def parse_where(text: str, layout: TypeLayout, where: str = "where") -> list[Any]:
    """`["property", "op", value]`, the value typed by the property. Raises QueryRefused for text of another form."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise QueryRefused(f"{text!r} is no condition", where=where, allowed=[FORM])
    name, operator, value = match["name"], match["operator"], match["value"]
    field = layout.field(name)
    if field is None:
        return [name, operator, value]  # refused with the properties that there are, where the document is read
    if operator == Operator.IS_NULL:
        return [name, operator, {"": True, "true": True, "false": False}.get(value.lower(), value)]
    if operator == Operator.IN:
        return [name, operator, [_typed(field, part) for part in _parts(value)]]
    if operator == Operator.WITHIN:
        parts = [_number(part) for part in re.split(r"[,\s]+", value)]
        return [name, operator, dict(zip(("lat", "lon", "km"), parts, strict=True)) if len(parts) == 3 else value]
    return [name, operator, _typed(field, value)]


def _parts(value: str) -> list[str]:
    """A list written as JSON, or parts between commas."""
    if value.startswith("["):
        try:
            return [part if isinstance(part, str) else orjson.dumps(part).decode() for part in orjson.loads(value)]
        except orjson.JSONDecodeError:
            pass  # no JSON: then commas divide it
    return [part.strip() for part in value.split(",")] if value else []


def _typed(field: Field, text: str) -> Any:
    """The JSON value of a text; the text itself where it is none, so that the refusal shows it."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            text = str(orjson.loads(text))
        except orjson.JSONDecodeError:
            return text
    if field.kind in (Kind.INTEGER, Kind.DOUBLE):
        return _number(text)
    if field.kind is Kind.BOOLEAN:
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def _number(text: str) -> int | float | str:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
