"""One run: a seed, faults, calm, and all checks. The same seed gives the same trace."""

import secrets
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa

from tests.simulator.checks import Checks
from tests.simulator.coda import coda
from tests.simulator.disasters import plan
from tests.simulator.store import SimStore
from tests.simulator.truth import Violation
from tests.simulator.workload import Workload
from tests.simulator.world import World

pa.set_cpu_count(1)  # a run is one thread; handing each small batch to a pool costs more than the work
pa.set_io_thread_count(1)
STEPS_WITH_FAULTS = 600
CALM_STEPS = 12_000
"""Port calls after the last fault within which everything must be done."""
LONGEST_REPLY_S = 0.5
"""What is still on its way when the faults stop is answered by then."""
LAST_STEPS = 60


@dataclass(frozen=True)
class Run:
    """What came of a seed."""

    seed: int
    steps: int
    violation: Violation | None
    trace: str
    hit: Counter[str]
    crashed_at: Counter[str]
    calm_steps: int
    records: int

    @property
    def ok(self) -> bool:
        return self.violation is None

    def report(self) -> str:
        """For people: what failed, the last steps, how to see it again."""
        last = "\n".join(self.trace.splitlines()[-LAST_STEPS:])
        return (
            f"{last}\n\nseed {self.seed}: {self.violation} (step {self.steps})\n"
            f"again: spice simulate --seed {self.seed}"
        )


def run_seed(seed: int, store: type[SimStore] = SimStore) -> Run:
    """Run one seed in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="spice-sim-", dir=_memory()))
    world = World(seed, folder)
    violation: Violation | None = None
    calm_steps, checks = 0, Checks(world)
    try:
        with _seeded_ids(seed):
            try:
                workload = Workload(world, checks, store)
                plan(world, workload)
                steps = STEPS_WITH_FAULTS * (2 if workload.rebuilds else 1)
                world.run(lambda: world.steps >= steps)
                calm_steps = _calm(world, checks, workload)
                world.end()
                coda(world, checks, workload)
            except Violation as found:
                violation = found
            except Exception as fault:  # noqa: BLE001  what no fault explains is a finding like any other
                violation = Violation("no unexplained failure", f"{type(fault).__name__}: {fault}")
                violation.__cause__ = fault
            finally:
                world.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    trace = "\n".join(f"{at:10.4f} {who:14} {what}" for at, who, what in world.trace).replace(str(folder), "<run>")
    return Run(
        seed,
        world.steps,
        violation,
        trace,
        world.faults.hit,
        world.faults.crashed_at,
        calm_steps,
        len(checks.truth.records),
    )


def _calm(world: World, checks: Checks, workload: Workload) -> int:
    """No more faults: everything asked is answered and every sink gets to the end, in a bounded number of steps."""
    world.note("the faults stop")
    world.faults.on, world.calm = False, True
    world.skew = 0.0
    world.skews.clear()
    for actor in world.actors:
        actor.process.paused_until = min(actor.process.paused_until, world.now)
        actor.wake_at = min(actor.wake_at, world.now + LONGEST_REPLY_S)
    started = world.steps

    def done() -> bool:
        return world.steps - started > CALM_STEPS or (not workload.unsettled and checks.at_end())

    world.run(done)
    steps = world.steps - started
    if steps > CALM_STEPS:
        where = {name: seen.position for name, seen in checks.sinks.items()}
        left = [str(command) for queue in workload.queues for command in queue]
        raise Violation(
            "I13 lag 0 when faults stop", f"after {steps} steps the log is at {checks.truth.position}, {where}; {left}"
        )
    return steps


@contextmanager
def _seeded_ids(seed: int) -> Iterator[None]:
    """`uuid4` and names of files from the seed: ids are in the records' bytes, and so in their chain."""
    random, tokens, real = Random(~seed), Random(f"tokens {seed}"), (uuid.uuid4, secrets.token_hex)

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=random.getrandbits(128), version=4)

    def token_hex(nbytes: int | None = None) -> str:
        return tokens.randbytes(nbytes or 32).hex()

    uuid.uuid4, secrets.token_hex = uuid4, token_hex
    try:
        yield
    finally:
        uuid.uuid4, secrets.token_hex = real


def _memory() -> str | None:
    """Files of a run are small and short-lived: in memory where the system has such a folder."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None


Runner = Callable[[int], Run]
