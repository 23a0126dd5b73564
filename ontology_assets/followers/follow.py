"""Following a domain's log: one loop for the relay and all projections, for a minute's catching up or for an hour.

Both ways take the follower's lease first, so that one process at a time does the work; who may write is the sink's
own fence. Nothing here knows Dagster, a database or what a sink makes of an event.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

from ontology_assets.followers.lease import HeldLease, lease_name
from ontology_assets.followers.sink import FollowedLog, Sink
from resources.clock import SYSTEM_CLOCK, Clock
from resources.errors import SpiceError
from resources.fencing import Fenced
from resources.lean_arrow import give_memory_back
from resources.registry.base import RENEW_SECONDS, TTL_SECONDS, Registry

POLL_SECONDS = 0.1
"""How often an idle follower looks at the end of the log; each look costs 0.3 to 0.8 ms of a cold processor."""
HANDOVER_SECONDS = 0.02
"""How often a waiting follower looks whether the lease is free."""
SINK_LOOK_SECONDS = 0.5
"""How often an idle follower looks whether its sink is still the one it wrote."""
BATCH_ROWS = 10_000
LIVE_BATCH_ROWS = 4_096
"""Of a long-running follower: its peak is 40 MB lower than with 10,000 rows, at the same speed."""
GIVE_BACK_AFTER_EVENTS = 1_000
"""A follower that becomes idle after this many events returns its memory: 222 MB -> 114 MB after a year of them."""


class StopReason(StrEnum):
    """Why a follower ended. Each is a clean end; a fault is an exception."""

    SIGNAL = "signal"
    REQUESTED = "stop requested"
    DEFINITIONS_CHANGED = "definitions changed"
    TIME_OVER = "time over"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Timing:
    """The loop's times in seconds. Tests shorten them."""

    poll: float = POLL_SECONDS
    renew: float = RENEW_SECONDS
    ttl: float = TTL_SECONDS
    handover: float = HANDOVER_SECONDS


TIMING = Timing()


@dataclass(frozen=True)
class Progress:
    """Where a follower stands; `waiting_for` names the holder of the lease while somebody else does the work."""

    position: int
    target: int
    waiting_for: str | None = None


@dataclass(frozen=True)
class CaughtUp:
    """The sink stands at `position`, at least where the log ended when asked. `events` were applied by this call.

    `parked` aggregates are not up to date in spite of it: one of their events could not be applied.
    """

    position: int
    events: int
    digest: str | None
    parked: int


@dataclass(frozen=True)
class Ended:
    """How a follower's run ended: `events` applied at the epochs it held."""

    reason: StopReason
    position: int
    events: int
    epochs: tuple[int, ...]


class EventsMissing(SpiceError):
    """The log skipped a position."""


class FollowerStalled(SpiceError):
    """Another process holds the lease and does not get on."""


class ForeignSink(SpiceError):
    """The sink was fed from another log than this one."""


def catch_up(
    log: FollowedLog,
    sink: Sink,
    registry: Registry,
    *,
    owner: str,
    run_id: str = "",
    timeout: float = 60.0,
    batch_rows: int = BATCH_ROWS,
    on_progress: Callable[[Progress], None] = lambda _: None,
    timing: Timing = TIMING,
    clock: Clock = SYSTEM_CLOCK,
) -> CaughtUp:
    """Bring `sink` to where the log ends now, and return.

    A follower that is already at work is not disturbed: the call waits until that one has come so far, and does the
    work itself if it dies. Raises FollowerStalled after `timeout` seconds without progress.
    """
    target = log.end().position
    work = _Work(log, sink, registry, owner, run_id, batch_rows, timing, clock)
    position = work.position()
    work.refuse_foreign_sink(position)
    moved_at = clock.monotonic()
    while position < target:
        held = work.try_lease()
        if held is None:
            lease = registry.read(work.name)
            waiting_for = "another process" if lease is None else f"{lease.owner} (process {lease.pid})"
            on_progress(Progress(position, target, waiting_for))
            if clock.monotonic() - moved_at > timeout:
                raise FollowerStalled(
                    "Follower stalled",
                    f"{waiting_for} holds the lease and has stood at event {position} of {target} for {timeout:.0f} s; "
                    "stop it, then try again.",
                    where=work.name,
                    status=503,
                )
            clock.sleep(timing.poll)
        else:
            with held:
                work.apply_until(target, held, lambda at: on_progress(Progress(at, target)))
        before, position = position, work.position()
        if position != before:
            moved_at = clock.monotonic()
    on_progress(Progress(position, target))
    return CaughtUp(position, work.events, sink.digest(), len(sink.parked()))


