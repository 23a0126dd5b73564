"""Whether a command shows in the read models: read your own writes. Who waits how is the caller's.

A position is one of a generation: a rebuild or an undo may put another in its place between two looks.
"""

from collections.abc import Mapping
from typing import NamedTuple

from resources.read_model.base import GraphModel, NotReady, SearchModel
from resources.read_model.time_limit import TimeLimit

Models = Mapping[str, SearchModel | GraphModel]


class At(NamedTuple):
    """Where a read model stands."""

    position: int
    generation: str


Standing = Mapping[str, At | str]
"""By read model: where it stands, or why it can't tell."""


class Seen(NamedTuple):
    """One look at an object in every read model; `aside`: those that have set it aside, and why."""

    standing: Standing
    aside: Mapping[str, str]


def standing(models: Models, domain: str, limit: TimeLimit | None = None) -> Standing:
    """Where the read models of a domain stand now. Raises TooSlow."""
    found: dict[str, At | str] = {}
    for name, model in models.items():
        try:
            with model.snapshot(domain, limit) as snapshot:
                found[name] = At(snapshot.state.position, snapshot.state.generation)
        except NotReady as fault:
            found[name] = fault.detail
    return found


def behind(found: Standing, position: int) -> dict[str, str]:
    """Which read models are not at the position yet, and why not; empty when all are."""
    return {
        name: f"stands at position {at.position} (generation {at.generation})"
        if isinstance(at, At)
        else f"can't answer: {at}"
        for name, at in found.items()
        if not isinstance(at, At) or at.position < position
    }


def seen(models: Models, domain: str, type_name: str, object_id: str, limit: TimeLimit | None = None) -> Seen:
    """The object as the read models have it: each at one position of one generation. Raises NotReady, TooSlow."""
    found: dict[str, At | str] = {}
    aside: dict[str, str] = {}
    for name, model in models.items():
        with model.snapshot(domain, limit) as snapshot:
            found[name] = At(snapshot.state.position, snapshot.state.generation)
            if (one := snapshot.parked(type_name, object_id)) is not None:
                aside[name] = f"has set the object aside at position {one.position} ({one.reason})"
    return Seen(found, aside)
