"""Rebuilds: a new generation filled from the log bucket by bucket, swapped in behind the gate, and undone."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from ontology_assets.followers.lease import lease_name
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.rebuild.fill import fill_bucket, open_rebuild
from ontology_assets.projections.rebuild.mend import mend
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.projections.rebuild.record import RebuildRefused, Stage
from ontology_assets.projections.rebuild.retired import keep_up
from ontology_assets.projections.rebuild.swap import abort, swap
from ontology_assets.projections.rebuild.sweep import sweep
from ontology_assets.projections.rebuild.undo import undo
from ontology_assets.queries.catalogue import Catalogue
from ontology_assets.queries.search import read_search, run_search
from resources.clock import utc_now
from resources.fencing import Fenced
from resources.read_model.sqlite_search import SqliteSearchModel
from tests.contracts.library import LIBRARY
from tests.contracts.library_log import LibraryHome, fill_all

TITLE = {"code": "lem", "name": "Stanisław Lem"}


@pytest.fixture
def model(library: LibraryHome) -> Iterator[SqliteSearchModel]:
    opened = SqliteSearchModel(library.home.read_models / "search.sqlite", [domain_layout(LIBRARY)])
    yield opened
    opened.close()


def found(model: SqliteSearchModel, **document: object) -> list[str]:
    return [one["id"] for one in run_search(read_search(document, Catalogue([LIBRARY])), model).document["objects"]]


def bucket_with_rows(place: Place, generation: str) -> tuple[int, str, str]:
    """(bucket, id, table) of some row of the generation."""
    with sqlite3.connect(place.generations.file(generation)) as connection:
        for (no,) in connection.execute("SELECT no FROM types WHERE type = 'Book'"):
            bucket, key = connection.execute(f"SELECT bucket, id FROM t{no} ORDER BY rid LIMIT 1").fetchone()
    return bucket, key, f"t{no}"


def damage(place: Place, generation: str, statement: str) -> None:
    with sqlite3.connect(place.generations.file(generation)) as connection:
        connection.execute(statement)


def test_a_filled_generation_is_asked_after_the_swap_and_equals_the_former(
    library: LibraryHome, model: SqliteSearchModel
) -> None:
    place = library.place()
    before, position = library.live().digest(), library.live().position()
    former = place.generations.current()
    asked = found(model, type="Book", text="solaris")
    generation = fill_all(place)
    assert place.generations.current() == former, "filling moves nothing"
    swapped = swap(place)
    assert (swapped.generation, swapped.former, place.generations.current()) == (generation, former, generation)
    assert (library.live().digest(), library.live().position()) == (before, position)
    assert found(model, type="Book", text="solaris") == asked == ["solaris/1"]
    assert set(place.generations.present()) == {former, generation}


def test_a_swap_with_a_bucket_missing_is_refused_and_names_it(library: LibraryHome) -> None:
    place = library.place()
    former = place.generations.current()
    rebuild = open_rebuild(place)
    for bucket in set(range(16)) - {3, 11}:
        fill_bucket(place, rebuild, bucket)
    with pytest.raises(RebuildRefused, match="buckets 3, b of rebuild"):
        swap(place)
    assert place.generations.current() == former
    for bucket in (3, 11):
        fill_bucket(place, rebuild, bucket)
    assert swap(place).generation == rebuild.generation


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET p_title = 'Forged' WHERE id = '{key}'",
        "DELETE FROM {table} WHERE id = '{key}'",
        "UPDATE {table} SET bucket = (bucket + 1) % 16 WHERE id = '{key}'",
        "INSERT INTO {table} SELECT rid + 1000, id || 'x', sequence, position, bucket, hash, words, l_sequel_of, "
        "l_written_by, p_blurb, p_edition, p_genre, p_isbn, p_mass, p_pages, p_price, p_published, p_title, p_weight "
        "FROM {table} WHERE id = '{key}'",
    ],
    ids=["a wrong field", "a missing row", "a row under another bucket", "a row too many"],
)
def test_damage_between_fill_and_swap_is_found_and_the_bucket_can_be_filled_again(
    library: LibraryHome, statement: str
) -> None:
    place = library.place()
    former, before = place.generations.current(), library.live().digest()
    generation = fill_all(place)
    bucket, key, table = bucket_with_rows(place, generation)
    damage(place, generation, statement.format(table=table, key=key))
    with pytest.raises(RebuildRefused, match=f"differs from the log in library: bucket.*{bucket:x}"):
        swap(place)
    assert place.generations.current() == former
    with pytest.raises(RebuildRefused, match="not filled and proved"):
        swap(place)  # what was disproved does not count any more
    rebuild = open_rebuild(place)
    assert rebuild.generation == generation, "the same rebuild goes on"
    for again in set(range(16)) - rebuild.proofs.keys():
        fill_bucket(place, rebuild, again)
    swap(place)
    assert library.live().digest() == before


def test_what_is_written_meanwhile_is_in_the_new_generation(library: LibraryHome, model: SqliteSearchModel) -> None:
    place = library.place()
    generation = fill_all(place)
    library.append([("Author", "lem", {**TITLE, "living": False}, None), ("Author", "new", {"code": "new"}, None)])
    library.follow()
    swap(place)
    library.append([("Author", "lem", None, None)])
    library.follow()
    assert place.generations.current() == generation
    proof = library.live().proof()
    assert proof.kept == proof.recomputed
    assert proof.position == library.log.end().position
    assert "new" in found(model, type="Author")
    assert "lem" not in found(model, type="Author")


def test_who_followed_the_former_generation_and_who_filled_the_new_one_have_to_claim_it_anew(
    library: LibraryHome,
) -> None:
    place = library.place()
    fill_all(place)
    library.append([("Author", "new", {"code": "new"}, None)])
    swap(place)
    lease = place.registry.read(lease_name("library", "search"))
    filling = place.registry.read(lease_name("library", f"search@{place.generations.current()}"))
    assert lease is not None
    assert filling is not None
    assert lease.epoch == filling.epoch  # each lease counts for itself: by chance the same
    library.append([("Author", "newer", {"code": "newer"}, None)])
    live = library.live()
    (batch,) = library.log.events(live.position())
    with pytest.raises(Fenced):
        live.apply(batch, lease.epoch)
    library.follow()
    assert library.live().position() == library.log.end().position


def test_undo_asks_the_former_again_with_todays_data_and_can_itself_be_undone(library: LibraryHome) -> None:
    place = library.place()
    former = place.generations.current()
    generation = fill_all(place)
    swap(place)
    library.append([("Author", "new", {"code": "new"}, None)])
    library.follow()
    undone = undo(place)
    assert (undone.generation, undone.former, undone.behind) == (former, generation, {"library": 0})
    assert place.generations.current() == former
    assert library.live().position() == library.log.end().position
    assert undo(place).generation == generation


def test_undo_is_refused_when_its_window_is_over_and_the_file_is_swept(library: LibraryHome) -> None:
    place = library.place()
    former = place.generations.current()
    assert former is not None
    fill_all(place)
    swap(place)
    assert sweep(place) == []
    later = replace(place, now=lambda: utc_now() + timedelta(minutes=61))
    with pytest.raises(RebuildRefused, match="Rebuild it instead"):
        undo(later)
    assert sweep(later) == [former]
    assert former not in place.generations.present()


def test_two_rebuilds_at_once_are_one(library: LibraryHome) -> None:
    first, second = library.place(), library.place()
    one, other = open_rebuild(first), open_rebuild(second)
    assert one.id == other.id
    for bucket in range(16):
        fill_bucket(first if bucket % 2 else second, one, bucket)
    swap(first)
    with pytest.raises(RebuildRefused, match="no rebuild of search is open"):
        swap(second)
    with pytest.raises(RebuildRefused, match="is swapped"):
        fill_bucket(second, other, 3)


def test_a_rebuild_for_other_definitions_is_not_joined(library: LibraryHome) -> None:
    open_rebuild(library.place())
    types = dict(LIBRARY.object_types)
    shelf = types["Shelf"]
    changed = shelf.model_copy(update={"properties": {**shelf.properties, "width": shelf.properties["height"]}})
    other = LIBRARY.model_copy(update={"object_types": {**types, "Shelf": changed}})
    place = library.place()
    strange = replace(place, sources=[replace(place.sources[0], domain=other)])
    with pytest.raises(RebuildRefused, match="other definitions"):
        open_rebuild(strange)
    with pytest.raises(RebuildRefused, match="other definitions"):
        swap(strange)
    abort(place)
    assert open_rebuild(strange).stage is Stage.FILLING


def test_an_abort_removes_what_was_filled(library: LibraryHome) -> None:
    place = library.place()
    generation = fill_all(place)
    assert abort(place).stage is Stage.ABORTED
    assert generation not in place.generations.present()
    with pytest.raises(RebuildRefused, match="no rebuild of search is open"):
        swap(place)


def test_a_swap_whose_record_was_lost_is_mended_from_the_alias(library: LibraryHome) -> None:
    place = library.place()
    former = place.generations.current()
    generation = fill_all(place)
    rebuild = open_rebuild(place)
    place.records.change(rebuild.id, lambda now: replace(now, stage=Stage.SWAPPING, former=former))
    place.generations.point_to(generation)  # and the process dies
    mended = mend(place)
    assert mended is not None
    assert (mended.generation, mended.former) == (generation, former)
    assert undo(place).generation == former


def test_two_swaps_at_once_are_one(library: LibraryHome) -> None:
    place = library.place()
    former, generation = place.generations.current(), fill_all(place)

    def one(_: int) -> str:
        try:
            return swap(LibraryHome(library.root).place()).generation
        except RebuildRefused as refusal:
            return refusal.detail

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(one, range(2)))
    assert generation in told
    assert any(text.startswith(("no rebuild of search is open", "rebuild ", "another process")) for text in told)
    pair = place.records.pair()
    assert pair is not None
    assert pair.generations == (former, generation)


def test_the_former_generation_follows_until_its_window_ends(library: LibraryHome) -> None:
    place = library.place()
    fill_all(place)
    swap(place)

    def kept_up() -> int:
        logs = [(LIBRARY, library.log)]
        return keep_up(library.home, "search", logs, library.registry, owner="test", run_id="")

    library.append([("Author", "new", {"code": "new"}, None)])
    assert (kept_up(), kept_up()) == (1, 0)
    pair = place.records.pair()
    assert pair is not None
    place.records.keep(replace(pair, until=(utc_now() - timedelta(seconds=1)).isoformat()))
    library.append([("Author", "newer", {"code": "newer"}, None)])
    assert kept_up() == 0
    with pytest.raises(RebuildRefused, match="the window ended at"):
        undo(place)


def test_an_undo_that_is_asked_for_twice_is_done_once(library: LibraryHome) -> None:
    place = library.place()
    former, generation = place.generations.current(), fill_all(place)
    swap(place)
    assert undo(place, generation) == undo(place, generation)
    assert place.generations.current() == former
    with pytest.raises(RebuildRefused, match=f"generation {former} is asked now, not 00000000"):
        undo(place, "00000000")


def test_a_fill_that_an_abort_has_overtaken_leaves_no_file(library: LibraryHome) -> None:
    place = library.place()
    rebuild = open_rebuild(place)
    fill_bucket(place, rebuild, 0)
    abort(library.place())
    assert rebuild.generation not in place.generations.present()
    with pytest.raises(RebuildRefused, match="is aborted"):
        fill_bucket(place, rebuild, 1)
    assert rebuild.generation not in place.generations.present()


def test_what_a_process_that_died_has_left_is_swept(library: LibraryHome) -> None:
    place = library.place()
    orphan, link = place.generations.file("0badcafe"), place.generations.alias.with_name(".search.sqlite.0badcafe")
    orphan.touch()
    link.symlink_to(orphan.name)
    asked = place.generations.current()
    assert sweep(place) == ["0badcafe"]
    assert link.is_symlink(), "somebody may be about to move it"
    os.utime(link, (0, 0), follow_symlinks=False)
    assert sweep(place) == []
    assert not link.is_symlink()
    assert place.generations.present() == [asked]


def test_aggregates_set_aside_stop_a_swap_unless_they_are_named(library: LibraryHome) -> None:
    library.append([("Author", "poison", {"code": "poison", "living": "perhaps"}, None)])
    library.follow()
    place = library.place()
    generation = fill_all(place)
    with pytest.raises(RebuildRefused, match="Author poison"):
        swap(place)
    assert swap(place, accept_parked=["Author poison"]).generation == generation


def test_readers_and_writers_see_the_deleted_alias_as_an_empty_model(library: LibraryHome) -> None:
    place = library.place()
    before = library.live().digest()
    for file in library.home.read_models.iterdir():
        file.unlink()
    library.follow()
    assert library.live().digest() == before
    assert place.generations.present() == [place.generations.current()]


def test_a_file_in_the_place_of_the_alias_becomes_its_first_generation(library: LibraryHome) -> None:
    before, alias = library.live().digest(), library.home.read_models / "search.sqlite"
    with sqlite3.connect(alias) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = alias.read_bytes()
    for file in library.home.read_models.iterdir():
        file.unlink()
    alias.write_bytes(content)
    assert library.live().digest() == before
    assert alias.is_symlink()
