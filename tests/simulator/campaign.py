"""Many seeds in several processes, and what they covered; and the search for the seed that catches a mutant."""

import json
import logging
import multiprocessing
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulator.faults import CRASH_POINTS, KINDS
from tests.simulator.mutants import MUTANTS
from tests.simulator.run import run_seed
from tests.simulator.store import SimStore

CAUGHT = Path(__file__).with_name("caught.json")
_CHUNK = 20
LEAST_HITS = 20
LEAST_STEPS = 200


@dataclass
class Campaign:
    """What a number of seeds came to."""

    seeds: int = 0
    steps: list[int] = field(default_factory=list)
    calm_steps: list[int] = field(default_factory=list)
    hit: Counter[str] = field(default_factory=Counter)
    crashed_at: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: "Campaign") -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.calm_steps += other.calm_steps
        self.hit += other.hit
        self.crashed_at += other.crashed_at
        self.failures += other.failures
        self.seconds += other.seconds

    @property
    def median_steps(self) -> int:
        return int(statistics.median(self.steps))

    def rarely_hit(self) -> list[str]:
        """Fault kinds and crash points in scope that were hit too seldom to say anything."""
        seldom = [f"{kind}: {self.hit[kind]}" for kind in KINDS if self.hit[kind] < LEAST_HITS]
        return seldom + [
            f"{point}: {self.crashed_at[point]}" for point in CRASH_POINTS if self.crashed_at[point] < LEAST_HITS
        ]


@dataclass(frozen=True)
class Caught:
    """A mutant and the first seed from 0 on that catches it, None if none did."""

    mutant: str
    seed: int | None
    by: str
    seconds: float


def campaign(seeds: Sequence[int], processes: int, say: Callable[[str], None] = lambda _: None) -> Campaign:
    """Run them all; failures are reported in full, in order of their seeds."""
    found = Campaign()
    chunks = [list(seeds[k : k + _CHUNK]) for k in range(0, len(seeds), _CHUNK)]
    with _pool(processes) as pool:
        for part in pool.map(_some, chunks):
            found.add(part)
            for failure in part.failures:
                say(failure)
    return found


def hunt(
    names: Sequence[str], most: int, processes: int, remembered: Mapping[str, int] | None = None
) -> Iterator[Caught]:
    """For each mutant the first seed, from 0 up to `most`, that catches it.

    `remembered`: the seed that an earlier hunt found, which is tried first, and alone if it still catches.
    """
    known = remembered or {}
    with _pool(processes) as pool:
        yield from pool.map(_caught, names, [most] * len(names), [known.get(name) for name in names])


def remembered() -> dict[str, int]:
    """What the last hunt from seed 0 up found, by mutant (`python -m tests.simulator --hunt`)."""
    found: dict[str, int] = json.loads(CAUGHT.read_text()) if CAUGHT.exists() else {}
    return found


def remember(found: Iterable[Caught]) -> None:
    seeds = remembered() | {one.mutant: one.seed for one in found if one.seed is not None}
    CAUGHT.write_text(json.dumps({name: seeds[name] for name in planted() if name in seeds}, indent=1) + "\n")


def planted() -> list[str]:
    """The control and all mutants."""
    return [CAS_OFF, *(mutant.name for mutant in MUTANTS)]


def lines(found: Campaign) -> list[str]:
    """The coverage as text."""
    told = [
        f"{found.seeds} seeds, median {found.median_steps} steps, {sum(found.steps):,} in all, {found.seconds:.0f} s"
    ]
    told += [f"  most steps from the last fault to lag 0: {max(found.calm_steps)}"]
    told += [f"  {found.crashed_at[point]:7}  crash at {point}" for point in CRASH_POINTS]
    return told + [f"  {found.hit[kind]:7}  {kind}: {meaning}" for kind, meaning in KINDS.items()]


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_quiet)


def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # the read model's warnings of damage are what is being provoked


def _some(seeds: list[int]) -> Campaign:
    found, began = Campaign(), time.process_time()
    for seed in seeds:
        run = run_seed(seed)
        found.seeds += 1
        found.steps.append(run.steps)
        found.calm_steps.append(run.calm_steps)
        found.hit += run.hit
        found.crashed_at += run.crashed_at
        if not run.ok:
            found.failures.append(run.report())
    found.seconds = time.process_time() - began
    return found


def _caught(name: str, most: int, first: int | None) -> Caught:
    began = time.process_time()
    store: type[SimStore] = SimStore
    if name == CAS_OFF:
        store = type("Unconditional", (SimStore,), {"conditional": False})
    for seed in ([] if first is None else [first]) + list(range(most)):
        if name == CAS_OFF:
            run = run_seed(seed, store)
        else:
            mutant = next(one for one in MUTANTS if one.name == name)
            with mutant.applied():
                run = run_seed(seed)
        if not run.ok:
            return Caught(name, seed, str(run.violation), time.process_time() - began)
    return Caught(name, None, "", time.process_time() - began)


CAS_OFF = "control: the store ignores the condition (compare-and-set off)"
