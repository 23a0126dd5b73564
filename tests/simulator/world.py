"""The world of one run: the machine with its faults, what is below the ports, and what is true."""

import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulator.faults import CRASH_POINTS, Faults
from tests.simulator.machine import Killed, Machine, Process

_NAMED = frozenset(CRASH_POINTS)
LONGEST_PAUSE_S = 12.0
LONGEST_LEASE_S = 4.5


class World(Machine):
    """What every simulated port holds on to."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed)
        self.seed, self.folder = seed, folder
        self.faults = Faults(self.random)
        self.objects: dict[str, Any] = {}
        self.skew = 0.0
        self.skews: dict[str, float] = {}
        self.calm = False
        """The faults have stopped."""
        self.on_commit: Callable[[str, Any, Process], None] = lambda *_: None
        self.on_object: Callable[[str, bytes], None] = lambda *_: None
        self.images: dict[str, list[tuple[int, bytes]]] = {}
        """By file of synchronous=NORMAL: (step, content) of the last commits, where a power cut may come."""
        self.generations: Counter[str] = Counter()
        """How often a file was deleted or set back: a connection of before writes to nowhere."""
        self.cuts = 0
        self.on_unsynced: Callable[[float], None] = lambda _: None
        """An object is seen that is not synced: a power cut would hurt within so many seconds."""

    def new_id(self) -> str:
        """A uuid of the seed."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def point(self, where: str, call: str, *, turn: float | None = None) -> None:
        """A port call of the present actor is about to be done (or was done): here it may lose its turn, or die."""
        actor = self.actor
        if actor is None:
            return
        process = actor.process
        if process.dead:
            raise Killed
        self.steps += 1
        self.now += self.random.random() * 0.002
        self.trace.append((self.now, actor.name, f"{where} {call}"))
        if self.faults.on:
            name = f"{process.role}: {where} {call}"
            if self.faults.crashes(name):
                if name in _NAMED:
                    self.faults.crashed_at[name] += 1
                self.faults.hit["process: killed"] += 1
                self.kill(process, name, by_itself=True)
                raise Killed
            if name == self.faults.zombie_at and self.random.random() < 0.4:
                self._pause(process, LONGEST_LEASE_S, 7.0)
            elif self.faults.pause_rate and self.random.random() < self.faults.pause_rate:
                self._pause(process)
        if self.random.random() < (self.turn_rate if turn is None else turn) or process.paused_until > self.now:
            self.yield_turn()

    def _pause(self, process: Process, least: float = 0.2, most: float = LONGEST_PAUSE_S) -> None:
        seconds = self.random.uniform(least, most)
        process.paused_until = self.now + seconds
        self.faults.hit["process: paused"] += 1
        if process.holds_lease and seconds > 4.0:
            self.faults.hit["process: zombie"] += 1
        self.note(f"PAUSED {process.name} for {seconds:.1f} s")
