"""Drift of a read model: each kind of damage is found among all objects of the sample, no write is taken for one, a quick
look knows the log as a full one does, and a repair touches nothing but the bad buckets.
"""

import random
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.demo.correction import copy_home
from gateway.domains import the_domain
from ontology_assets.events.envelope import NULL_STATE_HASH, Draft, NewEvent
from ontology_assets.events.heads import Heads
from ontology_assets.events.opening import open_log
from ontology_assets.followers.follow import catch_up
from ontology_assets.projections import quick as quick_comparison
from ontology_assets.projections.comparison import Comparison
from ontology_assets.projections.quick import Quick, quick
from ontology_assets.projections.rebuild.place import Place, open_place
from ontology_assets.projections.repair import NotRepaired, repair, verify
from ontology_assets.projections.sinks import live_sink
from resources.home import Home
from resources.registry.sql import SqliteRegistry
from tests.contracts.library import Change
from tests.contracts.library_log import LibraryHome

FLIGHTS = 336_776


def looked(place: Place) -> Quick:
    (found,) = quick(place)
    return found


def compared(place: Place) -> Comparison:
    (found,) = verify(place)
    return found


def statement(file: Path, kind: str, text: str) -> None:
    """Run one on the table of a type."""
    with sqlite3.connect(file) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = ?", (kind,)).fetchone()
        assert connection.execute(text.format(t=f"t{no}")).rowcount > 0


def some_changes(draw: random.Random, known: set[str]) -> list[Change]:
    """Of shelves: new ones, others, deleted ones; also one that was deleted before."""
    changes: list[Change] = []
    for no in draw.sample(range(60), 12):
        gone = str(no) in known and draw.random() < 0.3
        changes.append(("Shelf", str(no), None if gone else {"no": no, "height": draw.randrange(9)}, None))
        (known.discard if gone else known.add)(str(no))
    return changes


def test_a_quick_look_knows_the_log_as_a_full_one_does_forward_and_back(library: LibraryHome, tmp_path: Path) -> None:
    place, draw, known = library.place(), random.Random(6), set[str]()
    verify(place)
    for step in range(8):
        library.append(some_changes(draw, known))
        if step % 3 == 2:
            library.seal()
        library.follow()
        if step == 3:
            shutil.copytree(library.home.read_models, tmp_path / "earlier", symlinks=True)
        before = looked(place)
        assert (before.since is not None, before.comparison.different) == (True, [])
        assert before.comparison == compared(place)
    shutil.rmtree(library.home.read_models)
    shutil.copytree(tmp_path / "earlier", library.home.read_models, symlinks=True)
    back = looked(place)
    assert (back.since, back.comparison.position < library.log.end().position) == (library.log.end().position, True)
    assert back.comparison == compared(place)


