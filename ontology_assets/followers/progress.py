"""A follower's times, how far it is, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum

from resources.registry.base import RENEW_SECONDS, TTL_SECONDS

POLL_SECONDS = 0.1
"""How often an idle follower looks at the end of the log; each look costs 0.3 to 0.8 ms of a cold processor."""
HANDOVER_SECONDS = 0.02
"""How often a waiting follower looks whether the lease is free."""


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
