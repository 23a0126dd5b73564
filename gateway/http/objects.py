"""`GET /v1/objects/{type}/{key}` and `GET /v1/history/{type}/{key}`."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.addresses import address_of
from gateway.http.documents import document_response
from gateway.http.serving import Serving


class ObjectRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def object(self, request: Request) -> Response:
        """One object, whole. Its ETag is the position of its own last event: others may change, it stays."""
        asked = self._serving.now
        type_name, object_id = address_of(request, asked.queries.catalogue)
        answer = await self._serving.ask(lambda limit: asked.queries.get(type_name, object_id, limit))
        etag = asked.etag(answer.generation, answer.document["position"])
        return document_response(request, answer.document, etag)

    async def history(self, request: Request) -> Response:
        """The object's events, oldest first; also those of one that was deleted."""
        asked = self._serving.now
        type_name, object_id = address_of(request, asked.queries.catalogue)
        events = await self._serving.ask_log(lambda readers: readers.queries.history(type_name, object_id))
        last = events[-1]
        return document_response(request, {"events": events}, asked.etag(last["event_id"], last["position"]))
