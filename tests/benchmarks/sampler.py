"""Wall clock and memory of a command from outside: PSS summed over its process tree, sampled each 100 ms."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """`peak_bytes` is the largest sum over the tree seen at once; `status` the command's exit status."""

    seconds: float
    peak_bytes: int
    status: int
    output: str


def measure(command: Sequence[str], *, cwd: Path, env: dict[str, str]) -> Measured:
    """Run a command to its end."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak = 0
    ended = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(EVERY_SECONDS):
            peak = max(peak, tree_pss(process.pid))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    output = process.communicate()[0]
    seconds = time.monotonic() - started
    ended.set()
    sampler.join()
    return Measured(seconds, peak, process.returncode, output)


def tree_pss(pid: int) -> int:
    """Bytes of the process and its descendants, shared pages counted once."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_pss(one) for one in tree)


def _pss(process: psutil.Process) -> int:
    """From the kernel's own sum where there is one: reading each mapping stops the process for longer."""
    try:
        with Path(f"/proc/{process.pid}/smaps_rollup").open() as rollup:
            return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass  # no Linux, or it ended between the listing and the look
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
