"""An object's state as a document: values read from JSON by declared type, canonical text, links that follow.

The form is that of an event's `state`: `{"links":{name:[ids]},"properties":{name:value}}`, absent ones left out. The
same over Arrow columns is `objectify/states.py`.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from ontology_assets.canonical import NotCanonical, canonical_json, json_of
from ontology_assets.keys import encode_key, key_types
from ontology_assets.model.definitions import ObjectType, Property

State = dict[str, dict[str, Any]]


def value_of(declared: Property, value: Any, where: str) -> Any:
    """A JSON value as it stands in a state. Raises NotCanonical (400) with what is allowed."""
    kind = declared.parsed
    try:
        typed = _READERS.get(kind.kind, _as_it_is)(value)
        written: Any = orjson.loads(json_of(typed, kind))
    except (ValueError, TypeError, OverflowError, InvalidOperation) as error:
        raise NotCanonical(
            f"{value!r} is no {declared.base}", where=where, allowed=[FORMS.get(kind.kind, declared.base)]
        ) from error
    except NotCanonical as error:
        raise NotCanonical(error.detail, allowed=error.allowed, where=where) from error
    if declared.values is not None and written not in declared.values:
        raise NotCanonical(f"{value!r} is no code of {where}", where=where, allowed=sorted(declared.values))
    return written


def key_of(object_type: ObjectType, properties: Mapping[str, Any]) -> str:
    """The object's id from the values of its state."""
    return encode_key([_typed(object_type, name, properties[name]) for name in object_type.key], key_types(object_type))


def state_of(object_type: ObjectType, types: Mapping[str, ObjectType], properties: Mapping[str, Any]) -> State:
    """The state with these values (as `value_of` gives them; None is absent), its links resolved."""
    there = {name: value for name, value in properties.items() if value is not None}
    links: dict[str, Any] = {}
    for name, link in object_type.links.items():
        if all(part in there for part in link.by):
            values = [_typed(object_type, part, there[part]) for part in link.by]
            links[name] = [encode_key(values, key_types(types[link.to]))]
    return {"links": links, "properties": there}


def state_text_of(state: State) -> str:
    """Canonical text: equal to what a load writes of the same values."""
    if any(isinstance(value, float | dict) for value in state["properties"].values()):
        return canonical_json(state)  # orjson spells doubles its own way
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS).decode()


def _typed(object_type: ObjectType, name: str, value: Any) -> Any:
    return _READERS.get(object_type.properties[name].parsed.kind, _as_it_is)(value)


def _as_it_is(value: Any) -> Any:
    return value


def _date(value: Any) -> date:
    if not isinstance(value, str):
        raise TypeError
    return date.fromisoformat(value)


def _timestamp(value: Any) -> datetime:
    if not isinstance(value, str):
        raise TypeError
    return datetime.fromisoformat(value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError  # a double is not the number that was written
    return Decimal(value)


FORMS = {
    "date": "a date like 2013-01-31",
    "timestamp": "a time with its zone like 2013-01-01T11:00:00Z",
    "decimal": "a number as text, like 12.50",
}
_READERS: dict[str, Callable[[Any], Any]] = {"date": _date, "timestamp": _timestamp, "decimal": _decimal}
