"""Swapping a filled generation in, and back. The gate is here: nothing else moves the alias.

Dagster's checks show the same facts, but a check stops nothing in another run. So the swap asks again by itself: are
all buckets proved, and do all digests agree once more, now, at one position of each log?

At the move nobody writes to the generation that is asked, and the new one is at least as far: an answer is never of
an older position than the one before it. The alias is the truth; what the records had no time to say is mended from it.
"""

from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.lease import lease_name
from ontology_assets.projections.comparison import ALL_BUCKETS, Comparison
from ontology_assets.projections.rebuild.fill import already_asked
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import Rebuild, RebuildRefused, Retired, Stage
from ontology_assets.projections.sinks import ProjectionSink
from resources.sqlite_file import FileDamaged

UNDO_WINDOW = timedelta(hours=1)
CATCH_UP_EVENTS = 20_000
"""A retired generation that is not further behind is brought up before it is asked again; that takes half a second."""


@dataclass(frozen=True)
class Swapped:
    """`generation` is asked now; `former` can be asked again until `undo_until`, if there was one. `comparisons`: by
    domain, what was compared at the end.
    """

    rebuild_id: str
    generation: str
    former: str | None
    undo_until: str
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Undone:
    """`behind`: events by domain that the generation asked now has still to apply."""

    generation: str
    former: str
    behind: dict[str, int]


def swap(place: Place, accept_parked: Collection[str] = ()) -> Swapped:
    """Ask the generation of the open rebuild from now on. Raises RebuildRefused, naming what is wrong; then nothing
    has changed. `accept_parked`: the aggregates ("Type id") that may be set aside in it.
    """
    rebuild = _open(place)
    missing = sorted(set(ALL_BUCKETS) - rebuild.proofs.keys())
    if missing:
        _refuse(place, f"{_buckets(missing)} of rebuild {rebuild.id} not filled and proved", "Fill it, then swap.")
    with ExitStack() as opened:
        sinks = [opened.enter_context(closing(place.sink(rebuild.generation, one))) for one in place.sources]
        for sink in sinks:
            sink.writer.settle()
        _catch_up(place, sinks)
        comparisons = tuple(place.compare(rebuild.generation, one) for one in place.sources)
        _refuse_differences(place, rebuild, comparisons)
        _refuse_parked(place, sinks, accept_parked)
        _catch_up(place, sinks)
        former = place.generations.current()
        rebuild = place.records.change(rebuild.id, lambda now: replace(now, stage=Stage.SWAPPING, former=former))
        _move(place, former, rebuild.generation, sinks, near=sinks)
    return replace(_close(place, rebuild), comparisons=comparisons)


def mend(place: Place) -> Swapped | None:
    """Close the record of a swap whose process died between the move and the record; None if there is none."""
    last = place.records.rebuild()
    return _close(place, last) if last is not None and last.is_open and already_asked(place, last) else None


def undo(place: Place) -> Undone:
    """Ask the generation again that was asked before. Raises RebuildRefused where it is not kept any more."""
    mend(place)
    retired, current = place.records.retired(), place.generations.current()
    kept = place.generations.present()
    if retired is None or current is None or not retired.is_kept(place.now()) or retired.generation not in kept:
        until = "" if retired is None else f" Its window ended at {retired.until}."
        _refuse(place, f"no generation of {place.projection} can be asked again", f"Rebuild it instead.{until}")
    with ExitStack() as opened:
        sinks = [opened.enter_context(closing(place.sink(retired.generation, one))) for one in place.sources]
        strange = [one.domain.name for one, sink in zip(place.sources, sinks, strict=True) if not sink.writer.fits()]
        if strange:
            _refuse(
                place,
                f"generation {retired.generation} was made for other definitions of {', '.join(strange)}",
                "Go back to those definitions first.",
            )
        near = [sink for sink in sinks if _behind(place, sink) <= CATCH_UP_EVENTS]
        _catch_up(place, near)
        place.records.retire(replace(retired, generation=current, until=_window_end(place)))
        _move(place, current, retired.generation, sinks, near)
        behind = {one.domain.name: _behind(place, sink) for one, sink in zip(place.sources, sinks, strict=True)}
    return Undone(retired.generation, current, behind)


def abort(place: Place) -> Rebuild:
    """End the open rebuild and remove its generation. Raises RebuildRefused where none is open."""
    rebuild = _open(place)
    ended = place.records.change(rebuild.id, lambda now: replace(now, stage=Stage.ABORTED))
    place.generations.remove(rebuild.generation)
    return ended


