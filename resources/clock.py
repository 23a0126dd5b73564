"""The clock port: the wall clock, durations, waiting, and a beat beside other work.

A wall clock may jump. It may say when something happened or when to *ask* for a lease, never who may write or what
comes first. Durations come from `monotonic`.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""What components take that need no more than the time, so that a test can hand in its own."""


def utc_now() -> datetime:
    """The time in UTC, with microseconds."""
    return datetime.now(UTC)


class Clock(ABC):
    """What a loop takes that waits."""

    @abstractmethod
    def now(self) -> datetime:
        """The wall clock, UTC."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    @abstractmethod
    def sleep(self, seconds: float) -> None: ...

    @abstractmethod
    def every(self, seconds: float, action: Callable[[], bool], name: str) -> AbstractContextManager[None]:
        """Runs `action` beside the block, each time after so many seconds, until it answers False or the block ends.

        The block's end waits for an action that is under way.
        """


class SystemClock(Clock):
    """The machine's clock; `every` is a daemon thread."""

    def now(self) -> datetime:
        return utc_now()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @contextmanager
    def every(self, seconds: float, action: Callable[[], bool], name: str) -> Iterator[None]:
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(seconds):
                if not action():
                    return

        thread = threading.Thread(target=beat, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


SYSTEM_CLOCK = SystemClock()
