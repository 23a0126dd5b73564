"""Pydantic's errors in the words of the file: place, field, what is wrong, what is allowed."""

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from transforms.definition_base import Definition
from transforms.nodes.node import Node
from transforms.nodes.table import node_model
from transforms.yaml_source import FieldPath, YamlSource, suggestion

Model = TypeVar("Model", bound=BaseModel)
QUOTED = re.compile(r"'([^']*)'")
PATTERNS = {
    r"^[a-z][a-z0-9_]{0,62}$": "lower-case letters, digits and _, beginning with a letter, at most 63",
    r"^[A-Z][A-Za-z0-9]{0,62}$": "letters and digits, beginning with a capital, at most 63",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$": "the name of one folder",
    r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,254}$": "the name of a file, without folders",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._/-]*$": "distribution:folder",
    r"^team:[A-Za-z0-9][A-Za-z0-9_-]{0,62}$": "team:<name>",
    r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$": "a language tag such as en or ko",
}
WANTED = {
    "string_type": "text",
    "dict_type": "a mapping (`name: value`)",
    "model_type": "a mapping (`field: value`)",
    "list_type": "a list (`[a, b]`)",
    "int_type": "a number",
    "float_type": "a number",
    "bool_type": "true or false",
}


def validate(model: type[Model], data: Any, source: YamlSource, at: FieldPath) -> Model | None:
    """The model of `data`, which lies at `at` in the file; None where faults were noted."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            note(details, model, data, source, at)
    return None


def field_names(model: type[BaseModel]) -> list[str]:
    """Fields of a model as they stand in a file."""
    return [info.alias or name for name, info in model.model_fields.items()]


def note(details: ErrorDetails, model: type[BaseModel], data: Any, source: YamlSource, at: FieldPath) -> None:
    """Note one pydantic error as a fault."""
    is_key = details["loc"][-1:] == ("[key]",)
    path, found = existing(tuple(part for part in details["loc"] if part != "[key]"), data)
    if path[-1:] == ("name",) and "name" in HIDDEN.get(model.__name__, ()):
        path, is_key = path[:-1], True
    if details["type"] == "extra_forbidden":
        holder = model_at(model, path[:-1], data)
        allowed = (
            [name for name in field_names(holder) if name not in HIDDEN.get(holder.__name__, ())] if holder else []
        )
        hint = suggestion(str(path[-1]), allowed)
        if set("()'\" ") & set(str(path[-1])):
            hint = " Inside { } a text with a comma stands in quotes."
        owner = holder.subject() if holder is not None and issubclass(holder, Definition) else ""
        said = f"{owner} has no field '{path[-1]}'" if owner else f"there is no field '{path[-1]}' here"
        source.fault(at + path, f"{said}.{hint}", allowed, key=True)
    elif details["type"] == "missing":
        holder = model_at(model, path, data)
        owner = holder.subject() if holder is not None and issubclass(holder, Definition) else ""
        field = details["loc"][-1]
        said = f"{owner} needs the field '{field}'" if owner else f"the field '{field}' is missing"
        source.fault(at + path, f"{said}.", key=True)
    else:
        detail, allowed = in_words(details, found)
        source.fault(at + path, detail, allowed, key=is_key)


def in_words(details: ErrorDetails, found: Any) -> tuple[str, list[str]]:  # noqa: PLR0911 - an exit for each kind
    """What is wrong with a value, and what is allowed."""
    kind, value = details["type"], str(details["input"])
    context: dict[str, Any] = details.get("ctx", {})
    said = details["msg"]
    if kind in WANTED:
        return f"should be {WANTED[kind]}, not {spoken(found)}.{quoting(kind, found)}", []
    if kind == "literal_error":
        allowed = QUOTED.findall(str(context.get("expected", "")))
        return f"'{value}' is not known here.{suggestion(value, allowed)}", allowed
    if kind == "string_pattern_mismatch":
        rule = PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
        return f"'{value}' is not allowed here; it takes {rule}.", []
    if "allowed" in context:
        allowed = list(context["allowed"])
        hint = suggestion(value.removesuffix("?"), allowed) if kind == "not_a_type" else ""
        return f"{said if said.endswith('?') else said.rstrip('.') + '.'}{hint}", allowed
    if kind == "not_a_day" or kind.startswith("date_"):
        return f"'{value}' is not a date of the calendar; write it as 2013-01-31.", []
    if kind in ("too_short", "string_too_short"):
        return "is empty; at least one is needed.", []
    return f"{said[:1].lower()}{said[1:]}.", []


HIDDEN = {"ObjectType": ("name",)}
"""Fields that a model has but a file has not (the type's name is the key that it stands under)."""


def existing(loc: tuple[str | int, ...], data: Any) -> tuple[FieldPath, Any]:
    """The part of a pydantic location that the data has (it adds union branches, missing fields), and its value."""
    path: list[str | int] = []
    for part in loc:
        inside = (
            part in data
            if isinstance(data, dict)
            else isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if not inside:
            break
        data = data[part]
        path.append(part)
    return tuple(path), data


def model_at(annotation: Any, path: FieldPath, data: Any) -> type[BaseModel] | None:
    """The model that validates what lies at `path` below an annotation; `data` is what it validates."""
    for candidate in unwrapped(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            chosen = node_model(data) if candidate is Node else candidate
            if not path or chosen is None:
                return chosen
            info = field_named(chosen, str(path[0]))
            found = model_at(info.annotation, path[1:], below(data, path[0])) if info else None
        elif get_origin(candidate) in (dict, list) and path:
            found = model_at(get_args(candidate)[-1], path[1:], below(data, path[0]))
        else:
            found = None
        if found is not None:
            return found
    return None


def below(data: Any, part: str | int) -> Any:
    """A part of the data, if it is there."""
    if isinstance(data, dict):
        return data.get(part)
    return data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None


def field_named(model: type[BaseModel], name: str) -> FieldInfo | None:
    return next((info for key, info in model.model_fields.items() if name in (key, info.alias)), None)


def unwrapped(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation without Annotated and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from unwrapped(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from unwrapped(part)
    else:
        yield annotation


def spoken(value: Any) -> str:
    """A wrong value in a sentence."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"the number {value}" if isinstance(value, int | float) else f"the text '{value[:60]}'"


def quoting(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return ' Put it in quotes: "' + spoken(value).removeprefix("the number ") + '".'
    return ""
