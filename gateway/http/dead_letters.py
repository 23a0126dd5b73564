"""`GET /v1/dead-letters`: the objects that a read model has set aside. `spice deadletters` tries them again."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.documents import JSON
from gateway.http.serving import Serving
from gateway.readers import Readers
from ontology_assets.projections.deadletters.letters import letters_of
from ontology_assets.queries.objects import Document

MOST = 1_000


class DeadLetterRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def dead_letters(self, _: Request) -> Response:
        document = await self._serving.ask_log(dead_letters_document)
        return Response(orjson.dumps(document), 200, {"Cache-Control": "no-store"}, JSON)


def dead_letters_document(readers: Readers) -> Document:
    """`{"total", "dead_letters"}`: the first MOST of each read model and domain. Domains that were never run are left
    out. Raises NotReady.
    """
    total, found = 0, []
    for domain in sorted(one.name for one in readers.domains):
        log = readers.log(domain)
        if log.end().n < 0:
            continue
        for name, model in readers.queries.models().items():
            with model.snapshot(domain) as snapshot:
                parked = snapshot.all_parked()
            total += len(parked)
            found += [one.document() for one in letters_of(name, log, parked[:MOST])]
    return {"total": total, "dead_letters": found}
