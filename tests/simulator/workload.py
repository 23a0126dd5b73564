"""Who is at work in a run: clients that append, followers of each sink, a sealer, readers. Each is a process that a
supervisor starts again when it ends, as the keeper does."""

from dataclasses import dataclass, field
from random import Random

from ontology_assets.events.archiving import archive
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import seal
from tests.simulator.checks import Checks
from tests.simulator.clients import Client
from tests.simulator.clock import SimClock
from tests.simulator.disasters import dark
from tests.simulator.domain import DOMAIN, Command
from tests.simulator.faults import EXPECTED
from tests.simulator.followers import run_follower
from tests.simulator.lake import Sealed, SimLake
from tests.simulator.machine import Process
from tests.simulator.rebuilds import run_rebuilder
from tests.simulator.sql import connections_of
from tests.simulator.store import SimStore
from tests.simulator.truth import Violation
from tests.simulator.wishes import about, wishes
from tests.simulator.world import World

REBUILDS = 0.15
PATIENCES_S = (0.0, 0.5, 2.0)


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
        rare = Random(f"rebuild {self.world.seed}")  # a stream of its own: other runs stay as they are
        self.rebuilds = not self.focus and rare.random() < REBUILDS
        if self.rebuilds:
            self.world.faults.rebuilding(rare)
            self.begin("fill", "fill", rare.uniform(0.0, 0.3))
        late = 2.0 if self.focus else 0.0  # what the run is about comes first
        for sink in ("relay", "search"):
            self.begin(sink, f"{sink}-a", late + r.uniform(0, 1.0))
            if self.world.faults.zombie_at or r.random() < 0.4:
                self.world.faults.hit["process: double start"] += 1
                self.begin(sink, f"{sink}-b", r.uniform(0, 10.0))
        self.begin("read", "reader", r.uniform(0, 1.0))
        sealers = {"seals": 2, "": r.choice([0, 1, 2])}.get(self.focus, 0)
        drawn = r.random()
        self.archives = drawn < 0.5
        if drawn < 0.25 and sealers:  # most find nothing to remove, so it would hardly ever be hit by chance
            self.world.faults.aimed.setdefault("seal: before delete data", 1)
        for name in ("seal-a", "seal-b")[:sealers]:
            self.begin("seal", name, r.uniform(0, 2.0))

    # Processes

    def begin(self, role: str, name: str, after: float) -> None:
        def start() -> None:
            process = Process(role, name)
            work = {
                "append": lambda process: Client(self, process).run(),
                "relay": lambda process: run_follower(self, process),
                "search": lambda process: run_follower(self, process),
                "fill": lambda process: run_rebuilder(self, process),
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

    @property
    def unsettled(self) -> bool:
        return any(self.queues)

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
