"""What goes wrong in a run, and when: decided by the seed alone, counted by name.

A seed chooses which kinds of fault there are and how often, and a few crash points that it aims at; on top of that any
port call may be the last one of its process.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from ontology_assets.events.errors import OutcomeUnknown
from resources.lake.base import LakeConflictError
from resources.registry.base import RegistryUnavailable

EXPECTED = (OSError, sqlite3.OperationalError, RegistryUnavailable, OutcomeUnknown, LakeConflictError)
"""What a fault may look like to who asked. Anything else is a bug."""

PUT_FAULTS = {
    "put: lost before": "the request never reached the store; the client gets a time-out",
    "put: reply lost": "done, and the client gets a reset",
    "put: unknown, done": "done, the store answers 'unknown'",
    "put: unknown, not done": "not done, the store answers 'unknown'",
    "put: repeated by the library": "done, a library that repeats requests answers 'exists'",
    "put: late": "the client gives up, the write lands later",
    "put: slow sync": "the object is seen by others before it is synced",
    "put: not synced": "done, but the folder's sync failed: the store answers 'unknown', a power cut may take it back",
    "put: slow": "takes longer than the client's patience would be for a reply",
}
STORE_FAULTS = {
    **PUT_FAULTS,
    "get: fails": "a read gets a reset",
    "data: reply lost": "a data file is written, the client gets a reset",
    "list: stale": "a list lacks objects that were made while it was read",
    "sync: fails": "what was seen could not be made durable",
}
SQL_FAULTS = {
    "sql: reply of commit lost": "committed, the client gets an error",
    "sql: commit fails": "not committed, the transaction is left open",
    "sql: part of a batch": "a statement over many rows fails in the middle",
    "sql: read fails": "a statement fails",
}
DELIVERY_FAULTS = {
    "delivery: duplicate": "a batch of events reaches the sink again",
    "delivery: overlap": "a batch comes again as a part of a larger one",
    "delivery: out of order": "a later batch reaches the sink before an earlier one",
}
PROCESS_FAULTS = {
    "process: killed": "kill -9 at any port call",
    "process: paused": "stopped and resumed",
    "process: zombie": "stopped past its lease and resumed",
    "process: double start": "a second follower of the same sink",
    "clock: step forward": "the wall clock of all jumps ahead",
    "clock: step back": "the wall clock of all jumps back",
    "clock: skew": "one process's wall clock is off",
}
POWER_FAULTS = {
    "power cut": "everything dies; what was not synced may be gone",
    "power cut: object lost": "an object that was seen, but not synced, is gone",
    "power cut: transactions lost": "a file of synchronous=NORMAL goes back to an earlier commit",
}
FILE_FAULTS = {
    "file: read model deleted": "search.sqlite is deleted by hand",
    "file: heads deleted": "a heads file is deleted by hand",
}
LAKE_FAULTS = {
    "lake: conflict": "another writer commits to the sealed table first",
    "lake: slow": "what is answered about the sealed table is old when it arrives",
    "lake: reply of commit lost": "the sealed rows are there, the writer gets an error",
}
DAMAGE_FAULTS = {
    "damage: empty": "a record is cut to nothing",
    "damage: torn": "a record is cut short",
    "damage: bit": "one bit of a record flips",
    "damage: missing": "a record is deleted",
    "damage: foreign": "a record of another log lies in the place of one",
    "damage: unchained": "a record of the same log lies there that follows another history",
    "damage: data file": "one bit of a data file flips",
}
REBUILD_FAULTS = {
    "rebuild: swapped": "a generation that was filled beside the one that is asked is asked instead",
    "rebuild: drift": "rows of the read model are altered by hand, and repaired",
}
CONTENT_FAULTS = {
    "content: poison": "an event that the ontology can't hold",
    "content: id with other content": "an event id that is there, with other content",
    "content: archived rows": "a data file is removed while others read the log, its rows are in the sealed history alone",
    "content: repeated command": "a command that was answered comes again, in another process",
}
KINDS = {
    **STORE_FAULTS,
    **SQL_FAULTS,
    **DELIVERY_FAULTS,
    **PROCESS_FAULTS,
    **POWER_FAULTS,
    **FILE_FAULTS,
    **LAKE_FAULTS,
    **DAMAGE_FAULTS,
    **CONTENT_FAULTS,
    **REBUILD_FAULTS,
}
"""Every fault kind in scope. Each must be hit in every run of 2,000 seeds, see test_simulator.py."""

_HEADS = (
    "before begin heads",
    "in transaction heads",
    "before commit heads",
    "after commit heads",
)
_LEASE = (
    "before write registry",
    "after write registry",
)


def _points(role: str, *names: str) -> list[str]:
    return [f"{role}: {name}" for name in names]


CRASH_POINTS = (
    *_points(
        "append",
        "before get record",
        "before read heads",
        *_HEADS,
        "before put data",
        "after put data",
        "before put record",
        "linked put record",
        "after put record",
        "before sync",
        "before ack",
        "after ack",
    ),
    *_points(
        "relay",
        *_LEASE,
        "before get record",
        "before read topic",
        "before begin topic",
        "in transaction topic",
        "before commit topic",
        "after commit topic",
    ),
    *_points(
        "search",
        *_LEASE,
        "before get record",
        "before read search",
        "before begin search",
        "in transaction search",
        "before commit search",
        "after commit search",
    ),
    *_points(
        "seal",
        "before get record",
        "half of files",
        "before commit lake",
        "after commit lake",
        "before put mark",
        "after put mark",
        "before delete data",
    ),
)
"""Every named crash point: role, place, port call."""


_SELDOM = 0.002
"""A rebuild makes hundreds of calls."""
REBUILD_POINTS = (
    *_points(
        "fill",
        "before write registry",
        "after write registry",
        "before get record",
        "before begin search",
        "in transaction search",
        "before commit search",
        "after commit search",
        "before move alias",
        "after move alias",
    ),
)
"""Of the rebuild, its swap and the repair."""
_RARE = ("seal: ", "append: before put data", "append: after put data")
_HELPFUL = {
    "loads": {"put: slow": 0.2},
    "seals": {"lake: slow": 0.4},
    "crowd": {"put: slow": 0.2},
    "repeats": {"put: slow": 0.2, "content: id with other content": 0.4},
}
"""What makes others come in between, by what a run is about."""
ZOMBIE_POINTS = (
    "relay: before begin topic",
    "relay: before commit topic",
    "relay: after write registry",
    "search: before begin search",
    "search: before commit search",
    "search: after write registry",
)
"""Where a holder of the lease is stopped past it in some runs: what it does next, it does with an old epoch."""


@dataclass
class Faults:
    """The faults of one run."""

    random: Random
    on: bool = True
    hit: Counter[str] = field(default_factory=Counter)
    crashed_at: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        r = self.random
        self.rates = {
            kind: 10 ** r.uniform(-2.3, -0.7)
            for kind in sorted(KINDS.keys() - REBUILD_FAULTS.keys())
            if r.random() < 0.4
        }
        for kind in sorted(CONTENT_FAULTS):
            if r.random() < 0.6:
                self.rates[kind] = r.uniform(0.05, 0.5)
        self.crash_rate = r.choice([0.0, 0.0005, 0.002, 0.005])
        self.pause_rate = r.choice([0.0, 0.0, 0.001, 0.003])
        self.aimed = {point: 1 + int(r.expovariate(0.5)) for point in r.sample(CRASH_POINTS, 4)}
        # Few seals and loads come to these: otherwise they would be aimed at in vain.
        self.aimed.update({point: 1 for point in CRASH_POINTS if point.startswith(_RARE) and r.random() < 0.15})
        for kind in LAKE_FAULTS:
            if kind in self.rates:
                self.rates[kind] = 0.3
        if "data: reply lost" in self.rates:
            self.rates["data: reply lost"] = 0.2
        if "list: stale" in self.rates:
            self.rates["list: stale"] = 0.5
        self.power_cut = r.random() < 0.25
        if self.power_cut:
            self.rates["put: slow sync"] = self.rates["put: not synced"] = 0.1
            self.aimed["append: linked put record"] = r.randint(1, 6)
        self.zombie_at = r.choice(ZOMBIE_POINTS) if r.random() < 0.4 else ""

    def only(self, focus: str) -> None:
        """For a run that is about one thing: many faults would only keep it from happening, some make it happen."""
        r = self.random
        self.rates = {kind: rate for kind, rate in self.rates.items() if kind in CONTENT_FAULTS or r.random() < 0.5}
        self.rates.update(_HELPFUL[focus])
        self.crash_rate = min(self.crash_rate, 0.0005)

    def rebuilding(self, r: Random) -> None:
        """For a run with a rebuild: no file goes otherwise, and its process dies where that matters."""
        self.power_cut = False
        self.rates = {
            kind: min(rate, _SELDOM) if kind in SQL_FAULTS or kind == "get: fails" else rate
            for kind, rate in self.rates.items()
            if kind not in FILE_FAULTS
        }
        self.crash_rate = min(self.crash_rate, 0.0005)
        self.aimed.update({point: 1 + int(r.expovariate(0.2)) for point in r.sample(REBUILD_POINTS, 2)})

    def draw(self, kinds: tuple[str, ...]) -> str | None:
        """One of these kinds, or None; most times None."""
        if not self.on:
            return None
        for kind in kinds:
            rate = self.rates.get(kind)
            if rate is not None and self.random.random() < rate:
                self.hit[kind] += 1
                return kind
        return None

    def crashes(self, point: str) -> bool:
        """Whether the process dies here."""
        if not self.on:
            return False
        left = self.aimed.get(point)
        if left is not None:
            self.aimed[point] = left - 1
            if left == 1:
                return True
        return self.crash_rate > 0 and self.random.random() < self.crash_rate
