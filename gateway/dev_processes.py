"""The processes of one `spice dev`: starting one with its log, finding all of them, ending all of them.

Every process of a `spice dev`, grandchildren and run workers included, inherits `SPICE_DEV_ID`; that mark finds those
whose parent has gone. What is started, in which order and why belongs to `gateway/dev.py`.
"""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MARK = "SPICE_DEV_ID"
LOG_BYTES = 5_000_000
LOGS_KEPT = 3
QUICK_SECONDS = 15.0
QUICK_DEATHS = 3
KILL_SECONDS = 5.0
UNFINISHED = 3
"""Exit status of `gateway.dev_runs stop` when a run did not end in time; `settle` is due once its process is gone."""


@dataclass
class Child:
    """One supervised process. `attempts` counts starts that ended quickly, one after the other."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    attempts: int = 0
    retry_at: float = field(default=0.0)

    def start(self, env: dict[str, str], cwd: Path) -> None:
        with self.log.open("ab") as out:
            # A session of its own: Ctrl-C in the terminal reaches the supervisor only, which stops things in order.
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        self.started = time.monotonic()

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def after_death(self, now: float) -> bool:
        """Plan the next start with growing pauses; False when it died quickly too often."""
        self.attempts = self.attempts + 1 if now - self.started < QUICK_SECONDS else 1
        self.retry_at = now + min(0.5 * 2 ** (self.attempts - 1), 8.0)
        self.process = None
        return self.attempts < QUICK_DEATHS

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def tail(self, lines: int = 15) -> str:
        text = self.log.read_bytes()[-20_000:].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def rotate(log: Path) -> None:
    """Put a large log aside; the oldest goes."""
    if not log.exists() or log.stat().st_size < LOG_BYTES:
        return
    for number in range(LOGS_KEPT, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


def family(dev_id: str) -> list[psutil.Process]:
    """All living processes with the mark `dev_id`, without the calling one."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARK) == dev_id
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # it has just ended, or belongs to another user
            continue
    return found


def end_family(dev_id: str, grace_seconds: float) -> list[int]:
    """Ask all processes of a `spice dev` to stop, kill what is left after `grace_seconds`; returns who was killed."""
    deadline = time.monotonic() + grace_seconds
    asked: set[int] = set()
    while (left := family(dev_id)) and time.monotonic() < deadline:
        _signal([process for process in left if process.pid not in asked], signal.SIGTERM)
        asked.update(process.pid for process in left)
        time.sleep(0.1)
    killed: set[int] = set()
    while left and time.monotonic() < deadline + KILL_SECONDS:  # again: one may have been starting while we looked
        killed.update(process.pid for process in left)
        _signal(left, signal.SIGKILL)
        time.sleep(0.1)
        left = family(dev_id)
    return sorted(killed)


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def wait_for_socket(path: str, seconds: float) -> bool:
    """Whether something accepts connections on a Unix socket within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if socket_answers(path):
            return True
        time.sleep(0.1)
    return False


def socket_answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
