"""Who is at work in a run: clients that append, followers of each sink, a sealer, readers. Each is a process that a
supervisor starts again when it ends, as the keeper does."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ontology_assets.events.errors import CommandIdReused, EventIdReused, OutcomeUnknown, SequenceConflict
from ontology_assets.events.group import Answer, Group
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealing import seal
from ontology_assets.followers.follow import Timing, catch_up, follow
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.sink import Sink
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import ProjectionSink
from resources.errors import SpiceError
from resources.lake.base import LakeConflictError
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from resources.registry.base import RegistryUnavailable
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.simulator.checks import Checks
from tests.simulator.clock import SimClock, SimProcesses
from tests.simulator.disasters import dark
from tests.simulator.domain import DOMAIN, LAYOUT, Command, Wish, decision
from tests.simulator.lake import Sealed, SimLake
from tests.simulator.machine import Process
from tests.simulator.sql import connections_of
from tests.simulator.store import SimStore
from tests.simulator.truth import Violation
from tests.simulator.world import World

EXPECTED = (OSError, sqlite3.OperationalError, RegistryUnavailable, OutcomeUnknown, LakeConflictError)
"""What a fault may look like to who asked. Anything else is a bug."""
PATIENCES_S = (0.0, 0.5, 2.0)
_COMPILED: dict[Any, Any] = {}
"""Statements of the registry, compiled once for all runs: a tenth of a run otherwise."""
TIMING = Timing(poll=0.3, renew=0.8, ttl=4.0, handover=0.4)


@dataclass
class Workload:
    """The processes of a run, and what is left to do."""

    world: World
    checks: Checks
    store: type[SimStore] = SimStore
    queues: list[list[Command]] = field(default_factory=list)
    sealed: Sealed = field(default_factory=Sealed)
    cutting: bool = False

    def __post_init__(self) -> None:
        r = self.world.random
        self.connections = connections_of(self.world)
        self.batch_rows = r.choice([1, 2, 5, 16, 64])
        self.shared_heads = r.random() < 0.3
        self.patience_s = r.choice(PATIENCES_S)
        self.haste = r.choice([2.0, 10.0, 200.0])
        clients = r.randint(2, 4)
        self.queues = [[] for _ in range(clients)]
        self._wishes(r.randint(6, 16), clients)
        self.world.on_end = self.ended
        for k in range(clients):
            self.begin("append", f"client-{k}", r.uniform(0, 2.0 / self.haste))
        for sink in ("relay", "search"):
            self.begin(sink, f"{sink}-a", r.uniform(0, 1.0))
            if self.world.faults.zombie_at or r.random() < 0.4:
                self.world.faults.hit["process: double start"] += 1
                self.begin(sink, f"{sink}-b", r.uniform(0, 10.0))
        self.begin("read", "reader", r.uniform(0, 1.0))
        for name in ("seal-a", "seal-b")[: r.choice([0, 1, 2])]:
            self.begin("seal", name, r.uniform(0, 2.0))

    def _wishes(self, count: int, clients: int) -> None:
        r = self.world.random
        keys = [f"b{k}" for k in range(r.randint(2, 5))] + [f"c{k}" for k in range(r.randint(0, 3))]
        if r.random() < 0.3:  # people and loads have the same objects
            keys = [f"c{k}" for k in range(4)]
        for number in range(count):
            kind = r.choices(["set", "add", "expect", "pair", "delete", "poison"], [4, 4, 4, 2, 2, 0.6])[0]
            command = Command(
                number, "set" if kind in ("expect", "pair") else kind, (r.choice(keys),), r.randint(1, 99)
            )
            if kind == "pair":
                command.keys = tuple(r.sample(keys, 2))
            if kind == "expect":
                command.expected = r.randint(0, 3)
            if kind == "poison":
                command.keys = (f"x{r.randint(0, 1)}",) if r.random() < 0.7 else command.keys
                self.world.faults.hit["content: poison"] += 1
            command.way = "group" if r.random() < 0.7 else "append"
            self.queues[r.randrange(clients)].append(command)
        for queue, partition in enumerate(("p1", "p2")[: r.choice([0, 1, 2, 2])]):
            for _ in range(r.randint(1, 3)):
                number += 1
                rows = tuple((f"c{k}", r.randint(1, 2)) for k in sorted(r.sample(range(6), r.randint(0, 6))))
                at = r.randint(0, len(self.queues[queue]))
                later = [k for k, c in enumerate(self.queues[queue]) if c.partition == partition]
                command = Command(number, "load", (), rows=rows, partition=partition)
                self.queues[queue].insert(max([at, *(k + 1 for k in later)]), command)

    # Processes

    def begin(self, role: str, name: str, after: float) -> None:
        def start() -> None:
            process = Process(role, name)
            work = {
                "append": self.client,
                "relay": self.follower,
                "search": self.follower,
                "read": self.reader,
                "seal": self.sealer,
            }[role]
            self.world.start(process, lambda: work(process))

        self.world.later(after, start)

    def ended(self, process: Process) -> None:
        """The supervisor: looks at why, and starts it again."""
        fault = process.fault
        if fault is not None and not isinstance(fault, EXPECTED):
            self.world.fail(fault if isinstance(fault, Violation) else unexpected(process, fault))
        if self.cutting and not self.world.actors:
            self.cutting = False
            dark(self.world, self.checks, self.sealed)
        self.begin(process.role, process.name, self.world.random.uniform(0.05, 2.0))

    def log(self, process: Process) -> EventLog:
        world, clock = self.world, SimClock(self.world, process)
        return EventLog(
            self.store(world),
            DOMAIN,
            clock=clock.now,
            patience_s=self.patience_s,
            sleep=world.sleep,
            timer=clock.monotonic,
            new_id=world.new_id,
        )

    def heads(self, process: Process, log: EventLog) -> Heads:
        name = "heads-shared" if self.shared_heads else f"heads-{process.name}"
        return Heads(self.world.folder / f"{name}.sqlite", log, factory=self.connections)

    def sink(self, role: str, process: Process, log: EventLog) -> Sink:
        clock = SimClock(self.world, process)
        if role == "relay":
            topic = SqliteTopic(self.world.folder / "topic.sqlite", now=clock.now, factory=self.connections)
            return Relay(topic, DOMAIN)
        writer = SqliteWriter(
            self.world.folder / "search.sqlite", LAYOUT, SEARCH, now=clock.now, factory=self.connections
        )
        return ProjectionSink("search", writer, LAYOUT, words_of, log)

    # Clients

    def client(self, process: Process) -> None:
        world, r = self.world, self.world.random
        queue = self.queues[int(process.name.rpartition("-")[2])]
        log = self.log(process)
        heads = self.heads(process, log)
        group = Group(log, heads)
        while True:
            if not queue:
                world.sleep(0.5)
                continue
            asked = [queue[0]]
            if asked[0].way == "group":
                asked = [command for command in queue if command.way == "group"][: r.randint(1, 4)]
            world.sleep(r.expovariate(self.haste))
            for command in self.attempt(log, heads, group, asked):
                queue.remove(command)
                self.follow_up(command)
            left = [command for command in asked if command in queue]
            if left and left[0].kind != "load" and r.random() < 0.4:  # asked again in another process
                queue.remove(left[0])
                self.queues[r.randrange(len(self.queues))].append(left[0])

    def attempt(self, log: EventLog, heads: Heads, group: Group, asked: list[Command]) -> list[Command]:
        """Those of the commands that have their answer."""
        world, checks = self.world, self.checks
        for command in asked:
            checks.offered(command)
            self.rival(command)
        invoked_at = checks.truth.position
        world.note("asks for " + ", ".join(map(str, asked)))
        try:
            outcomes = self.outcomes(log, heads, group, asked)
        except EXPECTED as fault:
            world.note(f"{type(fault).__name__}, asked again later")
            return []
        world.point("before", "ack")
        for command, outcome in zip(asked, outcomes, strict=True):
            self.answered(command, outcome, invoked_at)
        world.point("after", "ack")
        return asked

    def outcomes(
        self, log: EventLog, heads: Heads, group: Group, asked: list[Command]
    ) -> list[Answer | SpiceError | None]:
        if asked[0].way == "group":
            return list(group.commit([Wish(command) for command in asked]))
        try:
            commit = log.append(heads, decision(asked[0], log.states))
        except (SequenceConflict, EventIdReused) as refusal:
            return [refusal]
        return [None if commit is None else Answer("", commit.first, commit.last, commit.already)]

    def answered(self, command: Command, outcome: Answer | SpiceError | None, invoked_at: int) -> None:
        world, checks = self.world, self.checks
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

    def follow_up(self, command: Command) -> None:
        """Answered commands come again, and their ids with other content."""
        world, r = self.world, self.world.random
        if command.kind != "load" and command.record is not None and world.faults.draw(("content: repeated command",)):
            self.queues[r.randrange(len(self.queues))].append(command)

    def rival(self, command: Command) -> None:
        """Somebody else uses the same id for something else, at the same time or much later."""
        world, r = self.world, self.world.random
        if command.kind == "load" or command.rivalled or len(command.keys) > 1:
            return
        if command.kind == "add" and command.way == "append":  # nobody could tell the one from the other
            return
        if world.faults.draw(("content: id with other content",)):
            command.rivalled = True
            key = r.choice([command.keys[0], f"r{command.number}"])
            other = Command(
                1000 + command.number,
                "set",
                (key,),
                1_000_000 * (command.number + 1),
                reuses=command,
                way=command.way,
                rivalled=True,
            )
            queue = self.queues[r.randrange(len(self.queues))]
            queue.insert(r.choice([0, r.randint(0, len(queue))]), other)

    @property
    def unsettled(self) -> bool:
        return any(self.queues)

    # Followers and readers

    def follower(self, process: Process) -> None:
        world, r = self.world, self.world.random
        clock = SimClock(world, process)
        log = self.log(process)
        sink = Delivery(world, self.sink(process.role, process, log))
        registry = SqliteRegistry(
            world.folder / "registry.sqlite",
            now=clock.now,
            processes=SimProcesses(world, process),
            factory=self.connections,
        )
        registry._engine = registry._engine.execution_options(compiled_cache=_COMPILED)
        process.closing.append(registry.close)
        if r.random() < 0.3:
            target = self.checks.truth.position
            done = catch_up(
                log,
                sink,
                registry,
                owner=process.name,
                batch_rows=self.batch_rows,
                timing=TIMING,
                clock=clock,
                timeout=600.0,
            )
            if done.position < target:
                raise Violation("N1 done is done", f"caught up at {done.position}, the log was at {target} when asked")
            return
        follow(
            log,
            sink,
            registry,
            owner=process.name,
            until=world.now + r.uniform(5, 60),
            batch_rows=self.batch_rows,
            timing=TIMING,
            clock=clock,
        )

    def reader(self, process: Process) -> None:
        world, r, checks = self.world, self.world.random, self.checks
        log = self.log(process)
        heads = self.heads(process, log)
        while True:
            world.sleep(r.expovariate(0.1 if world.calm else 1.0))
            truth = checks.truth
            invoked_at, key, how = truth.position, f"b{r.randint(0, 3)}", r.random()
            try:
                if how < 0.6:
                    found = log.aggregate("Box", key, heads=heads if how < 0.3 else None)
                    pairs = list(zip(found["sequence_number"].to_pylist(), found["event_id"].to_pylist(), strict=True))
                    checks.read(process.name, key, pairs, invoked_at)
                else:
                    after = r.randint(0, invoked_at)
                    rows = [row for batch in log.events(after, self.batch_rows) for row in batch.to_pylist()]
                    checks.tail([(row["position"], row["event_id"]) for row in rows], after, invoked_at)
            except EXPECTED as fault:
                world.note(f"read: {type(fault).__name__}")

    def sealer(self, process: Process) -> None:
        world = self.world
        log, lake = self.log(process), SimLake(world, self.checks, self.sealed)
        while True:
            world.sleep(world.random.expovariate(0.1 if world.calm else 3.0))
            try:
                report = seal(log, lake, DOMAIN)
            except EXPECTED as fault:
                world.note(f"seal: {type(fault).__name__}")
            else:
                world.note(f"sealed through record {report.through}, {report.appended} events new")


class Delivery:
    """What may happen between the loop and a sink on another machine: the same again, more than asked, later first."""

    def __init__(self, world: World, inner: Sink) -> None:
        self._world, self._inner = world, inner
        self._last: pa.RecordBatch | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def apply(self, batch: pa.RecordBatch, epoch: int) -> None:
        faults = self._world.faults
        fault = faults.draw(("delivery: duplicate", "delivery: overlap", "delivery: out of order"))
        if fault is not None:
            self._world.note(fault)
        if fault == "delivery: overlap" and self._last is not None and _last_of(self._last) + 1 == _first_of(batch):
            batch = pa.concat_batches([self._last, batch])
        if fault == "delivery: out of order" and batch.num_rows > 1:
            try:
                self._inner.apply(batch.slice(1), epoch)
            except SpiceError as refusal:
                if refusal.title != "Events missing":
                    raise
        self._inner.apply(batch, epoch)
        if fault == "delivery: duplicate":
            self._inner.apply(batch, epoch)
        self._last = batch


def _first_of(batch: pa.RecordBatch) -> int:
    return int(batch.column("position")[0].as_py())


def _last_of(batch: pa.RecordBatch) -> int:
    return int(batch.column("position")[batch.num_rows - 1].as_py())


def unexpected(process: Process, fault: BaseException) -> Violation:
    """A process that ended for a reason that no fault explains."""
    found = Violation("no unexplained failure", f"{process.name} ended with {type(fault).__name__}: {fault}")
    found.__cause__ = fault
    return found
