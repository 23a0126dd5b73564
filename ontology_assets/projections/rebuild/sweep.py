"""Removing the generations that nobody asks, fills or may go back to."""

from ontology_assets.projections.rebuild.mend import mend
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import Stage


def sweep(place: Place) -> list[str]:
    """Returns the names of those that are gone now. Fills, swaps and undos may go on meanwhile."""
    mend(place)
    # Files first: one that is made later has its record before it has its file. The alias twice: a swap that comes
    # between moves it before its record says so.
    present, kept = place.generations.present(), {place.generations.current()}
    rebuild, pair = place.records.rebuild(), place.records.pair()
    if rebuild is not None and rebuild.is_open:
        kept |= {rebuild.generation, rebuild.former} if rebuild.stage is Stage.SWAPPING else {rebuild.generation}
    if pair is not None and pair.is_kept(place.now()):
        kept |= set(pair.generations)
    kept.add(place.generations.current())
    removed = [one for one in present if one not in kept]
    for generation in removed:
        place.generations.remove(generation)
    place.generations.remove_unfinished_moves()
    return removed
