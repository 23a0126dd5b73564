"""The quick comparison of a read model with its log: no content is read back, and of the log only what is new.

The log's side is kept: a full comparison has computed it, at a position; from there it is moved by the objects that
have events between. The model's side are the hashes its rows were stored with, and the digest kept with each
transaction. A row that is missing, too many or back from the dead shows; a value altered behind the hash does not.
"""

from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.projections.comparison import (
    ALL_BUCKETS,
    EMPTY,
    Comparison,
    add_to,
    by_bucket,
    log_digest,
)
from ontology_assets.projections.log_digest import LogDigest, recall, remember
from ontology_assets.projections.rebuild.place import Place, Source
from ontology_assets.projections.sinks import collector_paused
from ontology_assets.projections.skips import fold_whole
from resources.read_model.base import BucketDigest
from resources.read_model.digest_sums import DigestSums
from resources.read_model.query import DomainLayout

MOST_EVENTS = 20_000
"""Events between that the log's side is moved by; more, and it is computed anew."""


@dataclass(frozen=True)
class Quick:
    """`since`: the position that the log's side was moved from; None where it had to be computed whole."""

    comparison: Comparison
    since: int | None


def quick(place: Place) -> list[Quick]:
    """The read model that is asked, domain by domain. Nothing of it is changed; writes go on meanwhile."""
    return [_quick(place, source) for source in place.sources]


def _quick(place: Place, source: Source) -> Quick:
    with closing(place.live_sink(source)) as sink, collector_paused():
        with sink.writer.reading():
            position, history = sink.writer.state().position, sink.writer.history()
            kept, stored = sink.writer.digest(), sink.writer.stored_digest(ALL_BUCKETS)
        known = recall(place, source)
        if known is None or abs(position - known.position) > MOST_EVENTS:
            known, log = None, log_digest(source.histories, sink.layout, ALL_BUCKETS, position)
        else:
            log = _moved(source, sink.layout, known, position)
    found = Comparison(source.domain.name, position, history, by_bucket(ALL_BUCKETS, log, stored, [kept]))
    remember(place, found)
    return Quick(found, None if known is None else known.position)


def _moved(source: Source, layout: DomainLayout, known: LogDigest, position: int) -> dict[int, BucketDigest]:
    """From one position to another, before or behind it: what the objects with events between were is taken away, what
    they are is added.
    """
    low, high = sorted((known.position, position))
    events = source.histories.of_objects(_touched(source, layout, low, high), high)
    there, then = (
        _sums(events.filter(pc.less_equal(events["position"], one)), layout) for one in (position, known.position)
    )
    return {
        bucket: known.buckets.get(bucket, EMPTY) + there.get(bucket, EMPTY) - then.get(bucket, EMPTY)
        for bucket in ALL_BUCKETS
    }


def _touched(source: Source, layout: DomainLayout, low: int, high: int) -> set[tuple[str, str]]:
    """The objects that have an event of whatever kind in low+1..high."""
    found: set[tuple[str, str]] = set()
    names = pa.array([one.name for one in layout.types], pa.string())
    for batch in source.log.events(low) if low < high else ():
        rows = batch.filter(pc.and_(pc.less_equal(batch["position"], high), pc.is_in(batch["aggregate_type"], names)))
        found |= set(zip(rows["aggregate_type"].to_pylist(), rows["aggregate_id"].to_pylist(), strict=True))
        if batch["position"][-1].as_py() >= high:
            break
    return found


def _sums(events: pa.Table, layout: DomainLayout) -> dict[int, BucketDigest]:
    sums = DigestSums()
    for batch in events.combine_chunks().to_batches() if events.num_rows else ():
        add_to(sums, fold_whole(batch, layout, None, values=False))
    return sums.buckets()
