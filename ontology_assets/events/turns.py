"""Turns: courtesy between the committers of one log, so that whoever is beaten again and again gets through.

A committer that was beaten some times puts a note beside the log; the others see it before they offer and wait until it
is gone. No promise rests on it: a note that is overlooked, lost or left behind costs a retry or a pause, never a
commit. No clock is compared: whoever waits counts its own waiting, and a note that outlives it is removed.
"""

from collections.abc import Callable

from resources.object_store.base import ObjectNotFound, ObjectStore, PutOutcome

PATIENCE = 8
"""So many lost offers are common luck; from then on a committer asks for a turn."""
DECIDED_AGAIN = 3
"""A decision that has to be made again counts so much more: of a load it takes seconds."""
LONGEST_S = 5.0
"""A turn is long enough to decide a year of objects again; one that lasts longer is of a process that died."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.005


class Turns:
    """One committer's view of the turns of one log."""

    def __init__(
        self, store: ObjectStore, domain: str, sleep: Callable[[float], None], new_id: Callable[[], str]
    ) -> None:
        self._store, self._key, self._sleep, self._new_id = store, f"log-turn/{domain}", sleep, new_id
        self._beaten = 0
        self._mine: bytes | None = None

    def give_way(self) -> None:
        """Wait while another committer has the turn."""
        waited, pause, first = 0.0, _FIRST_PAUSE_S, self._holder()
        holder = first
        while holder is not None and holder != self._mine:
            if holder != first:  # another one's turn: as long as the first one's
                waited, first = 0.0, holder
            if waited >= LONGEST_S:
                self._remove()
                return
            self._sleep(pause)
            waited, pause = waited + pause, min(_LONGEST_PAUSE_S, pause * 2)
            holder = self._holder()

    def beaten(self, weight: int = 1) -> None:
        """The number that was offered to is another's. After some of these, ask for a turn."""
        self._beaten += weight
        if self._beaten >= PATIENCE and self._mine is None:
            token = self._new_id().encode()
            try:
                if self._store.put_if_absent(self._key, token) is PutOutcome.DONE:
                    self._mine = token
            except Exception:  # noqa: BLE001 whatever a store raises: a turn is not worth an error
                return

    def done(self) -> None:
        """The append has ended, however."""
        self._beaten = 0
        if self._mine is not None:
            if self._holder() == self._mine:
                self._remove()
            self._mine = None

    def _holder(self) -> bytes | None:
        try:
            return self._store.get(self._key)
        except ObjectNotFound:
            return None
        except Exception:  # noqa: BLE001 the same: the log itself will say what is wrong with the store
            return None

    def _remove(self) -> None:
        try:
            self._store.delete(self._key)
        except Exception:  # noqa: BLE001 the same: a note that stays behind costs others a pause
            return
