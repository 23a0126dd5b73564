"""Ranged replays: objects with an event on given days, made right where the read model is wrong, and no others."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from ontology_assets.events import histories
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.rebuild.undo import undo
from ontology_assets.projections.replay import replay as replaying
from ontology_assets.projections.replay.replay import Counts, NotReplayed, Replayed, replay
from ontology_assets.projections.replay.selection import Selection, days_in, first_month, months_in, runs_of
from ontology_assets.projections.sinks import OPTIONS
from resources.errors import SpiceError
from resources.home import PROJECT_ROOT
from resources.read_model.base import NothingYet
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY, folded_digest
from tests.contracts.library_log import LibraryHome, fill_all

JANUARY, FEBRUARY, MARCH = ((date(2026, month, 1), date(2026, month, 28)) for month in (1, 2, 3))
ALL = (date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def library(tmp_path: Path) -> LibraryHome:
    """The authors on the 10th of January (sealed), the books in February, four changes on the 5th of March:

    lem changed, anon deleted, rose/2 deleted and created again.
    """
    made = LibraryHome(tmp_path / "home")
    made.append(AUTHORS, datetime(2026, 1, 10, 12, tzinfo=UTC))
    made.seal()
    made.append(BOOKS, datetime(2026, 2, 28, 23, 59, tzinfo=UTC))
    made.append(
        [
            ("Author", "lem", {"code": "lem", "name": "Lem"}, None),
            ("Author", "anon", None, None),
            ("Book", "rose/2", None, None),
            ("Book", "rose/2", {"isbn": "rose", "edition": 2, "title": "Back"}, None),
        ],
        datetime(2026, 3, 5, tzinfo=UTC),
    )
    for projection in OPTIONS:
        made.follow(projection)
    return made


@contextmanager
def rows_of(library: LibraryHome, projection: str = "search") -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(library.home.read_models / f"{projection}.sqlite")) as connection, connection:
        connection.create_function("n", 1, dict(connection.execute("SELECT type, no FROM types")).get)
        yield connection


def spoil(library: LibraryHome, kind: str, key: str, name: str = "Forged", projection: str = "search") -> None:
    """A wrong value at the right sequence number."""
    column = {"Author": "p_name", "Book": "p_title"}[kind]
    with rows_of(library, projection) as rows:
        (no,) = rows.execute("SELECT no FROM types WHERE type = ?", (kind,)).fetchone()
        assert rows.execute(f"UPDATE t{no} SET {column} = ? WHERE id = ?", (name, key)).rowcount == 1


def value(library: LibraryHome, kind: str, key: str) -> str | None:
    column = {"Author": "p_name", "Book": "p_title"}[kind]
    with rows_of(library) as rows:
        (no,) = rows.execute("SELECT no FROM types WHERE type = ?", (kind,)).fetchone()
        found = rows.execute(f"SELECT {column} FROM t{no} WHERE id = ?", (key,)).fetchone()
    return None if found is None else str(found[0])


def run(library: LibraryHome, *days: tuple[date, date], projection: str = "search", **more: object) -> Replayed:
    return replay(library.place(projection), Selection(days, **more))  # type: ignore[arg-type]


def is_right(library: LibraryHome, projection: str = "search") -> bool:
    """What is kept and what queries read have the digest that the events have by the written rule."""
    proof = library.live(projection).proof()
    return proof.kept == proof.recomputed == folded_digest(library.rows)


def test_objects_with_an_event_in_the_range_are_mended_at_the_same_sequence_and_no_others(library: LibraryHome) -> None:
    for key in ("lem", "eco"):
        spoil(library, "Author", key)
    done = run(library, MARCH)
    # lem, anon (deleted) and rose/2 have an event in March; eco has not.
    assert done.types == {"Author": Counts(2, 2, 1, 1, 0), "Book": Counts(1, 1, 0, 0, 0), "Shelf": Counts()}
    assert (value(library, "Author", "lem"), value(library, "Author", "eco")) == ("Lem", "Forged")
    assert run(library, MARCH).total == Counts(3, 3, 0, 0, 0), "a second replay writes nothing"
    # lem is chosen by its event of January, and folded to what March made of it.
    spoil(library, "Author", "lem", "Stanisław Lem")
    assert run(library, JANUARY).types["Author"] == Counts(4, 4, 2, 2, 0)
    assert (value(library, "Author", "lem"), value(library, "Author", "eco")) == ("Lem", "Umberto Éco")
    assert is_right(library)


def test_the_days_are_both_included_and_those_of_utc(library: LibraryHome) -> None:
    day = date(2026, 2, 28)
    assert run(library, (day, day)).total.selected == 6
    assert run(library, (date(2026, 1, 11), date(2026, 2, 27))).total.selected == 0
    assert run(library, (date(2026, 1, 1), date(2026, 1, 10)), (date(2026, 3, 5), date(2026, 3, 5))).total.selected == 5


@pytest.mark.parametrize("projection", sorted(OPTIONS))
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tombstones WHERE id = 'anon'",
        "UPDATE tombstones SET position = position - 1",
        "INSERT INTO {authors} SELECT rid + 1000, 'anon' || substr(id, 4), sequence, position, bucket, hash, {rest} "
        "FROM {authors} WHERE id = 'lem'",
        "DELETE FROM {authors} WHERE id = 'lem'",
        "UPDATE {authors} SET hash = zeroblob(16) WHERE id = 'lem'",
        "UPDATE {authors} SET hash = 'none' WHERE id = 'lem'",
        "UPDATE {authors} SET sequence = 1 WHERE id = 'lem'",
        "UPDATE {authors} SET position = position - 1 WHERE id = 'lem'",
        "UPDATE {authors} SET bucket = (bucket + 1) % 16 WHERE id = 'lem'",
        "UPDATE {authors} SET rid = rid + 1000 WHERE id = 'lem'",
        "INSERT INTO parked SELECT 'library', 'Author', 'lem', bucket, 1, 'nothing', 1 FROM {authors} WHERE id = 'lem'",
    ],
    ids=[
        "no tombstone",
        "a tombstone of another event",
        "resurrected",
        "missing",
        "another hash",
        "no hash",
        "another sequence",
        "another position",
        "another bucket",
        "another age",
        "parked for nothing",
    ],
)
def test_whatever_is_wrong_with_an_object_is_mended_with_the_digest(
    library: LibraryHome, statement: str, projection: str
) -> None:
    with rows_of(library, projection) as rows:
        (no,) = rows.execute("SELECT no FROM types WHERE type = 'Author'").fetchone()
        names = [name for _, name, *_ in rows.execute(f"PRAGMA table_info(t{no})")]
        text = statement.format(authors=f"t{no}", rest=", ".join(names[6:]))
        text = text.replace("'anon' || substr(id, 4)", "'anon'")
        assert rows.execute(text).rowcount == 1
    done = run(library, MARCH, projection=projection)
    assert (done.total.differing, done.total.written) == (1, 1)
    assert is_right(library, projection)


def test_words_are_found_again(library: LibraryHome) -> None:
    with rows_of(library) as rows:
        (no,) = rows.execute("SELECT no FROM types WHERE type = 'Book'").fetchone()
        rows.execute(f"UPDATE t{no} SET words = 'other' WHERE id = 'rose/2'")
        rows.execute(f"INSERT INTO f{no}(f{no}) VALUES ('rebuild')")
    run(library, MARCH)
    with rows_of(library) as rows:
        found = rows.execute(f"SELECT rowid FROM f{no} WHERE f{no} MATCH 'back'").fetchall()
        assert found == rows.execute(f"SELECT rid FROM t{no} WHERE id = 'rose/2'").fetchall()
        assert rows.execute(f"SELECT rowid FROM f{no} WHERE f{no} MATCH 'other'").fetchall() == []


def test_types_and_buckets_narrow_it(library: LibraryHome) -> None:
    spoil(library, "Author", "lem")
    spoil(library, "Book", "rose/2")
    assert run(library, MARCH, types=("Book",)).types == {"Book": Counts(1, 1, 1, 1, 0)}
    assert (value(library, "Book", "rose/2"), value(library, "Author", "lem")) == ("Back", "Forged")
    # sha256 of "lem" begins with 6, that of "anon" with 5: `printf lem | sha256sum`
    others = tuple(bucket for bucket in range(16) if bucket != 6)
    assert run(library, MARCH, buckets=others).types["Author"] == Counts(1, 1, 0, 0, 0)
    assert value(library, "Author", "lem") == "Forged"
    assert run(library, MARCH, buckets=(6,)).types["Author"] == Counts(1, 1, 1, 1, 0)
    assert value(library, "Author", "lem") == "Lem"


def test_what_there_is_not_is_refused_with_what_there_is(library: LibraryHome, tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="no type 'Boat'") as refused:
        Selection((MARCH,), types=("Boat",)).checked([LIBRARY])
    assert refused.value.allowed == ["Author", "Book", "Shelf"]
    with pytest.raises(SpiceError, match="no domain 'sea'"):
        Selection((MARCH,), domain="sea").checked([LIBRARY])
    assert run(library, MARCH, domain="library").total.selected == 3
    assert run(library, MARCH, domain="another").types == {}
    empty = LibraryHome(tmp_path / "other")
    assert run(empty, ALL).types == {}, "a domain that was never run"
    empty.append(AUTHORS)
    with pytest.raises(NothingYet):
        run(empty, ALL)


@pytest.mark.parametrize("parts", [1, 16])
@pytest.mark.parametrize("projection", sorted(OPTIONS))
def test_a_replay_of_all_days_is_as_good_as_a_rebuild(
    library: LibraryHome, projection: str, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a large log's buckets in parts, too."""
    if parts > 1:
        monkeypatch.setattr(histories, "PART_EVENTS", 0)
    with rows_of(library, projection) as rows:
        for (no,) in rows.execute("SELECT no FROM types").fetchall():
            rows.execute(f"DELETE FROM t{no} WHERE rid % 2")
            rows.execute(f"UPDATE t{no} SET sequence = sequence + 1")
        rows.execute("DELETE FROM tombstones")
    end = library.log.end().position
    # four authors, six books
    assert run(library, ALL, projection=projection).total == Counts(10, 10, 10, 10, 0)
    assert library.log.end().position == end, "nothing is appended"
    assert is_right(library, projection)
    replayed, place = library.live(projection).digest(), library.place(projection)
    fill_all(place)
    swap(place)
    assert library.live(projection).digest() == replayed


