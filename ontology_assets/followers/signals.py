"""SIGINT and SIGTERM as a reason to stop, so that a follower ends its batch and gives its lease back."""

import signal
from types import FrameType, TracebackType
from typing import Any

from ontology_assets.followers.progress import StopReason

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal:
    """A context for the main thread; called, it says whether a signal came. The handlers before it are put back."""

    def __init__(self) -> None:
        self._seen = False
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> StopReason | None:
        return StopReason.SIGNAL if self._seen else None

    def __enter__(self) -> "StopOnSignal":
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._seen = True
