"""What belongs to the location as a whole: the live projections of all domains, the topic, the followers."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from ontology_assets.followers.follow import CaughtUp, Progress, catch_up
from ontology_assets.materializations import PROJECTION_CAUGHT_UP, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.common import key_of, result
from orchestration.jobs.followers import FOLLOWERS
from orchestration.progress import StageHandle
from orchestration.runtime import Runtime
from orchestration.sensors.keeper import follower_definitions
from resources.registry.sql import SqliteRegistry

DESCRIPTIONS = {
    "search": "Objects by words, typed filters and sort: the read model behind `spice search` and `spice objects get`.",
    "graph": "Objects and links both ways: the read model behind `spice graph`.",
}
CODE_VERSION = "1"


def location_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """Live projections and the topic; each follows the logs of all domains."""
    topic = dg.AssetSpec(
        key_of("topic"),
        deps=[key_of(f"events/{domain.name}") for domain in domains],
        group_name="topic",
        kinds={"sqlite", "cloudevents"},
        owners=["team:platform"],
        description="Every event as a CloudEvent, in the log's order, kept flowing by the relay. "
        "`spice projection status` says how far it is.",
    )
    live = [live_asset(name, domains) for name in DESCRIPTIONS]
    return dg.Definitions.merge(dg.Definitions(assets=[topic, *live]), follower_definitions(domains))


def live_asset(projection: str, domains: Sequence[Domain]) -> dg.AssetsDefinition:
    """`projection/<name>/live`: the read model caught up to the end of every domain's log."""
    asset = f"projection/{projection}/live"

    @dg.asset(
        key=key_of(asset),
        deps=[key_of(f"events/{domain.name}") for domain in domains],
        group_name=f"projection/{projection}",
        kinds={"sqlite"},
        owners=["team:platform"],
        tags={"tier": "core"},
        code_version=CODE_VERSION,
        description=DESCRIPTIONS[projection],
        check_specs=[
            dg.AssetCheckSpec(
                "caught_up",
                asset=key_of(asset),
                description="The read model stands at the end of the log, and no aggregate is parked.",
            )
        ],
    )
    def live(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        versions: dict[str, str] = {}
        metadata: dict[str, Any] = {}
        appended, parked, late = 0, 0, 0
        for domain in domains:
            log, sink = runtime.log(domain.name), FOLLOWERS[projection](runtime.home, domain, runtime.log(domain.name))
            target = log.end().position
            with runtime.clock.stage(asset, target - sink.position()) as stage:
                done = catch_up(
                    log,
                    sink,
                    SqliteRegistry(runtime.home.registry),
                    owner=f"run {context.run.run_id}",
                    run_id=context.run.run_id,
                    on_progress=_reporter(context, stage, sink.position()),
                )
            digest = done.digest or ""
            versions[domain.name] = digest
            appended += publish(
                log,
                runtime.heads(domain.name),
                asset,
                {"": (digest, {"applied": done.position})},
                PROJECTION_CAUGHT_UP,
                [],
                {"run_id": context.run.run_id, "code_version": CODE_VERSION},
            )
            parked += len(sink.parked())
            late += target - done.position if done.position < target else 0
            metadata |= _figures(domain, done)
        return result(
            versions,
            appended=appended,
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(
                    check_name="caught_up", passed=not parked and not late, metadata={"parked": parked, "lag": late}
                )
            ],
        )

    return live


def _reporter(context: dg.AssetExecutionContext, stage: StageHandle, start: int) -> Callable[[Progress], None]:
    """Moves the stage on, and tells once who else is at work."""
    reached, told = start, ""

    def report(progress: Progress) -> None:
        nonlocal reached, told
        stage.advance(progress.position - reached)
        reached = progress.position
        if progress.waiting_for and progress.waiting_for != told:
            told = progress.waiting_for
            context.log.info("%s follows already; waiting for it.", told)

    return report


def _figures(domain: Domain, done: CaughtUp) -> dict[str, Any]:
    return {
        f"{domain.name}/position": done.position,
        f"{domain.name}/events_applied_now": done.events,
        f"{domain.name}/digest": done.digest or "",
    }
