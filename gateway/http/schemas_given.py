"""JSON Schemas of what the API answers: objects as the definitions have them, and the documents around them."""

from gateway.http.schema_parts import COUNT, LABEL, TEXT, Schema, or_null, record, reference, value_schema
from ontology_assets.model.definitions import ObjectType
from ontology_assets.queries import search
from ontology_assets.queries.history import ENVELOPE
from ontology_assets.queries.objects import FULL, MISSING, PARTIAL


def object_schema(kind: ObjectType) -> Schema:
    properties = {name: value_schema(declared) for name, declared in kind.properties.items()}
    links = {
        name: {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1, "description": f"Id of a {link.to}."}
        for name, link in kind.links.items()
    }
    return record(
        {
            "type": {"const": kind.name},
            "id": {"type": "string", "description": f"Key text of {', '.join(kind.key)}."},
            "title": TEXT,
            "data_status": {"enum": [FULL, PARTIAL]},
            "properties": {"type": "object", "properties": properties, "additionalProperties": False},
            "links": {"type": "object", "properties": links, "additionalProperties": False},
            "sequence": {"type": "integer", "minimum": 1, "description": "How many events it has had."},
            "position": {"type": "integer", "minimum": 1, "description": "Of its last event in the log."},
        },
        description=kind.description or kind.label.get("en", ""),
    )


PROBLEM: Schema = {
    "type": "object",
    "description": "What is wrong and what would be right (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "The kind of problem: `spice:...`, or `about:blank`."},
        "title": {"type": "string", "description": "The kind, for people."},
        "status": {"type": "integer", "description": "The response's status."},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
        "where": {"type": "string", "description": "The faulty place: a path in the document, a header, an address."},
        "allowed": {"type": "array", "items": TEXT, "description": "What would be accepted there."},
        "expected": {**COUNT, "description": "With `spice:sequence-conflict`: the sequence that was expected."},
        "actual": {**COUNT, "description": "With `spice:sequence-conflict`: the object's sequence."},
        "committed": {
            **reference("Receipt"),
            "description": "With `spice:not-visible` and `spice:parked`: the command is done; only what was waited for "
            "did not come.",
        },
    },
    "required": ["type", "title", "status", "detail"],
}
SEARCH_ANSWER: Schema = record(
    {
        "objects": {"type": "array", "items": reference("Object"), "maxItems": search.MAX_LIMIT},
        "total": {**COUNT, "description": "How many satisfy the question, on all pages."},
        "after": {"type": "string", "description": "Asks for the next page; absent on the last."},
    },
    ["after"],
)
GRAPH_ANSWER: Schema = record(
    {
        "nodes": {
            "type": "array",
            "items": record(
                {
                    "type": TEXT,
                    "id": TEXT,
                    "title": TEXT,
                    "data_status": {"enum": [FULL, PARTIAL, MISSING]},
                    "properties": {"type": "object", "description": "As in the object's own document."},
                }
            ),
        },
        "edges": {
            "type": "array",
            "items": record(
                {
                    "from": {"type": "string", "description": "`Type/id` of the object that has the link."},
                    "link": {"type": "string", "description": "The link's forward name."},
                    "to": {"type": "string", "description": "`Type/id` of its target."},
                }
            ),
        },
        "truncated": {"type": "boolean", "description": "Whether a limit cut the answer."},
        "position": {**COUNT, "description": "Of the log; the whole answer is as of it."},
    }
)
_INTEGERS = {"sequence_number", "position"}
_TIMES = {"occurred_at", "recorded_at"}
_MAY_BE_NULL = {
    "occurred_at",
    "actor",
    "command_id",
    "correlation_id",
    "causation_id",
    "state_hash",
    "bucket",
    "batch_id",
}


def _member(name: str) -> Schema:
    if name in {"data", "metadata"}:
        return {"type": ["object", "null"]}
    if name in _INTEGERS:
        return {"type": "integer"}
    schema: Schema = {"type": "string", "format": "date-time"} if name in _TIMES else TEXT
    return or_null(schema) if name in _MAY_BE_NULL else schema


