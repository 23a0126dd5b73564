"""Ports: choosing one to listen on (a taken one is named with its process, and the next free one is used), and whether
something answers there.
"""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from resources.errors import SpiceError

TRIES = 20


@dataclass(frozen=True)
class PortChoice:
    """`port` is free now; `taken` says for each port passed over who holds it."""

    port: int
    taken: list[str]


def is_free(host: str, port: int) -> bool:
    """Whether a listener could be opened there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not taken
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError as fault:
            raise SpiceError(
                "Port refused", f"the system does not let you listen on port {port}: {fault.strerror}.", where="--port"
            ) from None
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The process that listens on a port, as text for a person; unknown when it belongs to somebody else."""
    try:
        listening = [
            connection.pid
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        ]
    except psutil.AccessDenied:  # macOS shows other processes' sockets to root only
        listening = _own_listeners(port)
    for pid in listening:
        if pid is not None:
            try:
                process = psutil.Process(pid)
                return f"{process.name()} (process {pid}: {' '.join(process.cmdline())[:80]})"
            except psutil.Error:
                return f"process {pid}"
    return "a process of another user"


def _own_listeners(port: int) -> list[int | None]:
    found: list[int | None] = []
    for process in psutil.process_iter():
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections):
            found.append(process.pid)
    return found


def pick_port(wanted: int, host: str = "127.0.0.1", *, option: str = "--port", but: int | None = None) -> PortChoice:
    """The first free port from `wanted` on; `but` is spoken for already. `option` is what names another one."""
    taken: list[str] = []
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if port != but and is_free(host, port):
            return PortChoice(port, taken)
        taken.append(f"Port {port} is taken by {'the Dagster UI' if port == but else holder(port)}.")
    raise SpiceError(
        "No free port",
        f"ports {wanted} to {wanted + len(taken) - 1} are all taken on {host}; name another with {option}. {taken[0]}",
        where=option,
        status=409,
    )


def choose_port(wanted: int, host: str, option: str, say: Callable[[str], None], *, but: int | None = None) -> int:
    """The first free port, having said who holds those before it."""
    choice = pick_port(wanted, host, option=option, but=but)
    for line in choice.taken:
        say(line)
    if choice.taken:
        say(f"Using port {choice.port}.")
    return choice.port


def url_of(host: str, port: int) -> str:
    """Where a listener on `host` is reached from this machine."""
    name = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - recognised, not opened
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def answers(url: str) -> bool:
    """Whether a server of ours answers there."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own address
            return True
    except (urllib.error.URLError, OSError):
        return False
