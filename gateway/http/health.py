"""`GET /v1/health`: how far the log and the read models are. Reads only; nothing is created by asking."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.documents import JSON
from gateway.http.serving import Serving
from gateway.readers import Readers
from ontology_assets.projections.digest import digest_text
from ontology_assets.queries.objects import Document
from resources.addresses import dagster_url
from resources.errors import SpiceError
from resources.read_model.base import GraphModel, SearchModel

OK, BEHIND, UNAVAILABLE = "ok", "behind", "unavailable"


class HealthRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def health(self, _: Request) -> Response:
        """503 where a question can't be answered now; the problems say why."""
        document = await self._serving.ask_log(health_document)
        if self._serving.broken is not None:
            document["problems"].append(self._serving.broken.problem())
        status = 503 if document["status"] == UNAVAILABLE else 200
        return Response(orjson.dumps(document), status, {"Cache-Control": "no-store"}, JSON)


@dataclass(frozen=True)
class Standing:
    """One projection of one domain."""

    position: int
    lag: int
    parked: int
    digest: str
    updated_at: datetime | None

    def document(self) -> Document:
        at = None if self.updated_at is None else self.updated_at.isoformat()
        return {
            "position": self.position,
            "lag": self.lag,
            "parked": self.parked,
            "digest": self.digest,
            "updated_at": at,
        }


def health_document(readers: Readers) -> Document:
    """`{"status", "domains", "projections", "problems", "dagster"}`. Domains that were never run are left out."""
    problems: list[dict[str, Any]] = []
    domains: dict[str, Document] = {}
    standings: dict[str, list[Standing]] = {}
    for domain in sorted(one.name for one in readers.domains):
        try:
            end = readers.log(domain).end()
        except SpiceError as fault:
            problems.append(fault.problem())
            continue
        if end.n < 0:
            continue
        domains[domain] = {"position": end.position, "projections": {}}
        for name, model in readers.queries.models().items():
            try:
                standing = standing_of(model, domain, end.position)
            except SpiceError as fault:
                problems.append(fault.problem())
                continue
            domains[domain]["projections"][name] = standing.document()
            standings.setdefault(name, []).append(standing)
    if not domains and not problems:
        problems.append(_nothing(readers).problem())
    behind = any(standing.lag > 0 for of_one in standings.values() for standing in of_one)
    return {
        "status": UNAVAILABLE if problems else BEHIND if behind else OK,
        "domains": domains,
        "projections": {name: _together(of_one).document() for name, of_one in standings.items()},
        "problems": problems,
        "dagster": dagster_url(),
    }


def standing_of(model: SearchModel | GraphModel, domain: str, end: int) -> Standing:
    """Raises NotReady."""
    with model.snapshot(domain) as snapshot:
        state = snapshot.state
        # The log may have gone on since its end was read.
        return Standing(
            state.position,
            max(0, end - state.position),
            len(snapshot.all_parked()),
            digest_text(snapshot.digest()),
            state.updated_at,
        )


def _together(standings: list[Standing]) -> Standing:
    """One projection over all domains."""
    if len(standings) == 1:
        return standings[0]
    times = [one.updated_at for one in standings if one.updated_at is not None]
    return Standing(
        sum(one.position for one in standings),
        sum(one.lag for one in standings),
        sum(one.parked for one in standings),
        hashlib.sha256("\n".join(one.digest for one in standings).encode()).hexdigest()[:16],
        max(times, default=None),
    )


def _nothing(readers: Readers) -> SpiceError:
    return SpiceError(
        "Nothing here yet",
        "no domain of this home was ever run. Run `spice demo` or `spice run`, or start a job in the Dagster UI.",
        where=str(readers.home.root),
        allowed=sorted(one.name for one in readers.domains),
        status=503,
    )
