"""Repairing a read model: buckets that differ from the log are made of it again, and compared again.

A repair that is not proved afterwards is not one: it says so.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from ontology_assets.projections.comparison import ALL_BUCKETS, Comparison, compare, log_content
from ontology_assets.projections.log_digest import remember
from ontology_assets.projections.rebuild.place import Place, Source
from ontology_assets.projections.sinks import collector_paused
from resources.errors import SpiceError


class NotRepaired(SpiceError):
    """A bucket differs from the log also after it was made of it again."""

    kind = "spice:not-repaired"


@dataclass(frozen=True)
class Repaired:
    """`before` and `after` of one domain's part, each at its own position; `buckets` are those that were made again."""

    domain: str
    buckets: tuple[int, ...]
    before: Comparison
    after: Comparison | None


def verify(place: Place, buckets: Sequence[int] = ALL_BUCKETS) -> list[Comparison]:
    """The read model that is asked against the log, domain by domain. Nothing of it is changed."""
    found = []
    for source in place.sources:
        with closing(place.live_sink(source)) as sink, collector_paused():
            found.append(compare(sink.writer, sink.layout, source.histories, buckets))
        remember(place, found[-1])
    return found


def repair(place: Place, buckets: Sequence[int] = ALL_BUCKETS) -> list[Repaired]:
    """Make the buckets that differ of the log again. Raises NotRepaired, after all were tried."""
    done = [
        _repair(place, source, before) for source, before in zip(place.sources, verify(place, buckets), strict=True)
    ]
    failed = [
        f"{one.domain}: bucket {bucket:x}" for one in done if one.after is not None for bucket in one.after.different
    ]
    if failed:
        raise NotRepaired(
            "Not repaired",
            f"after they were made of the log again, these still differ from it: {', '.join(failed)}. Build the whole "
            f"read model again: `spice projection rebuild {place.projection}`.",
            where=f"projection {place.projection}",
            status=500,
        )
    return done


def _repair(place: Place, source: Source, before: Comparison) -> Repaired:
    if not before.different:
        return Repaired(source.domain.name, (), before, None)
    with closing(place.live_sink(source)) as sink, collector_paused():
        for bucket in before.different:
            sink.writer.replace_bucket(
                bucket,
                lambda position, bucket=bucket: log_content(  # type: ignore[misc]
                    source.histories, sink.layout, bucket, position, sink.words_of
                ),
            )
        after = compare(sink.writer, sink.layout, source.histories, before.different)
    return Repaired(source.domain.name, tuple(before.different), before, after)
