"""The gateway as an application: `create_app(home, domains)`. Wiring only."""

import asyncio
import hashlib
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache

import orjson
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.http import addresses
from gateway.http.commands import CommandRoutes
from gateway.http.dead_letters import DeadLetterRoutes
from gateway.http.definitions import DefinitionSource
from gateway.http.docs_page import POLICY, docs_page
from gateway.http.documents import JSON, is_known
from gateway.http.health import HealthRoutes
from gateway.http.lineage import LineageRoutes
from gateway.http.objects import ObjectRoutes
from gateway.http.openapi import openapi_document
from gateway.http.problems import answer_with_problems
from gateway.http.projections import ProjectionRoutes
from gateway.http.questions import QuestionRoutes
from gateway.http.replays import ReplayRoutes
from gateway.http.serving import Asked, Limits, Serving
from gateway.http.types import TypeRoutes
from ontology_assets.model.definitions import Domain
from resources.addresses import gateway_url
from resources.home import Home

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI would send figures away if an environment variable told it to; nothing leaves this machine."""
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    home: Home, domains: Sequence[Domain], *, limits: Limits | None = None, source: DefinitionSource | None = None
) -> FastAPI:
    """The API and the explorer over one home. With a `source` the definitions are read from there, now and whenever
    they change; `domains` hold as long as what is there is broken.
    """
    serving = Serving(home, domains, limits or Limits(), source)
    commands = CommandRoutes(serving)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(commands.close)
        serving.close()

    # The document and its page are our own: made from the definitions, and readable without the network.
    app = FastAPI(
        title="SPICE HARVESTER",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=lifespan,
    )
    app.state.serving, app.state.commands = serving, commands
    answer_with_problems(app)
    addresses.register()
    objects, questions, replays = ObjectRoutes(serving), QuestionRoutes(serving), ReplayRoutes(serving)
    projections = ProjectionRoutes(serving)
    lineage = LineageRoutes(serving).lineage
    posted: dict[str, Endpoint] = {
        "/v1/commands": commands.submit,
        "/v1/search": questions.search,
        "/v1/graph-queries": questions.graph,
        "/v1/replays": replays.submit,
        "/v1/projections/{name}/undo": projections.undo,
    }
    reading: dict[str, Endpoint] = {
        "/v1/objects/{type}/{key:id}": objects.object,
        "/v1/history/{type}/{key:id}": objects.history,
        "/v1/types": TypeRoutes(serving).types,
        "/v1/lineage/{type}": lineage,
        "/v1/lineage/{type}/{property:id}": lineage,
        "/v1/commands/{id:id}": commands.status,
        "/v1/dead-letters": DeadLetterRoutes(serving).dead_letters,
        "/v1/replays/{id:id}": replays.status,
        "/v1/projections": projections.projections,
        "/v1/health": HealthRoutes(serving).health,
        **_about(serving),
    }
    # Plain routes: an endpoint reads its request itself, and what the framework would do for it takes twice as long as
    # most answers do.
    for method, endpoints in (("POST", posted), ("GET", reading)):
        app.router.routes.extend(Route(path, one, methods=[method]) for path, one in endpoints.items())
    app.openapi = lambda: openapi_document(serving.now.domains, serving.limits, {})  # type: ignore[method-assign]
    _add_explorer(app)
    return app


def _about(serving: Serving) -> dict[str, Endpoint]:
    """`/openapi.json` and `/docs`, made once for each state of the definitions and of the examples in them."""

    @lru_cache(maxsize=2)
    def made(asked: Asked, known: tuple[tuple[str, str], ...]) -> tuple[bytes, str, str]:
        document = openapi_document(asked.domains, serving.limits, dict(known))
        content = orjson.dumps(document)
        return content, docs_page(document, gateway_url()), hashlib.sha256(content).hexdigest()[:12]

    async def answer(request: Request, part: int, kind: type[Response], more: dict[str, str]) -> Response:
        asked = serving.now
        found = made(asked, await serving.ask(asked.queries.examples))
        etag = asked.etag(kind.__name__, found[2])
        headers = {"ETag": etag, "Cache-Control": "no-cache", **more}
        return Response(None, 304, headers) if is_known(request, etag) else kind(found[part], headers=headers)

    async def openapi(request: Request) -> Response:
        return await answer(request, 0, _Json, {})

    async def docs(request: Request) -> Response:
        return await answer(request, 1, HTMLResponse, {"Content-Security-Policy": POLICY})

    return {"/openapi.json": openapi, "/docs": docs}


class _Json(Response):
    media_type = JSON


def _add_explorer(app: FastAPI) -> None:
    """The pages for people, last: they take what is left of the addresses."""
    if importlib.util.find_spec("gateway.explorer") is not None:
        from gateway.explorer.pages import explorer_routes

        app.router.routes.extend(explorer_routes())
