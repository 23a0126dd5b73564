"""The object-store port, simulated: objects in memory, with everything that a network and a disk do to puts and reads.

An object is linked (everybody sees it) before it is durable, as on a local disk, where the folder is synced last. A
sync of a folder makes everything in it durable that was linked before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from resources.object_store.base import ObjectInfo, ObjectNotFound, ObjectStore, PutOutcome
from tests.simulator.clock import START
from tests.simulator.faults import PUT_FAULTS
from tests.simulator.machine import Killed
from tests.simulator.world import World

_PUT = tuple(PUT_FAULTS)
_PUTS = {"log-hint": "put hint", "log-data": "put data", "log-archive": "put mark"}
_SLOW_S, _LATE_S = 60.0, 20.0


@dataclass
class Stored:
    """One object; `durable` once a sync covered it."""

    data: bytes
    durable: bool = False
    step: int = 0
    modified: datetime = START


class SimStore(ObjectStore):
    """A process's view of the one store of the world. `conditional` off is the control that must lose commits."""

    conditional = True

    def __init__(self, world: World) -> None:
        self._world = world
        self._objects: dict[str, Stored] = world.objects

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        if key.startswith("probe/"):
            return self._plain(key, data)
        world = self._world
        if not key.startswith("log/"):
            world.point("before", "put turn")
            return self._plain(key, data)
        world.point("before", "put record")
        fault = world.faults.draw(_PUT)
        if fault is not None:
            world.note(fault)
        if fault == "put: unknown, not done":
            return PutOutcome.UNKNOWN
        self._on_the_way(fault, key, data)
        made = self._link(key, data)
        if made:
            self._make_durable(fault, key)
        world.point("after", "put record")
        if fault == "put: reply lost":
            raise ConnectionResetError("reset while waiting for the reply")
        if fault in ("put: unknown, done", "put: not synced"):
            return PutOutcome.UNKNOWN
        if not made or fault == "put: repeated by the library":
            return PutOutcome.EXISTS
        return PutOutcome.DONE

    def _on_the_way(self, fault: str | None, key: str, data: bytes) -> None:
        world = self._world
        if fault == "put: lost before":
            raise TimeoutError("no connection")
        if fault == "put: late":
            cuts = world.cuts
            world.later(world.random.uniform(0.0, _LATE_S), lambda: self._land(key, data, cuts))
            raise TimeoutError("no reply")
        if fault == "put: slow":
            world.sleep(world.random.choice([0.1, _SLOW_S]) * world.random.random())

    def _make_durable(self, fault: str | None, key: str) -> None:
        world = self._world
        try:
            world.point("linked", "put record")
        except Killed:
            world.on_unsynced(4.0)
            raise
        if fault in ("put: slow sync", "put: not synced"):
            world.on_unsynced(0.5)
        if fault == "put: slow sync":
            world.sleep(world.random.uniform(0.05, 1.0))
        if fault != "put: not synced":
            self._sync(key)

    def put(self, key: str, data: bytes | Path) -> None:
        world, what = self._world, _PUTS[key.partition("/")[0]]
        world.point("before", what)
        assert isinstance(data, bytes)
        self._objects[key] = Stored(data)
        world.on_object(key, data)
        self._sync(key)
        if what == "put mark":  # synced, and with it all that the journal has before it
            for stored in self._objects.values():
                stored.durable = True
        world.point("after", what)
        if what == "put data" and world.faults.draw(("data: reply lost",)):
            raise ConnectionResetError("reset while waiting for the reply")

    def get(self, key: str) -> bytes:
        self._read(key)
        try:
            return self._objects[key].data
        except KeyError:
            raise ObjectNotFound(key) from None

    def open(self, key: str) -> pa.NativeFile:
        return pa.BufferReader(self.get(key))

    def head(self, key: str) -> ObjectInfo | None:
        self._read(key)
        found = self._objects.get(key)
        return None if found is None else ObjectInfo(len(found.data), found.modified)

    def list(self, prefix: str) -> Iterator[str]:
        world = self._world
        before = {key for key in self._objects if key.startswith(prefix)}
        world.point("before", "list", turn=1.0)
        if world.faults.on and "list: stale" in world.faults.rates:
            world.sleep(world.random.uniform(0.0, 0.2))  # a list of many objects comes in pages
        now = {key for key in self._objects if key.startswith(prefix)}
        missed = {key for key in sorted(now - before) if world.faults.draw(("list: stale",))}
        yield from sorted(now - missed)

    def delete(self, key: str) -> None:
        if not key.startswith("probe/"):
            self._world.point("before", "delete data")
        self._objects.pop(key, None)

    def sync(self, prefix: str) -> None:
        world = self._world
        world.point("before", "sync")
        if world.faults.draw(("sync: fails",)):
            world.note("sync: fails")
            raise OSError("the folder could not be synced")
        self._sync(prefix)

    def _read(self, key: str) -> None:
        if key.startswith("probe/"):
            return
        world = self._world
        world.point("before", "get record" if key.startswith("log/") else "get data", turn=0.25)
        if world.faults.draw(("get: fails",)):
            world.note("get: fails")
            raise ConnectionResetError("reset while reading")

    def _plain(self, key: str, data: bytes) -> PutOutcome:
        return PutOutcome.EXISTS if self._objects.setdefault(key, Stored(data)).data is not data else PutOutcome.DONE

    def _link(self, key: str, data: bytes) -> bool:
        if self.conditional and key in self._objects:
            return False
        self._objects[key] = Stored(data, step=self._world.steps)
        self._world.on_object(key, data)
        return True

    def _land(self, key: str, data: bytes, cuts: int) -> None:
        """A write that its client has given up."""
        if cuts == self._world.cuts and self._link(key, data):
            self._sync(key)
            self._world.note(f"a late write landed: {key}")

    def _sync(self, key: str) -> None:
        folder = key.rpartition("/")[0]
        for other, stored in self._objects.items():
            if other.rpartition("/")[0] == folder:
                stored.durable = True
