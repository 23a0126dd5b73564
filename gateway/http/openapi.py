"""The OpenAPI 3.1 document: what each address takes and answers, with examples. Schemas: `schemas.py`."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.http.documents import JSON
from gateway.http.openapi_commands import command_operations
from gateway.http.openapi_parts import (
    KNOWN,
    PROBLEMS,
    Part,
    answers,
    body,
    example_id,
    problem,
    unchanged,
)
from gateway.http.openapi_projections import projection_operations
from gateway.http.openapi_replays import replay_operations
from gateway.http.schema_parts import reference
from gateway.http.schemas import components, type_names
from gateway.http.serving import Limits
from gateway.web_guard import PROBLEM
from ontology_assets.model.definitions import Domain, ObjectType

DESCRIPTION = """Objects with their links, how they became what they are, and where their values come from.

The same questions as the `spice` command line, answered by the same code. Every answer is as of one position of the
log. Whatever goes wrong is a problem document (RFC 9457) with `where` and `allowed`."""


def openapi_document(domains: Sequence[Domain], limits: Limits, known: Mapping[str, str]) -> Part:
    """For these definitions. `known`: an id of each type, as far as there are objects, for examples that answer."""
    names = type_names(domains)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SPICE HARVESTER",
            "version": importlib.metadata.version("spice-harvester"),
            "description": DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "objects", "description": "Objects and their histories."},
            {"name": "questions", "description": "Searches and graphs."},
            {"name": "commands", "description": "Changes by people and programs."},
            {"name": "replays", "description": "Ranges of the history played back into a read model."},
            {"name": "ontology", "description": "Types, and where values come from."},
            {"name": "service", "description": "The state of the service."},
        ],
        "paths": {
            "/v1/objects/{type}/{key}": {"get": _object(domains, names, known)},
            "/v1/history/{type}/{key}": {"get": _history(domains, names, known)},
            "/v1/search": {"post": _search(domains, limits)},
            "/v1/graph-queries": {"post": _graph(domains, limits, known)},
            **command_operations(domains, limits),
            **replay_operations(domains, limits),
            "/v1/types": {"get": _types()},
            "/v1/lineage/{type}": {"get": _lineage(names, "all properties and links of a type", "getTypeLineage", [])},
            "/v1/lineage/{type}/{property}": {
                "get": _lineage(names, "one property or link", "getPropertyLineage", _property_parameter(domains))
            },
            "/v1/dead-letters": {"get": _dead_letters()},
            **projection_operations(limits),
            "/v1/health": {"get": _health()},
        },
        "components": {
            "schemas": components(domains),
            "responses": {name: problem(*told) for name, told in PROBLEMS.items()},
        },
    }


def _type_parameter(names: list[str]) -> Part:
    return {
        "name": "type",
        "in": "path",
        "required": True,
        "description": "Object type.",
        "schema": {"type": "string", **({"enum": names} if names else {})},
    }


def _address_parameters(domains: Sequence[Domain], names: list[str], known: Mapping[str, str]) -> list[Part]:
    """Type and key; their examples belong together."""
    kind = _longest_key(domains)
    example = {} if kind is None else {"type": kind.name, "key": known.get(kind.name) or example_id(kind)}
    type_parameter = _type_parameter(names)
    key_parameter: Part = {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "The id as it stands in documents: the parts of the key, each percent-encoded, joined by `/`. "
        "It is put into the address as it is, with its slashes.",
        "schema": {"type": "string"},
    }
    if example:
        type_parameter["example"], key_parameter["example"] = example["type"], example["key"]
    return [type_parameter, key_parameter]


def _property_parameter(domains: Sequence[Domain]) -> list[Part]:
    names = {name for kind in _kinds(domains) for name in (*kind.properties, *kind.links)}
    return [
        {
            "name": "property",
            "in": "path",
            "required": True,
            "description": "A property or link of the type.",
            "schema": {"type": "string", **({"enum": sorted(names)} if names else {})},
        }
    ]


def _object(domains: Sequence[Domain], names: list[str], known: Mapping[str, str]) -> Part:
    return {
        "operationId": "getObject",
        "tags": ["objects"],
        "summary": "One object",
        "description": "All its properties and links. The ETag is that of the object: it holds while others change.",
        "parameters": [*_address_parameters(domains, names, known), KNOWN],
        "responses": unchanged(answers("Object", "The object.", "Refused", "NotFound", "TooLong", "NotNow")),
    }


def _history(domains: Sequence[Domain], names: list[str], known: Mapping[str, str]) -> Part:
    return {
        "operationId": "getHistory",
        "tags": ["objects"],
        "summary": "The events of one object",
        "description": "Oldest first, each with its envelope; also those of an object that was deleted.",
        "parameters": [*_address_parameters(domains, names, known), KNOWN],
        "responses": unchanged(answers("History", "The events.", "Refused", "NotFound", "TooLong", "NotNow")),
    }


def _search(domains: Sequence[Domain], limits: Limits) -> Part:
    return {
        "operationId": "search",
        "tags": ["questions"],
        "summary": "Objects by words and typed conditions",
        "description": "Pages by `after`: given back in the same question it asks for what comes next, however much "
        f"changes meanwhile. A question is stopped after {limits.query_seconds:g} s.",
        "requestBody": body("Search", search_examples(domains), limits),
        "responses": answers(
            "SearchAnswer",
            "A page of objects.",
            *("Refused", "LateBody", "TooLarge", "NotJson", "NotNow"),
        ),
    }


def _graph(domains: Sequence[Domain], limits: Limits, known: Mapping[str, str]) -> Part:
    return {
        "operationId": "queryGraph",
        "tags": ["questions"],
        "summary": "Objects and the links between them",
        "description": "From a start, hop by hop along links or back along them. Limits on nodes and edges are told "
        f"by `truncated`. A question is stopped after {limits.query_seconds:g} s.",
        "requestBody": body("GraphQuery", graph_examples(domains, known), limits),
        "responses": answers(
            "GraphAnswer",
            "What was reached.",
            *("Refused", "LateBody", "TooLarge", "NotJson", "NotNow"),
        ),
    }


def _types() -> Part:
    return {
        "operationId": "getTypes",
        "tags": ["ontology"],
        "summary": "What there is to ask for",
        "description": "Every type with its properties, links and names for people, and how many objects it has.",
        "parameters": [KNOWN],
        "responses": unchanged(answers("Types", "All types.", "NotNow")),
    }


def _lineage(names: list[str], what: str, operation: str, more: list[Part]) -> Part:
    return {
        "operationId": operation,
        "tags": ["ontology"],
        "summary": f"Where the values of {what} come from",
        "description": "From the columns of source files through every expression to the fields of the read models.",
        "parameters": [_type_parameter(names), *more, KNOWN],
        "responses": unchanged(
            answers(
                "Lineage",
                "Columns and what leads from one to the other.",
                *("Refused", "NotFound", "Unready", "TooLong", "NotNow"),
            )
        ),
    }


def _dead_letters() -> Part:
    return {
        "operationId": "getDeadLetters",
        "tags": ["service"],
        "summary": "Objects that a read model has set aside",
        "description": "Each with the first event that does not fit, why, and how many wait. No other object waits.",
        "responses": answers("DeadLetters", "What is set aside.", "NotNow", etag=False),
    }


def _health() -> Part:
    made = answers("Health", "The log and the read models.", etag=False)
    made["503"] = {
        "description": "A question can't be answered now; `problems` says why.",
        "content": {JSON: {"schema": reference("Health")}, PROBLEM: {"schema": reference("Problem")}},
    }
    return {
        "operationId": "getHealth",
        "tags": ["service"],
        "summary": "How far the log and the read models are",
        "description": "`behind`: events are still being applied, answers are as of an earlier position.",
        "responses": dict(sorted(made.items())),
    }


def _kinds(domains: Sequence[Domain]) -> list[ObjectType]:
    return [kind for domain in domains for kind in domain.object_types.values()]


def _longest_key(domains: Sequence[Domain]) -> ObjectType | None:
    return max(_kinds(domains), key=lambda kind: len(kind.key), default=None)


def search_examples(domains: Sequence[Domain]) -> dict[str, Any]:
    """Questions that can be asked of these definitions."""
    made: dict[str, Any] = {"everywhere": {"text": "word*", "limit": 20}}
    for kind in _kinds(domains)[:1]:
        number = next((n for n, p in kind.properties.items() if p.parsed.kind in {"integer", "double"}), None)
        question: dict[str, Any] = {"type": kind.name, "limit": 20}
        if number is not None:
            question |= {"where": [[number, ">", 1]], "sort": [[number, "desc"]], "fields": [kind.title, number]}
        made["typed"] = question
    return made


def graph_examples(domains: Sequence[Domain], known: Mapping[str, str]) -> dict[str, Any]:
    """Questions that can be asked of these definitions."""
    for kind in _kinds(domains):
        for name, link in kind.links.items():
            hops = [{"link": name}, {"link": link.inverse}]
            start = {"type": kind.name, "id": known.get(kind.name) or example_id(kind)}
            return {"there and back": {"start": start, "hops": hops, "max_nodes": 200, "max_edges": 1000}}
    alone = _longest_key(domains)
    return {} if alone is None else {"one object": {"start": {"type": alone.name, "id": example_id(alone)}}}
