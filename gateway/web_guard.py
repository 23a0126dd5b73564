"""ASGI middleware that lets in only requests which this machine's own pages and programs make.

The pages have no login, so a browser is the way in for strangers: a foreign page posting to a local port, or a foreign
name that was made to resolve to 127.0.0.1 (DNS rebinding). The first is told by `Origin` and `Sec-Fetch-Site`, the
second by `Host`. Programs send neither header and are let in.
"""

import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import orjson
import psutil
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from resources.errors import SpiceError

PROBLEM = "application/problem+json"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a listener on `host` is reached from this machine only."""
    return host in LOOPBACK or host.startswith("127.")


def names_of(host: str) -> frozenset[str]:
    """The `Host` names by which a listener on `host` may be addressed."""
    names = set(LOOPBACK) | {host.lower()}
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - recognised, not opened
        names.add(socket.gethostname().lower())
        for addresses in psutil.net_if_addrs().values():
            names.update(
                a.address.partition("%")[0] for a in addresses if a.family in {socket.AF_INET, socket.AF_INET6}
            )
    return frozenset(names)


def refusal(method: str, headers: Headers, names: Iterable[str]) -> SpiceError | None:
    """Why a request is turned away, None to let it in. `method` is WEBSOCKET for a websocket."""
    host = headers.get("host", "")
    if (urlsplit(f"//{host}").hostname or "") not in names:
        return _refused(421, "header Host", f"this server does not answer to the name {host!r}", sorted(names))
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return _refused(403, "header Origin", f"pages of {origin} may not use this server")
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    if site in {"cross-site", "same-site"} and not (method == "GET" and mode == "navigate"):
        return _refused(403, "header Sec-Fetch-Site", "other sites may link to this server, not use it")
    return None


def _refused(status: int, where: str, detail: str, allowed: list[str] | None = None) -> SpiceError:
    return SpiceError("Request refused", detail, where=where, allowed=allowed, status=status)


class WebGuard:
    """Wraps an application; `names` are the host names that it answers to."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app, self._names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            refused = refusal(scope.get("method", "WEBSOCKET"), Headers(scope=scope), self._names)
            if refused is not None:
                if scope["type"] == "websocket":
                    await receive()
                    await send({"type": "websocket.close", "code": 1008, "reason": refused.detail[:120]})
                else:
                    content = orjson.dumps(refused.problem())
                    await Response(content, refused.status, media_type=PROBLEM)(scope, receive, send)
                return
        await self._app(scope, receive, send)
