"""Filling a new generation bucket by bucket from the log, while the present one is asked and followed.

Every bucket is filled up to where the logs ended when the rebuild was opened, in one transaction, and proves itself
before it counts: what was stored is read back and compared with what the events say.
"""

import uuid
from collections.abc import Iterator
from contextlib import closing

from ontology_assets.projections.comparison import EMPTY, add_to, log_content
from ontology_assets.projections.digest import digest_text
from ontology_assets.projections.proof import recompute
from ontology_assets.projections.rebuild.mend import already_asked
from ontology_assets.projections.rebuild.place import Place, Source
from ontology_assets.projections.rebuild.record import Proof, Rebuild, RebuildRefused, Start
from ontology_assets.projections.rebuild.sweep import sweep
from ontology_assets.projections.sinks import collector_paused
from resources.errors import SpiceError
from resources.read_model.base import Changes
from resources.read_model.digest_sums import DigestSums
from resources.read_model.generations import new_generation


class BucketDiffers(SpiceError):
    """What was stored is not what the events say; the bucket does not count as filled."""

    kind = "spice:bucket-differs"


def open_rebuild(place: Place) -> Rebuild:
    """The rebuild that is open, or a new one. Raises RebuildRefused where the open one is of other definitions."""
    while True:
        last = place.records.rebuild()
        if last is not None and last.is_open and not already_asked(place, last):
            if last.code != place.code:
                raise RebuildRefused(
                    "Another rebuild is open",
                    f"rebuild {last.id} of {place.projection} was opened at {last.opened_at} for other definitions or "
                    f"another version of the code. End it: `spice projection rebuild {place.projection} --abort`.",
                    where=place.projection,
                )
            return last
        new = Rebuild(
            id=uuid.uuid4().hex[:8],
            projection=place.projection,
            generation=new_generation(),
            code=place.code,
            opened_at=place.now().isoformat(timespec="seconds"),
            starts={one.domain.name: _start(one) for one in place.sources},
        )
        if place.records.open(new, last):
            return new


def _start(source: Source) -> Start:
    end = source.log.end()
    return Start(end.position, f"{end.n}/{end.chain}" if end.position else None)


def fill_bucket(place: Place, rebuild: Rebuild, bucket: int) -> Rebuild:
    """Fill and prove one bucket of every domain; again is as good as once. Raises BucketDiffers, RebuildRefused."""
    proof = {one.domain.name: _fill(place, rebuild, one, bucket) for one in place.sources}
    try:
        return place.records.prove(rebuild.id, bucket, proof)
    except RebuildRefused:
        sweep(place)  # the file that an abort removed was made again here
        raise


def _fill(place: Place, rebuild: Rebuild, source: Source, bucket: int) -> Proof:
    start = rebuild.starts[source.domain.name]
    with closing(place.sink(rebuild.generation, source)) as sink, collector_paused():
        sink.writer.begin_at(start.position, start.history)
        sums = DigestSums()

        def content(position: int) -> Iterator[Changes]:
            for changes in log_content(source.histories, sink.layout, bucket, position, sink.words_of):
                add_to(sums, changes)
                yield changes

        # Up to the start, or where a swap that was refused has left it.
        position = sink.writer.replace_bucket(bucket, content)
        with sink.writer.reading():
            stored = recompute(sink.writer, sink.layout, bucket)
    said = sums.buckets()
    if stored != said:
        raise BucketDiffers(
            "Bucket differs from the log",
            f"{source.domain.name}: {stored.get(bucket, EMPTY).documents} documents were stored with digest "
            f"{digest_text(stored)}, the events 1..{position} make {said.get(bucket, EMPTY).documents} with digest "
            f"{digest_text(said)}. Fill the bucket again.",
            where=f"{place.projection}, generation {rebuild.generation}, bucket {bucket:x}",
            status=500,
        )
    return Proof(position, digest_text(said))
