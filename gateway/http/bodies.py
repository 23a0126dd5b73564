"""Reading a request's JSON document, within limits: size (413), time (408), type (415), depth and form (400)."""

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from gateway.http.problems import RequestRefused
from gateway.http.serving import Limits

JSON = "application/json"


async def read_document(request: Request, limits: Limits) -> Any:
    """The JSON value of the body. Raises RequestRefused."""
    given = request.headers.get("content-type", "")
    kind, _, parameters = given.partition(";")
    if kind.strip().lower() != JSON or not _is_utf8(parameters):
        raise RequestRefused(
            "Unsupported media type",
            f"the body is {given[:100]!r}" if given else "the request does not say what its body is",
            where="header Content-Type",
            allowed=[JSON],
            status=415,
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestRefused(
            "Unsupported media type",
            "compressed bodies are not read",
            where="header Content-Encoding",
            allowed=["identity"],
            status=415,
        )
    body = await _body(request, limits)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        detail = f"{fault.msg} at line {fault.lineno}, column {fault.colno}" if body else "the body is empty"
        raise RequestRefused("No JSON", detail, where="body", allowed=["one JSON document"]) from fault
    # So many brackets there are, so deep it can be at most: nearly every document needs no further look.
    if body.count(b"[") + body.count(b"{") > limits.depth and _depth(document) > limits.depth:
        raise RequestRefused(
            "Too deep", "the document nests too deep", where="body", allowed=[f"up to {limits.depth} levels"]
        )
    return document


async def _body(request: Request, limits: Limits) -> bytearray:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limits.body_bytes:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                if len(body) + len(part) > limits.body_bytes:
                    raise _too_large(limits)
                body += part
    except TimeoutError:
        raise RequestRefused(
            "Body too slow",
            f"it did not arrive within {limits.body_seconds:g} s; send it again",
            where="body",
            status=408,
        ) from None
    except ClientDisconnect as fault:
        raise RequestRefused("Body incomplete", "the client went away", where="body") from fault
    return body


def _too_large(limits: Limits) -> RequestRefused:
    return RequestRefused(
        "Body too large",
        "the body is larger than one may be; send several",
        where="body",
        allowed=[f"up to {limits.body_bytes:,} bytes"],
        status=413,
    )


def _is_utf8(parameters: str) -> bool:
    text = parameters.strip().lower()
    return not text.startswith("charset=") or text.removeprefix("charset=").strip('"') in {"utf-8", "utf8"}


def _depth(document: Any) -> int:
    """How deep lists and objects nest; level by level, so that no document can exhaust the stack."""
    depth = 0
    level = [document]
    while level := [value for value in level if isinstance(value, list | dict)]:
        depth += 1
        level = [inner for value in level for inner in _inner(value)]
    return depth


def _inner(value: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
