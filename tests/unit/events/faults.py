"""Real local object stores that fail as stores and networks do: before or after doing, late, or without condition."""

from collections.abc import Callable
from pathlib import Path

from resources.object_store.base import PutOutcome
from resources.object_store.local import LocalObjectStore


class LosingReplies(LocalObjectStore):
    """Each put of a commit record takes the next fault of the list; afterwards all goes well.

    "before": raises, nothing done. "after": done, then raises. "unknown": done, says UNKNOWN. "nothing": not done,
    says UNKNOWN. "exists": done, says EXISTS (the client library repeated a put whose reply was lost). "read": done,
    raises, and the next read fails too. A function: called before the put (somebody else comes first), then "before".
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.faults: list[str | Callable[[], object]] = []
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