def sweep(place: Place) -> list[str]:
    """Remove the generations that nobody asks, fills or may go back to; returns their names."""
    mend(place)
    retired, rebuild = place.records.retired(), place.records.rebuild()
    if retired is not None and not retired.is_kept(place.now()):
        place.records.retire(None)
        retired = None
    kept = {place.generations.current()}
    kept |= {retired.generation} if retired else set()
    kept |= {rebuild.generation} if rebuild is not None and rebuild.is_open else set()
    removed = [one for one in place.generations.present() if one not in kept]
    for generation in removed:
        place.generations.remove(generation)
    return removed


def _open(place: Place) -> Rebuild:
    mend(place)
    rebuild = place.records.rebuild()
    if rebuild is None or not rebuild.is_open:
        _refuse(place, f"no rebuild of {place.projection} is open", "Fill its buckets first.")
    if rebuild.code != place.code:
        _refuse(
            place,
            f"rebuild {rebuild.id} was filled for other definitions or another version of the code",
            f"End it (`spice projection rebuild {place.projection} --abort`) and begin anew.",
        )
    return rebuild


def _catch_up(place: Place, sinks: Sequence[ProjectionSink]) -> None:
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


def _behind(place: Place, sink: ProjectionSink) -> int:
    return max(0, place.log(sink.layout.domain).end().position - sink.position())


def _move(
    place: Place,
    former: str | None,
    generation: str,
    sinks: Sequence[ProjectionSink],
    near: Sequence[ProjectionSink],
) -> None:
    """`sinks` of the generation; those of them that are `near` the log's end are brought there."""
    with ExitStack() as opened:
        if former is not None and former in place.generations.present():
            blue = opened.enter_context(closing(place.sink(former, place.sources[0])))
            with suppress(FileDamaged):  # it answers nobody, so nobody can have seen more
                opened.enter_context(blue.writer.held_still())
            _catch_up(place, near)
        _take_from_all(place, sinks)
        place.generations.point_to(generation)


def _take_from_all(place: Place, sinks: Sequence[ProjectionSink]) -> None:
    """Nobody's epoch is good from now on. A generation that is filled has a lease of its own, so who follows the one
    that was asked may by chance hold the very epoch that a filler of this one holds: both could write to it.
    """
    for sink in sinks:
        held = place.registry.read(lease_name(sink.layout.domain, place.projection))
        sink.claim(max(sink.epoch(), 0 if held is None else held.epoch) + 1)


def _close(place: Place, rebuild: Rebuild) -> Swapped:
    until = _window_end(place)
    if rebuild.former is not None and rebuild.former != rebuild.generation:
        place.records.retire(Retired(rebuild.former, until, rebuild.id))
    place.records.change(rebuild.id, lambda now: replace(now, stage=Stage.SWAPPED))
    return Swapped(rebuild.id, rebuild.generation, rebuild.former, until)


def _window_end(place: Place) -> str:
    return (place.now() + UNDO_WINDOW).isoformat(timespec="seconds")


def _refuse_differences(place: Place, rebuild: Rebuild, comparisons: Sequence[Comparison]) -> None:
    bad = {one.domain: one.different for one in comparisons if one.different}
    if bad:
        told = "; ".join(f"{domain}: {_buckets(buckets)}" for domain, buckets in bad.items())
        place.records.disprove(rebuild.id, {bucket for buckets in bad.values() for bucket in buckets})
        _refuse(place, f"generation {rebuild.generation} differs from the log in {told}", "Fill it again, then swap.")


def _refuse_parked(place: Place, sinks: Sequence[ProjectionSink], accepted: Collection[str]) -> None:
    parked = [f"{one.aggregate_type} {one.aggregate_id}" for sink in sinks for one in sink.parked()]
    strange = [one for one in parked if one not in accepted]
    if strange:
        named = ", ".join(strange[:3])
        _refuse(
            place,
            f"{len(strange):,} aggregates have events that do not fit: {named}",
            "Mend them (`spice deadletters list`), or name them to the swap to accept that they are set aside.",
        )


def _refuse(place: Place, what: str, advice: str) -> NoReturn:
    raise RebuildRefused(
        "Swap refused", f"{what}. The alias has not moved. {advice}", where=f"projection {place.projection}"
    )


def _buckets(buckets: Sequence[int]) -> str:
    names = ", ".join(f"{one:x}" for one in buckets)
    return f"bucket {names}" if len(buckets) == 1 else f"buckets {names}"
