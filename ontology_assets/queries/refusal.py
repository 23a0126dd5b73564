"""A query that can't be answered as it stands, and the reading of JSON documents that leads to it.

`where` of the problem is the path of the faulty part: `hops[0].where[1][2]`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from resources.errors import SpiceError

MAX_ALLOWED = 60
"""Names listed in one problem; more would hide the message."""


class QueryRefused(SpiceError):
    """The query document is wrong: where, why, and what is allowed."""

    kind = "spice:query-refused"

    def __init__(
        self, detail: str, *, where: str, allowed: Iterable[str] | None = None, title: str = "Query refused"
    ) -> None:
        names = None if allowed is None else list(allowed)[:MAX_ALLOWED]
        super().__init__(title, detail, where=where, allowed=names)


class NotFound(SpiceError):
    """There is no such object or type."""

    kind = "spice:not-found"

    def __init__(self, detail: str, *, where: str, allowed: Iterable[str] | None = None) -> None:
        names = None if allowed is None else list(allowed)[:MAX_ALLOWED]
        super().__init__("Not found", detail, where=where, allowed=names, status=404)


def read_object(value: Any, where: str, members: tuple[str, ...], needed: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """A JSON object that has no other members. `where` "" is the document itself."""
    place = where or "document"
    if not isinstance(value, Mapping):
        raise QueryRefused(f"a JSON object is expected, not {shown(value)}", where=place, allowed=members)
    for name in value:
        if name not in members:
            raise QueryRefused(f"there is no member {shown(name)} here", where=join(where, str(name)), allowed=members)
    for name in needed:
        if name not in value:
            raise QueryRefused(f"the member '{name}' is missing", where=place, allowed=members)
    return value


def read_list(value: Any, where: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise QueryRefused(f"a list is expected, not {shown(value)}", where=where)
    if len(value) > most:
        raise QueryRefused(f"{len(value)} entries are too many", where=where, allowed=[f"up to {most} entries"])
    return value


def read_text(value: Any, where: str, most: int) -> str:
    if not isinstance(value, str):
        raise QueryRefused(f"text is expected, not {shown(value)}", where=where)
    if len(value) > most:
        raise QueryRefused(f"{len(value)} characters are too many", where=where, allowed=[f"up to {most} characters"])
    return value


def read_count(value: Any, where: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise QueryRefused(f"{shown(value)} is no such number", where=where, allowed=[f"1 to {most}"])
    return value


def join(where: str, member: str) -> str:
    return f"{where}.{member}" if where else member


def shown(value: Any) -> str:
    """The value in a message, short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
