"""Every error of the API as an RFC 9457 problem document, also those that the framework finds."""

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.web_guard import PROBLEM
from ontology_assets.canonical import NotCanonical
from ontology_assets.keys import KeyRefused
from resources.errors import SpiceError

RETRY_SECONDS = 1


class RequestRefused(SpiceError):
    """The request itself is wrong, whatever its document asks."""

    kind = "spice:request-refused"


def problem_response(error: SpiceError, headers: dict[str, str] | None = None) -> Response:
    """The problem as a response. One that passes by itself says when to ask again."""
    more = dict(headers or {}) | {"Cache-Control": "no-store"}
    if error.status == 503 and error.passes:
        more["Retry-After"] = str(RETRY_SECONDS)
    return Response(orjson.dumps(error.problem()), error.status, more, PROBLEM)


def not_found(path: str) -> SpiceError:
    """Nothing is served at an address."""
    return RequestRefused(
        "Not found",
        f"nothing is served at {path[:200]!r}; /docs lists what is.",
        where="address",
        status=404,
    )


async def _of_spice(_: Request, error: Exception) -> Response:
    assert isinstance(error, SpiceError)  # noqa: S101  registered for it
    return problem_response(error)


async def _of_key(_: Request, error: Exception) -> Response:
    """A text in an address that is no key: nothing is there, and what a key looks like is said."""
    assert isinstance(error, SpiceError)  # noqa: S101  registered for its kinds
    return problem_response(SpiceError.of({**error.problem(), "status": 404}))


async def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return problem_response(not_found(request.url.path), headers)
    if error.status_code == 405:
        allowed = sorted(headers.get("Allow", headers.get("allow", "")).replace(" ", "").split(","))
        refused = RequestRefused(
            "Method not allowed",
            f"{request.method} is not possible here",
            where="method",
            allowed=allowed,
            status=405,
        )
        return problem_response(refused, headers)
    detail = error.detail if isinstance(error.detail, str) else "the request can't be answered as it is"
    return problem_response(RequestRefused("Request refused", detail, status=error.status_code), headers)


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for it
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return problem_response(RequestRefused("Request refused", str(first["msg"]), where=place))


async def _of_fault(_: Request, __: Exception) -> Response:
    """A fault of ours. What it was stands in the server's log only: it may hold paths and data."""
    return problem_response(
        SpiceError(
            "Internal error",
            "the server failed on this request; its log says why. `spice doctor` looks at everything at once.",
            status=500,
        )
    )


def answer_with_problems(app: FastAPI) -> None:
    """Let every error that leaves a route become a problem document."""
    app.add_exception_handler(SpiceError, _of_spice)
    app.add_exception_handler(KeyRefused, _of_key)
    app.add_exception_handler(NotCanonical, _of_key)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _of_fault)
