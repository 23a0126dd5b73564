"""`POST /v1/commands` and `GET /v1/commands/{id}`: one object changed, and what became of it.

The answer comes when the command is durable in the log. Who waits blocks nobody: the thread of the committer writes,
the event loop only hears of it.
"""

import asyncio
from dataclasses import replace
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.commanding import Commanding, known_command
from gateway.http.addresses import text_of
from gateway.http.arrivals import Arrivals
from gateway.http.bodies import read_document
from gateway.http.documents import JSON
from gateway.http.problems import RequestRefused, problem_response
from gateway.http.serving import Asked, Serving
from ontology_assets.canonical import NotCanonical
from ontology_assets.commands.command import read_command
from ontology_assets.commands.errors import NotSettled
from ontology_assets.commands.receipt import Receipt
from ontology_assets.keys import KeyRefused
from ontology_assets.tracing import read_traceparent
from resources.read_model.time_limit import TooSlow

POSITION = "position"
WAIT_SECONDS, MOST_WAIT_SECONDS = 10.0, 60.0


class CommandRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._arrivals = Arrivals(serving)
        self._commanding: tuple[Asked, Commanding] | None = None

    async def submit(self, request: Request) -> Response:
        """202 when the command is in the log, 200 when it shows as well, if that is waited for."""
        wait = _wait_of(request, ("wait", "timeout"))
        document = await read_document(request, self._serving.limits)
        asked, commanding = self._now()
        try:
            traceparent = read_traceparent(request.headers.get("traceparent"))
            command = replace(read_command(document), traceparent=traceparent)
            receipt = await commanding.service.arun(command, self._serving.limits.commit_seconds)
        except (KeyRefused, NotCanonical) as fault:  # elsewhere a text in an address, and 404
            return problem_response(fault)
        if receipt.status == "unknown":
            if wait is not None:
                raise NotSettled(receipt.command_id, self._serving.limits.commit_seconds)
            return _answer(receipt, 202)
        if receipt.already:
            receipt = await self._whole(receipt)
        if wait is None:
            return _answer(receipt, 202)
        return _answer(receipt, 200, await self._arrivals.wait(asked, receipt, wait))

    async def status(self, request: Request) -> Response:
        """A command that is in a log, whichever process took it and however long ago."""
        wait = _wait_of(request, ("wait", "timeout", "domain"))
        command_id, domain = text_of(request), request.query_params.get("domain")
        asked = self._serving.now
        receipt = await self._serving.ask_log(lambda readers: known_command(readers, command_id, domain))
        shown = None if wait is None else await self._arrivals.wait(asked, receipt, wait)
        return _answer(receipt, 200, shown)

    def close(self) -> None:
        """Commit what waits. Blocks as long as that takes."""
        if self._commanding is not None:
            self._commanding[1].close()

    def _now(self) -> tuple[Asked, Commanding]:
        """By the definitions in force; what was asked by the ones before is still committed by them."""
        asked = self._serving.now
        if self._commanding is None or self._commanding[0] is not asked:
            if self._commanding is not None:
                asyncio.get_running_loop().run_in_executor(None, self._commanding[1].close)
            self._commanding = asked, Commanding(asked.home, asked.domains)
        return self._commanding

    async def _whole(self, receipt: Receipt) -> Receipt:
        """Of a repeated command: what it once did, read from the log."""
        try:
            return await self._serving.ask_log(
                lambda readers: known_command(readers, receipt.command_id, receipt.domain)
            )
        except TooSlow:  # it is done, whatever else can't be told of it
            return receipt


def _answer(receipt: Receipt, status: int, shown: dict[str, str] | None = None) -> Response:
    """`shown`: the generation of each read model that was waited for."""
    address = f"/v1/commands/{quote(receipt.command_id, safe='')}"
    headers = {"Cache-Control": "no-store", **({"Location": address} if status == 202 else {})}
    told = receipt.document() | ({} if shown is None else {"shown": shown})
    return Response(orjson.dumps(told), status, headers, JSON)


def _wait_of(request: Request, known: tuple[str, ...]) -> float | None:
    """Seconds to wait for the read models, None not to. Raises RequestRefused for any parameter it does not know."""
    if not request.scope["query_string"]:
        return None
    given = request.query_params.multi_items()
    for at, (name, _) in enumerate(given):
        if name not in known:
            raise RequestRefused("Unknown parameter", f"there is no {name!r} here", where="query", allowed=list(known))
        if name in {before for before, _ in given[:at]}:
            raise RequestRefused("Parameter given twice", "once is enough", where=f"query {name}")
    wait, timeout = request.query_params.get("wait"), request.query_params.get("timeout")
    if wait is None:
        if timeout is not None:
            raise RequestRefused("No wait", "a timeout is that of a wait", where="query wait", allowed=[POSITION])
        return None
    if wait != POSITION:
        raise RequestRefused("Unknown wait", f"{wait!r} is nothing to wait for", where="query wait", allowed=[POSITION])
    return WAIT_SECONDS if timeout is None else _seconds(timeout)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MOST_WAIT_SECONDS:
        raise RequestRefused(
            "No timeout",
            f"{text!r} is no number of seconds to wait",
            where="query timeout",
            allowed=[f"more than 0, up to {MOST_WAIT_SECONDS:g}"],
        )
    return seconds
