"""Offering one record to its number until it is known whose the number is.

Any exception means "unknown", never "conflict" and never "failed": the number is read, and while it is absent the same
bytes are offered to it again and nothing else is. What does not belong here: deciding what a record holds (log.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

from ontology_assets.events.chain import Chain
from ontology_assets.events.errors import LogDamaged, OutcomeUnknown
from ontology_assets.events.metrics import AppendCounter
from ontology_assets.events.record import Record
from resources.object_store.base import PutOutcome

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 1.0


@dataclass(frozen=True)
class Offer:
    """The bytes offered as record n. They never change while it is unknown whether they were taken."""

    record: Record
    data: bytes
    chain: str


class Offering:
    """At most one offer of this process is unsettled at a time."""

    def __init__(
        self, chain: Chain, *, patience_s: float, sleep: Callable[[float], None], counter: AppendCounter
    ) -> None:
        self._chain, self._patience_s, self._sleep, self._counter = chain, patience_s, sleep, counter
        self._unsettled: Offer | None = None

    def settle(self) -> None:
        """Find out about an offer that was given up on, before anything else is offered. Raises OutcomeUnknown."""
        if self._unsettled is not None:
            self.put(self._unsettled)

    def put(self, offer: Offer) -> bool:
        """True if the record is ours, False if the number is another's. Raises OutcomeUnknown when patience ends."""
        self._unsettled = offer
        n, waited, pause = offer.record.n, 0.0, _FIRST_PAUSE_S
        while True:
            mine, cause = self._put_once(offer)
            if mine is not None:
                self._unsettled = None
                return mine
            if waited >= self._patience_s:
                raise OutcomeUnknown(self._chain.domain, n, offer.record.batch, cause)
            self._sleep(pause)
            self._counter.add(retries=1)
            waited, pause = waited + pause, min(_LONGEST_PAUSE_S, pause * 2)

    def _put_once(self, offer: Offer) -> tuple[bool | None, str]:
        """(mine?, why it is not known). Whatever is not a plain DONE is settled by reading the number."""
        n = offer.record.n
        try:
            outcome = self._chain.store.put_if_absent(self._chain.key(n), offer.data)
            cause = f"put-if-absent was answered {outcome.value!r}"
        except Exception as error:  # noqa: BLE001 any exception means "unknown", never "failed" and never "conflict"
            outcome, cause = PutOutcome.UNKNOWN, repr(error)
        if outcome is PutOutcome.DONE:
            return True, ""
        try:
            found = self._chain.read(n)
            if found is None:
                return None, cause
            # The batch id alone would take somebody else's batch of the same id and other content for ours.
            mine = found.batch == offer.record.batch and found.chain == offer.chain
            if mine:
                self._chain.sync()  # seen is not durable: the sync may be what the put failed in
        except LogDamaged:
            raise
        except Exception as error:  # noqa: BLE001 the read may fail for the reason that the put did
            return None, f"{cause}, then {error!r}"
        return mine, ""
