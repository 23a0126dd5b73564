"""The explorer page: its files, and the addresses at which it appears. Its scripts ask the API for what it shows.

Every address is answered with the same document; `static/main.js` reads the address and draws the page. Nothing here
reads data, and nothing is fetched from another host: the policy below lets the browser load from this server only.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.http.addresses import register

STATIC = Path(__file__).parent / "static"
FILES = "/explorer"
"""Where the static files are served, below the gateway's root."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Revalidated each time (304 by ETag), so that a page never mixes the files of two versions of the product.
    "Cache-Control": "no-cache",
}


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "page.html", media_type="text/html", headers=HEADERS)


def explorer_routes() -> list[BaseRoute]:
    """Search `/`, `/objects/..`, `/graph/..`, `/lineage/..`, and the files of the page."""
    register()
    addresses = (
        "/",
        "/objects/{type}/{key:id}",
        "/graph/{type}/{key:id}",
        "/lineage/{type}/{property}",
        "/lineage/{type}",
    )
    pages = [Route(address, _page, include_in_schema=False) for address in addresses]
    return [*pages, Mount(FILES, app=_Files(directory=STATIC), name="explorer")]
