"""Swapping a filled generation in. The gate is here: nothing else moves the alias to a generation that is new.

Dagster's checks show the same facts, but a check stops nothing in another run. So the swap asks again by itself: are
all buckets proved, and do all digests agree once more, now, at one position of each log?
"""

from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import NoReturn

from ontology_assets.projections.comparison import ALL_BUCKETS, Comparison
from ontology_assets.projections.rebuild.alias import alias_held, catch_up_all, move
from ontology_assets.projections.rebuild.mend import close, mend
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import Rebuild, RebuildRefused, Stage
from ontology_assets.projections.rebuild.sweep import sweep
from ontology_assets.projections.sinks import ProjectionSink


@dataclass(frozen=True)
class Swapped:
    """`generation` is asked now; `former` can be asked again until `undo_until`, if there was one. `comparisons`: by
    domain, what was compared at the end.
    """

    rebuild_id: str
    generation: str
    former: str | None
    undo_until: str
    comparisons: tuple[Comparison, ...]


def swap(place: Place, accept_parked: Collection[str] = ()) -> Swapped:
    """Ask the generation of the open rebuild from now on. Raises RebuildRefused, naming what is wrong; then nothing
    has changed. `accept_parked`: the aggregates ("Type id") that may be set aside in it.

    Where a swap has died after it moved the alias, this is its end.
    """
    moved = mend(place)
    if moved is not None:
        until = close(place, moved)
        return Swapped(moved.id, moved.generation, moved.former, until, _compare(place, moved))
    rebuild = _open(place)
    missing = sorted(set(ALL_BUCKETS) - rebuild.proofs.keys())
    if missing:
        _refuse(place, f"{_buckets(missing)} of rebuild {rebuild.id} not filled and proved", "Fill it, then swap.")
    with ExitStack() as opened:
        sinks = [opened.enter_context(closing(place.sink(rebuild.generation, one))) for one in place.sources]
        for sink in sinks:
            sink.writer.settle()
        catch_up_all(place, sinks)
        comparisons = _compare(place, rebuild)
        _refuse_differences(place, rebuild, comparisons)
        _refuse_parked(place, sinks, accept_parked)
        catch_up_all(place, sinks)
        with alias_held(place) as former:
            if former == rebuild.generation:
                _refuse(place, f"rebuild {rebuild.id} was swapped in by another process", "Nothing is left to do.")
            # Refused too where another process has ended the rebuild meanwhile: that takes the alias as well.
            rebuild = place.records.change(rebuild.id, lambda now: replace(now, stage=Stage.SWAPPING, former=former))
            move(place, rebuild.generation, sinks, near=sinks)
        until = close(place, rebuild)
    return Swapped(rebuild.id, rebuild.generation, rebuild.former, until, comparisons)


def abort(place: Place) -> Rebuild:
    """End the open rebuild and remove its generation; again is as good as once. Raises RebuildRefused where none is
    open.
    """
    mend(place)
    ended = place.records.rebuild()
    if ended is None or ended.stage is not Stage.ABORTED:
        with alias_held(place):
            ended = place.records.change(_last(place).id, lambda now: replace(now, stage=Stage.ABORTED))
    sweep(place)
    return ended


def _compare(place: Place, rebuild: Rebuild) -> tuple[Comparison, ...]:
    return tuple(place.compare(rebuild.generation, one) for one in place.sources)


def _open(place: Place) -> Rebuild:
    rebuild = _last(place)
    if rebuild.code != place.code:
        _refuse(
            place,
            f"rebuild {rebuild.id} was filled for other definitions or another version of the code",
            f"End it (`spice projection rebuild {place.projection} --abort`) and begin anew.",
        )
    return rebuild


def _last(place: Place) -> Rebuild:
    rebuild = place.records.rebuild()
    if rebuild is None or not rebuild.is_open:
        _refuse(place, f"no rebuild of {place.projection} is open", "Fill its buckets first.")
    return rebuild


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
