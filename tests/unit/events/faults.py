"""Real local object stores that fail as stores and networks do: before or after doing, late, or without condition."""

from collections.abc import Callable
from pathlib import Path

from resources.object_store.base import PutOutcome
from resources.object_store.local import LocalObjectStore


class HttpError(Exception):
    """What an HTTP client raises for an answer that is no success."""


OUTCOMES: dict[str, Callable[[], Exception]] = {
    "reply lost": lambda: EOFError("the connection was closed before the reply"),
    "500": lambda: HttpError("500 Internal Server Error"),
    "503": lambda: HttpError("503 Slow Down"),
    "reset": lambda: ConnectionResetError("connection reset by peer"),
    "time-out": lambda: TimeoutError("no reply in 30 s"),
    "409 without a body": lambda: HttpError("409 Conflict"),
    "412 without a body": lambda: HttpError("412 Precondition Failed"),
}
"""What a client may see for a put, whether it was applied or not."""


class LosingReplies(LocalObjectStore):
    """Each put of a commit record takes the next fault of the list; afterwards all goes well.

    "before": raises, nothing done. "after": done, then raises. "unknown": done, says UNKNOWN. "nothing": not done,
    says UNKNOWN. "exists": done, says EXISTS (the client library repeated a put whose reply was lost). "read": done,
    raises, and the next read fails too. A function: called before the put (somebody else comes first), then "before".
    A pair (name of OUTCOMES, applied): the put is applied or not, then that is raised.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.faults: list[str | tuple[str, bool] | Callable[[], object]] = []
        self.offered: list[tuple[str, bytes]] = []
        self._read_fails = False

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        if not key.startswith("log/"):
            return super().put_if_absent(key, data)
        self.offered.append((key, data))
        fault = self.faults.pop(0) if self.faults else ""
        if callable(fault):
            fault()
            raise ConnectionResetError("reset before the request was sent")
        if isinstance(fault, tuple):
            outcome, applied = fault
            if applied:
                super().put_if_absent(key, data)
            raise OUTCOMES[outcome]()
        if fault == "before":
            raise TimeoutError("no connection")
        if fault == "nothing":
            return PutOutcome.UNKNOWN
        done = super().put_if_absent(key, data)
        if fault in ("after", "read"):
            self._read_fails = fault == "read"
            raise TimeoutError("reply lost")
        return {"unknown": PutOutcome.UNKNOWN, "exists": PutOutcome.EXISTS}.get(
            fault if isinstance(fault, str) else "", done
        )

    def get(self, key: str) -> bytes:
        if self._read_fails:
            self._read_fails = False
            raise ConnectionResetError("reset while reading")
        return super().get(key)


class Overwriting(LocalObjectStore):
    """Passes the proof, then ignores the condition: the control that must lose a commit."""

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        if not key.startswith("log/"):
            return super().put_if_absent(key, data)
        self.put(key, data)
        return PutOutcome.DONE
