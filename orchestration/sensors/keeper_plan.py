"""What the keeper does about one follower, decided from what it sees. Nothing here asks or changes anything.

Alive means that the follower's leases are fresh, never that Dagster says STARTED: after a power cut a run stays STARTED
for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from resources.registry.base import Lease

ON_ITS_WAY = timedelta(seconds=30)
"""A requested run that is not to be seen yet may still come for this long."""
NEVER_TOOK_IT = timedelta(seconds=60)
"""A started run without a lease is dead after this: loading takes 3 to 10 s, and a successor relieves at once."""
HAND_OVER_AFTER = timedelta(minutes=54)
QUICK = timedelta(seconds=60)
FREE_RESTARTS = 2
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True)
class SeenRun:
    """A run of the follower's job. `queued` until a process was started for it; `ended_at` None while unfinished."""

    run_id: str
    queued: bool
    since: datetime
    ended_at: datetime | None = None
    failed: bool = False


@dataclass(frozen=True)
class Seen:
    """`leases`: one per log that is to be followed, None where nobody ever did. `runs` newest first; None: not asked.

    `requested_at`: when a run was requested that is not to be seen yet. `loaded`: for which loading of the definitions
    the follower at work was started; `handed_over_to`: the loading for which a hand-over was requested before.
    """

    now: datetime
    leases: Sequence[Lease | None]
    runs: Sequence[SeenRun] | None
    requested_at: datetime | None
    loaded: str | None
    handed_over_to: str | None


@dataclass(frozen=True)
class Plan:
    """`dead` runs are to be ended; with `start` (the reason) the next run is requested; `because` is for the tick."""

    dead: tuple[str, ...] = ()
    start: str | None = None
    because: str = "at work"


def is_at_work(seen: Seen) -> bool:
    """Whether every log is followed."""
    return all(lease is not None and lease.is_alive(seen.now) for lease in seen.leases)


def successor_is_due(seen: Seen, loaded: str) -> str | None:
    """Why a follower that is at work should hand over now."""
    if loaded not in (seen.loaded, seen.handed_over_to):
        return "definitions changed"
    oldest = min((lease.acquired_at for lease in seen.leases if lease is not None), default=seen.now)
    return "hand-over" if seen.now - oldest >= HAND_OVER_AFTER else None


def plan(seen: Seen, loaded: str) -> Plan:
    """`loaded` is the loading of the definitions that asks. `seen.runs` must have been asked for."""
    runs = seen.runs or ()
    holders = {lease.run_id for lease in seen.leases if lease is not None and lease.is_alive(seen.now)}
    lost = {lease.run_id for lease in seen.leases if lease is not None and lease.renewed_at is not None} - holders
    unfinished = [run for run in runs if run.ended_at is None and run.run_id not in holders]
    dead = tuple(
        run.run_id
        for run in unfinished
        if not run.queued and (run.run_id in lost or seen.now - run.since > NEVER_TOOK_IT)
    )
    if not seen.leases:
        return Plan(dead, because="there is no log to follow")
    reason = successor_is_due(seen, loaded) if is_at_work(seen) else "nobody follows"
    if reason is None:
        return Plan(dead)
    if any(run.run_id not in dead for run in unfinished):
        return Plan(dead, because="the next run is on its way")
    if seen.requested_at is not None and seen.now - seen.requested_at < ON_ITS_WAY:
        return Plan(dead, because="the next run was requested")
    pause = pause_after_failures(runs, seen.now)
    if pause > timedelta(0):
        return Plan(dead, because=f"failed again and again; the next try in {pause.total_seconds():.0f} s")
    return Plan(dead, start=reason, because=reason)


def pause_after_failures(runs: Sequence[SeenRun], now: datetime) -> timedelta:
    """How long to wait still: after the second quick failure in a row 15 s, then twice as long each time.

    A follower that can never succeed would otherwise fill the run list, one red run in ten seconds.
    """
    quick: list[datetime] = []
    for run in runs:
        if run.ended_at is None:
            continue
        if not run.failed or run.ended_at - run.since > QUICK:
            break
        quick.append(run.ended_at)
    if len(quick) <= FREE_RESTARTS:
        return timedelta(0)
    pause = min(timedelta(seconds=15 * 2 ** min(len(quick) - FREE_RESTARTS - 1, 10)), LONGEST_PAUSE)
    return max(quick[0] + pause - now, timedelta(0))
