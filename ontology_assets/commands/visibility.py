"""Whether a command shows in the read models: read your own writes. Who waits how is the caller's."""

from collections.abc import Mapping

from resources.read_model.base import GraphModel, NotReady, SearchModel
from resources.read_model.time_limit import TimeLimit

Models = Mapping[str, SearchModel | GraphModel]
Standing = Mapping[str, int | str]
"""By read model: the position it stands at, or why it can't tell."""


def standing(models: Models, domain: str, limit: TimeLimit | None = None) -> Standing:
    """Where the read models of a domain stand now. Raises TooSlow."""
    found: dict[str, int | str] = {}
    for name, model in models.items():
        try:
            with model.snapshot(domain, limit) as snapshot:
                found[name] = snapshot.state.position
        except NotReady as fault:
            found[name] = fault.detail
    return found


def behind(found: Standing, position: int) -> dict[str, str]:
    """Which read models are not at the position yet, and why not; empty when all are."""
    return {
        name: f"stands at position {at}" if isinstance(at, int) else f"can't answer: {at}"
        for name, at in found.items()
        if not isinstance(at, int) or at < position
    }


def parked(
    models: Models, domain: str, type_name: str, object_id: str, limit: TimeLimit | None = None
) -> dict[str, str]:
    """Which read models have set the object aside, and why. Raises NotReady, TooSlow."""
    found: dict[str, str] = {}
    for name, model in models.items():
        with model.snapshot(domain, limit) as snapshot:
            if (one := snapshot.parked(type_name, object_id)) is not None:
                found[name] = f"has set the object aside at position {one.position} ({one.reason})"
    return found
