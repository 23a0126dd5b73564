"""What an object is called inside a domain."""

from collections.abc import Iterable

ObjectName = tuple[str, str]
"""(type, id)."""


def by_type(objects: Iterable[ObjectName]) -> dict[str, list[str]]:
    """Ids by type, in the order given."""
    found: dict[str, list[str]] = {}
    for name, key in objects:
        found.setdefault(name, []).append(key)
    return found
