"""`spice deadletters` and `/v1/dead-letters`: what a person and a script see."""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from gateway.demo.correction import copy_home
from gateway.main_job import follow_all
from gateway.readers import open_readers
from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.events.heads import Heads
from ontology_assets.events.state import hash_of_state
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from ontology_assets.projections.deadletters.names import object_name
from resources.home import Home
from tests.embedded.conftest import Bakery
from tests.prepared import CommandLine
from tests.served import inside

CITY = {"city": 7}


@dataclass(frozen=True)
class Blocked:
    """A home with two blocked shops, and the command line on it."""

    home: Home
    domain: Domain
    line: CommandLine
    ids: list[str]

    def run(self, *arguments: str, status: int = 0) -> str:
        told = self.line.call(*arguments)
        assert told.status == status, told.err or told.out
        return told.err if status == 2 else told.out

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def get(self, address: str) -> Any:
        with inside(self.home.root, [self.domain]) as gateway:
            return gateway.ask("GET", address).json()


@pytest.fixture(scope="module")
def spice(bakery_run: Bakery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocked]:
    """The bakery, in which the first two shops were each given a city that is a number and then a good one."""
    home = copy_home(Home(bakery_run.home), tmp_path_factory.mktemp("dead") / "home")
    domain = load_domain(bakery_run.shop.folder)
    with open_readers(home, [domain]) as readers:
        log, heads = readers.log("bakery"), readers.heads("bakery")
        shops = [event for event in readers.log("bakery").events() for event in event.to_pylist()]
        first = [event for event in shops if event["aggregate_type"] == "Shop"][:2]
        for shop in first:
            for more, changes in ((1, CITY), (2, {})):
                state = json.loads(shop["data"])["state"]
                state["properties"] |= changes
                draft = Draft(str(uuid.uuid4()), inline=[changed(shop, state, more)])
                log.append(heads, partial(given, draft))
        follow_all(readers, domain, say=print)
    line = CommandLine(bakery_run.shop.project, home.root)
    yield Blocked(home, domain, line, [shop["aggregate_id"] for shop in first])
    line.close()


def given(draft: Draft, _: Heads) -> Draft:
    return draft


def changed(shop: dict[str, Any], state: dict[str, Any], more: int) -> NewEvent:
    data = f'{{"state":{orjson.dumps(state, option=orjson.OPT_SORT_KEYS).decode()}}}'
    return NewEvent(
        event_id=str(uuid.uuid4()),
        event_type="ObjectUpdated",
        aggregate_type="Shop",
        aggregate_id=shop["aggregate_id"],
        sequence_number=shop["sequence_number"] + more,
        data=data,
        state_hash=hash_of_state(data) or "",
        owner=shop["owner"],
    )


def test_what_is_set_aside_is_listed_retried_exported_and_given_up(spice: Blocked, tmp_path: Path) -> None:
    first, second = (object_name("Shop", key) for key in spice.ids)
    listed = spice.json("deadletters", "list")
    assert [(one["projection"], one["name"], one["waiting"]) for one in listed] == [
        (projection, name, 2) for projection in ("graph", "search") for name in (first, second)
    ]
    assert "property city is string" in listed[0]["reason"]
    text = spice.run("deadletters", "list", "--projection", "search")
    assert "2 set aside." in text
    assert first in text

    tried = spice.run("deadletters", "retry", first, "--projection", "search", status=1)
    assert f"spice deadletters skip {first}" in tried
    told = spice.json("deadletters", "retry", "--all", status=1)
    assert [(one["applied"], one["left"]["waiting"]) for one in told] == [(0, 2)] * 4

    file = tmp_path / "waiting.jsonl"
    spice.run("deadletters", "export", first, "--projection", "graph", "--out", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [json.loads(line["event"]["data"])["state"]["properties"]["city"] == 7 for line in lines] == [True, False]
    assert len(spice.json("deadletters", "export")) == 8

    standing = spice.get("/v1/health")["projections"]
    assert {name: one["parked"] for name, one in standing.items()} == {"graph": 2, "search": 2}
    answer = spice.get("/v1/dead-letters")
    assert answer["total"] == 4
    assert sorted(answer["dead_letters"], key=lambda one: one["projection"]) == listed

    skipped = spice.json("deadletters", "skip", first, "--reason", "the city is no number", "--actor", "kim")
    assert (skipped["already"], skipped["left"]) == (False, [])
    key = [unquote(part) for part in spice.ids[0].split("/")]
    history = spice.json("objects", "history", "Shop", *key)
    assert [event["event_type"] for event in history[-2:]] == ["ObjectUpdated", "EventSkipped"]
    assert history[-1]["actor"] == "kim"
    assert {one["name"] for one in spice.json("deadletters", "list")} == {second}
    for projection in ("search", "graph"):
        spice.run("projection", "verify", projection)
    assert "is void for read models" in spice.run("deadletters", "skip", second, "--reason", "the same")
    assert spice.json("deadletters", "list") == []


def test_what_a_code_of_before_has_set_aside_is_applied_by_a_retry(spice: Blocked) -> None:
    """Both were given up in the test above."""
    name = object_name("Shop", spice.ids[1])
    for projection in ("search", "graph"):
        with sqlite3.connect(spice.home.read_models / f"{projection}.sqlite") as model:
            model.execute(
                "INSERT INTO parked VALUES ('bakery', 'Shop', ?, 0, 1, 'by the code of before', 1)", (spice.ids[1],)
            )
    assert {one["name"] for one in spice.json("deadletters", "list")} == {name}
    told = spice.json("deadletters", "retry", name)
    assert [(one["projection"], one["left"]) for one in told] == [("graph", None), ("search", None)]
    assert spice.json("deadletters", "list") == []
    assert spice.json("deadletters", "retry", "--all") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retry"], "--all"),
        (["retry", "Shop-1", "--all"], "--all"),
        (["retry", "Shop-0000000000000000"], "spice deadletters list"),
        (["skip", "Shop-0000000000000000", "--reason", "why"], "spice deadletters list"),
        (["export", "Shop-0000000000000000"], "spice deadletters list"),
        (["list", "--projection", "topic"], "Allowed: graph, search"),
    ],
)
def test_what_cannot_be_done_says_what_can(spice: Blocked, arguments: list[str], said: str) -> None:
    assert said in spice.run("deadletters", *arguments, status=2)
