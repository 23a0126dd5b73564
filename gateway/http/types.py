"""`GET /v1/types`: what there is to ask for, with names for people, and how many objects of each type there are."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.documents import document_response
from gateway.http.serving import Serving
from ontology_assets.model.definitions import Domain, Link, ObjectType, Property
from ontology_assets.queries.objects import Document


class TypeRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def types(self, request: Request) -> Response:
        """Every type of every domain. `count` is null while the read model can't tell."""
        asked = self._serving.now
        counts = await self._serving.ask(asked.queries.counts_so_far)
        kinds = [
            type_document(domain, kind, counts.by_type[kind.name])
            for domain in sorted(asked.domains, key=lambda one: one.name)
            for kind in domain.object_types.values()
        ]
        return document_response(request, {"types": kinds}, asked.etag("types", *counts.versions))


def type_document(domain: Domain, kind: ObjectType, count: int | None) -> Document:
    """One type as the API describes it: everything in the order of the definition file."""
    return {
        "name": kind.name,
        "domain": domain.name,
        "label": kind.label,
        **_given(description=kind.description),
        "key": kind.key,
        "title": kind.title,
        "count": count,
        "properties": [_property(name, declared) for name, declared in kind.properties.items()],
        "links": [_link(name, link) for name, link in kind.links.items()],
        "inverses": [
            {"name": link.inverse, "from": source.name, "link": name, "label": link.inverse_label}
            for source in domain.object_types.values()
            for name, link in source.links.items()
            if link.to == kind.name
        ],
    }


def _property(name: str, declared: Property) -> Document:
    more = _given(unit=declared.unit, description=declared.description, search=declared.search, values=declared.values)
    return {"name": name, "type": declared.type, "label": declared.label, **more}


def _link(name: str, link: Link) -> Document:
    return {
        "name": name,
        "to": link.to,
        "by": link.by,
        "inverse": link.inverse,
        "cardinality": link.cardinality,
        "label": link.label,
        "inverse_label": link.inverse_label,
        **_given(description=link.description),
    }


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
