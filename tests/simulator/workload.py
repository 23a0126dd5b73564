"""Who is at work in a run: clients that append, followers of each sink, a sealer, readers. Each is a process that a
supervisor starts again when it ends, as the keeper does."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from ontology_assets.events.archiving import archive
from ontology_assets.events.errors import CommandIdReused, EventIdReused, OutcomeUnknown, SequenceConflict
from ontology_assets.events.group import Answer, Group
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import seal
from ontology_assets.followers.follow import catch_up, follow
from ontology_assets.followers.progress import Timing
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
from tests.simulator.delivery import Delivery
from tests.simulator.disasters import dark
from tests.simulator.domain import AS_READ, DOMAIN, LAYOUT, Command, Wish, decision
from tests.simulator.lake import Sealed, SimLake
from tests.simulator.machine import Process
from tests.simulator.sql import connections_of
from tests.simulator.store import SimStore
from tests.simulator.truth import Violation
from tests.simulator.wishes import about, wishes
from tests.simulator.world import World

EXPECTED = (OSError, sqlite3.OperationalError, RegistryUnavailable, OutcomeUnknown, LakeConflictError)
"""What a fault may look like to who asked. Anything else is a bug."""
PATIENCES_S = (0.0, 0.5, 2.0)
_COMPILED: dict[Any, Any] = {}
_DIALECTS: list[Any] = []
"""Statements of the registry, compiled once for all runs: a sixth of a run otherwise. They are kept by dialect, of which
each engine has its own, so all have the first one's."""
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
        self.batch_rows = r.choice([1, 3, 8, 16, 64])
        self.shared_heads = r.random() < 0.3
        self.patience_s = r.choice(PATIENCES_S)
        self.focus = about(r)
        if self.focus:
            self.world.faults.only(self.focus)
        self.haste = r.choice([2.0, 10.0, 200.0]) if self.focus in ("", "seals") else 200.0
        clients = 4 if self.focus in ("crowd", "loads") else r.randint(2, 4)
        self.queues = wishes(r, clients, self.focus, self.world.faults.hit)
        self.world.on_end = self.ended
        for k in range(clients):
            self.begin("append", f"client-{k}", r.uniform(0, 2.0 / self.haste))
        late = 2.0 if self.focus else 0.0  # what the run is about comes first
        for sink in ("relay", "search"):
            self.begin(sink, f"{sink}-a", late + r.uniform(0, 1.0))
            if self.world.faults.zombie_at or r.random() < 0.4:
                self.world.faults.hit["process: double start"] += 1
                self.begin(sink, f"{sink}-b", r.uniform(0, 10.0))
        self.begin("read", "reader", r.uniform(0, 1.0))
        sealers = {"seals": 2, "": r.choice([0, 1, 2])}.get(self.focus, 0)
        self.archives = r.random() < 0.5
        for name in ("seal-a", "seal-b")[:sealers]:
            self.begin("seal", name, r.uniform(0, 2.0))

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
            history=self.history(),
        )

    def history(self) -> SealedHistory:
        """Where archived rows are read."""
        return SealedHistory(SimLake(self.world, self.checks, self.sealed), DOMAIN)

    def heads(self, process: Process, log: EventLog) -> Heads:
        name = "heads-shared" if self.shared_heads else f"heads-{process.name}"
        return Heads(self.world.folder / f"{name}.sqlite", log, factory=self.connections, step_rows=3)

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
        world, r, checks = self.world, self.world.random, self.checks
        for command in asked:
            if command.expected == AS_READ:
                command.expected = len(checks.truth.of(command.keys[0])) + r.randint(0, 3)
            checks.offered(command)
            self.rival(command)
            self.twice(command)
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
            at_once = self.focus == "repeats"
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
            queue = self.queues[r.randrange(len(self.queues))]
            queue.insert(0 if at_once else r.choice([0, r.randint(0, len(queue))]), other)

    def twice(self, command: Command) -> None:
        """The same command goes to two processes at once."""
        if self.focus != "repeats" or command.rivalled or command.expected is not None or command.doubled:
            return
        command.doubled = True
        self.world.faults.hit["content: repeated command"] += 1
        self.queues[self.world.random.randrange(len(self.queues))].insert(0, command)

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
        _DIALECTS[1:] = []
        _DIALECTS.append(registry._engine.dialect)
        registry._engine.dialect = _DIALECTS[0]
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
                if how < 0.2:
                    checks.end(log.end().position, invoked_at)
                elif how < 0.7:
                    found = log.aggregate("Box", key, heads=heads if how < 0.4 else None)
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
            often = 20.0 if self.focus == "seals" else 3.0
            world.sleep(world.random.expovariate(0.1 if world.calm else often))
            try:
                report = seal(log, lake, DOMAIN)
            except EXPECTED as fault:
                world.note(f"seal: {type(fault).__name__}")
            else:
                world.note(f"sealed through record {report.through}, {report.appended} events new")
            if self.archives:
                self.archive(log, lake)

    def archive(self, log: EventLog, lake: SimLake) -> None:
        try:
            report = archive(log, lake, DOMAIN)
        except EXPECTED as fault:
            self.world.note(f"archive: {type(fault).__name__}")
        else:
            self.world.note(f"archived through record {report.through}, {report.files} files removed")
            self.world.faults.hit["content: archived rows"] += report.files


def unexpected(process: Process, fault: BaseException) -> Violation:
    """A process that ended for a reason that no fault explains."""
    found = Violation("no unexplained failure", f"{process.name} ended with {type(fault).__name__}: {fault}")
    found.__cause__ = fault
    return found
