"""The wall clock, and nothing else. Who waits or measures a duration uses `time.monotonic`.

A wall clock may jump. It may say when something happened or when to *ask* for a lease, never who may write or what
comes first.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""What components take, so that a test can hand in its own time."""


def utc_now() -> datetime:
    """The time in UTC, with microseconds."""
    return datetime.now(UTC)
