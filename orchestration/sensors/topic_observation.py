"""The sensor that tells Dagster how far the topic is: an observation of the asset `topic`, only when something moved.

No run materializes the topic; the relay's run lasts for an hour and says nothing in between. A tick reads one position
in the topic and one in the log for each domain, a few milliseconds, and starts no run.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from ontology_assets.events.log import EventLog
from ontology_assets.followers.relay import Relay
from ontology_assets.model.definitions import Domain
from orchestration.components.lineage import column_lineage
from resources.home import Home
from resources.object_store.local import LocalObjectStore
from resources.topic.sqlite import SqliteTopic
from transforms.digests import combined_version

TOPIC = "topic"
SECONDS = 30
Stand = Mapping[str, tuple[int, int]]
"""By domain: the position of the last message, and that of the last event."""


def topic_observation(domains: Sequence[Domain], home: Home | None = None) -> dg.Definitions:
    """The sensor over the topic; `home` is by default that of the environment at each tick."""
    if not domains:
        return dg.Definitions()

    @dg.sensor(
        name="topic_observer",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Observes the asset `topic` when it moved: position and lag of each domain, and its columns' "
        "lineage. Starts no run.",
    )
    def topic_observer(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        stand = stand_of(home or Home.resolve(), [domain.name for domain in domains])
        cursor = json.dumps(stand, sort_keys=True)
        if not stand:
            return dg.SensorResult(skip_reason="nothing was published yet", cursor=cursor)
        if cursor == context.cursor:
            return dg.SensorResult(skip_reason="nothing moved", cursor=cursor)
        return dg.SensorResult(asset_events=[observation(stand, domains)], cursor=cursor)

    return dg.Definitions(sensors=[topic_observer])


def stand_of(home: Home, domains: Sequence[str]) -> Stand:
    """How far topic and log are; nothing where there is no topic yet. The topic is read first: no lag is negative."""
    if not home.topic.exists():
        return {}
    topic = SqliteTopic(home.topic)
    try:
        published = {name: Relay(topic, name).position() for name in domains}
    finally:
        topic.close()
    ends = {name: EventLog(LocalObjectStore(home.objects), name).end().position for name in domains}
    return {name: (position, ends[name]) for name, position in published.items()}


def observation(stand: Stand, domains: Sequence[Domain]) -> dg.AssetObservation:
    """Totals and the figures of each domain, as numbers that Dagster plots; its data version is where it stands."""
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(position for position, _ in stand.values()),
        "lag": sum(end - position for position, end in stand.values()),
        **{f"{name}/position": position for name, (position, _) in stand.items()},
        **{f"{name}/lag": end - position for name, (position, end) in stand.items()},
        **column_lineage(domains, TOPIC),
    }
    version = combined_version({name: str(position) for name, (position, _) in stand.items()})
    return dg.AssetObservation(dg.AssetKey(TOPIC), metadata=metadata, tags={"dagster/data_version": version})
