"""How far each follower of a domain is: what `spice projection status` shows."""

from collections.abc import Iterable
from typing import TypedDict

from ontology_assets.followers.history import another_history
from ontology_assets.followers.lease import lease_name
from ontology_assets.followers.sink import FollowedLog, Sink
from resources.clock import Now, utc_now
from resources.registry.base import Registry


class FollowerStatus(TypedDict):
    """`lag` in events; `updated_at` ISO 8601; `alive`: somebody is following just now; `parked`: aggregates set
    aside; `fault`: why nobody can follow, with what to do.
    """

    position: int
    lag: int
    digest: str | None
    updated_at: str | None
    epoch: int
    alive: bool
    parked: int
    fault: str | None


def status(
    log: FollowedLog, sinks: Iterable[Sink], registry: Registry, *, now: Now = utc_now
) -> dict[str, FollowerStatus]:
    """Per sink, by name. The sinks are read first, so that no lag comes out negative."""
    seen = [(sink, sink.position(), sink.digest(), sink.updated_at(), len(sink.parked())) for sink in sinks]
    end = log.end().position
    result: dict[str, FollowerStatus] = {}
    for sink, position, digest, updated_at, parked in seen:
        lease = registry.read(lease_name(log.domain, sink.name))
        result[sink.name] = {
            "position": position,
            "lag": end - position,
            "digest": digest,
            "updated_at": None if updated_at is None else updated_at.isoformat(),
            "epoch": sink.epoch(),
            "alive": lease is not None and lease.is_alive(now()),
            "parked": parked,
            "fault": None if (fault := another_history(log, sink)) is None else fault.text(),
        }
    return result
