"""Page tokens: where the next page of a search begins, signed with the read model's own secret.

A token holds the sort cells and `born` of the last object shown, the type it is of, the generation of the read model,
and a fingerprint of the query. One that was forged, cut, or belongs to another query or generation is refused.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

import orjson

from ontology_assets.queries.refusal import QueryRefused
from resources.read_model.base import StoredState
from resources.read_model.query import After, Cell

SIGNATURE_BYTES = 16
MAX_TOKEN = 20_000
WHERE = "after"


def query_fingerprint(document: Any) -> str:
    """Of the parts of a query that decide its order and its members."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def write_token(after: After, type_name: str, fingerprint: str, state: StoredState) -> str:
    cells = [{"bytes": cell.hex()} if isinstance(cell, bytes) else cell for cell in after.cells]
    payload = orjson.dumps([type_name, state.generation, fingerprint, after.born, cells])
    return base64.urlsafe_b64encode(_signature(payload, state) + payload).rstrip(b"=").decode()


def token_type(token: Any) -> str:
    """The type that a token names; it is not proved yet."""
    return str(_payload(_bytes(token))[0])


def read_token(token: Any, fingerprint: str, state: StoredState) -> After:
    """Raises QueryRefused."""
    raw = _bytes(token)
    _, generation, query, born, cells = _payload(raw)
    if generation != state.generation:
        raise QueryRefused("the page belongs to a read model that was built anew since; begin again", where=WHERE)
    if not hmac.compare_digest(raw[:SIGNATURE_BYTES], _signature(raw[SIGNATURE_BYTES:], state)):
        raise _no_token()
    if query != fingerprint:
        raise QueryRefused(
            "the page belongs to another query: type, text, where and sort must be the same", where=WHERE
        )
    return After(tuple(_cell(cell) for cell in cells), born)


def _bytes(token: Any) -> bytes:
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        raise _no_token()
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise _no_token() from fault


def _payload(raw: bytes) -> list[Any]:
    try:
        payload = orjson.loads(raw[SIGNATURE_BYTES:])
    except orjson.JSONDecodeError as fault:
        raise _no_token() from fault
    if not isinstance(payload, list) or len(payload) != 5:
        raise _no_token()
    return payload


def _signature(payload: bytes, state: StoredState) -> bytes:
    return hmac.digest(state.secret, payload, "sha256")[:SIGNATURE_BYTES]


def _cell(cell: Any) -> Cell:
    return bytes.fromhex(cell["bytes"]) if isinstance(cell, dict) else cell


def _no_token() -> QueryRefused:
    return QueryRefused("this is no token that an earlier page gave", where=WHERE)
