"""`/v1/commands` in the OpenAPI document."""

from collections.abc import Sequence
from typing import Any

from gateway.http.commands import MOST_WAIT_SECONDS, POSITION, WAIT_SECONDS
from gateway.http.documents import JSON
from gateway.http.openapi_parts import Part, answers, body, example_value
from gateway.http.schema_parts import reference
from gateway.http.schemas_commands import COMMAND_ID
from gateway.http.serving import Limits
from ontology_assets.commands.service import takes_commands
from ontology_assets.model.definitions import Domain
from ontology_assets.states import key_of, value_of

WAIT: list[Part] = [
    {
        "name": "wait",
        "in": "query",
        "description": "`position`: answer when the read models show the command.",
        "schema": {"type": "string", "enum": [POSITION]},
    },
    {
        "name": "timeout",
        "in": "query",
        "description": "How many seconds to wait for that.",
        "schema": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MOST_WAIT_SECONDS,
            "default": WAIT_SECONDS,
        },
    },
]

TRACE: Part = {
    "name": "traceparent",
    "in": "header",
    "description": "W3C trace context: kept with the event and published with it. A broken one is left out.",
    "schema": {"type": "string"},
    "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def command_operations(domains: Sequence[Domain], limits: Limits) -> Part:
    """Paths."""
    names = sorted(one.name for one in domains)
    return {
        "/v1/commands": {"post": _submit(domains, limits)},
        "/v1/commands/{id}": {"get": _status(names)},
    }


def _submit(domains: Sequence[Domain], limits: Limits) -> Part:
    problems = ("Refused", "NotFound", "NotShown", "Conflict", "TooLarge", "NotJson", "NotNow")
    made = answers("Receipt", "Durable in the log; the read models follow.", *problems, etag=False, status="202")
    made["202"]["headers"] = {
        "Location": {"description": "Where the command is found again.", "schema": {"type": "string"}}
    }
    made["200"] = {
        "description": "Durable in the log, and shown by the read models.",
        "content": {JSON: {"schema": reference("Receipt")}},
    }
    return {
        "operationId": "submitCommand",
        "tags": ["commands"],
        "summary": "Change one object",
        "description": "It is created, updated or deleted. The answer comes when the command is durable in the log; "
        "the same command asked again, of whichever process and however much later, is answered the same and done "
        "once. "
        f'`"status": "unknown"` after {limits.commit_seconds:g} s: it settles by itself, ask again.',
        "parameters": [TRACE, *WAIT],
        "requestBody": body("Command", command_examples(domains), limits),
        "responses": dict(sorted(made.items())),
    }


def _status(names: list[str]) -> Part:
    return {
        "operationId": "getCommand",
        "tags": ["commands"],
        "summary": "What became of a command",
        "description": "Looked up in the log itself, whichever process took it and however long ago.",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The `command_id`, percent-encoded.",
                "schema": COMMAND_ID,
                "example": "example-1",
            },
            {
                "name": "domain",
                "in": "query",
                "description": "Which log to look in; all where it is not given.",
                "schema": {"type": "string", **({"enum": names} if names else {})},
            },
            *WAIT,
        ],
        "responses": answers(
            "Receipt",
            "It is in the log.",
            *("Refused", "NotFound", "NotShown", "TooLong", "NotNow"),
            etag=False,
        ),
    }


def command_examples(domains: Sequence[Domain]) -> dict[str, Any]:
    """An object's life, on a type that takes commands; where none does the answer is 409 and names the file."""
    kinds = [(domain, kind) for domain in domains for kind in domain.object_types.values()]
    if not kinds:
        return {}
    _, kind = next((pair for pair in kinds if takes_commands(pair[0], pair[1].name)), kinds[0])
    needed = {name: example_value(one) for name, one in kind.properties.items() if not one.nullable}
    key = key_of(kind, {name: value_of(kind.properties[name], needed[name], name) for name in kind.key})
    other = next((name for name in reversed(kind.properties) if name not in kind.key), None)
    made: dict[str, Any] = {"create": {"command_id": "example-1", "command": "create", "type": kind.name}}
    made["create"] |= {"properties": needed, "expected_seq": 0}
    of: dict[str, Any] = {"type": kind.name, "id": key}
    if other is not None:
        changed = {other: example_value(kind.properties[other])}
        made["update"] = {"command_id": "example-2", "command": "update", **of, "properties": changed}
    made["delete"] = {"command_id": "example-3", "command": "delete", **of, "actor": "me"}
    return made
