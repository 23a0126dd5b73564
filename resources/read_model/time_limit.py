"""How long a read of a read model may take. An adapter stops its engine by it; loops above ask it between two steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from resources.errors import SpiceError


class TooSlow(SpiceError):
    """A read was stopped at its time limit."""

    kind = "spice:too-slow"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "Query too slow",
            f"it was stopped after {seconds:g} s. Ask for less: a type, a condition that few objects satisfy, a "
            "smaller limit or max_nodes, fewer hops; or ask again when the server has less to do.",
            status=503,
        )


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """`until` is a time of `clock`. `waits`: for a connection that others use; without it the read gives up at once,
    which is what a thread needs that must not be held up.
    """

    seconds: float
    until: float
    waits: bool = True
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, seconds: float) -> "TimeLimit":
        """From now on."""
        return cls(seconds, time.monotonic() + seconds)

    @classmethod
    def at_once(cls, seconds: float) -> "TimeLimit":
        """So much of this thread's own work, and no waiting: on a busy machine a small read must not count as large."""
        return cls(seconds, time.thread_time() + seconds, waits=False, clock=time.thread_time)

    @property
    def left(self) -> float:
        return max(0.0, self.until - self.clock())

    def passed(self) -> bool:
        return self.clock() > self.until

    def check(self) -> None:
        """Raises TooSlow."""
        if self.passed():
            raise TooSlow(self.seconds)