EVENT: Schema = record({name: _member(name) for name in ENVELOPE}, description="An event: the envelope of the log.")
TYPE: Schema = record(
    {
        "name": TEXT,
        "domain": TEXT,
        "label": LABEL,
        "description": TEXT,
        "key": {"type": "array", "items": TEXT, "minItems": 1},
        "title": {"type": "string", "description": "The property that is shown as title."},
        "count": {**or_null(COUNT), "description": "How many there are; null while the read model can't tell."},
        "properties": {
            "type": "array",
            "items": record(
                {
                    "name": TEXT,
                    "type": {"type": "string", "description": "With `?` where it may be absent."},
                    "label": LABEL,
                    "unit": TEXT,
                    "description": TEXT,
                    "search": {"const": "text"},
                    "values": {"type": "object", "additionalProperties": TEXT, "description": "Meaning by code."},
                },
                ["unit", "description", "search", "values"],
            ),
        },
        "links": {
            "type": "array",
            "items": record(
                {
                    "name": TEXT,
                    "to": TEXT,
                    "by": {"type": "array", "items": TEXT},
                    "inverse": TEXT,
                    "cardinality": {"enum": ["many_to_one", "one_to_one"]},
                    "label": LABEL,
                    "inverse_label": LABEL,
                    "description": TEXT,
                },
                ["description"],
            ),
        },
        "inverses": {
            "type": "array",
            "items": record({"name": TEXT, "from": TEXT, "link": TEXT, "label": LABEL}),
        },
    },
    ["description"],
)
LINEAGE: Schema = record(
    {
        "of": record({"type": TEXT, "property": {"type": ["string", "null"]}}),
        "nodes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": TEXT,
                    "layer": {"enum": ["file", "raw", "clean", "transform", "object", "event", "topic", "index"]},
                    "table": TEXT,
                    "column": TEXT,
                    "type": TEXT,
                    "title": TEXT,
                },
                "required": ["id", "layer", "table", "column"],
            },
        },
        "edges": {
            "type": "array",
            "items": record(
                {
                    "from": TEXT,
                    "to": TEXT,
                    "by": {"type": "string", "description": "The expression or rule."},
                    "kind": {
                        "enum": ["value", "rows"],
                        "description": "`rows`: it decides which rows there are, or how they are grouped or ordered.",
                    },
                }
            ),
        },
    }
)
STANDING: Schema = record(
    {
        "position": COUNT,
        "lag": {**COUNT, "description": "Events still to be applied."},
        "parked": {**COUNT, "description": "Objects set aside because an event does not fit: see `/v1/dead-letters`."},
        "digest": {"type": "string", "description": "Of all documents; equal digests are equal read models."},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
    }
)
DEAD_LETTERS: Schema = record(
    {
        "total": {**COUNT, "description": "Of all read models; of each and domain the first 1,000 are listed."},
        "dead_letters": {
            "type": "array",
            "items": record(
                {
                    "projection": TEXT,
                    "domain": TEXT,
                    "type": TEXT,
                    "id": TEXT,
                    "name": {**TEXT, "description": "Without the id: as partitions and `spice deadletters` name it."},
                    "bucket": TEXT,
                    "position": {**COUNT, "description": "Of the first event that does not fit."},
                    "sequence": COUNT,
                    "event_id": TEXT,
                    "event_type": TEXT,
                    "since": {"type": "string", "format": "date-time"},
                    "reason": TEXT,
                    "waiting": {**COUNT, "description": "Events that wait, that one included."},
                }
            ),
        },
    }
)
HEALTH: Schema = record(
    {
        "status": {"enum": ["ok", "behind", "unavailable"]},
        "domains": {
            "type": "object",
            "additionalProperties": record(
                {
                    "position": {**COUNT, "description": "Where the domain's log ends."},
                    "projections": {"type": "object", "additionalProperties": reference("Standing")},
                }
            ),
        },
        "projections": {
            "type": "object",
            "description": "Each over all domains.",
            "additionalProperties": reference("Standing"),
        },
        "problems": {"type": "array", "items": reference("Problem")},
        "dagster": {"type": "string", "format": "uri", "description": "Where the Dagster UI is."},
    }
)
