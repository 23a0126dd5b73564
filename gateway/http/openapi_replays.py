"""`/v1/replays` in the OpenAPI document: its operations and schemas."""

from collections.abc import Sequence
from typing import Any

from gateway.http.openapi_parts import Part, answers, body
from gateway.http.schema_parts import COUNT, TEXT, Schema, record
from gateway.http.serving import Limits
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.sinks import OPTIONS

_ID: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9._-]{1,64}$",
    "description": "Made by who asks, unique in the domain for ever: asked twice it is done once. Made for it where it "
    "is left out.",
}
_DAY: Schema = {"type": "string", "format": "date"}
_FIGURES = ("selected", "compared", "differing", "written", "parked")
_COUNTS: dict[str, Schema] = dict.fromkeys(_FIGURES, COUNT)


def replay_schemas(domains: Sequence[Domain]) -> dict[str, Schema]:
    """By name."""
    types = sorted(name for domain in domains for name in domain.object_types)
    asked: dict[str, Schema] = {
        "id": _ID,
        "projection": {"type": "string", "enum": sorted(OPTIONS)},
        "domain": {
            "type": "string",
            **({"enum": sorted(one.name for one in domains)} if domains else {}),
            "description": "Whose objects; needed where there are several domains and `types` do not tell.",
        },
        "from": {**_DAY, "description": "First day (UTC, of `occurred_at`)."},
        "to": {**_DAY, "description": "Last day."},
        "types": {
            "type": "array",
            "items": {"type": "string", **({"enum": types} if types else {})},
            "description": "Only objects of these types.",
        },
        "buckets": {
            "type": "array",
            "items": {"type": "string", "pattern": "^[0-9a-f]$"},
            "description": "Only these: the first hex digit of sha256 of the id.",
        },
    }
    done = record(
        {
            **_COUNTS,
            "types": {"type": "object", "additionalProperties": record(_COUNTS)},
            "positions": {"type": "object", "additionalProperties": COUNT},
        },
        description="What was done, in all and by type; where each read model stood.",
    )
    outcome: dict[str, Schema] = {
        "status": {
            "enum": ["requested", "completed", "failed"],
            "description": "`requested`: its runs are being launched, or are under way.",
        },
        "runs": {"type": "array", "items": TEXT, "description": "Ids of its Dagster runs."},
        "done": done,
        "reason": {"type": "string", "description": "Why it failed."},
    }
    return {
        "ReplayRequest": record(asked, ("id", "domain", "types", "buckets"), "A ranged replay."),
        "RequestedReplay": record({**asked, **outcome}, ("runs", "done", "reason"), "A request and its outcome."),
    }


def replay_operations(domains: Sequence[Domain], limits: Limits) -> Part:
    """Paths."""
    made = answers(
        "RequestedReplay",
        "Durable in the log; Dagster carries it out.",
        *("Refused", "Conflict", "LateBody", "TooLarge", "NotJson", "NotNow"),
        etag=False,
        status="202",
    )
    made["202"]["headers"] = {"Location": {"description": "Where its outcome is found.", "schema": {"type": "string"}}}
    return {
        "/v1/replays": {
            "post": {
                "operationId": "requestReplay",
                "tags": ["replays"],
                "summary": "Request a ranged replay",
                "description": "Objects that have an event on these days are compared with the log and written where a "
                "read model differs. A sensor of Dagster launches the runs; the outcome is an event, and found at "
                "`Location`.",
                "requestBody": body("ReplayRequest", replay_examples(domains), limits),
                "responses": made,
            }
        },
        "/v1/replays/{id}": {
            "get": {
                "operationId": "getReplay",
                "tags": ["replays"],
                "summary": "What became of a requested replay",
                "description": "Looked up in the log.",
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "description": "Of the request.",
                        "schema": _ID,
                        "example": "example-1",
                    }
                ],
                "responses": answers(
                    "RequestedReplay",
                    "What was asked, and what came of it.",
                    *("NotFound", "Refused", "TooLong", "NotNow"),
                    etag=False,
                ),
            }
        },
    }


def replay_examples(domains: Sequence[Domain]) -> dict[str, Any]:
    """A replay of one type, where there is one."""
    kinds = [(domain, name) for domain in domains for name in domain.object_types]
    if not kinds:
        return {}
    domain, name = kinds[0]
    days = {"from": "2026-01-01", "to": "2026-01-31"}
    return {"a month of one type": {"projection": "search", "domain": domain.name, **days, "types": [name]}}
