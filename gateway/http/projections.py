"""`GET /v1/projections` and `POST /v1/projections/{name}/undo`: generations of read models, and the way back."""

import asyncio
from typing import Any

import orjson
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.addresses import names_of
from gateway.http.bodies import read_document
from gateway.http.documents import JSON
from gateway.http.health import standing_of
from gateway.http.problems import RequestRefused, not_found
from gateway.http.serving import Serving
from gateway.projection_care import rebuild_document, tell_dagster, undo_here
from gateway.readers import Readers
from ontology_assets.projections.rebuild.record import Records
from ontology_assets.projections.sinks import OPTIONS, generations_of
from ontology_assets.queries.refusal import read_object, read_text
from ontology_assets.queries.service import MODELS
from resources.clock import utc_now

ASKED = "asked"


class ProjectionRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def projections(self, _: Request) -> Response:
        """By name: the generation that is asked, the one that an undo would ask, the rebuild that is open."""
        return _answer(await self._serving.ask_log(projections_document))

    async def undo(self, request: Request) -> Response:
        """Done when it is answered; Dagster is told afterwards."""
        names = names_of(request)
        if len(names) != 2 or names[1] != "undo":
            raise not_found(request.url.path)
        if names[0] not in OPTIONS:
            raise RequestRefused(
                "Unknown projection",
                f"there is no projection {names[0]!r}",
                where="address",
                allowed=sorted(OPTIONS),
                status=404,
            )
        given = read_object(await read_document(request, self._serving.limits), "", (ASKED,))
        asked = None if given.get(ASKED) is None else read_text(given[ASKED], ASKED, 100)
        home, domains = self._serving.home, self._serving.now.domains
        done = await asyncio.to_thread(undo_here, home, names[0], domains, asked)
        told = {"generation": done.generation, "former": done.former, "behind": done.behind}
        return _answer(told, BackgroundTask(tell_dagster, home))


def projections_document(readers: Readers) -> dict[str, Any]:
    return {"projections": {name: _projection(readers, name) for name in sorted(OPTIONS)}}


def _projection(readers: Readers, name: str) -> dict[str, Any]:
    """Domains that were never run are left out, as in the state of the service."""
    generations, records = generations_of(readers.home, name), Records(readers.registry, name)
    asked, pair, rebuild = generations.current(), records.pair(), records.rebuild()
    ends = {one.name: readers.log(one.name).end() for one in readers.domains}
    begun = {domain: end.position for domain, end in sorted(ends.items()) if end.n >= 0}
    model, undo = readers.queries.models()[name], None
    former = None if pair is None or not pair.is_kept(utc_now()) else pair.other_than(asked)
    if pair is not None and former in generations.present():
        kept = MODELS[name](generations.file(former), readers.queries.catalogue.layouts)
        behind = {domain: standing_of(kept, domain, end).lag for domain, end in begun.items()}
        kept.close()
        undo = {"generation": former, "until": pair.until, "behind": behind}
    return {
        "generation": asked,
        "undo": undo,
        "rebuild": rebuild_document(rebuild),
        "domains": {domain: standing_of(model, domain, end).document() for domain, end in begun.items()},
    }


def _answer(document: object, after: BackgroundTask | None = None) -> Response:
    return Response(orjson.dumps(document), 200, {"Cache-Control": "no-store"}, JSON, after)