def follow(
    log: FollowedLog,
    sink: Sink,
    registry: Registry,
    *,
    owner: str,
    until: float,
    stop: Callable[[], StopReason | None] = lambda: None,
    run_id: str = "",
    batch_rows: int = LIVE_BATCH_ROWS,
    on_event: Callable[[str], None] = lambda _: None,
    timing: Timing = TIMING,
    clock: Clock = SYSTEM_CLOCK,
) -> Ended:
    """Keep `sink` at the log's end until `clock.monotonic()` reaches `until` or `stop()` names a reason (asked at each
    look).

    `stop` is asked at each look. Waits for the lease while another holds it, and takes it the moment it is given
    back. If it is lost to somebody else, the follower ends as superseded; if it merely ran out (the process was
    paused), it is taken again at the next epoch. `on_event` gets a sentence for people at each change of state.
    """
    work = _Work(log, sink, registry, owner, run_id, batch_rows, timing, clock)

    def reason_to_stop() -> StopReason | None:
        return stop() or (StopReason.TIME_OVER if clock.monotonic() >= until else None)

    led = False
    while True:
        held = work.try_lease()
        while held is None:
            if led:
                on_event(f"{work.name}: another follower has taken over")
                return work.ended(StopReason.SUPERSEDED)
            if reason := reason_to_stop():
                return work.ended(reason)
            clock.sleep(timing.handover)
            held = work.try_lease()
        led = True
        with held:
            on_event(f"{work.name}: at work with epoch {held.lease.epoch} from event {work.position()}")
            ended = work.follow_until(reason_to_stop, held)
        if ended is not None:
            on_event(f"{work.name}: {ended} at event {work.position()}")
            return work.ended(ended)
        on_event(f"{work.name}: lease or store lost, asking again")


@dataclass
class _Work:
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
    _known_log: str = ""

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
                    if self.position() != position:  # the store was deleted: begin again with the one that is there
                        return None
        except Fenced:
            return None
        return None

    def _apply_waiting(self, position: int, stop: Callable[[], StopReason | None], held: HeldLease) -> int:
        """Batch after batch up to the log's end, or until told to stop."""
        self.refuse_foreign_sink(position)
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

    def refuse_foreign_sink(self, position: int) -> None:
        """A sink at `position` (read before) must have come there by this log, or "caught up" would be a lie.

        Which log it was is a mark in the registry, set while the sink is empty.
        """
        end = self.log.end()
        if not end.log_id or end.log_id == self._known_log:
            fed_by = end.log_id
        else:
            mark = self.registry.mark(f"{self.name}/log")
            if position == 0 or mark is None:
                self.registry.set_mark(f"{self.name}/log", end.log_id)
            fed_by = end.log_id if position == 0 or mark is None else mark.value
            self._known_log = fed_by
        if position > end.position or fed_by != end.log_id:
            raise ForeignSink(
                "Foreign sink",
                f"{self.sink.name} stands at event {position} of another log; this one of {self.log.domain} ends at "
                f"{end.position}. Delete the file of {self.sink.name}: it is built again from this log.",
                where=self.name,
                status=409,
            )
