"""The end of a swap: its record closed, and what an undo goes back to written down.

The alias is the truth. Where the process of a swap died after the move, whoever comes next closes the record for it.
"""

from datetime import timedelta

from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import Pair, Rebuild

UNDO_WINDOW = timedelta(hours=1)


def already_asked(place: Place, rebuild: Rebuild) -> bool:
    """Whether the alias leads to its generation: then the swap is done, whatever the record had time to say."""
    return place.generations.current() == rebuild.generation


def mend(place: Place) -> Rebuild | None:
    """Close the record of a swap whose process died between the move and the record; None if there is none."""
    last = place.records.rebuild()
    if last is None or not last.is_open or not already_asked(place, last):
        return None
    close(place, last)
    return last


def close(place: Place, rebuild: Rebuild) -> str:
    """The alias leads to it. Returns until when an undo is possible."""
    until = window_end(place)
    if rebuild.former is not None:
        place.records.keep(Pair((rebuild.former, rebuild.generation), until, rebuild.id))
    place.records.close(rebuild)
    return until


def window_end(place: Place) -> str:
    return (place.now() + UNDO_WINDOW).isoformat(timespec="seconds")
