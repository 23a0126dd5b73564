"""Holding a follower's lease: a thread renews it, so that a long batch does not look like a dead process."""

import threading
import time
from types import TracebackType

from resources.registry.base import RENEW_SECONDS, TTL_SECONDS, Lease, Registry, RegistryUnavailable


def lease_name(domain: str, sink: str) -> str:
    """The lease of the follower that feeds the sink of that name from that domain's log."""
    return f"follower/{domain}/{sink}"


class HeldLease:
    """A context: renews the lease while the block runs, gives it back at its end.

    `lost` and `stop_requested` are what the renewing thread saw last, at most `every` seconds old. Neither protects a
    write: a write that comes too late is refused by the store (`resources/fencing.py`).
    """

    def __init__(
        self, registry: Registry, lease: Lease, *, every: float = RENEW_SECONDS, ttl: float = TTL_SECONDS
    ) -> None:
        self.lease = lease
        self.lost = False
        self.stop_requested: str | None = None
        self._registry = registry
        self._every = every
        self._ttl = ttl
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, name=f"renew {lease.name}", daemon=True)

    def __enter__(self) -> "HeldLease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._registry.release(self.lease)

    def _renew_until_ended(self) -> None:
        renewed_at = time.monotonic()
        while not self._ended.wait(self._every):
            try:
                row = self._registry.renew(self.lease)
            except RegistryUnavailable:
                # Tried again in half a second; the one who holds the lease too long is told so by `lost`, and asking
                # for it anew then raises the fault in the follower's own thread.
                if time.monotonic() - renewed_at > self._ttl:
                    self.lost = True
                    return
                continue
            if row is None:
                self.lost = True
                return
            renewed_at = time.monotonic()
            self.stop_requested = row.stop_requested
