"""The step machine: actors that take turns at port calls, on virtual time, in an order that one random stream decides.

An actor is a greenlet: it runs until it gives up its turn, and it does so only inside `point` and `sleep`. So the real,
synchronous code runs unchanged, and the same seed gives the same order of every port call. (Threads that pass a baton do
the same, but each turn then waits for the system's scheduler: five times as long on a busy machine.) What faults there
are is decided in faults.py; what a port does, in store.py, sql.py and clock.py.
"""

import heapq
import threading
from collections.abc import Callable
from random import Random

from greenlet import greenlet


class Killed(BaseException):
    """The process of the actor was killed: unwinds the actor, and every further port call raises it again."""


class Process:
    """What dies as a whole: its actors, its open connections. `role` is what crash points are named by."""

    def __init__(self, role: str, name: str) -> None:
        self.role, self.name = role, name
        self.pid = 0
        self.dead = False
        self.paused_until = 0.0
        self.actors: list[Actor] = []
        self.closing: list[Callable[[], None]] = []
        self.fault: BaseException | None = None
        self.holds_lease = False


class Actor:
    """One thread of a process, as the process sees it."""

    def __init__(self, process: Process, name: str, work: Callable[[], None]) -> None:
        self.process, self.name, self.work = process, name, work
        self.greenlet: greenlet
        self.wake_at = 0.0
        self.done = False


class Machine:
    """Actors, virtual time and the trace."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.steps = 0
        self.trace: list[tuple[float, str, str]] = []
        self.actors: list[Actor] = []
        self._dying: list[Actor] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbered = 0
        self._pids = 1000
        self._main = Actor(Process("harness", "harness"), "harness", lambda: None)
        self._main.greenlet = greenlet.getcurrent()
        self._current: Actor | None = None
        self._thread = threading.get_ident()
        self._over: Callable[[], bool] = lambda: True
        self.failure: BaseException | None = None
        self.on_end: Callable[[Process], None] = lambda _: None
        self.turn_rate = 0.5

    # What ports call

    @property
    def actor(self) -> Actor | None:
        """Whose turn it is, None in the harness itself."""
        return self._current if threading.get_ident() == self._thread else None

    def note(self, text: str) -> None:
        """A line of the trace."""
        actor = self.actor
        self.trace.append((self.now, actor.name if actor else "-", text))

    def yield_turn(self) -> None:
        """Let others run before this actor goes on."""
        actor = self.actor
        if actor is None:
            return
        if actor.process.dead:
            raise Killed
        self._turn(self._next())
        if actor.process.dead:
            raise Killed

    def sleep(self, seconds: float) -> None:
        actor = self.actor
        if actor is None:
            return
        actor.wake_at = self.now + max(seconds, 1e-6)
        self.yield_turn()

    def kill(self, process: Process, why: str, *, by_itself: bool = False) -> None:
        """The process is dead from now on. `by_itself`: the present actor raises Killed next."""
        if process.dead:
            return
        process.dead = True
        self.note(f"KILLED {process.name}: {why}")
        here = self.actor if by_itself else None
        self._dying += [actor for actor in process.actors if actor is not here and not actor.done]

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` (which calls no port) at that time, between two steps."""
        self._numbered += 1
        heapq.heappush(self._timers, (self.now + seconds, self._numbered, action))

    # What the harness calls

    def start(self, process: Process, work: Callable[[], None], name: str | None = None) -> Actor:
        """A further actor of the process; it runs when its turn comes."""
        if not process.actors:
            self._pids += 1
            process.pid = self._pids
        actor = Actor(process, name or process.name, work)
        process.actors.append(actor)
        self.actors.append(actor)
        actor.greenlet = greenlet(lambda *_: self._body(actor), self._main.greenlet)
        return actor

    def run(self, over: Callable[[], bool]) -> None:
        """Take steps until `over`, a failure, or until nobody is left to run. Raises the failure."""
        self._over = over
        self._turn(self._next())
        if self.failure is not None:
            raise self.failure

    def end(self) -> None:
        """Kill what is left, so that nothing stays open."""
        self.on_end = lambda _: None
        self._timers.clear()
        for process in list({id(actor.process): actor.process for actor in self.actors}.values()):
            self.kill(process, "end of the run")
        while self.actors:
            self._over = lambda: not self.actors
            following = self._next()
            if following is self._main:
                return
            self._turn(following)

    def fail(self, failure: BaseException) -> None:
        """The first failure ends the run."""
        if self.failure is None:
            self.failure = failure

    # The turn

    def _turn(self, following: Actor) -> None:
        before = self._current
        self._current = None if following is self._main else following
        if self._current is not before:
            following.greenlet.switch()
            self._current = before

    def _next(self) -> Actor:
        if self._dying:
            return self._dying.pop(0)
        while True:
            while self._timers and self._timers[0][0] <= self.now:
                heapq.heappop(self._timers)[2]()
            if self._dying:
                return self._dying.pop(0)
            if self.failure is not None or self._over():
                return self._main
            ready, soonest = self._ready()
            if ready:
                return ready[self.random.randrange(len(ready))] if len(ready) > 1 else ready[0]
            if soonest == float("inf"):
                return self._main
            self.now = soonest

    def _ready(self) -> tuple[list[Actor], float]:
        """Who can run now; and when the next one can, or the next timer is due."""
        ready, soonest, now = [], self._timers[0][0] if self._timers else float("inf"), self.now
        for actor in self.actors:
            at, until = actor.wake_at, actor.process.paused_until
            if until > at:
                at = until
            if at <= now:
                ready.append(actor)
            elif at < soonest:
                soonest = at
        return ready, soonest

    def _body(self, actor: Actor) -> None:
        try:
            if not actor.process.dead:
                actor.work()
        except Killed:
            pass
        except BaseException as fault:  # noqa: BLE001  whatever ends an actor ends its process, and is looked at there
            if not actor.process.dead:
                actor.process.fault = fault
                self.note(f"ENDED {actor.process.name}: {type(fault).__name__}: {str(fault)[:160]}")
        try:
            self._ended(actor)
        except BaseException as fault:  # noqa: BLE001
            self.fail(fault)
        following = self._next()
        self._current = None if following is self._main else following
        actor.greenlet.parent = following.greenlet  # who is switched to when this one returns

    def _ended(self, actor: Actor) -> None:
        actor.done = True
        self.actors.remove(actor)
        process = actor.process
        process.actors.remove(actor)
        if process.fault is not None and not process.dead:
            process.dead = True
            self._dying += process.actors
        if not process.actors:
            process.dead = True
            for close in process.closing:
                close()
            self.on_end(process)
