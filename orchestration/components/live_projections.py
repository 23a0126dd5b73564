"""`projection/<name>/live`: the read models caught up to the end of every domain's log.

One step for all of them, so that they follow at the same time: each on a core of its own, where the way is long.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import dagster as dg

from ontology_assets.followers.apart import catch_up_apart, catch_up_here
from ontology_assets.followers.progress import CaughtUp
from ontology_assets.materializations import PROJECTION_CAUGHT_UP, publish
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.sinks import graph_sink, search_sink
from orchestration.components.common import about, key_of, projection_options, red
from orchestration.components.lineage import column_lineage, lineage_metadata
from orchestration.components.metadata import markdown_table, sample_table, stages_table
from orchestration.components.results import result
from orchestration.components.run_tags import tag_run
from orchestration.jobs.followers import FOLLOWERS
from orchestration.progress import StageHandle
from orchestration.run_log import Span, spans
from orchestration.runtime import Runtime
from resources.errors import SpiceError

WHEN_RED = (
    "the check `caught_up` names the objects whose events do not fit (`deadletters/search` and `deadletters/graph` "
    "have a partition for each), or how far the read model is behind."
)
DESCRIPTIONS = {
    "graph": about(
        "Objects and their links both ways: what `spice graph` and the explorer's graph ask.",
        comes_from="the event logs of all domains. A follower keeps it at their end between runs.",
        when_red=WHEN_RED,
    ),
    "search": about(
        "Objects by words, typed filters and sort: what `spice search`, `spice objects get` and the explorer ask.",
        comes_from="the event logs of all domains. A follower keeps it at their end between runs.",
        when_red=WHEN_RED,
    ),
}
MODELS = {"graph": graph_sink, "search": search_sink}
TELLS_OF_RUN = "search"
"""The asset that has the table of the whole run, once: this step is a job's last."""
CODE_VERSION = "1"
CAUGHT_UP = "caught_up"
NAMED = 3
"""Parked aggregates that are named in a message."""
FEW_EVENTS = 20_000
"""Events that are applied before another process has started."""


def asset_name(projection: str) -> str:
    return f"projection/{projection}/live"


@dataclass(frozen=True)
class Followed:
    """How one projection stands after following one domain's log to `target`."""

    domain: str
    target: int
    done: CaughtUp


