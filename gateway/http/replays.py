"""`POST /v1/replays` and `GET /v1/replays/{id}`: a ranged replay requested as an event, and what became of it.

A sensor of Dagster carries it out; nothing of it happens in this process.
"""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.addresses import text_of
from gateway.http.bodies import read_document
from gateway.http.documents import JSON
from gateway.http.serving import Serving
from gateway.replaying import replay_status, request_replay
from ontology_assets.queries.objects import Document


class ReplayRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def submit(self, request: Request) -> Response:
        """202 when the request is in the log."""
        document = await read_document(request, self._serving.limits)
        found = await self._serving.ask_log(lambda readers: request_replay(readers, document))
        return _answer(found, 202)

    async def status(self, request: Request) -> Response:
        asked = text_of(request)
        return _answer(await self._serving.ask_log(lambda readers: replay_status(readers, asked)), 200)


def _answer(found: Document, status: int) -> Response:
    headers = {"Cache-Control": "no-store", **({"Location": f"/v1/replays/{found['id']}"} if status == 202 else {})}
    return Response(orjson.dumps(found), status, headers, JSON)
