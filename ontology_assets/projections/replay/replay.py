"""A ranged replay: the objects with an event on given days, each folded from its whole history, written where the read
model that is asked has something else of them.

It makes no index, moves no position and appends nothing to any log. An object that is spoilt at the right sequence
number differs too. Nothing is written that was not compared, and everything written is compared again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ontology_assets.events.envelope import bucket_of
from ontology_assets.events.histories import Having
from ontology_assets.projections.documents import OBJECT_EVENTS
from ontology_assets.projections.rebuild.place import Place, Source
from ontology_assets.projections.replay.selection import Selection
from ontology_assets.projections.sinks import ProjectionSink, collector_paused
from ontology_assets.projections.skips import SKIPPED, fold_whole
from resources.errors import SpiceError
from resources.read_model.base import NothingYet
from resources.read_model.object_names import ObjectName, by_type

AT_ONCE = 2_000
"""Objects that are written in one transaction; a follower waits for it."""
NAMED = 5
"""Objects that a message names."""


class NotReplayed(SpiceError):
    """An object differs from the log also after it was written again."""

    kind = "spice:not-replayed"


@dataclass
class Counts:
    """Of one type: objects chosen, those of them compared, that differed, that were written, that are parked."""

    selected: int = 0
    compared: int = 0
    differing: int = 0
    written: int = 0
    parked: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(self.row(), other.row(), strict=True)))

    def row(self) -> tuple[int, ...]:
        return self.selected, self.compared, self.differing, self.written, self.parked


@dataclass
class Replayed:
    """What a replay has done. `positions`: where each domain's read model stood last when it was compared."""

    types: dict[str, Counts] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Counts:
        return sum(self.types.values(), Counts())

    def add(self, report: Mapping[str, Any]) -> None:
        """Add what another replay has told (`document`)."""
        for name, counts in report["types"].items():
            self.types[name] = self.types.get(name, Counts()) + Counts(**counts)
        self.positions.update(report["positions"])

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            **vars(self.total),
            "types": {name: dict(vars(counts)) for name, counts in sorted(self.types.items())},
            "positions": dict(sorted(self.positions.items())),
        }


@dataclass(frozen=True)
class _Found:
    """One bucket compared: counts by type, and the objects that differ."""

    position: int
    counts: dict[str, Counts]
    different: list[ObjectName]


def replay(place: Place, selection: Selection, *, on_bucket: Callable[[int], None] = lambda _objects: None) -> Replayed:
    """Do it, bucket by bucket; `on_bucket` hears how many objects each had. Raises NotReplayed, after all were tried;
    NothingYet where there is no read model yet.
    """
    done, still = Replayed(), list[ObjectName]()
    for source in place.sources:
        types = selection.of_domain(source.domain)
        if not types or not selection.days or source.log.end().position == 0:
            continue
        having = Having(selection.days, types, [*OBJECT_EVENTS.to_pylist(), SKIPPED])
        with closing(place.live_sink(source)) as sink, collector_paused():
            if not sink.writer.fits():
                raise NothingYet(f"projection {place.projection} of {source.domain.name}")
            for name in types:
                done.types.setdefault(name, Counts())
            for bucket in selection.buckets:
                found, left = _bucket(source, sink, bucket, having)
                done.positions[source.domain.name] = found.position
                for name, counts in found.counts.items():
                    done.types[name] += counts
                still += left
                on_bucket(sum(counts.selected for counts in found.counts.values()))
    if still:
        names = ", ".join(f"{name} {key}" for name, key in still[:NAMED])
        more = f" and {len(still) - NAMED:,} more" if len(still) > NAMED else ""
        raise NotReplayed(
            "Not replayed",
            f"after they were written again, {len(still):,} objects still differ from the log: {names}{more}. Repair "
            f"the read model: `spice projection repair {place.projection}`.",
            where=f"projection {place.projection}",
            status=500,
        )
    return done


def _bucket(source: Source, sink: ProjectionSink, bucket: int, having: Having) -> tuple[_Found, list[ObjectName]]:
    """The bucket as it was found, with what was written; and what differs still."""
    found = _compare(source, sink, bucket, having)
    if not found.different:
        return found, []
    for objects in _slices(found.different):
        for name, _ in sink.renew(objects, intact=False).objects:
            found.counts[name].written += 1
    # All that was chosen: a damaged row may have stood where another object's belongs.
    return found, _compare(source, sink, bucket, having).different


def _compare(source: Source, sink: ProjectionSink, bucket: int, having: Having) -> _Found:
    """At one position, while others write."""
    counts, found = dict[str, Counts](), list[ObjectName]()
    with sink.writer.reading():
        position = sink.position()
        for batch in source.histories.of_bucket(bucket, position, having):
            objects = _objects_of(batch)
            changes = fold_whole(batch, sink.layout, sink.words_of)
            different = sink.writer.different(objects, changes)
            found += different
            for name, ids in objects.items():
                counts[name] = counts.get(name, Counts()) + Counts(
                    selected=len(ids),
                    compared=len(ids),
                    differing=sum(kind == name for kind, _ in different),
                    parked=sum(one.type == name for one in changes.parked),
                )
    return _Found(position, counts, found)


def _objects_of(batch: pa.RecordBatch) -> dict[str, list[str]]:
    """Ids of the objects in a batch, by type."""
    names = pa.table({"type": batch.column("aggregate_type"), "id": batch.column("aggregate_id")})
    found = names.group_by(["type", "id"], use_threads=False).aggregate([])
    return by_type(zip(found["type"].to_pylist(), found["id"].to_pylist(), strict=True))


def _slices(objects: Sequence[ObjectName]) -> Iterator[Sequence[ObjectName]]:
    """In the order in which the sealed history has them, so that each slice reads a part of it."""
    ordered = sorted(objects, key=lambda one: (bucket_of(one[1]), one))
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]
