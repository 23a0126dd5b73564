"""The clock port and the table of processes, simulated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from resources.clock import Clock
from resources.registry.base import Processes
from tests.simulator.machine import Process
from tests.simulator.world import World

START = datetime(2024, 2, 29, 23, 0, tzinfo=UTC)


class SimClock(Clock):
    """Of one process: virtual time, a wall clock that others may have moved, waiting that gives up the turn."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    def now(self) -> datetime:
        world = self._world
        return START + timedelta(seconds=world.now + world.skew + world.skews.get(self._process.name, 0.0))

    def monotonic(self) -> float:
        return self._world.now

    def sleep(self, seconds: float) -> None:
        self._world.sleep(seconds)

    @contextmanager
    def every(self, seconds: float, action: Callable[[], bool], name: str) -> Iterator[None]:
        world, process = self._world, self._process
        ended = False

        def beat() -> None:
            while True:
                world.sleep(seconds)
                if ended or not action():
                    return

        process.holds_lease = True
        actor = world.start(process, beat, f"{process.name}/beat")
        try:
            yield
        finally:
            ended = True
            process.holds_lease = False
            if not process.dead:
                actor.wake_at = world.now  # an Event that is set wakes its waiter
                while not actor.done:
                    world.sleep(0.001)


class SimProcesses(Processes):
    """Process ids of the simulated machine; a killed process is seen to be gone."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    @property
    def host(self) -> str:
        return "simulated"

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_gone(self, host: str, pid: int) -> bool:
        return host == self.host and all(actor.process.pid != pid for actor in self._world.actors)