def test_a_parked_object_stays_so_and_is_counted(library: LibraryHome) -> None:
    library.append([("Author", "eco", {"code": "eco", "name": 7}, None)], datetime(2026, 4, 1, tzinfo=UTC))
    library.follow()
    april = date(2026, 4, 1), date(2026, 4, 30)
    assert run(library, april).types["Author"] == Counts(1, 1, 0, 0, 1)
    spoil(library, "Author", "eco")
    with rows_of(library) as rows:
        rows.execute("DELETE FROM parked")
    assert run(library, april).types["Author"] == Counts(1, 1, 1, 1, 1)
    assert value(library, "Author", "eco") == "Umberto Éco", "as it was before the event that does not fit"
    assert [one.aggregate_id for one in library.live().parked()] == ["eco"]


def test_what_differs_afterwards_is_an_error_that_names_it(library: LibraryHome) -> None:
    with rows_of(library) as rows:
        (no,) = rows.execute("SELECT no FROM types WHERE type = 'Author'").fetchone()
        rows.execute(
            f"CREATE TRIGGER spoilt AFTER INSERT ON t{no} BEGIN UPDATE t{no} SET p_name = 'Forged' "
            "WHERE rid = new.rid; END"
        )
    spoil(library, "Author", "lem")
    with pytest.raises(NotReplayed, match=r"1 objects still differ from the log: Author lem\. .*projection repair"):
        run(library, ALL)


