"""The one step that readers see: the alias moved to another generation, under the write lock of the one it led to.

Who moves it, or ends a rebuild that might be about to, holds that lock and has looked again who is asked. So they come
one after the other, and nobody writes to the generation that is asked while another takes its place: no answer is of an
older position than the one before it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress

from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.lease import lease_name
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import RebuildRefused
from ontology_assets.projections.sinks import ProjectionSink
from resources.sqlite_file import FileDamaged


@contextmanager
def alias_held(place: Place) -> Iterator[str | None]:
    """The generation that is asked: nobody writes to it, and nobody else moves the alias, while the block runs.

    Raises RebuildRefused where somebody moved it just now.
    """
    asked = place.generations.current()
    with ExitStack() as opened:
        if asked is not None and asked in place.generations.present():
            sink = opened.enter_context(closing(place.sink(asked, place.sources[0])))
            with suppress(FileDamaged):  # it answers nobody, so nobody can have seen more
                opened.enter_context(sink.writer.held_still())
        if place.generations.current() != asked:
            raise RebuildRefused(
                "Swapped meanwhile",
                f"another process has just moved the alias of {place.projection}; this one has not. Look at it "
                "(`spice projection status`), then try again.",
                where=f"projection {place.projection}",
            )
        yield asked


def move(place: Place, generation: str, sinks: Sequence[ProjectionSink], near: Sequence[ProjectionSink]) -> None:
    """Inside `alias_held`. `sinks` of the generation; those of them that are `near` the log's end are brought there."""
    catch_up_all(place, near)
    _take_from_all(place, sinks)
    place.generations.point_to(generation)


def catch_up_all(place: Place, sinks: Sequence[ProjectionSink]) -> None:
    for sink in sinks:
        catch_up(
            place.log(sink.layout.domain),
            sink,
            place.registry,
            owner=place.owner,
            run_id=place.run_id,
            timing=place.timing,
            clock=place.clock,
        )


def _take_from_all(place: Place, sinks: Sequence[ProjectionSink]) -> None:
    """Nobody's epoch is good from now on. A generation that is filled has a lease of its own, so who follows the one
    that was asked may by chance hold the very epoch that a filler of this one holds: both could write to it.
    """
    for sink in sinks:
        held = place.registry.read(lease_name(sink.layout.domain, place.projection))
        sink.claim(max(sink.epoch(), 0 if held is None else held.epoch) + 1)
