"""A process that builds the read model again beside the one that is asked: fills, swaps, goes back, sweeps, repairs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ontology_assets.events.histories import WholeHistories
from ontology_assets.projections.comparison import ALL_BUCKETS
from ontology_assets.projections.documents import COLUMNS
from ontology_assets.projections.rebuild.fill import fill_bucket, open_rebuild
from ontology_assets.projections.rebuild.place import Place, Source
from ontology_assets.projections.rebuild.record import RebuildRefused
from ontology_assets.projections.rebuild.swap import abort, swap
from ontology_assets.projections.rebuild.sweep import sweep
from ontology_assets.projections.rebuild.undo import undo
from ontology_assets.projections.repair import NotRepaired, repair
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import ProjectionSink
from resources.fencing import Fenced
from resources.read_model.generations import Generations
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from tests.simulator.checks import Checks
from tests.simulator.clock import SimClock
from tests.simulator.domain import DOMAIN, LAYOUT
from tests.simulator.faults import EXPECTED
from tests.simulator.followers import TIMING, registry_of
from tests.simulator.lake import SimLake
from tests.simulator.machine import Process
from tests.simulator.world import World

if TYPE_CHECKING:
    from tests.simulator.workload import Workload

CODE = "the code of the simulation"


@dataclass(frozen=True)
class SimGenerations(Generations):
    """The alias as a port: a process may die before it is moved and after."""

    world: World
    checks: Checks

    def point_to(self, generation: str) -> None:
        self.world.point("before", "move alias")
        self.checks.asked.about_to_ask(self.file(generation), self.checks.truth)
        super().point_to(generation)
        self.world.note(f"generation {generation} is asked")
        self.world.point("after", "move alias")


@dataclass(frozen=True)
class SimPlace(Place):
    """One domain's read model in the folder of the run."""

    sinks: Callable[[str | None], ProjectionSink] = field(kw_only=True)
    places: SimGenerations = field(kw_only=True)

    @property
    def generations(self) -> Generations:
        return self.places

    @property
    def code(self) -> str:
        return CODE

    def sink(self, generation: str, source: Source) -> ProjectionSink:
        return self.sinks(generation)

    def live_sink(self, source: Source) -> ProjectionSink:
        return self.sinks(None)


def run_rebuilder(workload: "Workload", process: Process) -> None:
    """One thing after the other, until it is killed."""
    world, r = workload.world, workload.world.random
    place = _place(workload, process)
    while True:
        world.sleep(r.expovariate(1.0 if world.calm else 10.0))
        what = _repair if workload.checks.asked.drifted else r.choices([_build, _undo, _drift, _abort], [6, 1, 2, 1])[0]
        try:
            what(workload, place)
        except (RebuildRefused, Fenced, *EXPECTED) as fault:
            world.note(f"{what.__name__.strip('_')}: {type(fault).__name__}: {str(fault)[:120]}")


def _build(workload: "Workload", place: Place) -> None:
    rebuild = open_rebuild(place)
    workload.checks.asked.filled.add(place.generations.file(rebuild.generation).name)
    for bucket in ALL_BUCKETS:
        if bucket not in rebuild.proofs:
            fill_bucket(place, rebuild, bucket)
    swapped = swap(place, {f"{kind} {key}" for kind, key in workload.checks.truth.heads})
    workload.world.faults.hit["rebuild: swapped"] += 1
    workload.checks.asked.told(swapped.generation, place.generations.current())
    sweep(place)


def _undo(workload: "Workload", place: Place) -> None:
    undone = undo(place)
    workload.checks.asked.told(undone.generation, place.generations.current())


def _abort(workload: "Workload", place: Place) -> None:
    abort(place)


def _drift(workload: "Workload", place: Place) -> None:
    """Somebody alters the read model by hand; the repair is tried until it is done."""
    if workload.checks.asked.drift(workload.world.random.randrange(100)):
        workload.world.faults.hit["rebuild: drift"] += 1
        workload.world.note("a row was altered by hand")
        _repair(workload, place)


def _repair(workload: "Workload", place: Place) -> None:
    try:
        repair(place)
    except NotRepaired as refusal:  # nothing but the rows was altered: each bucket can be made of the log
        raise AssertionError(str(refusal)) from refusal
    workload.checks.asked.repaired(workload.checks.truth)


def _place(workload: "Workload", process: Process) -> SimPlace:
    world, clock = workload.world, SimClock(workload.world, process)
    log = workload.log(process)
    registry = registry_of(workload, process, clock)
    places = SimGenerations(world.folder / "search.sqlite", world, workload.checks)
    lake = SimLake(world, workload.checks, workload.sealed)

    def sink(generation: str | None) -> ProjectionSink:
        path = places.alias if generation is None else places.file(generation)
        make = places.ensure if generation is None else _nothing
        writer = SqliteWriter(path, LAYOUT, SEARCH, now=clock.now, factory=workload.connections, make_path=make)
        name = "search" if generation is None else f"search@{generation}"
        return ProjectionSink(name, writer, LAYOUT, words_of, log)

    domain = cast(Any, SimpleNamespace(name=DOMAIN))  # a definition is asked for its name only
    return SimPlace(
        cast(Any, None),
        "search",
        [Source(domain, log, WholeHistories(log, lake, COLUMNS))],
        registry,
        process.name,
        now=clock.now,
        timing=TIMING,
        clock=clock,
        sinks=sink,
        places=places,
    )


def _nothing() -> None: ...
