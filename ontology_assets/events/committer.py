"""One committer for many callers: requests that come while a record is being written are committed in the next one.

A thread of its own, started with the first request. What a group is and how it is decided is group.py.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from ontology_assets.events.errors import OutcomeUnknown
from ontology_assets.events.group import MOST_REQUESTS, Answer, Outcome, Request

LINGER_S = 0.002
"""At least so long a group waits for the next request of those who are about to ask again: who was in the last one."""
LONGEST_LINGER_S = 0.02
"""At most so long: a quarter of what the last commit took, as long as requests keep coming. A larger group costs the
same commit; on a slow machine 64 clients would else fall apart into three groups.
"""
_LOOK_S = 0.0002


@dataclass(frozen=True)
class GroupMetrics:
    """`groups` committed so far, `requests` in them, the `largest`; `longest_wait_s` from asking to answer."""

    groups: int = 0
    requests: int = 0
    largest: int = 0
    longest_wait_s: float = 0.0


class Commits(Protocol):
    """What a `Group` does: one outcome a request, in their order."""

    def commit(self, requests: Sequence[Request]) -> list[Outcome]: ...

    def work_off(self) -> bool: ...


@dataclass
class _Waiting:
    request: Request
    future: "Future[Answer]" = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
    wakes: "asyncio.Future[None] | None" = None


class GroupCommitter:
    """Safe for any number of threads and asyncio callers."""

    def __init__(self, group: Commits, *, name: str = "committer", linger_s: float = LINGER_S) -> None:
        self._group, self._name, self._linger_s = group, name, linger_s
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = self._idle = False
        self._expected, self._pause_s = 1, linger_s
        self.metrics = GroupMetrics()

    def submit(self, request: Request, wakes: "asyncio.Future[None] | None" = None) -> "Future[Answer]":
        """The answer when the request is durable in the log; the refusal (SpiceError) when it is not.

        `wakes`: of a caller in an event loop, done when there is one. A caller that gives up waiting knows nothing: it
        asks again with the same command id, or reads the log.
        """
        one = _Waiting(request, wakes=wakes)
        with self._changed:
            if self._closed:
                raise RuntimeError("the committer is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._waiting.append(one)
            if (
                self._idle
            ):  # a thread that is at work looks for itself; waking it for each would cost more than the rest
                self._changed.notify()
        return one.future

    def close(self) -> None:
        """Commit what waits, then end. What the store leaves unknown is answered with OutcomeUnknown."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            group = self._taken()
            if group:
                self._commit(group)
                self._work_off()
            elif self._closed and not self._waiting:
                return

    def _work_off(self) -> None:
        """While nobody waits."""
        try:
            while not self._waiting and not self._closed and self._group.work_off():
                pass
        except Exception:  # noqa: BLE001 whatever it is: the next commit meets it again, and its callers are told
            return

    def _taken(self) -> list[_Waiting]:
        """The next group; empty when closed, or when all in it were cancelled."""
        with self._changed:
            self._idle = True
            while not self._waiting and not self._closed:
                self._changed.wait()
            self._idle = False
        there, until = len(self._waiting), time.monotonic() + self._pause_s
        while there < self._expected and not self._closed and time.monotonic() < until:
            time.sleep(_LOOK_S)
            if len(self._waiting) > there:
                there, until = len(self._waiting), time.monotonic() + self._pause_s
        with self._changed:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_REQUESTS))]
        # A caller that cancelled before this moment asked for nothing; from here on it can't.
        return [one for one in taken if one.future.set_running_or_notify_cancel()]

    def _commit(self, group: list[_Waiting]) -> None:
        outcomes: list[Outcome] | None = None
        began = time.monotonic()
        while outcomes is None:
            try:
                outcomes = self._group.commit([one.request for one in group])
            except OutcomeUnknown as unknown:
                # Nothing else may be offered before it is known, so the same group asks again.
                if self._closed:
                    outcomes = [unknown] * len(group)
            except BaseException as error:  # noqa: BLE001 it is each caller's answer, not this thread's end
                for one in group:
                    one.future.set_exception(error)
                _wake(group)
                return
        now = time.monotonic()
        # Those who are answered now, and those who came meanwhile.
        self._expected = len(group) + len(self._waiting)
        self._pause_s = max(self._linger_s, min((now - began) / 4, LONGEST_LINGER_S))
        self.metrics = GroupMetrics(
            self.metrics.groups + 1,
            self.metrics.requests + len(group),
            max(self.metrics.largest, len(group)),
            max(self.metrics.longest_wait_s, *(now - one.since for one in group)),
        )
        for one, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Answer):
                one.future.set_result(outcome)
            else:
                one.future.set_exception(outcome)
        _wake(group)


def _wake(group: Iterable[_Waiting]) -> None:
    """All callers of a loop at once: each call into a loop hands the interpreter over, which takes longer than a
    command.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for one in group:
        if one.wakes is not None:
            by_loop.setdefault(one.wakes.get_loop(), []).append(one.wakes)
    for loop, waiting in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there, and this thread has others to answer
            loop.call_soon_threadsafe(done, *waiting)


def done(*waiting: "asyncio.Future[None]") -> None:
    """Wake who waits still: the time may be over, or the caller cancelled."""
    for one in waiting:
        if not one.done():
            one.set_result(None)
