"""Generations as programs see them: `/v1/projections`, the undo by HTTP, page tokens and waits across a swap."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from ontology_assets.projections.rebuild import undo as undoing
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.rebuild.undo import undo
from resources.instance import open_instance
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY
from tests.contracts.library_log import LibraryHome, fill_all
from tests.served import Inside, inside

UNDO = "/v1/projections/search/undo"


@pytest.fixture
def library(tmp_path: Path) -> LibraryHome:
    made = LibraryHome(tmp_path / "home")
    made.append(AUTHORS)
    made.seal()
    made.append(BOOKS)
    follow(made)
    return made


@pytest.fixture
def gateway(library: LibraryHome) -> Iterator[Inside]:
    with inside(library.home.root, [LIBRARY]) as opened:
        yield opened


def follow(library: LibraryHome) -> None:
    for projection in ("search", "graph"):
        library.follow(projection)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    told: dict[str, Any] = answer.json()
    return told


def create(command_id: str, code: str) -> dict[str, Any]:
    return {"command_id": command_id, "command": "create", "type": "Author", "properties": {"code": code}}


def test_the_generations_and_the_way_back_are_told(gateway: Inside, library: LibraryHome) -> None:
    place = library.place()
    former, end = place.generations.current(), library.log.end().position
    before = gateway.ask("GET", "/v1/projections").json()["projections"]
    assert sorted(before) == ["graph", "search"]
    assert (before["search"]["generation"], before["search"]["undo"], before["search"]["rebuild"]) == (
        former,
        None,
        None,
    )
    assert before["search"]["domains"]["library"]["position"] == end
    generation = fill_all(place)
    open_one = gateway.ask("GET", "/v1/projections").json()["projections"]["search"]
    assert (open_one["generation"], open_one["rebuild"]["generation"]) == (former, generation)
    assert len(open_one["rebuild"]["filled"]) == 16
    swapped = swap(place)
    library.append([("Author", "new", {"code": "new"}, None)])
    library.follow()
    after = gateway.ask("GET", "/v1/projections").json()["projections"]["search"]
    assert after["generation"] == generation
    assert after["undo"] == {"generation": former, "until": swapped.undo_until, "behind": {"library": 1}}
    assert (after["domains"]["library"]["position"], after["rebuild"]["stage"]) == (end + 1, "swapped")


def test_an_undo_shows_todays_data_and_is_reported_to_dagster_afterwards(gateway: Inside, library: LibraryHome) -> None:
    place = library.place()
    former, generation = place.generations.current(), fill_all(place)
    swap(place)
    library.append([("Author", "new", {"code": "new"}, None)])
    library.follow()
    done = gateway.ask("POST", UNDO, json={"asked": generation})
    assert done.status_code == 200, done.text
    assert done.json() == {"generation": former, "former": generation, "behind": {"library": 0}}
    assert place.generations.current() == former
    assert gateway.ask("GET", "/v1/objects/Author/new").status_code == 200
    with open_instance(library.home) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["projection", "search", "swap"]))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["generation"].value == former
    assert place.records.untold() is None


def test_an_undo_that_can_not_be_done_is_refused(gateway: Inside, library: LibraryHome) -> None:
    told = problem(gateway.ask("POST", UNDO, json={}), 409)
    assert told["type"] == "spice:rebuild-refused"
    assert "it was never swapped" in told["detail"]
    assert problem(gateway.ask("POST", "/v1/projections/serch/undo", json={}), 404)["allowed"] == ["graph", "search"]
    assert problem(gateway.ask("POST", UNDO, json={"former": "x"}), 400)["allowed"] == ["asked"]
    problem(gateway.ask("POST", UNDO, content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    assert problem(gateway.ask("GET", UNDO), 405)["allowed"] == ["POST"]
    place = library.place()
    fill_all(place)
    swapped = swap(place)
    assert "is asked now, not 00000000" in problem(gateway.ask("POST", UNDO, json={"asked": "00000000"}), 409)["detail"]
    assert place.generations.current() == swapped.generation


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "elsewhere.example"}, 421),
    ],
)
def test_a_page_of_somebody_else_undoes_nothing(
    gateway: Inside, library: LibraryHome, headers: dict[str, str], status: int
) -> None:
    place = library.place()
    fill_all(place)
    swapped = swap(place)
    problem(gateway.ask("POST", UNDO, json={}, headers=headers), status)
    assert place.generations.current() == swapped.generation
    assert gateway.ask("POST", UNDO, json={}).status_code == 200, "without them it is done"


def test_a_page_of_another_generation_is_refused_and_says_to_begin_again(gateway: Inside, library: LibraryHome) -> None:
    question = {"type": "Author", "limit": 1}
    first = gateway.ask("POST", "/v1/search", json=question).json()
    following = {**question, "after": first["after"]}
    assert gateway.ask("POST", "/v1/search", json=following).status_code == 200
    place = library.place()
    fill_all(place)
    swap(place)
    told = problem(gateway.ask("POST", "/v1/search", json=following), 400)
    assert told["where"] == "after"
    assert "begin again" in told["detail"]
    undo(place)
    assert gateway.ask("POST", "/v1/search", json=following).status_code == 200, "it is of the generation asked now"


def test_who_waits_through_a_swap_is_told_the_generation_that_shows_it(gateway: Inside, library: LibraryHome) -> None:
    place = library.place()
    generation = fill_all(place)

    def swap_while_it_waits() -> None:
        time.sleep(0.3)
        mine = LibraryHome(library.root)
        mine.follow("graph")
        swap(mine.place())

    swapping = threading.Thread(target=swap_while_it_waits)
    swapping.start()
    done = gateway.ask("POST", "/v1/commands?wait=position&timeout=20", json=create("a1", "waited"))
    swapping.join()
    assert done.status_code == 200, done.text
    shown = done.json()["shown"]
    assert shown["search"].startswith(f"{generation}-")
    assert shown["graph"].startswith(f"{library.place('graph').generations.current()}-")
    assert gateway.ask("GET", "/v1/objects/Author/waited").status_code == 200


def test_nothing_is_called_visible_that_an_undo_has_hidden_again(
    gateway: Inside, library: LibraryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = library.place()
    former = place.generations.current()
    fill_all(place)
    swap(place)
    assert gateway.ask("POST", "/v1/commands", json=create("b1", "hidden")).status_code == 202
    follow(library)
    assert gateway.ask("GET", "/v1/commands/b1?wait=position").status_code == 200
    monkeypatch.setattr(undoing, "CATCH_UP_EVENTS", 0)  # it is one event behind, which is too many now
    assert undo(place).behind == {"library": 1}
    told = problem(gateway.ask("GET", "/v1/commands/b1?wait=position&timeout=0.2"), 408)
    assert told["where"] == "search"
    assert f"(generation {former}-" in told["detail"]
    follow(library)
    assert gateway.ask("GET", "/v1/commands/b1?wait=position").json()["shown"]["search"].startswith(f"{former}-")
