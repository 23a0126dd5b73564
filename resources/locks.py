"""Advisory locks of one data home: never two writers of one table.

A lock is a `flock` on `<home>/locks/<name>`; the system drops it when its process ends, however it ends. The file's
text says who holds it, so that a waiting process can name the holder.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.errors import SpiceError

POLL_SECONDS = 0.2


class Locked(SpiceError):
    """Somebody else holds the lock, and the time to wait for it is over."""

    kind = "spice:locked"


def _lock_path(locks: Path, name: str) -> Path:
    return locks / f"{name.replace('/', '.')}.lock"


@contextmanager
def exclusive(
    locks: Path,
    name: str,
    *,
    holder: str,
    wait_seconds: float | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock `name` while the block runs.

    Waits without end by default (`on_wait` is called once with the holder's text), at most `wait_seconds` where given.
    Raises Locked, which names the holder, when the time is over.
    """
    path = _lock_path(locks, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = None if wait_seconds is None else time.monotonic() + wait_seconds
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        told = False
        while not _try_lock(descriptor):
            other = os.pread(descriptor, 400, 0).decode(errors="replace").strip() or "another process"
            if deadline is not None and time.monotonic() >= deadline:
                raise Locked(
                    "Locked", f"{name} is being written by {other}; wait for it or stop it, then try again.", status=409
                )
            if not told and on_wait is not None:
                on_wait(other)
                told = True
            time.sleep(POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder} (process {os.getpid()})\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # closing drops the lock


def remove(locks: Path, name: str) -> None:
    """Remove the file of a lock that nobody will ask for again (one that is named after a run)."""
    _lock_path(locks, name).unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
