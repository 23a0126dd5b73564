"""What a rebuild works with: one projection of one home, its domains, their logs, the registry."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import orjson

from ontology_assets.events.histories import WholeHistories
from ontology_assets.events.log import EventLog
from ontology_assets.events.opening import open_histories
from ontology_assets.followers.progress import TIMING, Timing
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import ALL_BUCKETS, Comparison, compare
from ontology_assets.projections.documents import COLUMNS
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.rebuild.record import Records
from ontology_assets.projections.sinks import OPTIONS, ProjectionSink, generation_sink, generations_of, live_sink
from resources.clock import SYSTEM_CLOCK, Clock, Now, utc_now
from resources.errors import SpiceError
from resources.home import Home
from resources.read_model.generations import Generations
from resources.registry.base import Registry

PROJECTION_VERSION = 1
"""Of the code that makes rows of events: another number is another content."""


@dataclass(frozen=True)
class Source:
    """One domain's log and its sealed history."""

    domain: Domain
    log: EventLog
    histories: WholeHistories


@dataclass(frozen=True)
class Place:
    """`owner` and `run_id` are shown in the leases that are taken; `timing` and `clock` are what following waits by."""

    home: Home
    projection: str
    sources: Sequence[Source]
    registry: Registry
    owner: str
    run_id: str = ""
    now: Now = utc_now
    timing: Timing = TIMING
    clock: Clock = SYSTEM_CLOCK

    @property
    def generations(self) -> Generations:
        return generations_of(self.home, self.projection)

    @property
    def records(self) -> Records:
        return Records(self.registry, self.projection)

    @property
    def code(self) -> str:
        """What rows are made by: the same for the same types, options, upcasters and version of the code."""
        layouts = {one.domain.name: domain_layout(one.domain).fingerprint for one in self.sources}
        steps = [step for one in self.sources for step in one.histories.upcasters.steps]
        document = [PROJECTION_VERSION, OPTIONS[self.projection][0].name, layouts, *steps]
        return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def log(self, domain: str) -> EventLog:
        return next(one.log for one in self.sources if one.domain.name == domain)

    def sink(self, generation: str, source: Source) -> ProjectionSink:
        return generation_sink(self.home, self.projection, generation, source.domain, source.log)

    def live_sink(self, source: Source) -> ProjectionSink:
        """Of the generation that is asked."""
        return live_sink(self.home, self.projection, source.domain, source.log)

    def compare(self, generation: str, source: Source, buckets: Sequence[int] = ALL_BUCKETS) -> Comparison:
        with closing(self.sink(generation, source)) as sink:
            return compare(sink.writer, sink.layout, source.histories, buckets)


def check_projection(name: object) -> str:
    """Raises SpiceError for one that does not exist."""
    if not isinstance(name, str) or name not in OPTIONS:
        raise SpiceError(
            "Unknown projection", f"there is no projection {name!r}.", where="projection", allowed=sorted(OPTIONS)
        )
    return name


def open_place(
    home: Home, projection: str, domains: Sequence[Domain], registry: Registry, *, owner: str, run_id: str = ""
) -> Place:
    """Of a home on this machine. Raises SpiceError for a projection that does not exist."""
    check_projection(projection)
    sources = []
    for domain in domains:
        histories = open_histories(home, domain.name, COLUMNS)
        sources.append(Source(domain, histories.log, histories))
    return Place(home, projection, sources, registry, owner, run_id)
