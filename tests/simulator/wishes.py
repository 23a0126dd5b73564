"""What the clients of a run want, and what the run is about.

Most runs are about everything. The others are about one thing (swarm testing): what seldom meets in a run of
everything, often meets in a run that does little else.
"""

from collections import Counter
from random import Random

from tests.simulator.domain import AS_READ, Command

FOCI = ("loads", "seals", "crowd", "repeats")
"""Loads of two partitions that exchange objects which people edit; two busy sealers; everybody at two objects, with expectations that are
nearly right; commands that are asked in two processes at once."""
_MIX = {"set": 4.0, "add": 4.0, "expect": 4.0, "pair": 2.0, "delete": 2.0, "poison": 0.6}
_CROWD = {"set": 1.0, "add": 4.0, "expect": 5.0, "pair": 1.0, "delete": 0.3, "poison": 0.1}


def about(r: Random) -> str:
    """What a run is about; "": about everything."""
    return r.choice(FOCI) if r.random() < 0.4 else ""


def wishes(r: Random, clients: int, focus: str, hit: Counter[str]) -> list[list[Command]]:
    """The commands of each client, in the order in which it asks for them."""
    queues: list[list[Command]] = [[] for _ in range(clients)]
    keys, mix = _keys(r, focus), _CROWD if focus == "crowd" else _MIX
    count = {"loads": r.randint(6, 10), "crowd": r.randint(12, 20)}.get(focus, r.randint(6, 16))
    for number in range(count):
        command = _command(r, number, keys, mix)
        if command.kind == "poison":
            hit["content: poison"] += 1
        if focus == "crowd" and command.expected is not None:
            command.expected = AS_READ
        queues[r.randrange(clients)].append(command)
    least, most, objects, versions = (3, 5, 6, 1) if focus == "loads" else (1, 3, 6, 2)
    partitions = {"loads": 2, "crowd": 0, "repeats": 0}.get(focus, r.choice([0, 1, 2, 2]))
    for queue, partition in zip(queues, ("p1", "p2")[:partitions], strict=False):
        for _ in range(r.randint(least, most)):
            brought = sorted(r.sample(range(objects), r.randint(0, objects)))
            rows = tuple((f"c{k}", r.randint(1, versions)) for k in brought)
            _in_turn(r, queue, Command(count, "load", (), rows=rows, partition=partition))
            count += 1
    return queues


def _keys(r: Random, focus: str) -> list[str]:
    if focus == "crowd":
        return ["b0", "b1"]
    if focus == "loads" or r.random() < 0.3:  # people and loads have the same objects
        return [f"c{k}" for k in range(6)]
    return [f"b{k}" for k in range(r.randint(2, 5))] + [f"c{k}" for k in range(r.randint(0, 3))]


def _command(r: Random, number: int, keys: list[str], mix: dict[str, float]) -> Command:
    kind = r.choices(list(mix), list(mix.values()))[0]
    command = Command(number, "set" if kind in ("expect", "pair") else kind, (r.choice(keys),), r.randint(1, 99))
    if kind == "pair":
        command.keys = tuple(r.sample(keys, 2))
    if kind == "expect":
        command.expected = r.randint(0, 3)
    if kind == "poison" and r.random() < 0.7:
        command.keys = (f"x{r.randint(0, 1)}",)
    command.way = "group" if r.random() < 0.7 else "append"
    return command


def _in_turn(r: Random, queue: list[Command], load: Command) -> None:
    """Anywhere after the loads of the same partition that are asked for before it."""
    after = [k + 1 for k, command in enumerate(queue) if command.partition == load.partition]
    queue.insert(max([r.randint(0, len(queue)), *after]), load)
