"""Pieces of JSON Schema (OpenAPI 3.1) that questions and answers share: values of each type, records, references."""

from collections.abc import Iterable, Mapping
from typing import Any

from ontology_assets.model.definitions import ObjectType, Property
from resources.read_model.query import Kind

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
LABEL: Schema = {
    "type": "object",
    "description": "Names for people by language.",
    "additionalProperties": TEXT,
    "examples": [{"en": "Name", "ko": "이름"}],
}
GEOPOINT: Schema = {
    "type": "object",
    "properties": {
        "lat": {"type": "number", "minimum": -90, "maximum": 90},
        "lon": {"type": "number", "minimum": -180, "maximum": 180},
    },
    "required": ["lat", "lon"],
    "additionalProperties": False,
}
VALUES: dict[Kind, Schema] = {
    Kind.STRING: TEXT,
    Kind.ENUM: TEXT,
    Kind.INTEGER: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Kind.DOUBLE: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time", "description": "UTC, with six decimals."},
    Kind.GEOPOINT: GEOPOINT,
}
"""Of a property's value in a document; decimals and enums are made from their declaration."""


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def each(types: Mapping[str, ObjectType], part: str) -> list[Schema]:
    return [reference(f"{name}{part}") for name in types]


def record(members: Mapping[str, Schema], optional: Iterable[str] = (), description: str = "") -> Schema:
    """An object with these members and no other."""
    loose = set(optional)
    made: Schema = {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in loose],
        "additionalProperties": False,
    }
    return made | ({"description": description} if description else {})


def or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else schema


def described(declared: Property, schema: Schema) -> Schema:
    unit = f"Unit: {declared.unit}." if declared.unit else ""
    text = " ".join(part for part in (declared.label.get("en", ""), declared.description or "", unit) if part)
    return {**schema, "description": text} if text and "$ref" not in schema else schema


def value_schema(declared: Property) -> Schema:
    """Of a property's value in a document."""
    parsed = declared.parsed
    kind = Kind(parsed.kind)
    if kind is Kind.ENUM:
        return described(declared, {"type": "string", "enum": list(declared.values or ())})
    if kind is Kind.DECIMAL:
        fraction = rf"\.[0-9]{{{parsed.scale}}}" if parsed.scale else ""
        return described(declared, {"type": "string", "pattern": f"^-?[0-9]+{fraction}$"})
    return described(declared, VALUES[kind])
