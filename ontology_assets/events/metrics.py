"""What appending has cost so far, by log object: numbers a caller can read. No registry, nothing is sent anywhere."""

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class AppendMetrics:
    """Totals since the log object was opened.

    `appends` are commits of ours, `events` and `bytes` what they hold (bytes: records and data files), `seconds` the
    time from asking to answer, failed ones included. `retries` are offers of the same bytes to the same number,
    `beaten` offers whose number another writer had taken, `conflicts` decisions made again since what they read or
    wrote was touched. `repeated` were in the log already.
    """

    appends: int = 0
    repeated: int = 0
    events: int = 0
    bytes: int = 0
    seconds: float = 0.0
    retries: int = 0
    beaten: int = 0
    conflicts: int = 0

    def since(self, before: "AppendMetrics") -> "AppendMetrics":
        """What was added after `before`."""
        return AppendMetrics(**{name: n - getattr(before, name) for name, n in vars(self).items()})

    def text(self) -> str:
        """For people: `1 append, 842 events, 65,536 bytes in 0.120 s; 0 repeated, 0 retries, 1 beaten, ...`."""
        return (
            f"{self.appends} append{'' if self.appends == 1 else 's'}, {self.events:,} events, {self.bytes:,} bytes "
            f"in {self.seconds:.3f} s; {self.repeated} repeated, {self.retries} retries, {self.beaten} beaten, "
            f"{self.conflicts} decided again"
        )


class AppendCounter:
    """Adds up; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = AppendMetrics()

    @property
    def total(self) -> AppendMetrics:
        return self._total

    def add(self, **more: float) -> None:
        with self._lock:
            self._total = replace(self._total, **{name: getattr(self._total, name) + n for name, n in more.items()})
