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
from ontology_assets.followers.follow import CaughtUp
from ontology_assets.materializations import PROJECTION_CAUGHT_UP, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.common import key_of, red, result
from orchestration.jobs.followers import FOLLOWERS
from orchestration.progress import StageHandle
from orchestration.runtime import Runtime
from resources.errors import SpiceError

DESCRIPTIONS = {
    "graph": "Objects and links both ways: the read model behind `spice graph`.",
    "search": "Objects by words, typed filters and sort: the read model behind `spice search` and `spice objects get`.",
}
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
                group_name=f"projection/{projection}",
                kinds={"sqlite"},
                owners=["team:platform"],
                tags={"tier": "core"},
                code_version=CODE_VERSION,
                description=description,
            )
            for projection, description in DESCRIPTIONS.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CAUGHT_UP,
                asset=key_of(asset_name(projection)),
                description="The read model stands at the end of the log, and no aggregate is parked.",
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
            appended = sum(_publish(runtime, projection, end, run_id) for end in ends)
            yield _result(projection, ends, appended, _parked(runtime, domains, projection, ends))
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


def _publish(runtime: Runtime, projection: str, end: Followed, run_id: str) -> int:
    """The envelope in the domain's own log; a domain without a log has nothing that was caught up with."""
    if not end.target:
        return 0
    return publish(
        runtime.log(end.domain),
        runtime.heads(end.domain),
        asset_name(projection),
        {"": (end.done.digest or "", {"applied": end.done.position})},
        PROJECTION_CAUGHT_UP,
        [],
        {"run_id": run_id, "code_version": CODE_VERSION},
    )


def _parked(runtime: Runtime, domains: Sequence[Domain], projection: str, ends: Sequence[Followed]) -> list[str]:
    """The aggregates whose events do not fit, each with the first position and the reason."""
    having = {end.domain for end in ends if end.done.parked}
    sinks = [FOLLOWERS[projection](runtime.home, one, runtime.log(one.name)) for one in domains if one.name in having]
    return [
        f"{one.aggregate_type} {one.aggregate_id} since event {one.position} ({one.reason})"
        for sink in sinks
        for one in sink.parked()
    ]


def _result(projection: str, ends: Sequence[Followed], appended: int, parked: list[str]) -> dg.MaterializeResult:
    lag = sum(max(0, end.target - end.done.position) for end in ends)
    metadata: dict[str, Any] = {}
    for end in ends:
        metadata[f"{end.domain}/position"] = end.done.position
        metadata[f"{end.domain}/events_applied_now"] = end.done.events
        metadata[f"{end.domain}/digest"] = end.done.digest or ""
    return result(
        {end.domain: end.done.digest or "" for end in ends},
        appended=appended,
        metadata=metadata,
        asset_key=key_of(asset_name(projection)),
        check_results=[
            dg.AssetCheckResult(
                check_name=CAUGHT_UP,
                asset_key=key_of(asset_name(projection)),
                passed=not parked and not lag,
                description=_advice(projection, parked) if parked else None,
                metadata={"parked": len(parked), "lag": lag},
            )
        ],
    )


def _advice(projection: str, parked: list[str]) -> str:
    return (
        f"{len(parked):,} parked, and not up to date: {'; '.join(parked[:NAMED])}. Make the type's definition fit its "
        f"events, or bring in a state that fits; then remove read/{projection}.sqlite in the home: it is built again "
        "from the log."
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