@pytest.mark.parametrize("back", [False, True], ids=["swapped", "undone"])
def test_a_generation_that_is_asked_between_comparing_and_writing_is_right(
    library: LibraryHome, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, former = library.place(), library.place().generations.current()
    fill_all(place)
    if back:
        swap(place)
    library.append([("Author", "lem", {"code": "lem", "name": "Later"}, None)], datetime(2026, 3, 6, tzinfo=UTC))
    library.follow()
    spoil(library, "Author", "lem")
    slices = replaying._slices

    def meanwhile(objects: list[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
        assert objects == [("Author", "lem")]
        undo(place) if back else swap(place)
        yield from slices(objects)

    monkeypatch.setattr(replaying, "_slices", meanwhile)
    assert run(library, MARCH, types=["Author"]).types["Author"] == Counts(2, 2, 1, 0, 0)
    assert (place.generations.current() == former) == back
    assert value(library, "Author", "lem") == "Later"
    library.follow()
    assert is_right(library)


def test_live_writes_go_on_meanwhile(library: LibraryHome) -> None:
    ended, faults = threading.Event(), list[BaseException]()

    def write() -> None:
        writer = LibraryHome(library.root, library.written, library.rows)
        try:
            for k in range(60):
                writer.append([("Author", "lem", {"code": "lem", "name": f"Lem {k}"}, None)])
                writer.append([("Author", f"new-{k}", {"code": f"new-{k}"}, None), ("Book", "rose/2", None, None)])
                writer.follow()
        except BaseException as fault:
            faults.append(fault)
            raise
        finally:
            ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    rounds = 0
    while not ended.is_set() or rounds < 3:
        spoil(library, "Author", "eco")
        done = run(library, (date(2026, 1, 1), date(2100, 1, 1)))
        # What the follower is about to write is no difference.
        assert done.types["Author"].differing == 1
        assert value(library, "Author", "eco") == "Umberto Éco"
        rounds += 1
    thread.join()
    assert not faults
    assert is_right(library)


KILLED = """
import os, signal, sys
from pathlib import Path
from datetime import date
from ontology_assets.projections import sinks
from ontology_assets.projections.replay import replay as module
from ontology_assets.projections.replay.selection import Selection
from tests.contracts.library_log import LibraryHome

left, fold = int(sys.argv[2]), module.fold_whole
def killed(*given):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return fold(*given)
module.fold_whole = sinks.fold_whole = killed
library = LibraryHome(Path(sys.argv[1]))
module.replay(library.place(), Selection(((date(2026, 1, 1), date(2026, 12, 31)),)))
"""


@pytest.mark.parametrize(("fold", "buckets_done"), [(1, 0), (2, 0), (3, 1), (7, 2)])
def test_a_replay_that_was_killed_is_completed_by_the_next(library: LibraryHome, fold: int, buckets_done: int) -> None:
    """While it compares, while it holds the model, while it looks again, between two buckets."""
    with rows_of(library) as rows:
        for (no,) in rows.execute("SELECT no FROM types").fetchall():
            rows.execute(f"UPDATE t{no} SET sequence = sequence + 1")
        rows.execute("UPDATE tombstones SET sequence = sequence + 1")
    command = [sys.executable, "-c", KILLED, str(library.root), str(fold)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    assert subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=False).returncode == -signal.SIGKILL
    library.append([("Author", "lem", {"code": "lem", "name": "After"}, None)])
    library.follow()
    first = {key: sha256(key.encode()).hexdigest()[0] for _, key, *_ in [*AUTHORS, *BOOKS]}
    done = sorted(set(first.values()))[:buckets_done]
    left = [key for key, bucket in first.items() if bucket not in done and key != "lem"]
    assert run(library, ALL).total.written == len(left)
    assert run(library, ALL).total.written == 0
    assert is_right(library)


def test_months_and_runs() -> None:
    assert first_month([LIBRARY]) == date(2020, 1, 1)
    begun = LIBRARY.model_copy(update={"first_day": date(2017, 5, 20)})
    assert first_month([LIBRARY, begun]) == date(2017, 5, 1)
    assert months_in((date(2025, 12, 31), date(2026, 2, 1)), [LIBRARY], date(2026, 2, 3)) == [
        "2025-12",
        "2026-01",
        "2026-02",
    ]
    with pytest.raises(SpiceError, match="not within the months") as refused:
        months_in((date(2019, 12, 31), date(2026, 2, 1)), [LIBRARY], date(2026, 2, 3))
    assert refused.value.allowed == ["2020-01-01 .. 2026-02-28"]
    assert days_in(["2026-01", "2026-02", "2026-04"]) == (
        (date(2026, 1, 1), date(2026, 2, 28)),
        (date(2026, 4, 1), date(2026, 4, 30)),
    )
    assert days_in(["2026-02"], (date(2026, 2, 27), date(2026, 3, 5))) == ((date(2026, 2, 27), date(2026, 2, 28)),)
    assert days_in(["2026-02"], (date(2026, 3, 1), date(2026, 3, 5))) == ()
    assert runs_of([10, 2], ["2026-01", "2026-02"]) == [("2|2026-01", "2|2026-02"), ("a|2026-01", "a|2026-02")]
    assert runs_of(range(16), ["2026-01", "2026-02"]) == [("0|2026-01", "f|2026-01"), ("0|2026-02", "f|2026-02")]
    assert runs_of(range(16), ["2026-01"] * 20)[0] == ("0|2026-01", "0|2026-01")
