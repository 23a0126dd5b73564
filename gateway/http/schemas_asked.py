"""JSON Schemas of what the API is asked, made from the definitions: which operators and values each property takes.

What no schema can say (which link leaves the type that a hop has reached) is checked when the question is read, and
answered 400 with `where` and `allowed`.
"""

from collections.abc import Mapping

from gateway.http.schema_parts import GEOPOINT, VALUES, Schema, each, record, reference
from ontology_assets.model.definitions import ObjectType, Property
from ontology_assets.queries import conditions, graph_document, search
from ontology_assets.queries.conditions import OPERATORS
from resources.read_model.query import Kind, Operator

NUMBER_LIMIT = 1.7976931348623157e308
DECIMAL_LIMIT = 9.999999999999999e60
"""The last number of 61 digits before the point."""
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
            {"type": "number", "minimum": -DECIMAL_LIMIT, "maximum": DECIMAL_LIMIT},
            {"type": "string", "pattern": r"^[+-]?[0-9]{1,40}(\.[0-9]{1,19})?$"},
        ]
    },
}


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


def condition_schema(kind: ObjectType) -> Schema:
    """`["property", "operator", value]`, for each property with its operators and values."""
    forms: list[Schema] = []
    for name, declared in kind.properties.items():
        property_kind = Kind(declared.parsed.kind)
        known = OPERATORS[property_kind]
        plain = [o.value for o in known if o not in (Operator.IN, Operator.IS_NULL, Operator.WITHIN)]
        if plain:
            forms.append(_tuple({"const": name}, {"enum": plain}, _operand(declared)))
        if Operator.IN in known:
            most = f"Up to {conditions.MAX_IN:,} values."
            values = {"type": "array", "items": _operand(declared), "description": most}
            forms.append(_tuple({"const": name}, {"const": "in"}, values))
        if Operator.WITHIN in known:
            forms.append(_tuple({"const": name}, {"const": "within"}, reference_circle()))
            point = reference_circle(km=False)
            forms.append(_tuple({"const": name}, {"const": "within"}, point, CIRCLE["properties"]["km"]))
        forms.append(_tuple({"const": name}, {"const": "is_null"}, {"type": "boolean"}, least=2))
    return {"description": f"A condition on a {kind.name}.", "anyOf": forms}


CIRCLE: Schema = record(
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
SEARCH_EVERYWHERE: Schema = record(
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


def search_schema(kind: ObjectType) -> Schema:
    sortable = [n for n, declared in kind.properties.items() if declared.parsed.kind != Kind.GEOPOINT]
    order = _tuple({"enum": sortable}, {"enum": ["asc", "desc"]})
    made = record(
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


def start_schema(kind: ObjectType) -> Schema:
    return {
        **record(
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


def hop_schema(types: Mapping[str, ObjectType]) -> Schema:
    """One hop; its conditions are those of the type it leads to."""
    ways: dict[tuple[str, str], None] = {}
    for kind in types.values():
        for name, link in kind.links.items():
            ways[name, link.to] = None
            ways[link.inverse, kind.name] = None
    forms = [
        {
            **record(
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
    possible: Schema = {"anyOf": forms} if forms else {"not": {}}
    return {"description": "One step along a link, by its name or back by its inverse name.", **possible}


def graph_schema(types: Mapping[str, ObjectType]) -> Schema:
    made = record(
        {
            "start": {"anyOf": each(types, "Start")},
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
