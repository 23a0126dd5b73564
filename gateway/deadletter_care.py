"""What `spice deadletters` and `/v1/dead-letters` do, over both read models of a home."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import Any

from gateway.main_job import follow_all
from gateway.projection_care import place_of
from gateway.readers import open_readers
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.deadletters.letters import DeadLetter, exported, named, open_letters
from ontology_assets.projections.deadletters.retrying import Retried, retry
from ontology_assets.projections.deadletters.skipping import Skipped, skip
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.sinks import OPTIONS
from resources.home import Home
from resources.locks import exclusive


class DeadLetters:
    """Of one home. `projection`: only this one. A context manager."""

    def __init__(self, home: Home, domains: Sequence[Domain], projection: str | None = None) -> None:
        self._home, self._domains = home, domains
        self._names = sorted(OPTIONS) if projection is None else [projection]
        self._opened = ExitStack()

    def __enter__(self) -> "DeadLetters":
        self._places = [self._opened.enter_context(place_of(self._home, name, self._domains)) for name in self._names]
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def open(self, names: Collection[str] = ()) -> list[DeadLetter]:
        """All that are open, or those of these names. Raises NotBlocked."""
        found = [letter for place in self._places for letter in open_letters(place)]
        return named(found, names) if names else found

    def retry(self, names: Collection[str]) -> list[Retried]:
        """Of these names, all by default. Raises NotBlocked."""
        letters = self.open(names)
        return [done for place in self._places for done in retry(place, _of(place, letters))]

    def export(self, names: Collection[str]) -> list[dict[str, Any]]:
        letters = self.open(names)
        return [line for place in self._places for line in exported(place, _of(place, letters))]

    def skip(self, name: str, reason: str, *, actor: str | None, say: Callable[[str], None]) -> Skipped:
        """Give up the event that blocks, in all read models, and bring these past it. Raises NotBlocked."""
        letter = min(self.open([name]), key=lambda one: one.position)
        domain = next(one for one in self._domains if one.name == letter.domain)
        with (
            open_readers(self._home, [domain]) as readers,
            exclusive(self._home.locks, "deadletters", holder="spice deadletters skip"),
        ):
            done = skip(readers.log(domain.name), readers.heads(domain.name), letter, reason, actor)
            follow_all(readers, domain, say=say)
        return done


def _of(place: Place, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    return [one for one in letters if one.projection == place.projection]
