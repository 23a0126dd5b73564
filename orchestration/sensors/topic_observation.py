"""The sensor that tells Dagster how far the topic is: an observation of the asset `topic`, only when something moved.

No run materializes the topic; the relay's run lasts for an hour and says nothing in between. A tick reads one position
in the topic and one in the log for each domain, a few milliseconds, and starts no run.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ontology_assets.events.opening import open_log
from ontology_assets.followers.history import another_history
from ontology_assets.followers.relay import Relay
from ontology_assets.model.definitions import Domain
from orchestration.components.lineage import column_lineage
from resources.home import Home
from resources.topic.sqlite import SqliteTopic
from transforms.digests import combined_version

TOPIC = "topic"
SECONDS = 30


@dataclass(frozen=True)
class Stand:
    """Of one domain: the position of the last message and of the last event; `fault`: why nothing more comes."""

    published: int
    end: int
    fault: str | None


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
        cursor = json.dumps({name: vars(one) for name, one in stand.items()}, sort_keys=True)
        if not stand:
            return dg.SensorResult(skip_reason="nothing was published yet", cursor=cursor)
        if cursor == context.cursor:
            return dg.SensorResult(skip_reason="nothing moved", cursor=cursor)
        return dg.SensorResult(asset_events=[observation(stand, domains)], cursor=cursor)

    return dg.Definitions(sensors=[topic_observer])


def stand_of(home: Home, domains: Sequence[str]) -> dict[str, Stand]:
    """How far topic and log are; nothing where there is no topic yet. The topic is read first: no lag is negative,
    unless the log is another one.
    """
    if not home.topic.exists():
        return {}
    found = {}
    with closing(SqliteTopic(home.topic)) as topic:
        for name in domains:
            log, relay = open_log(home, name), Relay(topic, name)
            published, fault = relay.position(), another_history(log, relay)
            found[name] = Stand(published, log.end().position, None if fault is None else fault.text())
    return found


def observation(stand: Mapping[str, Stand], domains: Sequence[Domain]) -> dg.AssetObservation:
    """Totals and the figures of each domain, as numbers that Dagster plots; its data version is where it stands."""
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(one.published for one in stand.values()),
        "lag": sum(one.end - one.published for one in stand.values()),
        **{f"{name}/position": one.published for name, one in stand.items()},
        **{f"{name}/lag": one.end - one.published for name, one in stand.items()},
        **{f"{name}/fault": one.fault for name, one in stand.items() if one.fault is not None},
        **column_lineage(domains, TOPIC),
    }
    version = combined_version({name: str(one.published) for name, one in stand.items()})
    return dg.AssetObservation(dg.AssetKey(TOPIC), metadata=metadata, tags={"dagster/data_version": version})
