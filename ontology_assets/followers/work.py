"""One follower at work: taking the lease, claiming the sink, applying batch after batch while both are held.

When to begin, wait and end is decided in `follow.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from ontology_assets.followers.errors import EventsMissing
from ontology_assets.followers.history import refuse_another_history
from ontology_assets.followers.lease import HeldLease, lease_name
from ontology_assets.followers.progress import Ended, StopReason, Timing
from ontology_assets.followers.sink import FollowedLog, Sink
from resources.clock import Clock
from resources.fencing import Fenced
from resources.lean_arrow import give_memory_back
from resources.registry.base import Registry

SINK_LOOK_SECONDS = 0.5
"""How often an idle follower looks whether its sink is still the one it wrote, and the log the one it read."""
GIVE_BACK_AFTER_EVENTS = 1_000
"""A follower that becomes idle after this many events returns its memory: 222 MB -> 114 MB after a year of them."""


@dataclass
class Work:
    """One follower's parts, and what it has done so far."""

    log: FollowedLog
    sink: Sink
    registry: Registry
    owner: str
    run_id: str
    batch_rows: int
    timing: Timing
    clock: Clock
    events: int = 0
    epochs: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return lease_name(self.log.domain, self.sink.name)

    def position(self) -> int:
        return self.sink.position()

    def ended(self, reason: StopReason) -> Ended:
        return Ended(reason, self.position(), self.events, tuple(self.epochs))

    def try_lease(self) -> HeldLease | None:
        """The lease, with the sink claimed at its epoch; None while somebody else is at work."""
        lease = self.registry.acquire(
            self.name, owner=self.owner, run_id=self.run_id, min_epoch=self.sink.epoch(), ttl=self.timing.ttl
        )
        if lease is None:
            return None
        try:
            self.sink.claim(lease.epoch)
        except Fenced:  # overtaken between the two: a later holder has the store
            self.registry.release(lease)
            return None
        self.epochs.append(lease.epoch)
        return HeldLease(self.registry, lease, every=self.timing.renew, ttl=self.timing.ttl, clock=self.clock)

    def apply_until(self, target: int, held: HeldLease, on_batch: Callable[[int], None]) -> None:
        """Apply what the log has until the sink reaches `target`; returns early when the lease or the store is lost."""
        position = self.position()
        try:
            for batch in self.log.events(after_position=position, batch_rows=self.batch_rows):
                position = self._apply(batch, position, held)
                on_batch(position)
                if held.lost or position >= target:
                    return
        except Fenced:
            return

    def follow_until(self, stop: Callable[[], StopReason | None], held: HeldLease) -> StopReason | None:
        """Apply what comes until there is a reason to stop; None when the lease or the store is lost."""
        position = self.position()
        looked_at = self.clock.monotonic()
        given_back_at = self.events
        try:
            while not held.lost:
                if reason := StopReason.REQUESTED if held.stop_requested is not None else stop():
                    return reason
                if self.log.end().position != position:
                    position = self._apply_waiting(position, stop, held)
                    continue
                if self.events - given_back_at >= GIVE_BACK_AFTER_EVENTS:
                    give_memory_back()
                    given_back_at = self.events
                self.clock.sleep(self.timing.poll)
                if self.clock.monotonic() - looked_at > SINK_LOOK_SECONDS:
                    looked_at = self.clock.monotonic()
                    refuse_another_history(self.log, self.sink)
                    if self.position() != position:  # the store was deleted: begin again with the one that is there
                        return None
        except Fenced:
            return None
        return None

    def _apply_waiting(self, position: int, stop: Callable[[], StopReason | None], held: HeldLease) -> int:
        """Batch after batch up to the log's end, or until told to stop."""
        refuse_another_history(self.log, self.sink)
        for batch in self.log.events(after_position=position, batch_rows=self.batch_rows):
            position = self._apply(batch, position, held)
            if held.lost or held.stop_requested is not None or stop():
                break
        return position

    def _apply(self, batch: pa.RecordBatch, position: int, held: HeldLease) -> int:
        if not batch.num_rows:
            return position
        first = batch.column("position")[0].as_py()
        if first != position + 1:
            raise EventsMissing(
                "Events missing",
                f"after event {position} the log of {self.log.domain} gave event {first}; nothing was applied. "
                "Check it with `spice events verify`.",
                where=self.name,
                status=500,
            )
        self.sink.apply(batch, held.lease.epoch)
        self.events += batch.num_rows
        return position + int(batch.num_rows)
