"""The record of a rebuild, of the generation that an undo would ask again, and of an undo that Dagster was not told of.

Marks in the registry, changed by compare-and-set: whoever comes second joins or is told. Which generation is asked is
nowhere written down but in the alias.

A rebuild is not a backfill of Dagster's, whose id changes with every retry: it is opened by the first fill, joined by
the others, closed by the swap or by an abort, and outlives them all.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import orjson

from resources.errors import SpiceError
from resources.registry.base import Registry


class Stage(StrEnum):
    FILLING = "filling"
    SWAPPING = "swapping"
    """The alias may have moved: it says so itself."""
    SWAPPED = "swapped"
    ABORTED = "aborted"


OPEN = frozenset({Stage.FILLING, Stage.SWAPPING})


class RebuildRefused(SpiceError):
    """The rebuild can't do this now. What readers ask is as it was."""

    kind = "spice:rebuild-refused"

    def __init__(self, title: str, detail: str, *, where: str, allowed: list[str] | None = None) -> None:
        super().__init__(title, detail, where=where, allowed=allowed or [], status=409)


@dataclass(frozen=True)
class Start:
    """Where a domain's log ended when the rebuild was opened: its buckets are filled up to there."""

    position: int
    history: str | None


@dataclass(frozen=True)
class Proof:
    """The digest that log and generation have in common at a position, for one bucket of one domain."""

    position: int
    digest: str


@dataclass(frozen=True)
class Rebuild:
    """`code`: what the new generation is made by; `starts` by domain; `proofs` by bucket, then domain. `former`: the
    generation that was asked before the swap.
    """

    id: str
    projection: str
    generation: str
    code: str
    opened_at: str
    starts: dict[str, Start]
    proofs: dict[int, dict[str, Proof]] = field(default_factory=dict)
    stage: Stage = Stage.FILLING
    former: str | None = None

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN

    def text(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def parse(cls, text: str) -> "Rebuild":
        given = orjson.loads(text)
        given["starts"] = {domain: Start(**start) for domain, start in given["starts"].items()}
        given["proofs"] = {
            int(bucket): {domain: Proof(**proof) for domain, proof in of_bucket.items()}
            for bucket, of_bucket in given["proofs"].items()
        }
        return cls(**{**given, "stage": Stage(given["stage"])})


@dataclass(frozen=True)
class Pair:
    """What the last swap went between, and undos go to and fro between until `until` (ISO 8601).

    The one of the two that is not asked follows the log so long. An undo changes nothing here but `until`: it is done
    when the alias has moved, wherever its process dies.
    """

    generations: tuple[str, str]
    until: str
    rebuild_id: str

    def is_kept(self, now: datetime) -> bool:
        return now < datetime.fromisoformat(self.until)

    def other_than(self, asked: str | None) -> str | None:
        """None where neither is asked: the read model was deleted by hand since."""
        if asked not in self.generations:
            return None
        first, second = self.generations
        return second if asked == first else first

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def parse(cls, text: str) -> "Pair":
        given = orjson.loads(text)
        return cls(**{**given, "generations": tuple(given["generations"])})


@dataclass(frozen=True)
class Undone:
    """`behind`: events by domain that the generation asked now has still to apply. `told`: whether to Dagster."""

    generation: str
    former: str
    behind: dict[str, int]
    told: bool = False

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()


class Records:
    """What the registry knows of one projection's generations."""

    def __init__(self, registry: Registry, projection: str) -> None:
        self._registry, self._projection = registry, projection

    @property
    def _rebuild_key(self) -> str:
        return f"rebuild/{self._projection}"

    @property
    def _pair_key(self) -> str:
        return f"undo/{self._projection}"

    @property
    def _undone_key(self) -> str:
        return f"undone/{self._projection}"

    def rebuild(self) -> Rebuild | None:
        """The last one that was opened."""
        mark = self._registry.mark(self._rebuild_key)
        return None if mark is None else Rebuild.parse(mark.value)

    def open(self, new: Rebuild, after: Rebuild | None) -> bool:
        """Open one after another that is closed. False: somebody was faster."""
        former = None if after is None else after.text()
        return self._registry.replace_mark(self._rebuild_key, new.text(), instead_of=former)

    def change(self, rebuild_id: str, change: Callable[[Rebuild], Rebuild]) -> Rebuild:
        """Apply a change to the open rebuild of this id. Raises RebuildRefused if it is not open any more."""
        while True:
            now = self.rebuild()
            if now is None or now.id != rebuild_id or not now.is_open:
                state = "gone" if now is None or now.id != rebuild_id else str(now.stage)
                raise RebuildRefused(
                    "Rebuild closed", f"rebuild {rebuild_id} of {self._projection} is {state}.", where=self._projection
                )
            changed = change(now)
            if self._registry.replace_mark(self._rebuild_key, changed.text(), instead_of=now.text()):
                return changed

    def prove(self, rebuild_id: str, bucket: int, proof: dict[str, Proof]) -> Rebuild:
        return self.change(rebuild_id, lambda now: replace(now, proofs={**now.proofs, bucket: proof}))

    def disprove(self, rebuild_id: str, buckets: Collection[int]) -> Rebuild:
        """These buckets have to be filled again."""

        def without(now: Rebuild) -> Rebuild:
            return replace(now, proofs={one: proof for one, proof in now.proofs.items() if one not in buckets})

        return self.change(rebuild_id, without)

    def close(self, rebuild: Rebuild) -> None:
        """Its generation is asked. Again is as good as once: who finds the alias moved closes for one that died."""
        try:
            self.change(rebuild.id, lambda now: replace(now, stage=Stage.SWAPPED))
        except RebuildRefused:
            now = self.rebuild()
            if now is None or (now.id, now.stage) != (rebuild.id, Stage.SWAPPED):
                raise

    def pair(self) -> Pair | None:
        mark = self._registry.mark(self._pair_key)
        return None if mark is None else Pair.parse(mark.value)

    def keep(self, pair: Pair) -> None:
        self._registry.set_mark(self._pair_key, pair.text())

    def untold(self) -> Undone | None:
        """The last undo, as long as Dagster was not told of it."""
        mark = self._registry.mark(self._undone_key)
        undone = None if mark is None else Undone(**orjson.loads(mark.value))
        return None if undone is None or undone.told else undone

    def tell_of(self, undone: Undone) -> None:
        self._registry.set_mark(self._undone_key, undone.text())

    def told(self, undone: Undone) -> None:
        """Unless another undo came meanwhile."""
        self._registry.replace_mark(self._undone_key, replace(undone, told=True).text(), instead_of=undone.text())
