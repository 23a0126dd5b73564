"""Documents as responses: JSON bytes, the ETag, and 304 where the asker has the same already."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"


def document_response(request: Request, document: Any, etag: str, status: int = 200) -> Response:
    """The document, or 304 with nothing for a GET that names this ETag."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return Response(None, 304, headers)
    return Response(orjson.dumps(document), status, headers, JSON)


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names it. Only GET and HEAD select a document; a question is asked anew each time."""
    given = request.headers.get("if-none-match")
    if given is None or request.method not in {"GET", "HEAD"}:
        return False
    return given.strip() == "*" or etag in {one.strip().removeprefix("W/") for one in given.split(",")}
