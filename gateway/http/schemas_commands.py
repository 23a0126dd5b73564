"""JSON Schemas of commands and their receipts, made from the definitions: which values each property takes."""

from collections.abc import Mapping

from gateway.http.schema_parts import COUNT, TEXT, Schema, described, each, or_null, record
from gateway.http.schemas_asked import OPERANDS
from ontology_assets.commands.command import MOST_ID, MOST_TEXT
from ontology_assets.model.definitions import ObjectType, Property
from resources.read_model.query import Kind

_SHORT: Schema = {"type": "string", "minLength": 1, "maxLength": MOST_TEXT}
_TAKEN: dict[Kind, Schema] = {
    **OPERANDS,
    Kind.STRING: TEXT,
    Kind.TIMESTAMP: {"type": "string", "format": "date-time", "description": "With its zone."},
    Kind.DECIMAL: {
        "description": "As text; a number only where it is whole, since a double is not the number that was written.",
        "anyOf": [{"type": "string", "pattern": r"^[+-]?[0-9]{1,40}(\.[0-9]{1,19})?$"}, {"type": "integer"}],
    },
}
COMMAND_ID: Schema = {
    **_SHORT,
    "description": "Made by the sender, unique in the domain for ever: the same command under it is done once.",
}
_COMMON: dict[str, Schema] = {
    "command_id": COMMAND_ID,
    "expected_seq": {
        **or_null(COUNT),
        "description": "The last `sequence` that the sender knows of, 0 for none; 409 unless it still is. Left out: "
        "whatever it is.",
    },
    "actor": {**or_null(_SHORT), "description": "Who does it, as the history will say."},
    "correlation_id": or_null(_SHORT),
    "causation_id": {**or_null(_SHORT), "description": "The event or command that led to this one."},
}
_LOOSE = ("expected_seq", "actor", "correlation_id", "causation_id")


def _value(declared: Property) -> Schema:
    kind = Kind(declared.parsed.kind)
    if kind is Kind.ENUM:
        return described(declared, {"type": "string", "enum": list(declared.values or ())})
    return described(declared, _TAKEN[kind])


def command_schema(kind: ObjectType) -> Schema:
    """What can be done to an object of the type."""
    values = {name: _value(declared) for name, declared in kind.properties.items()}
    loose = {name for name, declared in kind.properties.items() if declared.nullable}
    given = {name: _absent_too(schema) if name in loose else schema for name, schema in values.items()}
    changed = {name: schema for name, schema in given.items() if name not in kind.key}
    key: Schema = {"type": "string", "minLength": 1, "maxLength": MOST_ID, "description": "As it stands in documents."}
    of: Schema = {"const": kind.name}
    forms = [
        record(
            {
                "command": {"const": "create"},
                "type": of,
                "id": _absent_too(key),
                **_COMMON,
                "properties": record(given, loose, "All that the type needs; its key makes the id."),
            },
            ("id", *_LOOSE),
        ),
        record({"command": {"const": "delete"}, "type": of, "id": key, **_COMMON}, _LOOSE),
        record(
            {
                "command": {"const": "undo"},
                "type": of,
                "id": key,
                **_COMMON,
                "fields": {
                    "type": ["array", "null"],
                    "items": {"type": "string", "enum": list(kind.properties)},
                    "description": "Edited properties that follow the source again; all where it is not given.",
                },
            },
            ("fields", *_LOOSE),
        ),
    ]
    if changed:
        some = {**record(changed, changed, "Those that change; null takes one away."), "minProperties": 1}
        update = {"command": {"const": "update"}, "type": of, "id": key, **_COMMON, "properties": some}
        forms.insert(1, record(update, _LOOSE))
    return {"description": f"A command on a {kind.name}.", "anyOf": forms}


def _absent_too(schema: Schema) -> Schema:
    return (
        or_null(schema)
        if isinstance(schema.get("type"), str) and "enum" not in schema
        else {"anyOf": [schema, {"type": "null"}]}
    )


def any_command_schema(types: Mapping[str, ObjectType]) -> Schema:
    return {
        "description": "One object created, updated, deleted, or given back to its source.",
        "anyOf": each(types, "Command"),
    }


RECEIPT: Schema = record(
    {
        "command_id": TEXT,
        "status": {
            "enum": ["done", "unknown"],
            "description": "`done`: durable in the log. `unknown`: being committed, or not; it settles by itself.",
        },
        "domain": TEXT,
        "type": TEXT,
        "id": {"type": "string", "description": "Of the object."},
        "event_type": TEXT,
        "position": {**COUNT, "description": "Of its event in the log."},
        "sequence": {**COUNT, "description": "Of the object since then: the next command's `expected_seq`."},
        "recorded_at": {"type": "string", "format": "date-time"},
        "already": {"type": "boolean", "description": "Whether it was in the log before it was asked for this time."},
        "shown": {
            "type": "object",
            "additionalProperties": TEXT,
            "description": "After a wait: the generation of each read model that shows it.",
        },
    },
    ["event_type", "position", "sequence", "recorded_at", "shown"],
    "What became of a command.",
)
