"""Port of the registry: leases of followers and a few marks.

A lease says who is at work and since when, so that others wait, take over or show it. It is no permission to write:
each store fences itself with the lease's epoch (`resources/fencing.py`). Operations are one transaction each.
"""

import os
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from resources.errors import SpiceError

RENEW_SECONDS = 0.5
TTL_SECONDS = 4.0
"""A lease that was not renewed for this long is lost: eight missed renewals."""


class RegistryUnavailable(SpiceError):
    """The registry's store can't be read or written just now (locked for long, disk full, file not a database)."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__("Registry unavailable", detail, where=where, status=503)


class Processes:
    """What this process is called in a lease, and whether another one is gone."""

    @property
    def host(self) -> str:
        return this_host()

    @property
    def pid(self) -> int:
        return os.getpid()

    def is_gone(self, host: str, pid: int) -> bool:
        """True only if it ran on this machine and its id is free."""
        if host != self.host:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


THIS_MACHINE = Processes()


@dataclass(frozen=True)
class Lease:
    """One row: the last holder of `name`. `renewed_at` is None once it was given back or taken away."""

    name: str
    epoch: int
    owner: str
    run_id: str
    host: str
    pid: int
    acquired_at: datetime
    renewed_at: datetime | None
    stop_requested: str | None

    def is_fresh(self, now: datetime, ttl: float = TTL_SECONDS) -> bool:
        """Renewed within `ttl` seconds.

        A time from the future counts as old too: a clock stepped back must not keep a dead holder alive for an hour,
        and asking too early does no harm.
        """
        return self.renewed_at is not None and abs(now - self.renewed_at) <= timedelta(seconds=ttl)

    def is_alive(self, now: datetime, ttl: float = TTL_SECONDS) -> bool:
        """Fresh, and its process was not seen to be gone from this machine."""
        return self.is_fresh(now, ttl) and not self.process_is_gone()

    def process_is_gone(self) -> bool:
        """True only if the holder ran on this machine and its process id is free: then nobody need wait.

        A reused process id or one of another machine gives False, and the lease runs out by itself.
        """
        return THIS_MACHINE.is_gone(self.host, self.pid)


@dataclass(frozen=True)
class Mark:
    """A small note that outlives a process, such as "a start was requested"."""

    key: str
    value: str
    at: datetime


class Registry(ABC):
    """Safe to use from several threads and processes at once."""

    @abstractmethod
    def acquire(
        self, name: str, *, owner: str, run_id: str = "", min_epoch: int = 0, ttl: float = TTL_SECONDS
    ) -> Lease | None:
        """The lease at epoch max(the registry's, `min_epoch`) + 1, or None while another holder is alive.

        `min_epoch` is what the store to be written holds, so that a lost registry starts no epoch twice.
        """

    @abstractmethod
    def renew(self, lease: Lease) -> Lease | None:
        """The row as it is now, with `renewed_at` moved on (and `stop_requested`, if somebody asked); None if lost."""

    @abstractmethod
    def release(self, lease: Lease) -> bool:
        """Give it back: the next `acquire` succeeds at once. False if it was somebody else's already."""

    @abstractmethod
    def read(self, name: str) -> Lease | None: ...

    @abstractmethod
    def leases(self) -> list[Lease]:
        """All of them, by name."""

    @abstractmethod
    def request_stop(self, name: str, reason: str) -> bool:
        """Ask the present holder, not its successor, to end its batch and give the lease back. False: nobody holds
        it.
        """

    @abstractmethod
    def force_expire(self, name: str, epoch: int) -> bool:
        """Count the lease of that epoch as lost now. False if it has moved on."""

    @abstractmethod
    def set_mark(self, key: str, value: str) -> None: ...

    @abstractmethod
    def replace_mark(self, key: str, value: str, *, instead_of: str | None) -> bool:
        """Set a mark if it is as told now (None: not there); False, and nothing is changed, if it is not."""

    @abstractmethod
    def mark(self, key: str) -> Mark | None: ...

    @abstractmethod
    def clear_mark(self, key: str) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


@cache
def this_host() -> str:
    """The machine as far as process ids go: two containers with one host name have different pid namespaces."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace.readlink() if namespace.exists() else ''}".strip()
