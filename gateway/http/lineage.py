"""`GET /v1/lineage/{type}` and `GET /v1/lineage/{type}/{property}`: where values come from, out of the definitions."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.addresses import names_of
from gateway.http.documents import document_response
from gateway.http.problems import not_found
from gateway.http.serving import Serving
from ontology_assets.lineage.document import lineage_document


class LineageRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def lineage(self, request: Request) -> Response:
        """Columns and fields that a property, or all of a type, comes from and goes to."""
        asked = self._serving.now
        names = names_of(request)
        if len(names) > 2:
            raise not_found(request.url.path)
        known = asked.queries.catalogue.addressed(names[0])
        named = names[1] if len(names) > 1 else None
        # Some ten milliseconds of parsing expressions.
        document = await self._serving.ask_log(lambda _: lineage_document(asked.domains, known.name, named))
        return document_response(request, document, asked.etag("lineage", known.name, named or ""))
