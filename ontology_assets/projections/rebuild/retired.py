"""Keeping the retired generation of a read model at the log's end, so that an undo shows today's data."""

from collections.abc import Sequence
from contextlib import closing

from ontology_assets.events.log import EventLog
from ontology_assets.followers.follow import catch_up
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.rebuild.record import Records
from ontology_assets.projections.sinks import generation_sink, generations_of
from resources.clock import utc_now
from resources.home import Home
from resources.registry.base import Registry

LOOK_SECONDS = 1.0


def keep_up(
    home: Home, projection: str, logs: Sequence[tuple[Domain, EventLog]], registry: Registry, *, owner: str, run_id: str
) -> int:
    """Apply what the logs have to the retired generation, if there is one within its window; how many events."""
    pair, generations = Records(registry, projection).pair(), generations_of(home, projection)
    if pair is None or not pair.is_kept(utc_now()):
        return 0
    retired = pair.other_than(generations.current())
    if retired is None or retired not in generations.present():
        return 0
    applied = 0
    for domain, log in logs:
        with closing(generation_sink(home, projection, retired, domain, log)) as sink:
            if sink.writer.fits() and sink.position() < log.end().position:  # one of other definitions stays as it is
                applied += catch_up(log, sink, registry, owner=owner, run_id=run_id).events
    return applied