def test_a_quick_look_without_a_proof_or_far_from_it_folds_the_log(
    library: LibraryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = library.place()
    assert looked(place).since is None
    assert looked(place).since == library.log.end().position
    monkeypatch.setattr(quick_comparison, "MOST_EVENTS", 3)
    library.append([("Shelf", str(no), {"no": no}, None) for no in range(4)])
    library.follow()
    assert looked(place).since is None


FIRST = "WHERE rid = (SELECT min(rid) FROM {t})"


@pytest.mark.parametrize(
    ("kind", "damage", "found_quickly"),
    [
        ("Author", f"DELETE FROM {{t}} {FIRST}", True),
        ("Author", f"UPDATE {{t}} SET bucket = (bucket + 1) % 16 {FIRST}", True),
        ("Author", f"UPDATE {{t}} SET bucket = 77 {FIRST}", True),
        ("Author", f"UPDATE {{t}} SET hash = zeroblob(16) {FIRST}", True),
        ("Author", "UPDATE digest SET lane2 = lane2 + 1 WHERE bucket = (SELECT min(bucket) FROM digest)", True),
        ("Author", "DELETE FROM digest WHERE bucket = (SELECT min(bucket) FROM digest)", True),
        ("Author", f"UPDATE {{t}} SET p_name = 'Forged' {FIRST}", False),
        ("Author", f"UPDATE {{t}} SET p_born = x'ff' {FIRST}", False),
        ("Book", f"UPDATE {{t}} SET p_price = 'abc' {FIRST}", False),
    ],
    ids=["missing", "elsewhere", "nowhere", "hash", "kept", "not kept", "value", "no date", "no decimal"],
)
def test_what_a_quick_look_finds_and_what_only_a_full_one(
    library: LibraryHome, kind: str, damage: str, found_quickly: bool
) -> None:
    place = library.place()
    verify(place)
    statement(library.home.read_models / "search.sqlite", kind, damage)
    assert bool(looked(place).comparison.different) is found_quickly
    assert compared(place).different
    (done,) = repair(place)
    assert done.buckets
    assert compared(place).different == looked(place).comparison.different == []


def test_no_write_is_taken_for_drift(library: LibraryHome) -> None:
    """Appended, sealed and followed meanwhile by others."""
    ended, faults = threading.Event(), list[BaseException]()

    def write() -> None:
        mine, draw, known = LibraryHome(library.root, library.written), random.Random(7), set[str]()
        try:
            while not ended.is_set():
                mine.append(some_changes(draw, known))
                mine.follow()
                if draw.random() < 0.2:
                    mine.seal()
        except BaseException as fault:  # noqa: BLE001 - raised below
            faults.append(fault)

    writer = threading.Thread(target=write)
    writer.start()
    place, positions = library.place(), set[int]()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        full, quickly = compared(place), looked(place).comparison
        assert full.different == quickly.different == []
        positions |= {full.position, quickly.position}
    ended.set()
    writer.join()
    assert faults == []
    assert len(positions) > 5, "there were writes"


def test_a_repair_leaves_every_other_row_as_it_is(library: LibraryHome) -> None:
    library.append([("Shelf", str(no), {"no": no}, None) for no in range(200)])
    library.follow()
    place, file = library.place(), library.home.read_models / "search.sqlite"
    with sqlite3.connect(file) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Shelf'").fetchone()
        rows = connection.execute(f"SELECT * FROM t{no} ORDER BY rid").fetchall()
        bucket = connection.execute(f"SELECT bucket FROM t{no} WHERE id = '17'").fetchone()[0]
        connection.execute(f"UPDATE t{no} SET p_height = 99 WHERE id = '17'")
    forbid_writes(file, {bucket})
    (done,) = repair(place)
    assert done.buckets == (bucket,)
    with sqlite3.connect(file) as connection:
        assert connection.execute(f"SELECT * FROM t{no} ORDER BY rid").fetchall() == rows, "rowids too"


def forbid_writes(file: Path, but: set[int]) -> None:
    """Whoever writes to a row of another bucket from now on fails."""
    allowed = ", ".join(map(str, but))
    with sqlite3.connect(file) as connection:
        for (no,) in connection.execute("SELECT no FROM types").fetchall():
            for verb, row in (("INSERT", "new"), ("UPDATE", "old"), ("DELETE", "old")):
                connection.execute(
                    f"CREATE TRIGGER no_{verb}_{no} BEFORE {verb} ON t{no} WHEN {row}.bucket NOT IN ({allowed}) "
                    "BEGIN SELECT RAISE(ABORT, 'a row of another bucket'); END"
                )


def test_a_repair_that_does_not_help_says_so(library: LibraryHome) -> None:
    place, file = library.place(), library.home.read_models / "search.sqlite"
    statement(file, "Author", "UPDATE {t} SET p_name = 'Forged' WHERE id = 'lem'")
    with sqlite3.connect(file) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Author'").fetchone()
        (bucket,) = connection.execute(f"SELECT bucket FROM t{no} WHERE id = 'lem'").fetchone()
        connection.execute(
            f"CREATE TRIGGER spoilt AFTER INSERT ON t{no} BEGIN UPDATE t{no} SET p_name = 'Forged' "
            "WHERE rid = new.rid; END"
        )
    with pytest.raises(NotRepaired, match=f"Not repaired.*library: bucket {bucket:x}"):
        repair(place)


def test_each_damage_among_all_objects_of_the_sample_is_found_and_repaired(demo_home: Path, tmp_path: Path) -> None:
    """One wrong field, one missing, one too many, one back from the dead, each in a bucket of its own."""
    home = copy_home(Home(demo_home), tmp_path / "home")
    domain, file = the_domain(None), home.read_models / "graph.sqlite"
    with sqlite3.connect(file) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Flight'").fetchone()
        assert connection.execute(f"SELECT count(*) FROM t{no}").fetchone() == (FLIGHTS,)
        picked = connection.execute(
            f"SELECT min(id), bucket FROM t{no} WHERE bucket IN (1, 6, 9, 14) GROUP BY bucket ORDER BY bucket"
        ).fetchall()
        (wrong, missing, like, dead), buckets = zip(*picked, strict=True)
        (row,) = connection.execute(f"SELECT * FROM t{no} WHERE id = ?", (dead,))
    follow_a_deletion(home, dead)
    registry = SqliteRegistry(home.registry)
    place = open_place(home, "graph", [domain], registry, owner="test")
    some = (*buckets, 3)
    before = compared_in(place, some)
    assert before.different == []
    marks = ",".join("?" * len(row))
    with sqlite3.connect(file) as connection:
        edit: Callable[..., sqlite3.Cursor] = connection.execute
        assert edit(f"UPDATE t{no} SET p_distance = p_distance + 1 WHERE id = ?", (wrong,)).rowcount == 1
        assert edit(f"DELETE FROM t{no} WHERE id = ?", (missing,)).rowcount == 1
        (other,) = edit(f"SELECT * FROM t{no} WHERE id = ?", (like,))
        (last,) = edit(f"SELECT max(rid) FROM t{no}").fetchone()
        edit(f"INSERT INTO t{no} VALUES ({marks})", (last + 1, f"{like}x", *other[2:]))
        assert edit("DELETE FROM tombstones WHERE no = ? AND id = ?", (no, dead)).rowcount == 1
        edit(f"INSERT INTO t{no} VALUES ({marks})", row)
    assert compared_in(place, some).different == list(buckets)
    forbid_writes(file, set(buckets))
    (done,) = repair(place, some)
    assert done.buckets == buckets
    assert done.after is not None
    assert compared_in(place, some) == before
    registry.close()


def compared_in(place: Place, buckets: tuple[int, ...]) -> Comparison:
    (found,) = verify(place, sorted(buckets))
    return found


def follow_a_deletion(home: Home, flight: str) -> None:
    domain = the_domain(None)
    log = open_log(home, domain.name)
    heads = Heads(home.heads / f"{domain.name}.sqlite", log)
    gone = NewEvent(str(uuid.uuid4()), "ObjectDeleted", "Flight", flight, 2, '{"state":null}', NULL_STATE_HASH)
    log.append(heads, lambda _: Draft(str(uuid.uuid4()), inline=[gone]))
    heads.close()
    sink, registry = live_sink(home, "graph", domain, log), SqliteRegistry(home.registry)
    catch_up(log, sink, registry, owner="test")
    sink.close()
    registry.close()
