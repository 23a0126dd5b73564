"""All schemas of the OpenAPI document by name, for given definitions."""

from collections.abc import Iterable, Sequence

from gateway.http.openapi_projections import projection_schemas
from gateway.http.openapi_replays import replay_schemas
from gateway.http.schema_parts import Schema, each, record, reference
from gateway.http.schemas_asked import (
    SEARCH_EVERYWHERE,
    condition_schema,
    graph_schema,
    hop_schema,
    search_schema,
    start_schema,
)
from gateway.http.schemas_commands import RECEIPT, any_command_schema, command_schema
from gateway.http.schemas_given import (
    DEAD_LETTERS,
    EVENT,
    GRAPH_ANSWER,
    HEALTH,
    LINEAGE,
    PROBLEM,
    SEARCH_ANSWER,
    STANDING,
    TYPE,
    object_schema,
)
from ontology_assets.model.definitions import Domain


def components(domains: Sequence[Domain]) -> dict[str, Schema]:
    """All schemas by name."""
    types = {name: kind for domain in domains for name, kind in sorted(domain.object_types.items())}
    made = {f"{name}Object": object_schema(kind) for name, kind in types.items()}
    made |= {f"{name}Condition": condition_schema(kind) for name, kind in types.items()}
    made |= {f"{name}Search": search_schema(kind) for name, kind in types.items()}
    made |= {f"{name}Start": start_schema(kind) for name, kind in types.items()}
    made |= {f"{name}Command": command_schema(kind) for name, kind in types.items()}
    return {
        "Problem": PROBLEM,
        "Object": {"description": "An object of one of the types.", "anyOf": each(types, "Object")}
        if types
        else {"type": "object"},
        **made,
        "SearchEverywhere": SEARCH_EVERYWHERE,
        "Search": {"anyOf": [reference("SearchEverywhere"), *each(types, "Search")]},
        "SearchAnswer": SEARCH_ANSWER,
        "Hop": hop_schema(types),
        "GraphQuery": graph_schema(types),
        "GraphAnswer": GRAPH_ANSWER,
        "Command": any_command_schema(types),
        "Receipt": RECEIPT,
        **replay_schemas(domains),
        "Event": EVENT,
        "History": record({"events": {"type": "array", "minItems": 1, "items": reference("Event")}}),
        "Types": record({"types": {"type": "array", "items": reference("Type")}}),
        "Type": TYPE,
        "Lineage": LINEAGE,
        "DeadLetters": DEAD_LETTERS,
        "Health": HEALTH,
        "Standing": STANDING,
        **projection_schemas(),
    }


def type_names(domains: Iterable[Domain]) -> list[str]:
    return sorted(name for domain in domains for name in domain.object_types)
