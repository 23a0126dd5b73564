"""`/v1/projections` in the OpenAPI document."""

from gateway.http.openapi_parts import Part, answers, body
from gateway.http.schema_parts import COUNT, TEXT, Schema, or_null, record, reference
from gateway.http.serving import Limits
from ontology_assets.projections.sinks import OPTIONS

_GENERATION: Schema = {"type": "string", "description": "A file of the read model, eight hex digits."}
_BEHIND: Schema = {
    "type": "object",
    "additionalProperties": COUNT,
    "description": "By domain: events that it has still to apply.",
}
UNDO: Schema = record(
    {
        "asked": {
            **or_null(_GENERATION),
            "description": "The one that is to be gone back from. 409 if it is not asked any more: a request that is "
            "sent twice then undoes once.",
        }
    },
    ["asked"],
)
UNDONE: Schema = record({"generation": _GENERATION, "former": _GENERATION, "behind": _BEHIND})
_REBUILD: Schema = record(
    {
        "id": TEXT,
        "generation": _GENERATION,
        "stage": {"enum": ["filling", "swapping", "swapped", "aborted"]},
        "opened_at": {"type": "string", "format": "date-time"},
        "filled": {"type": "array", "items": TEXT, "description": "Buckets that are filled and proved."},
    },
    description="The last rebuild.",
)
PROJECTION: Schema = record(
    {
        "generation": {**or_null(_GENERATION), "description": "The one that is asked; null before the first."},
        "undo": {
            "description": "What an undo would ask; null where there is nothing to go back to.",
            "anyOf": [
                record(
                    {"generation": _GENERATION, "until": {"type": "string", "format": "date-time"}, "behind": _BEHIND}
                ),
                {"type": "null"},
            ],
        },
        "rebuild": {"anyOf": [_REBUILD, {"type": "null"}]},
        "domains": {"type": "object", "additionalProperties": reference("Standing")},
    }
)


def projection_schemas() -> dict[str, Schema]:
    return {
        "Projections": record({"projections": record({name: reference("Projection") for name in sorted(OPTIONS)})}),
        "Projection": PROJECTION,
        "Undo": UNDO,
        "Undone": UNDONE,
    }


def projection_operations(limits: Limits) -> dict[str, Part]:
    """Paths."""
    return {"/v1/projections": {"get": _projections()}, "/v1/projections/{name}/undo": {"post": _undo(limits)}}


def _projections() -> Part:
    return {
        "operationId": "getProjections",
        "tags": ["service"],
        "summary": "The generations of the read models",
        "description": "Which one is asked and how far it is, which one an undo would ask, and the rebuild that is "
        "under way.",
        "responses": answers("Projections", "By name.", "NotNow", etag=False),
    }


def _undo(limits: Limits) -> Part:
    return {
        "operationId": "undoSwap",
        "tags": ["service"],
        "summary": "Ask the former generation of a read model again",
        "description": "As `spice projection undo`. It has followed the log, and `behind` says how far back it is. A "
        "second one goes forward again.",
        "parameters": [
            {
                "name": "name",
                "in": "path",
                "required": True,
                "description": "Of the projection.",
                "schema": {"type": "string", "enum": sorted(OPTIONS)},
            }
        ],
        "requestBody": body("Undo", {"undo": {}}, limits),
        "responses": answers(
            "Undone",
            "It is asked again.",
            *("Refused", "NoProjection", "LateBody", "NotUndone", "TooLarge", "TooLong", "NotJson", "NotNow"),
            etag=False,
        ),
    }
