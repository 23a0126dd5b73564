"""Proof that a store really refuses a second put-if-absent.

A server that ignores the condition loses commits silently, so a log is not begun on a store that has not passed, and
`spice doctor` asks again.
"""

import uuid
from concurrent.futures import ThreadPoolExecutor

from resources.errors import SpiceError
from resources.object_store.base import ObjectStore, PutOutcome

_RACERS = 16


class PutIfAbsentBroken(SpiceError):
    """The store takes a second put-if-absent of the same key, or loses one."""

    kind = "spice:put-if-absent-broken"

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The object store can't hold a log",
            f"{detail}. Commits would be lost silently; use a store that honours put-if-absent.",
            status=500,
        )


def prove_put_if_absent(store: ObjectStore, prefix: str = "probe") -> None:
    """Second put refused, first content kept, one winner of a 16-way race; raises PutIfAbsentBroken."""
    lone, raced = f"{prefix}/{uuid.uuid4().hex}", f"{prefix}/{uuid.uuid4().hex}"
    try:
        first, second = store.put_if_absent(lone, b"first"), store.put_if_absent(lone, b"second")
        if first is not PutOutcome.DONE or second is not PutOutcome.EXISTS:
            raise PutIfAbsentBroken(f"two puts of one key were answered {first.value} and {second.value}")
        if store.get(lone) != b"first":
            raise PutIfAbsentBroken("a refused put replaced the content")
        with ThreadPoolExecutor(_RACERS) as pool:
            outcomes = list(pool.map(lambda i: store.put_if_absent(raced, b"%d" % i), range(_RACERS)))
        winners = [i for i, outcome in enumerate(outcomes) if outcome is PutOutcome.DONE]
        if len(winners) != 1 or store.get(raced) != b"%d" % winners[0]:
            raise PutIfAbsentBroken(f"{len(winners)} of {_RACERS} racing puts of one key were told they had won")
    finally:
        store.delete(lone)
        store.delete(raced)
