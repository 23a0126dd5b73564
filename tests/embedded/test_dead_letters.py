"""Dead letters: objects set aside, tried again, given up; every read model stays what the log makes."""

import hashlib
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ontology_assets.events.opening import open_log
from ontology_assets.followers.follow import catch_up
from ontology_assets.projections.deadletters.letters import DeadLetter, NotBlocked, exported, named, open_letters
from ontology_assets.projections.deadletters.retrying import StillBlocked, refuse_blocked, retry
from ontology_assets.projections.deadletters.skipping import skip
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.quick import quick
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.repair import verify
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import ProjectionSink, live_sink
from resources.errors import SpiceError
from resources.read_model.base import Changes
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY, folded_digest
from tests.contracts.library_log import LibraryHome, fill_all
from tests.embedded.dead_letters import author, expected_rows, give_up, mended

POISON = {"code": "lem", "living": "perhaps"}
GOOD = {"code": "lem", "name": "Lem", "living": False}
MODELS = ("search", "graph")


@pytest.fixture
def library(tmp_path: Path) -> LibraryHome:
    """Authors and books, sealed and not; then lem gets an event that does not fit, and one that waits for it."""
    made = LibraryHome(tmp_path / "home")
    made.append(AUTHORS)
    made.seal()
    made.append(BOOKS)
    made.append([author(POISON)])
    made.append([author(GOOD), author({"code": "new"}, "new")])
    for model in MODELS:
        made.follow(model)
    return made


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and the code is mended."""
    return lambda: mended(monkeypatch)


def letters(library: LibraryHome, model: str = "search") -> list[DeadLetter]:
    return open_letters(library.place(model))


def row(library: LibraryHome, key: str = "lem") -> tuple[int, int, dict[str, Any]] | None:
    """(sequence, position, name and living) of an author, as search reads it."""
    with closing(library.live()) as sink:
        names = [one.name for one in sink.layout.type("Author").fields]  # type: ignore[union-attr]
        for _, found in sink.writer.documents("Author"):
            if found.id == key:
                shown = dict(zip([n for n in names if n != "home"], _without_home(names, found.cells), strict=True))
                return found.sequence, found.position, {n: shown[n] for n in ("name", "living")}
    return None


def _without_home(names: list[str], cells: tuple[Any, ...]) -> list[Any]:
    at = names.index("home")
    return [*cells[:at], *cells[at + 2 :]]


def equal_to_the_log(library: LibraryHome) -> None:
    for model in MODELS:
        assert [one.different for one in verify(library.place(model))] == [[]], model
        with closing(library.live(model)) as sink:
            proof = sink.proof()
        assert proof.kept == proof.recomputed


def test_what_is_set_aside_is_told_with_the_event_that_does_not_fit(library: LibraryHome) -> None:
    (letter,) = letters(library)
    event = library.rows[10]
    assert (letter.type, letter.id, letter.position, letter.sequence) == ("Author", "lem", 11, 2)
    assert (letter.event_type, letter.waiting, letter.bucket) == ("ObjectUpdated", 2, int(event["bucket"][0], 16))
    assert letter.event_id == library.log.at([11])["event_id"][0].as_py()
    assert "living" in letter.reason
    assert letter.name == "Author-" + hashlib.sha256(b"lem").hexdigest()[:16]
    assert [(one.id, one.position) for one in letters(library, "graph")] == [("lem", 11)]
    with pytest.raises(NotBlocked, match="deadletters list"):
        named([letter], ["Author-0000000000000000"])


def test_nothing_but_the_object_is_held_up(library: LibraryHome) -> None:
    assert row(library) == (1, 3, {"name": "Stanisław Lem", "living": None})
    assert row(library, "new") == (1, 13, {"name": None, "living": None})
    equal_to_the_log(library)


def test_tried_again_by_the_same_code_it_stays_as_it_is(library: LibraryHome) -> None:
    before = library.live().digest()
    (done,) = retry(library.place(), letters(library))
    assert (done.applied, done.left) == (0, done.letter)
    assert library.live().digest() == before
    with pytest.raises(StillBlocked, match=r"Author lem at event 11 .*living.*skip Author-"):
        refuse_blocked(library.place(), [done])


@pytest.mark.parametrize("sealed", [False, True], ids=["in the log", "sealed"])
def test_with_the_code_fixed_a_retry_applies_all_that_waits(
    library: LibraryHome, fixed: Callable[[], None], *, sealed: bool
) -> None:
    if sealed:
        library.seal()
    assert [one.comparison.different for one in quick(library.place())] == [[]]
    fixed()
    (done,) = retry(library.place(), letters(library))
    assert (done.applied, done.left) == (2, None)
    assert [one.comparison.different for one in quick(library.place())] == [[]], "what was kept is of other code"
    assert letters(library) == []
    assert row(library) == (3, 12, {"name": "Lem", "living": 0})
    assert library.live().digest() == folded_digest(library.rows)
    retry(library.place("graph"), letters(library, "graph"))
    equal_to_the_log(library)


def test_a_retry_stops_at_the_next_event_that_does_not_fit(library: LibraryHome, fixed: Callable[[], None]) -> None:
    library.append([author({"code": "lem", "name": 7}), author({"code": "lem"})])
    library.follow()
    fixed()
    (done,) = retry(library.place(), letters(library))
    assert done.left is not None
    assert (done.applied, done.left.position, done.left.waiting) == (2, 14, 2)
    assert "name" in done.left.reason
    assert row(library) == (3, 12, {"name": "Lem", "living": 0})
    assert library.live().digest() == folded_digest(library.rows, frozenset({14}))
    assert retry(library.place(), letters(library))[0].left == done.left


def test_words_of_a_retried_object_are_found_and_those_of_before_are_not(
    library: LibraryHome, fixed: Callable[[], None]
) -> None:
    with closing(library.live()) as sink:
        sink.writer.settle()
    fixed()
    retry(library.place(), letters(library))
    with sqlite3.connect(library.home.read_models / "search.sqlite") as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Author'").fetchone()
        asked = f"SELECT count(*) FROM f{no} WHERE f{no} MATCH ?"
        assert connection.execute(asked, ("lem",)).fetchone() == (1,)
        assert connection.execute(asked, ("stanislaw",)).fetchone() == (0,)
        connection.execute(f"INSERT INTO f{no}(f{no}) VALUES ('integrity-check')")


class _Interrupting(SqliteWriter):
    """Before it writes a batch for the first time, somebody else tries what is parked again."""

    def __init__(self, *arguments: Any, meanwhile: Callable[[], None], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._meanwhile: Callable[[], None] | None = meanwhile

    def write(self, changes: Changes, epoch: int, *, settle: bool) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        super().write(changes, epoch, settle=settle)


def test_a_retry_in_the_middle_of_a_followers_batch_loses_no_event(
    library: LibraryHome, fixed: Callable[[], None]
) -> None:
    library.append([author({"code": "lem", "name": "Later"})])
    fixed()
    done = []

    def meanwhile() -> None:
        done.extend(retry(library.place(), letters(library)))

    alias = library.home.read_models / "search.sqlite"
    writer = _Interrupting(alias, domain_layout(LIBRARY), SEARCH, meanwhile=meanwhile)
    sink = ProjectionSink("search", writer, domain_layout(LIBRARY), words_of, library.log)
    catch_up(library.log, sink, library.registry, owner="test")
    assert [one.left for one in done] == [None]
    assert row(library) == (4, 14, {"name": "Later", "living": None})
    assert letters(library) == []
    assert library.live().digest() == folded_digest(library.rows)


class _Dying(sqlite3.Connection):
    """Of a process that ends before its n-th statement, and says nothing more to SQLite."""

    left = 0
    opened: ClassVar[list[sqlite3.Connection]] = []

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.opened.append(self)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._step()
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self._step()
        return super().executemany(*arguments)

    def _step(self) -> None:
        _Dying.left -= 1
        if _Dying.left <= 0:
            raise SystemExit


def test_a_retry_that_is_killed_at_any_statement_has_done_all_or_nothing(
    library: LibraryHome, fixed: Callable[[], None]
) -> None:
    fixed()
    before, alias = library.live().digest(), library.home.read_models / "search.sqlite"
    after = folded_digest(library.rows)
    histories = library.place().sources[0].histories
    for statements in range(1, 200):
        _Dying.left = statements
        writer = SqliteWriter(alias, domain_layout(LIBRARY), SEARCH, factory=_Dying)
        sink = ProjectionSink("search", writer, domain_layout(LIBRARY), words_of, None, histories=lambda: histories)
        try:
            sink.renew({("Author", "lem")})
        except SystemExit:
            while _Dying.opened:
                _Dying.opened.pop().close()
        else:
            break
        with closing(library.live()) as now:
            proof = now.proof()
            assert (proof.kept, proof.recomputed) == (before, before)
            assert [one.id for one in letters(library)] == ["lem"]
    assert statements > 10
    assert _Dying.left > 0
    assert (library.live().digest(), letters(library)) == (after, [])


def test_a_skip_is_an_event_and_makes_what_waited_visible_everywhere(library: LibraryHome) -> None:
    (letter,) = letters(library)
    done = give_up(library, letter, "  nobody knows \n")
    assert (done.position, done.already) == (14, False)
    event = library.log.at([14]).to_pylist()[0]
    assert (event["event_type"], event["aggregate_id"], event["sequence_number"]) == ("EventSkipped", "lem", 4)
    assert event["actor"] == "kim"
    assert json.loads(event["data"]) == {
        "skips": {"event_id": letter.event_id, "reason": "nobody knows", "sequence": 2},
        "state": json.loads(library.rows[11]["data"])["state"],
    }
    assert letters(library) == [letter], "read models show it when they follow"
    for model in MODELS:
        library.follow(model)
        assert letters(library, model) == []
    assert row(library) == (4, 14, {"name": "Lem", "living": 0}), "the sequence that the next command expects"
    equal_to_the_log(library)
    shown = [*library.rows[:10], {**library.rows[11], "position": 14}, library.rows[12]]
    assert library.live().digest() == folded_digest(shown)
    again = give_up(library, letter, "once more")
    assert (again.position, again.already) == (14, True)
    assert library.log.end().position == 14


def test_after_a_skip_a_rebuild_is_equal_to_the_live_read_model(library: LibraryHome) -> None:
    (letter,) = letters(library)
    give_up(library, letter)
    library.follow()
    library.append([author({"code": "lem", "name": "Later"})])
    library.follow()
    live = library.live().digest()
    place = library.place()
    generation = fill_all(place)
    assert swap(place).generation == generation
    assert (library.live().digest(), letters(library)) == (live, [])
    assert row(library) == (5, 15, {"name": "Later", "living": None})


def test_an_object_of_which_every_event_is_skipped_is_not_there(library: LibraryHome) -> None:
    library.append([author({"code": "odd", "living": "perhaps"}, "odd")])
    library.follow()
    letter = letters(library)[-1]
    give_up(library, letter)
    library.follow()
    assert row(library, "odd") is None
    library.append([author({"code": "odd", "living": True}, "odd")])
    library.follow()
    assert row(library, "odd") == (3, 16, {"name": None, "living": 1})
    library.follow("graph")
    equal_to_the_log(library)


def test_a_skip_needs_a_reason(library: LibraryHome) -> None:
    (letter,) = letters(library)
    with pytest.raises(SpiceError, match="Reason needed"):
        skip(library.log, library.heads, letter, " \n")


def test_the_export_has_the_waiting_events_as_they_are_in_the_log(library: LibraryHome) -> None:
    lines = list(exported(library.place(), letters(library)))
    assert [(line["event"]["position"], line["event"]["data"]) for line in lines] == [
        (11, library.rows[10]["data"]),
        (12, library.rows[11]["data"]),
    ]
    assert {(line["projection"], line["blocked_at"]) for line in lines} == {("search", 11)}
    in_the_log = library.log.at([11]).to_pylist()[0]
    told = lines[0]["event"]
    assert {name: told[name] for name in in_the_log if not name.endswith("_at")} == {
        name: value for name, value in in_the_log.items() if not name.endswith("_at")
    }
    json.dumps(lines)


def _steps(draw: random.Random) -> Iterator[tuple[str, int]]:
    kinds = ["good", "poison", "other poison", "delete", "skip", "retry", "follow", "fix"]
    for kind in draw.choices(kinds, [8, 3, 2, 2, 4, 3, 6, 1], k=60):
        yield kind, draw.randrange(3)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_parked_skipped_and_retried_a_rebuild_is_equal_to_the_live_models(
    seed: int, tmp_path: Path, fixed: Callable[[], None]
) -> None:
    draw, library = random.Random(seed), LibraryHome(tmp_path / "home")
    library.append(AUTHORS)
    skips, is_mended = 0, False
    for kind, number in _steps(draw):
        key = ("lem", "eco", "new")[number]
        said: dict[str, dict[str, Any] | None] = {
            "good": {"code": key, "name": f"{key} {draw.randrange(9)}"},
            "poison": {"code": key, "living": "perhaps"},
            "other poison": {"code": key, "name": 7},
            "delete": None,
        }
        if kind in said and not (kind == "delete" and ("Author", key) not in library.written.live):
            library.append([author(said[kind], key)])
        elif kind == "fix":
            fixed()
            is_mended = True
        elif kind in ("skip", "retry"):
            model = draw.choice(MODELS)
            library.follow(model)
            found = letters(library, model)[: 1 + draw.randrange(3)]
            if kind == "retry":
                retry(library.place(model), found)
            for letter in found if kind == "skip" else ():
                skips += not give_up(library, letter).already
        elif kind == "follow":
            with closing(live_sink(library.home, draw.choice(MODELS), LIBRARY, library.log)) as sink:
                catch_up(open_log(library.home, "library"), sink, library.registry, owner="test")
    assert skips
    for model in MODELS:
        log = open_log(library.home, "library")
        with closing(live_sink(library.home, model, LIBRARY, log)) as sink:
            catch_up(log, sink, library.registry, owner="test")
        place = library.place(model)
        retry(place, letters(library, model))
        with closing(library.live(model)) as sink:
            live, parked = sink.digest(), sink.writer.parked()
        fill_all(place)
        swap(place, [f"{one.type} {one.id}" for one in parked])
        with closing(library.live(model)) as sink:
            assert (sink.digest(), sink.writer.parked()) == (live, parked)
        assert live == folded_digest(expected_rows(library, is_mended=is_mended))
    equal_to_the_log(library)
