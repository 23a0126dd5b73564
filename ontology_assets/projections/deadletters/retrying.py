"""Trying blocked objects again: each is made of its whole history with the code and the skips of now.

It stops at the first event that does not fit, as following does. Row, digest, parked entry change in one transaction
at the model's own position; whoever follows the log goes on after it, and a kill leaves the model as it was.
"""

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass

from ontology_assets.projections.deadletters.letters import DeadLetter, letters_of
from ontology_assets.projections.rebuild.place import Place
from resources.errors import SpiceError


class StillBlocked(SpiceError):
    """An object has an event that does not fit also by the code of now."""

    kind = "spice:still-blocked"


@dataclass(frozen=True)
class Retried:
    """`letter`: as it was; `left`: as it is now, None where nothing waits any more."""

    letter: DeadLetter
    left: DeadLetter | None

    @property
    def applied(self) -> int:
        """Events that waited and do no longer."""
        return self.letter.waiting - (0 if self.left is None else self.left.waiting)


def retry(place: Place, letters: Sequence[DeadLetter]) -> list[Retried]:
    """Bucket by bucket, so that the model is held shortly. What still does not fit is told, not raised."""
    done = []
    for source in place.sources:
        mine = [one for one in letters if one.domain == source.domain.name]
        for bucket in sorted({one.bucket for one in mine}):
            of_bucket = [one for one in mine if one.bucket == bucket]
            with closing(place.live_sink(source)) as sink:
                parked = sink.renew({(one.type, one.id) for one in of_bucket}).parked
            left = {(one.type, one.id): one for one in letters_of(place.projection, source.log, parked)}
            done += [Retried(one, left.get((one.type, one.id))) for one in of_bucket]
    return done


def refuse_blocked(place: Place, done: Collection[Retried], named: int = 5) -> None:
    """Raises StillBlocked if one of them is, naming the first of them."""
    left = [one.left for one in done if one.left is not None]
    if left:
        told = "; ".join(f"{one.type} {one.id} at event {one.position} ({one.reason})" for one in left[:named])
        more = f" and {len(left) - named:,} more" if len(left) > named else ""
        raise StillBlocked(
            "Still blocked",
            f"{len(left):,} of {len(done):,} objects: {told}{more}. Nothing else was held up by them. Make the "
            "definition or the code fit the event and try again, or give it up: `spice deadletters skip "
            f"{left[0].name} --reason ...`.",
            where=f"deadletters/{place.projection}",
            status=409,
        )
