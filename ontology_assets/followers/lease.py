"""Holding a follower's lease: it is renewed beside the work, so that a long batch does not look like a dead process."""

from types import TracebackType

from resources.clock import SYSTEM_CLOCK, Clock
from resources.registry.base import RENEW_SECONDS, TTL_SECONDS, Lease, Registry, RegistryUnavailable


def lease_name(domain: str, sink: str) -> str:
    """The lease of the follower that feeds the sink of that name from that domain's log."""
    return f"follower/{domain}/{sink}"


class HeldLease:
    """A context: renews the lease while the block runs, gives it back at its end.

    `lost` and `stop_requested` are what the last renewal saw, at most `every` seconds old. Neither protects a
    write: a write that comes too late is refused by the store (`resources/fencing.py`).
    """

    def __init__(
        self,
        registry: Registry,
        lease: Lease,
        *,
        every: float = RENEW_SECONDS,
        ttl: float = TTL_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.lease = lease
        self.lost = False
        self.stop_requested: str | None = None
        self._registry = registry
        self._ttl = ttl
        self._clock = clock
        self._renewed_at = clock.monotonic()
        self._renewing = clock.every(every, self._renew, f"renew {lease.name}")

    def __enter__(self) -> "HeldLease":
        self._renewing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._renewing.__exit__(kind, fault, trace)
        self._registry.release(self.lease)

    def _renew(self) -> bool:
        """Whether to go on renewing."""
        try:
            row = self._registry.renew(self.lease)
        except RegistryUnavailable:
            # Tried again in half a second; the one who holds the lease too long is told so by `lost`, and asking
            # for it anew then raises the fault in the follower's own thread.
            self.lost = self._clock.monotonic() - self._renewed_at > self._ttl
            return not self.lost
        if row is None:
            self.lost = True
            return False
        self._renewed_at = self._clock.monotonic()
        self.stop_requested = row.stop_requested
        return True
