"""Several processes behind one address: each listens there itself, and the system shares the connections out.

They are forked when everything is loaded, so they share its memory. None outlives the one that forked them, and none is
left to answer alone: when one ends by itself, all end.
"""

import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

Work = Callable[[socket.socket], None]
"""Answers on a bound socket until SIGTERM."""
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_workers(host: str, port: int, count: int, work: Work) -> None:
    """Fork `count` processes that do `work`; return when all have ended after SIGTERM.

    Raises KeyboardInterrupt after SIGINT, and OSError where the address is taken. Exits with status 1 when a worker
    ended by itself. The caller has no threads yet.
    """
    kept = _bound(host, port)  # not listening: it only holds the address for them
    alive, lifeline = os.pipe()
    workers = {_fork(host, port, work, alive, lifeline) for _ in range(count)}
    os.close(alive)
    received: list[int] = []

    def stop(number: int, _: FrameType | None = None) -> None:
        received.append(number)
        for worker in workers:
            os.kill(worker, signal.SIGTERM)

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)
    failed = False
    while workers:
        ended, _ = os.wait()
        workers.discard(ended)
        if not received and not failed:
            failed = True
            for worker in workers:
                os.kill(worker, signal.SIGTERM)
    kept.close()
    os.close(lifeline)
    if failed:
        raise SystemExit(1)
    if signal.SIGINT in received:
        raise KeyboardInterrupt


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    return listening


def _fork(host: str, port: int, work: Work, alive: int, lifeline: int) -> int:
    worker = os.fork()
    if worker == 0:
        _be_worker(host, port, work, alive, lifeline)
    return worker


def _be_worker(host: str, port: int, work: Work, alive: int, lifeline: int) -> NoReturn:
    """Never returns into the code that forked it."""
    status = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C in a terminal is the first process's affair
        os.close(lifeline)
        threading.Thread(target=_end_with_the_first, args=(alive,), daemon=True).start()
        work(_bound(host, port))
        status = 0
    except Exception:
        traceback.print_exc()  # what is raised goes no further
        raise
    finally:
        os._exit(status)


def _end_with_the_first(alive: int) -> None:
    """The pipe closes when the process that holds its other end is gone, however it went."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGTERM)
