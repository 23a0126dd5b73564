"""JSON Schemas (OpenAPI 3.1) of what the API takes and gives, made from the definitions: every property with its type.

A question's schema says what each member may hold for each type. What no schema can say (which link leaves the type
that a hop has reached) is checked when the question is read, and answered 400 with `where` and `allowed`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ontology_assets.model.definitions import Domain, ObjectType, Property
from ontology_assets.queries import conditions, graph_document, search
from ontology_assets.queries.conditions import OPERATORS
from ontology_assets.queries.history import ENVELOPE
from ontology_assets.queries.objects import FULL, MISSING, PARTIAL
from resources.read_model.query import Kind, Operator

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
LABEL: Schema = {
    "type": "object",
    "description": "Names for people by language.",
    "additionalProperties": TEXT,
    "examples": [{"en": "Name", "ko": "이름"}],
}
NUMBER_LIMIT = 1.7976931348623157e308
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
OPERANDS: dict[Kind, Schema] = {
    **VALUES,
    Kind.STRING: {"type": "string", "maxLength": conditions.MAX_TEXT},
    Kind.DOUBLE: {"type": "number", "minimum": -NUMBER_LIMIT, "maximum": NUMBER_LIMIT},
    Kind.TIMESTAMP: {
        "description": "With its zone; a date alone is its midnight, UTC.",
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}],
    },
    Kind.DECIMAL: {
        "anyOf": [
            {"type": "number", "minimum": -1e60, "maximum": 1e60},
            {"type": "string", "pattern": r"^[+-]?[0-9]{1,40}(\.[0-9]{1,19})?$"},
        ]
    },
}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def components(domains: Iterable[Domain]) -> dict[str, Schema]:
    """All schemas by name."""
    types = {name: kind for domain in domains for name, kind in sorted(domain.object_types.items())}
    made = {f"{name}Object": _object(kind) for name, kind in types.items()}
    made |= {f"{name}Condition": _conditions(kind) for name, kind in types.items()}
    made |= {f"{name}Search": _typed_search(kind) for name, kind in types.items()}
    made |= {f"{name}Start": _start(kind) for name, kind in types.items()}
    return {
        "Problem": PROBLEM,
        "Object": {"description": "An object of one of the types.", "anyOf": _each(types, "Object")}
        if types
        else {"type": "object"},
        **made,
        "SearchEverywhere": SEARCH_EVERYWHERE,
        "Search": {"anyOf": [reference("SearchEverywhere"), *_each(types, "Search")]},
        "SearchAnswer": SEARCH_ANSWER,
        "Hop": _hop(types),
        "GraphQuery": _graph_query(types),
        "GraphAnswer": GRAPH_ANSWER,
        "Event": EVENT,
        "History": _record({"events": {"type": "array", "minItems": 1, "items": reference("Event")}}),
        "Types": _record({"types": {"type": "array", "items": reference("Type")}}),
        "Type": TYPE,
        "Lineage": LINEAGE,
        "Health": HEALTH,
        "Standing": STANDING,
    }


def type_names(domains: Iterable[Domain]) -> list[str]:
    return sorted(name for domain in domains for name in domain.object_types)


def _each(types: Mapping[str, ObjectType], part: str) -> list[Schema]:
    return [reference(f"{name}{part}") for name in types]


def _record(members: Mapping[str, Schema], optional: Iterable[str] = (), description: str = "") -> Schema:
    """An object with these members and no other."""
    loose = set(optional)
    made: Schema = {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in loose],
        "additionalProperties": False,
    }
    return made | ({"description": description} if description else {})


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else schema


def _described(declared: Property, schema: Schema) -> Schema:
    unit = f"Unit: {declared.unit}." if declared.unit else ""
    text = " ".join(part for part in (declared.label.get("en", ""), declared.description or "", unit) if part)
    return {**schema, "description": text} if text and "$ref" not in schema else schema


def value_schema(declared: Property) -> Schema:
    """Of a property's value in a document."""
    parsed = declared.parsed
    kind = Kind(parsed.kind)
    if kind is Kind.ENUM:
        return _described(declared, {"type": "string", "enum": list(declared.values or ())})
    if kind is Kind.DECIMAL:
        fraction = rf"\.[0-9]{{{parsed.scale}}}" if parsed.scale else ""
        return _described(declared, {"type": "string", "pattern": f"^-?[0-9]+{fraction}$"})
    return _described(declared, VALUES[kind])


