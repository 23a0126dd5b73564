"""`POST /v1/search` and `POST /v1/graph-queries`: the same documents as `spice search` and `spice graph`."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.bodies import read_document
from gateway.http.documents import document_response
from gateway.http.serving import Serving
from gateway.http.shapes import shape_of


class QuestionRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def search(self, request: Request) -> Response:
        """Objects by words and typed conditions, page by page."""
        document = await read_document(request, self._serving.limits)
        asked = self._serving.now
        shape = shape_of(document, asked.names)
        answer = await self._serving.ask(lambda limit: asked.queries.search(document, limit), shape)
        return document_response(request, answer.document, asked.etag(answer.generation, answer.position))

    async def graph(self, request: Request) -> Response:
        """Objects and the links between them, hop by hop."""
        document = await read_document(request, self._serving.limits)
        asked = self._serving.now
        shape = shape_of(document, asked.names)
        answer = await self._serving.ask(lambda limit: asked.queries.graph(document, limit), shape)
        return document_response(request, answer.document, asked.etag(answer.generation, answer.position))
