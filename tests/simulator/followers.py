"""The processes that follow: relay and projection, each under the lease of its sink."""

from typing import TYPE_CHECKING, Any

from ontology_assets.events.log import EventLog
from ontology_assets.followers.follow import catch_up, follow
from ontology_assets.followers.progress import Timing
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.sink import Sink
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import ProjectionSink
from resources.read_model.generations import Generations
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.simulator.clock import SimClock, SimProcesses
from tests.simulator.delivery import Delivery
from tests.simulator.domain import DOMAIN, LAYOUT
from tests.simulator.machine import Process

if TYPE_CHECKING:
    from tests.simulator.workload import Workload

TIMING = Timing(poll=0.3, renew=0.8, ttl=4.0, handover=0.4)
_COMPILED: dict[Any, Any] = {}
_DIALECTS: list[Any] = []
"""Statements of the registry, compiled once for all runs: a sixth of a run otherwise. They are kept by dialect, of which
each engine has its own, so all have the first one's."""


def run_follower(workload: "Workload", process: Process) -> None:
    """Follow for a while, or until caught up."""
    world, r = workload.world, workload.world.random
    clock = SimClock(world, process)
    log = workload.log(process)
    sink = Delivery(world, _sink(workload, process, log))
    registry = registry_of(workload, process, clock)
    if r.random() < 0.5:
        checks = workload.checks
        target, forgotten = checks.truth.position, checks.forgotten
        done = catch_up(
            log,
            sink,
            registry,
            owner=process.name,
            batch_rows=workload.batch_rows,
            timing=TIMING,
            clock=clock,
            timeout=600.0,
        )
        if checks.forgotten == forgotten:
            checks.caught_up(process.role, done.position, target)
        return
    follow(
        log,
        sink,
        registry,
        owner=process.name,
        until=world.now + r.uniform(5, 60),
        batch_rows=workload.batch_rows,
        timing=TIMING,
        clock=clock,
    )


def registry_of(workload: "Workload", process: Process, clock: SimClock) -> SqliteRegistry:
    registry = SqliteRegistry(
        workload.world.folder / "registry.sqlite",
        now=clock.now,
        processes=SimProcesses(workload.world, process),
        factory=workload.connections,
    )
    registry._engine = registry._engine.execution_options(compiled_cache=_COMPILED)
    if not _DIALECTS:
        _DIALECTS.append(registry._engine.dialect)
    registry._engine.dialect = _DIALECTS[0]
    process.closing.append(registry.close)
    return registry


def _sink(workload: "Workload", process: Process, log: EventLog) -> Sink:
    folder, clock = workload.world.folder, SimClock(workload.world, process)
    if process.role == "relay":
        topic = SqliteTopic(folder / "topic.sqlite", now=clock.now, factory=workload.connections)
        return Relay(topic, DOMAIN)
    alias = folder / "search.sqlite"
    make = Generations(alias).ensure
    writer = SqliteWriter(alias, LAYOUT, SEARCH, now=clock.now, factory=workload.connections, make_path=make)
    return ProjectionSink("search", writer, LAYOUT, words_of, log)
