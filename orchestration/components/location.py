"""What belongs to the location as a whole: the live projections of all domains, the topic, the followers."""

from collections.abc import Sequence

import dagster as dg

from ontology_assets.model.definitions import Domain
from orchestration.components.common import about, key_of
from orchestration.components.deadletter_assets import deadletter_definitions
from orchestration.components.drift import drift_definitions
from orchestration.components.lineage import lineage_metadata
from orchestration.components.live_projections import live_projections
from orchestration.components.rebuild_assets import rebuild_definitions
from orchestration.components.reconciler import reconciler_definitions
from orchestration.components.replay_assets import replay_definitions
from orchestration.jobs.archiving import archiving_definitions
from orchestration.sensors.dead_letters import dead_letter_keeping
from orchestration.sensors.keeper import follower_definitions
from orchestration.sensors.replay_requests import replay_request_definitions
from orchestration.sensors.topic_observation import topic_observation


def location_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """Live projections, the topic and what keeps them flowing; each follows the logs of all domains."""
    topic = dg.AssetSpec(
        key_of("topic"),
        deps=[key_of(f"events/{domain.name}") for domain in domains],
        group_name="topic",
        kinds={"sqlite", "cloudevents"},
        owners=["team:platform"],
        metadata=lineage_metadata(domains, "topic"),
        tags={"domain": "all", "tier": "core"},
        description=about(
            "Every event as a CloudEvent, in the log's order, for programs that subscribe.",
            comes_from="the event logs of all domains. The relay (job `follow_topic`, kept running by the sensor "
            "`follower_keeper`) keeps it flowing; no run materializes it. `topic_observer` says how far it is.",
            when_red="it has no check of its own: a red run of `follow_topic` says why, and `spice projection status` "
            "how far it is.",
        ),
    )
    assets = dg.Definitions(assets=[topic, live_projections(domains)])
    replays = replay_definitions(domains)
    return dg.Definitions.merge(
        assets,
        rebuild_definitions(domains),
        replays,
        drift_definitions(domains),
        deadletter_definitions(domains),
        dead_letter_keeping(domains),
        reconciler_definitions(domains),
        follower_definitions(domains),
        topic_observation(domains),
        replay_request_definitions(domains, list(replays.jobs or ())),
        archiving_definitions(domains),
    )
