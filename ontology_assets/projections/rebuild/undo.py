"""Asking the generation again that was asked before the last swap: an operation of registry and alias, of two seconds
at most. It follows the log until its window ends, so it shows today's data.
"""

from contextlib import ExitStack, closing
from dataclasses import replace
from typing import NoReturn

from ontology_assets.projections.rebuild.alias import alias_held, catch_up_all, move
from ontology_assets.projections.rebuild.mend import mend, window_end
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import Pair, RebuildRefused, Undone
from ontology_assets.projections.sinks import ProjectionSink

CATCH_UP_EVENTS = 20_000
"""A generation that is not further behind is brought up before it is asked again; that takes half a second."""


def undo(place: Place, asked: str | None = None) -> Undone:
    """Ask the other generation of the pair again. Raises RebuildRefused where it is not kept any more.

    `asked`: the generation that is to be gone back from. A request that comes a second time, or again after a kill,
    finds it done then; without it, it undoes the undo.
    """
    mend(place)
    pair, generation = undoable(place)
    done = pair.other_than(generation) if generation == asked else None
    with ExitStack() as opened:
        sinks = [opened.enter_context(closing(place.sink(done or generation, one))) for one in place.sources]
        if done is not None:
            return Undone(done, generation, {sink.layout.domain: _behind(place, sink) for sink in sinks})
        strange = [one.domain.name for one, sink in zip(place.sources, sinks, strict=True) if not sink.writer.fits()]
        if strange:
            _refuse(
                place,
                f"generation {generation} was made for other definitions of {', '.join(strange)}",
                "Go back to those definitions first.",
            )
        near = [sink for sink in sinks if _behind(place, sink) <= CATCH_UP_EVENTS]
        catch_up_all(place, near)
        with alias_held(place) as former:
            if former is None or pair.other_than(former) != generation or asked not in (None, former):
                expected = asked or pair.other_than(generation)
                _refuse(place, f"generation {former} is asked now, not {expected}", "Look again who is to be undone.")
            behind = {sink.layout.domain: 0 if sink in near else _behind(place, sink) for sink in sinks}
            undone = Undone(generation, former, behind)
            place.records.tell_of(undone)
            place.records.keep(replace(pair, until=window_end(place)))
            move(place, generation, sinks, near)
    return undone


def undoable(place: Place) -> tuple[Pair, str]:
    """What was swapped last, and the one of the two that an undo would ask. Raises RebuildRefused."""
    pair = place.records.pair()
    generation = None if pair is None else pair.other_than(place.generations.current())
    what, advice = f"no generation of {place.projection} can be asked again", "Rebuild it instead."
    if pair is None:
        _refuse(place, f"{what}: it was never swapped", advice)
    if not pair.is_kept(place.now()):
        _refuse(place, f"{what}: the window ended at {pair.until}", advice)
    if generation is None or generation not in place.generations.present():
        _refuse(place, f"{what}: the file of {' or '.join(pair.generations)} was removed by hand", advice)
    return pair, generation


def _behind(place: Place, sink: ProjectionSink) -> int:
    return max(0, place.log(sink.layout.domain).end().position - sink.position())


def _refuse(place: Place, what: str, advice: str) -> NoReturn:
    raise RebuildRefused(
        "Undo refused", f"{what}. The alias has not moved. {advice}", where=f"projection {place.projection}"
    )
