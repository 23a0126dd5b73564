"""The type and the key in an address: `/v1/objects/{type}/{key}`, where the key is the id as it stands in documents.

An id holds percent-encoded parts, so the address is taken as it was sent, never decoded as a whole: `a%2Fb/c` are the
parts `a/b` and `c`. Another spelling of the same bytes (`%3a`, or a bare `:`) is the same id. A generated client may
encode the whole id as one part; where a key has several, that is recognised.
"""

from typing import NamedTuple
from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from gateway.http.problems import RequestRefused, not_found
from ontology_assets.queries.catalogue import Catalogue

MAX_BYTES = 16_384


class AnyText(Convertor[str]):
    """The rest of an address, whatever it holds: Starlette's `path` does not match a line break."""

    regex = r"(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class Address(NamedTuple):
    type: str
    id: str


def register() -> None:
    """Make `{key:id}` known to routes."""
    register_url_convertor("id", AnyText())


def address_of(request: Request, catalogue: Catalogue) -> Address:
    """What the request's address names. Raises NotFound for an unknown type, RequestRefused for no text."""
    name, key = raw_parts(request, 2)
    known = catalogue.addressed(_text(name))
    parts = key.split("/")
    if len(parts) == 1 and len(known.object_type.key) > 1:
        parts = _text(key).split("/")
    return Address(known.name, "/".join(quote(_text(part), safe="") for part in parts))


def names_of(request: Request) -> list[str]:
    """The decoded parts of an address below `/v1/<what>/`."""
    return [_text(part) for part in raw_parts(request)]


def text_of(request: Request) -> str:
    """All of an address below `/v1/<what>/` as one text."""
    return _text(raw_parts(request, 1)[0])


def raw_parts(request: Request, most: int = -1) -> list[str]:
    """The parts below `/v1/<what>/` as they were sent; the last one keeps the rest."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    if len(raw) > MAX_BYTES:
        raise RequestRefused(
            "Address too long", "no key is so long", where="address", allowed=[f"up to {MAX_BYTES:,} bytes"], status=414
        )
    try:
        start, version, what, *rest = raw.decode("ascii").split("/", 2 + most if most > 0 else -1)
    except (UnicodeDecodeError, ValueError):
        raise not_found(request.url.path) from None
    if start or version != "v1" or not what or len(rest) < max(most, 1):
        raise not_found(request.url.path)
    return rest


def _text(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError as fault:
        raise RequestRefused(
            "Not a key", f"{part!r} holds percent signs that are no UTF-8", where="address", allowed=["UTF-8"]
        ) from fault
