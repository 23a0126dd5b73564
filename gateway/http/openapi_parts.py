"""Pieces of the OpenAPI document that its operations share: problems, answers, bodies."""

from typing import Any

from gateway.http.documents import JSON
from gateway.http.schema_parts import reference
from gateway.http.serving import Limits
from gateway.web_guard import PROBLEM
from ontology_assets.model.definitions import ObjectType, Property

Part = dict[str, Any]
ETAG: Part = {
    "ETag": {
        "description": "Changes with the position in the log and with the definitions.",
        "schema": {"type": "string"},
    }
}
KNOWN: Part = {
    "name": "If-None-Match",
    "in": "header",
    "description": "An ETag from before; where it still holds, the answer is 304.",
    "schema": {"type": "string"},
}


PROBLEMS = {
    "Refused": (400, "The request can't be answered as it is: `where` says which part, `allowed` what would be."),
    "NotFound": (404, "There is no such type, object or property."),
    "NotAllowed": (405, "The address does not know this method; `Allow` lists those that it does."),
    "Conflict": (
        409,
        "Nothing was done: the object is at another sequence (`expected`, `actual`), is there already, is made by "
        "loads (`where` names the file), or the id was used for another command.",
    ),
    "NotShown": (
        408,
        "The body did not arrive in time. Or the command is done and does not show yet: `committed` is its receipt. "
        "Or nobody knows yet whether it is done: `spice:outcome-unknown`.",
    ),
    "NoProjection": (404, "There is no such projection."),
    "NotUndone": (409, "There is no generation to go back to any more, or another one is asked than was said."),
    "Unready": (409, "The columns of a source file are not known yet: run the domain first."),
    "TooLarge": (413, "The body is larger than one may be."),
    "TooLong": (414, "The address is longer than any key."),
    "NotJson": (415, "The body must be `application/json`."),
    "NotOurs": (403, "A page of another site may not use this server."),
    "OtherName": (421, "This server does not answer to that `Host`."),
    "LateBody": (408, "The body did not arrive in time."),
    "Failed": (500, "A fault of the server; its log says which."),
    "NotNow": (503, "The read model can't answer yet, or the question took too long; `detail` says what to do."),
}


def problem(status: int, description: str) -> Part:
    """A response that is a problem document."""
    kinds = {404: "spice:not-found", 400: "spice:query-refused", 503: "spice:too-slow"}
    example = {
        "type": kinds.get(status, "spice:request-refused"),
        "title": description.split(":", maxsplit=1)[0].split(";", maxsplit=1)[0].rstrip("."),
        "status": status,
        "detail": description,
    }
    return {
        "description": description,
        "content": {PROBLEM: {"schema": reference("Problem"), "example": example}},
    }


def answers(schema: str, description: str, *problems: str, etag: bool = True, status: str = "200") -> Part:
    """The good answer and the problems by name, besides those that every address has."""
    good: Part = {"description": description, "content": {JSON: {"schema": reference(schema)}}}
    made: Part = {status: good | ({"headers": ETAG} if etag else {})}
    for name in (*problems, "NotOurs", "NotAllowed", "OtherName", "Failed"):
        made[str(PROBLEMS[name][0])] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(made.items()))


def unchanged(known: Part) -> Part:
    """And 304."""
    return dict(sorted({**known, "304": {"description": "What the asker has still holds.", "headers": ETAG}}.items()))


def body(schema: str, examples: dict[str, Any], limits: Limits) -> Part:
    """A JSON document as request body."""
    return {
        "required": True,
        "description": f"Up to {limits.body_bytes:,} bytes.",
        "content": {
            JSON: {
                "schema": reference(schema),
                "examples": {name: {"value": value} for name, value in examples.items()},
            }
        },
    }


EXAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "double": 1.5,
    "boolean": True,
    "date": "2024-01-31",
    "timestamp": "2024-01-31T11:00:00Z",
    "decimal": "1",
    "geopoint": {"lat": 37.5, "lon": 127.0},
}


def example_value(declared: Property) -> Any:
    """A value that the property takes."""
    return next(iter(declared.values)) if declared.values else EXAMPLES[declared.parsed.kind]


def example_id(kind: ObjectType) -> str:
    """A key text of the right form."""
    parts = []
    for name in kind.key:
        value = example_value(kind.properties[name])
        parts.append(str(value).replace(":", "%3A").lower() if value is True else str(value).replace(":", "%3A"))
    return "/".join(parts)