def _object(kind: ObjectType) -> Schema:
    properties = {name: value_schema(declared) for name, declared in kind.properties.items()}
    links = {
        name: {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1, "description": f"Id of a {link.to}."}
        for name, link in kind.links.items()
    }
    return _record(
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


def _operand(declared: Property) -> Schema:
    kind = Kind(declared.parsed.kind)
    return {"type": "string", "enum": list(declared.values or ())} if kind is Kind.ENUM else OPERANDS[kind]


def _tuple(*parts: Schema, least: int | None = None) -> Schema:
    return {
        "type": "array",
        "prefixItems": list(parts),
        "minItems": len(parts) if least is None else least,
        "maxItems": len(parts),
    }


def _conditions(kind: ObjectType) -> Schema:
    """`["property", "operator", value]`, for each property with its operators and values."""
    forms: list[Schema] = []
    for name, declared in kind.properties.items():
        property_kind = Kind(declared.parsed.kind)
        known = OPERATORS[property_kind]
        plain = [o.value for o in known if o not in (Operator.IN, Operator.IS_NULL, Operator.WITHIN)]
        if plain:
            forms.append(_tuple({"const": name}, {"enum": plain}, _operand(declared)))
        if Operator.IN in known:
            values = {"type": "array", "items": _operand(declared), "maxItems": conditions.MAX_IN}
            forms.append(_tuple({"const": name}, {"const": "in"}, values))
        if Operator.WITHIN in known:
            forms.append(_tuple({"const": name}, {"const": "within"}, reference_circle()))
            point = reference_circle(km=False)
            forms.append(_tuple({"const": name}, {"const": "within"}, point, CIRCLE["properties"]["km"]))
        forms.append(_tuple({"const": name}, {"const": "is_null"}, {"type": "boolean"}, least=2))
    return {"description": f"A condition on a {kind.name}.", "anyOf": forms}


CIRCLE: Schema = _record(
    {**GEOPOINT["properties"], "km": {"type": "number", "minimum": 0, "maximum": conditions.MAX_KM}},
    description="Within so many kilometres of a point (great circle).",
)


def reference_circle(*, km: bool = True) -> Schema:
    return CIRCLE if km else GEOPOINT


def _where(name: str) -> Schema:
    items = reference(f"{name}Condition")
    return {"type": ["array", "null"], "items": items, "maxItems": conditions.MAX_CONDITIONS}


def _fields(names: list[str]) -> Schema:
    return {
        "type": ["array", "null"],
        "items": {"type": "string", "enum": names},
        "maxItems": search.MAX_FIELDS,
        "description": "What to answer with; everything where it is not given.",
    }


TEXT_SEARCHED: Schema = {
    "type": ["string", "null"],
    "maxLength": search.MAX_TEXT,
    "description": "Words that must all be there: `word`, or `word*` for what begins so.",
}
LIMIT: Schema = {
    "type": ["integer", "null"],
    "minimum": 1,
    "maximum": search.MAX_LIMIT,
    "default": search.DEFAULT_LIMIT,
}
AFTER: Schema = {"type": ["string", "null"], "description": "`after` of the page before; the rest stays the same."}
NONE: Schema = {"type": ["array", "null"], "maxItems": 0}
SEARCH_EVERYWHERE: Schema = _record(
    {
        "type": {"type": "null"},
        "text": TEXT_SEARCHED,
        "where": NONE,
        "sort": NONE,
        "fields": NONE,
        "limit": LIMIT,
        "after": AFTER,
    },
    search.MEMBERS,
    "A search over all types, by words.",
)


def _typed_search(kind: ObjectType) -> Schema:
    sortable = [n for n, declared in kind.properties.items() if declared.parsed.kind != Kind.GEOPOINT]
    order = _tuple({"enum": sortable}, {"enum": ["asc", "desc"]})
    made = _record(
        {
            "type": {"const": kind.name},
            "text": TEXT_SEARCHED,
            "where": _where(kind.name),
            "sort": {"type": ["array", "null"], "items": order, "maxItems": search.MAX_SORT},
            "fields": _fields([*kind.properties, *kind.links]),
            "limit": LIMIT,
            "after": AFTER,
        },
        search.MEMBERS,
        f"A search for {kind.label.get('en', kind.name)}.",
    )
    return {**made, "required": ["type"]}


def _start(kind: ObjectType) -> Schema:
    return {
        **_record(
            {
                "type": {"const": kind.name},
                "id": {"type": ["string", "null"], "maxLength": graph_document.MAX_ID},
                "where": _where(kind.name),
                "fields": _fields(list(kind.properties)),
            },
            graph_document.START_MEMBERS,
        ),
        "required": ["type"],
    }


def _hop(types: Mapping[str, ObjectType]) -> Schema:
    """One hop; its conditions are those of the type it leads to."""
    ways: dict[tuple[str, str], None] = {}
    for kind in types.values():
        for name, link in kind.links.items():
            ways[name, link.to] = None
            ways[link.inverse, kind.name] = None
    forms = [
        {
            **_record(
                {
                    "link": {"const": way, "description": f"Leads to {target}."},
                    "where": _where(target),
                    "fields": _fields(list(types[target].properties)),
                },
                graph_document.HOP_MEMBERS,
            ),
            "required": ["link"],
        }
        for way, target in ways
    ]
    return {"description": "One step along a link, by its name or back by its inverse name."} | (
        {"anyOf": forms} if forms else {"not": {}}
    )


def _graph_query(types: Mapping[str, ObjectType]) -> Schema:
    made = _record(
        {
            "start": {"anyOf": _each(types, "Start")},
            "hops": {"type": ["array", "null"], "items": reference("Hop"), "maxItems": graph_document.MAX_HOPS},
            "max_nodes": _bounded(graph_document.MAX_NODES, graph_document.DEFAULT_NODES),
            "max_edges": _bounded(graph_document.MAX_EDGES, graph_document.DEFAULT_EDGES),
        },
        graph_document.MEMBERS,
        "Where to start, and the hops from there, each on what the one before has reached.",
    )
    return {**made, "required": ["start"]}


def _bounded(most: int, default: int) -> Schema:
    return {"type": ["integer", "null"], "minimum": 1, "maximum": most, "default": default}


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
    },
    "required": ["type", "title", "status", "detail"],
}
SEARCH_ANSWER: Schema = _record(
    {
        "objects": {"type": "array", "items": reference("Object"), "maxItems": search.MAX_LIMIT},
        "total": {**COUNT, "description": "How many satisfy the question, on all pages."},
        "after": {"type": "string", "description": "Asks for the next page; absent on the last."},
    },
    ["after"],
)
GRAPH_ANSWER: Schema = _record(
    {
        "nodes": {
            "type": "array",
            "items": _record(
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
            "items": _record(
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
    return _or_null(schema) if name in _MAY_BE_NULL else schema


EVENT: Schema = _record({name: _member(name) for name in ENVELOPE}, description="An event: the envelope of the log.")
TYPE: Schema = _record(
    {
        "name": TEXT,
        "domain": TEXT,
        "label": LABEL,
        "description": TEXT,
        "key": {"type": "array", "items": TEXT, "minItems": 1},
        "title": {"type": "string", "description": "The property that is shown as title."},
        "count": {**_or_null(COUNT), "description": "How many there are; null while the read model can't tell."},
        "properties": {
            "type": "array",
            "items": _record(
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
            "items": _record(
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
            "items": _record({"name": TEXT, "from": TEXT, "link": TEXT, "label": LABEL}),
        },
    },
    ["description"],
)
LINEAGE: Schema = _record(
    {
        "of": _record({"type": TEXT, "property": {"type": ["string", "null"]}}),
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
            "items": _record(
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
STANDING: Schema = _record(
    {
        "position": COUNT,
        "lag": {**COUNT, "description": "Events still to be applied."},
        "digest": {"type": "string", "description": "Of all documents; equal digests are equal read models."},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
    }
)
HEALTH: Schema = _record(
    {
        "status": {"enum": ["ok", "behind", "unavailable"]},
        "domains": {
            "type": "object",
            "additionalProperties": _record(
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
