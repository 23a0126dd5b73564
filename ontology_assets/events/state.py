"""The state inside an event's `data`: its exact text, and its hash.

`data` is canonical JSON, `{"changed":[...],"state":...}` or `{"state":...}`, the state last; `state_hash` is the sha256
of the state's own text. It is cut out, never parsed and written again: another writer may spell a number differently.
"""

import hashlib
import json

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = '{"state":'
_CHANGED = '{"changed":['
_AFTER_CHANGED = '],"state":'


def state_text(data: str) -> str:
    """The text of the state. Raises ValueError if `data` has none."""
    if data.startswith(_PLAIN):
        return data[len(_PLAIN) : -1]
    if data.startswith(_CHANGED):
        # A quote inside a JSON string is escaped, so this can't be part of a name.
        at = data.find(_AFTER_CHANGED)
        if at > 0:
            return data[at + len(_AFTER_CHANGED) : -1]
    return _searched(data)


def hash_of_state(data: str) -> str | None:
    """sha256 (hex) of the state's text, or None if `data` has no state."""
    try:
        return hashlib.sha256(state_text(data).encode()).hexdigest()
    except ValueError:
        return None


def state_hashes(data: pa.ChunkedArray) -> list[str | None]:
    """hash_of_state of a whole column."""
    texts = data.cast(pa.binary()).to_pylist()
    if pc.all(pc.starts_with(data, _PLAIN)).as_py():
        skip = len(_PLAIN)
        return [hashlib.sha256(text[skip:-1]).hexdigest() for text in texts]
    return [hash_of_state(text.decode()) for text in texts]


def _searched(data: str) -> str:
    decoder, at = json.JSONDecoder(), data.find("{") + 1
    if not at:
        raise ValueError("not a JSON object")
    while True:
        key, at = decoder.raw_decode(data, at)
        start = data.index(":", at) + 1
        _, at = decoder.raw_decode(data, start)
        if key == "state":
            return data[start:at]
        at = data.index(",", at) + 1
