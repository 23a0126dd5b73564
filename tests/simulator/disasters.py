"""What happens to a whole run at once: a power cut, a clock that jumps, a file that somebody deletes."""

from typing import TYPE_CHECKING

from tests.simulator.checks import Checks
from tests.simulator.lake import Sealed
from tests.simulator.world import World

if TYPE_CHECKING:
    from tests.simulator.workload import Workload

_FILES = {"read model": "search", "heads": "heads"}
_OFTEN_S = 12.0


def plan(world: World, workload: "Workload") -> None:
    """Put the disasters of this seed on the clock."""
    r, faults = world.random, world.faults
    if faults.power_cut:
        world.on_unsynced = lambda within: world.later(r.uniform(0.0, within), lambda: cut(world, workload))
        for _ in range(r.randint(1, 2)):
            world.later(r.uniform(0.5, _OFTEN_S), lambda: cut(world, workload))
    for kind in ("clock: step forward", "clock: step back"):
        if kind in faults.rates:
            world.later(r.uniform(0.2, _OFTEN_S), lambda kind=kind: _step(world, kind))  # type: ignore[misc]
    if "clock: skew" in faults.rates:
        for name in ("client-0", "relay-a", "search-b"):
            world.skews[name] = r.uniform(-8.0, 8.0)
        faults.hit["clock: skew"] += 1
    for what, stem in _FILES.items():
        if f"file: {what} deleted" in faults.rates:
            world.later(r.uniform(0.5, _OFTEN_S), lambda what=what, stem=stem: _delete(world, workload, what, stem))  # type: ignore[misc]


def cut(world: World, workload: "Workload") -> None:
    """Everything dies; `dark` follows when the last process has gone."""
    if world.calm or workload.cutting:
        return
    world.faults.hit["power cut"] += 1
    world.cuts += 1
    processes = list({id(actor.process): actor.process for actor in world.actors}.values())
    if not processes:
        return
    workload.cutting = True
    for process in processes:
        world.kill(process, "power cut")


def dark(world: World, checks: Checks, sealed: Sealed) -> None:
    """What was not synced may be gone. The journal keeps order: with an object goes every later commit of a file that
    is not synced itself (synchronous=NORMAL); a synced commit had taken everything before it to the disk.
    """
    r, faults = world.random, world.faults
    earliest = 1 << 60
    unsynced = sorted((stored.step, key) for key, stored in world.objects.items() if not stored.durable)
    for step, key in unsynced[r.randint(0, len(unsynced)) :]:
        del world.objects[key]
        earliest = min(earliest, step)
        faults.hit["power cut: object lost"] += 1
        world.note(f"lost {key}")
    for path, images in sorted(world.images.items()):
        left = [image for image in images if image[0] < earliest]
        if len(left) > 1 and r.random() < 0.5:
            left = left[: r.randint(1, len(left))]
        if len(left) < len(images):
            faults.hit["power cut: transactions lost"] += 1
            _set_back(world, checks, path, left[-1][1] if left else None)
            images[:] = left
    sealed.back_to(earliest)
    checks.lost()


def _set_back(world: World, checks: Checks, path: str, content: bytes | None) -> None:
    file = world.folder / path.rpartition("/")[2]
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)
    world.generations[file.name] += 1
    world.note(f"{file.name} went back")
    checks.forget(file.name if file.name.startswith("search") else file.stem)


def _step(world: World, kind: str) -> None:
    if world.calm:
        return
    world.skew += 600.0 if kind.endswith("forward") else -600.0
    world.faults.hit[kind] += 1
    world.note(kind)


def _delete(world: World, workload: "Workload", what: str, stem: str) -> None:
    if world.calm:
        return
    for file in sorted(one for one in world.folder.glob(f"{stem}*.sqlite") if not one.is_symlink()):
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        world.images.pop(str(file), None)
        world.generations[file.name] += 1
        world.faults.hit[f"file: {what} deleted"] += 1
        world.note(f"{file.name} deleted")
        if stem == "search":
            workload.checks.forget(file.name)