def live_projections(domains: Sequence[Domain]) -> dg.AssetsDefinition:
    """The live read models of the location; they follow the logs of all domains."""
    logs = [key_of(f"events/{domain.name}") for domain in domains]

    @dg.multi_asset(
        name="live_projections",
        specs=[
            dg.AssetSpec(
                key_of(asset_name(projection)),
                deps=logs,
                **projection_options(projection, CODE_VERSION, tier="core"),
                metadata=lineage_metadata(domains, asset_name(projection)),
                description=description,
            )
            for projection, description in DESCRIPTIONS.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CAUGHT_UP,
                asset=key_of(asset_name(projection)),
                description="The read model stands at the end of the log, and no object is parked, that is: waits for "
                "an event that does not fit its type. The result names those that are, with the first position.",
            )
            for projection in DESCRIPTIONS
        ],
    )
    def live(
        context: dg.AssetExecutionContext, runtime: Runtime
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        run_id = context.run.run_id
        targets = {domain.name: runtime.log(domain.name).end().position for domain in domains}
        with runtime.clock.stage("projections, live") as stage, ThreadPoolExecutor(len(DESCRIPTIONS)) as pool:
            report = _reporter(stage)
            stage.expect(sum(_behind(runtime, domain, name) for domain in domains for name in DESCRIPTIONS))
            following = {
                name: pool.submit(_follow, runtime, name, domains, targets=targets, run_id=run_id, report=report)
                for name in DESCRIPTIONS
            }
        faults = []
        for projection, future in following.items():
            try:
                ends = future.result()
            except SpiceError as fault:  # the other one is told of first
                faults.append(fault)
                yield red(asset_name(projection), CAUGHT_UP, fault)
                continue
            appended = {end.domain: _publish(runtime, projection, end, run_id) for end in ends}
            tag_run(context.instance, run_id, appended)
            metadata = {
                **column_lineage(domains, asset_name(projection)),
                **_figures(runtime, domains, projection, ends),
                "seconds": round(stage.seconds, 3),
            }
            if projection == TELLS_OF_RUN:
                metadata["stages_of_run"] = stages_table(runtime.clock.stages)
            check = _check(projection, ends, _parked(runtime, domains, projection, ends))
            yield result(
                context,
                {end.domain: end.done.digest or "" for end in ends},
                spans=[one for spans in appended.values() for one in spans],
                metadata=metadata,
                asset_key=key_of(asset_name(projection)),
                check_results=[check],
            )
        if faults:
            raise faults[0]

    return live


def _behind(runtime: Runtime, domain: Domain, projection: str) -> int:
    log = runtime.log(domain.name)
    return log.end().position - FOLLOWERS[projection](runtime.home, domain, log).position()


def _follow(
    runtime: Runtime,
    projection: str,
    domains: Sequence[Domain],
    *,
    targets: dict[str, int],
    run_id: str,
    report: Callable[[str, int], None],
) -> list[Followed]:
    """One projection, domain by domain: a short way here, a long one in a process of its own."""
    ends = []
    for domain in domains:
        place = f"{domain.name}/{projection}"
        behind = _behind(runtime, domain, projection)
        report(place, targets[domain.name] - behind)
        who = {"owner": f"run {run_id}", "run_id": run_id}
        if behind < FEW_EVENTS:
            done = catch_up_here(runtime.home, domain, projection, **who)
        else:
            done = catch_up_apart(runtime.home, domain, projection, **who, on_position=partial(report, place))
        report(place, done.position)
        ends.append(Followed(domain.name, targets[domain.name], done))
    return ends


def _publish(runtime: Runtime, projection: str, end: Followed, run_id: str) -> list[Span]:
    """The envelope in the domain's own log; a domain without a log has nothing that was caught up with."""
    if not end.target:
        return []
    log = runtime.log(end.domain)
    begun = len(log.appended)
    publish(
        log,
        runtime.heads(end.domain),
        asset_name(projection),
        {"": (end.done.digest or "", {"applied": end.done.position})},
        PROJECTION_CAUGHT_UP,
        [],
        {"run_id": run_id, "code_version": CODE_VERSION},
    )
    return spans(log.appended[begun:])


def _parked(runtime: Runtime, domains: Sequence[Domain], projection: str, ends: Sequence[Followed]) -> list[str]:
    """The aggregates whose events do not fit, each with the first position and the reason."""
    having = {end.domain for end in ends if end.done.parked}
    sinks = [FOLLOWERS[projection](runtime.home, one, runtime.log(one.name)) for one in domains if one.name in having]
    return [
        f"{one.aggregate_type} {one.aggregate_id} since event {one.position} ({one.reason})"
        for sink in sinks
        for one in sink.parked()
    ]


def _lag(ends: Sequence[Followed]) -> int:
    return sum(max(0, end.target - end.done.position) for end in ends)


def _figures(runtime: Runtime, domains: Sequence[Domain], projection: str, ends: Sequence[Followed]) -> dict[str, Any]:
    """Numbers that Dagster plots, over all domains; by domain they stand in a table."""
    objects = {one.name: MODELS[projection](runtime.home, one).objects() for one in domains}
    rows = [
        [
            end.domain,
            objects[end.domain],
            end.done.events,
            end.done.position,
            end.target - end.done.position,
            f"`{end.done.digest or ''}`",
        ]
        for end in ends
    ]
    return {
        "dagster/row_count": sum(objects.values()),
        "events_applied": sum(end.done.events for end in ends),
        "lag": _lag(ends),
        "by_domain": markdown_table(["domain", "objects", "events applied", "at position", "lag", "digest"], rows),
    }


def _check(projection: str, ends: Sequence[Followed], parked: list[str]) -> dg.AssetCheckResult:
    lag = _lag(ends)
    metadata: dict[str, Any] = {"parked": len(parked), "lag": lag}
    if parked:
        metadata["sample"] = sample_table([{"parked": one} for one in parked])
    return dg.AssetCheckResult(
        check_name=CAUGHT_UP,
        asset_key=key_of(asset_name(projection)),
        passed=not parked and not lag,
        description=_advice(projection, parked) if parked else None,
        metadata=metadata,
    )


def _advice(projection: str, parked: list[str]) -> str:
    return (
        f"{len(parked):,} parked, and not up to date: {'; '.join(parked[:NAMED])}. Make the definition or the code fit "
        f"the events, then materialize their partitions of deadletters/{projection} (`spice deadletters list`, "
        "`... retry`); or give the event up (`... skip`)."
    )


def _reporter(stage: StageHandle) -> Callable[[str, int], None]:
    """Moves the stage on by positions reached; called from several threads."""
    reached: dict[str, int] = {}
    lock = threading.Lock()

    def report(place: str, position: int) -> None:
        with lock:
            stage.advance(position - reached.get(place, position))
            reached[place] = position

    return report
