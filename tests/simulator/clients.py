"""The processes that append: each asks for its commands until it has an answer to each."""

from typing import TYPE_CHECKING

from ontology_assets.events.errors import CommandIdReused, EventIdReused, SequenceConflict
from ontology_assets.events.group import Answer, Group
from resources.errors import SpiceError
from tests.simulator.domain import AS_READ, Command, Wish, decision
from tests.simulator.faults import EXPECTED
from tests.simulator.machine import Process

if TYPE_CHECKING:
    from tests.simulator.workload import Workload


class Client:
    """One of them, from its start to its end."""

    def __init__(self, workload: "Workload", process: Process) -> None:
        self._workload = workload
        self._world, self._checks, self._queues = workload.world, workload.checks, workload.queues
        self._own = workload.queues[int(process.name.rpartition("-")[2])]
        self._log = workload.log(process)
        self._heads = workload.heads(process, self._log)
        self._group = Group(self._log, self._heads)

    def run(self) -> None:
        world, r, queue = self._world, self._world.random, self._own
        while True:
            if not queue:
                world.sleep(0.5)
                continue
            asked = [queue[0]]
            if asked[0].way == "group":
                asked = [command for command in queue if command.way == "group"][: r.randint(1, 4)]
            world.sleep(r.expovariate(self._workload.haste))
            for command in self._attempt(asked):
                queue.remove(command)
                self._follow_up(command)
            left = [command for command in asked if command in queue]
            if left and left[0].kind != "load" and r.random() < 0.4:  # asked again in another process
                queue.remove(left[0])
                self._queues[r.randrange(len(self._queues))].append(left[0])

    def _attempt(self, asked: list[Command]) -> list[Command]:
        """Those of the commands that have their answer."""
        world, r, checks = self._world, self._world.random, self._checks
        for command in asked:
            if command.expected == AS_READ:
                command.expected = len(checks.truth.of(command.keys[0])) + r.randint(0, 3)
            checks.offered(command)
            self._rival(command)
            self._twice(command)
        invoked_at = checks.truth.position
        world.note("asks for " + ", ".join(map(str, asked)))
        try:
            outcomes = self._outcomes(asked)
        except EXPECTED as fault:
            world.note(f"{type(fault).__name__}, asked again later")
            return []
        world.point("before", "ack")
        for command, outcome in zip(asked, outcomes, strict=True):
            self._answered(command, outcome, invoked_at)
        world.point("after", "ack")
        return asked

    def _outcomes(self, asked: list[Command]) -> list[Answer | SpiceError | None]:
        if asked[0].way == "group":
            return list(self._group.commit([Wish(command) for command in asked]))
        try:
            commit = self._log.append(self._heads, decision(asked[0], self._log.states))
        except (SequenceConflict, EventIdReused) as refusal:
            return [refusal]
        return [None if commit is None else Answer("", commit.first, commit.last, commit.already)]

    def _answered(self, command: Command, outcome: Answer | SpiceError | None, invoked_at: int) -> None:
        world, checks = self._world, self._checks
        if isinstance(outcome, SequenceConflict):
            checks.refused(command, outcome.actual, invoked_at)
            world.note(f"{command}: conflict, it is at {outcome.actual}")
        elif isinstance(outcome, EventIdReused | CommandIdReused) and command.rivalled:
            checks.taken(command)
            world.note(f"{command}: refused, the id is taken")
        elif isinstance(outcome, SpiceError):
            raise outcome
        elif outcome is None:
            checks.nothing_to_do(command)
        else:
            checks.acknowledged(command, outcome.first, outcome.last)
            world.note(f"{command}: {outcome.first}-{outcome.last}{', there already' if outcome.already else ''}")

    def _follow_up(self, command: Command) -> None:
        """Answered commands come again, and their ids with other content."""
        world, r = self._world, self._world.random
        if command.kind != "load" and command.record is not None and world.faults.draw(("content: repeated command",)):
            self._queues[r.randrange(len(self._queues))].append(command)

    def _rival(self, command: Command) -> None:
        """Somebody else uses the same id for something else, at the same time or much later."""
        world, r = self._world, self._world.random
        if command.kind == "load" or command.rivalled or len(command.keys) > 1:
            return
        if command.kind == "add" and command.way == "append":  # nobody could tell the one from the other
            return
        if world.faults.draw(("content: id with other content",)):
            command.rivalled = True
            at_once = self._workload.focus == "repeats"
            key = f"r{command.number}" if at_once else r.choice([command.keys[0], f"r{command.number}"])
            other = Command(
                1000 + command.number,
                "set",
                (key,),
                1_000_000 * (command.number + 1),
                reuses=command,
                way=command.way,
                rivalled=True,
            )
            queue = self._queues[r.randrange(len(self._queues))]
            queue.insert(0 if at_once else r.choice([0, r.randint(0, len(queue))]), other)

    def _twice(self, command: Command) -> None:
        """The same command goes to two processes at once."""
        if self._workload.focus != "repeats" or command.rivalled or command.expected is not None or command.doubled:
            return
        command.doubled = True
        self._world.faults.hit["content: repeated command"] += 1
        self._queues[self._world.random.randrange(len(self._queues))].insert(0, command)
