"""`spice commands submit` and `status`: what a person and a script see, on a home of the test's own."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.home_format import write_format
from resources.home import FORMAT, Home
from tests.bakery import workshop
from tests.conftest import Spice
from tests.embedded.conftest import Bakery
from tests.writable import Writable, writable


@pytest.fixture(scope="module")
def shop(bakery_run: Bakery, tmp_path_factory: pytest.TempPathFactory) -> Spice:
    """The bakery's project with the definitions that allow edits, and its home."""
    folder = tmp_path_factory.mktemp("cli")
    own: Writable = writable(bakery_run, folder)
    shop = workshop(folder / "project", rules=False)
    shutil.copy(own.folder / "domain.yaml", shop.folder / "domain.yaml")
    write_format(Home(own.home), FORMAT)
    return Spice(own.home, shop.project)


def create(command_id: str, city: str, **more: Any) -> dict[str, Any]:
    properties = {"city": city, "street": "Rue 1", "name": "Maison"}
    return {"command_id": command_id, "command": "create", "type": "Shop", "properties": properties, **more}


def outcomes(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one["command_id"], one["status"], one.get("sequence"), one.get("already")) for one in told["commands"]]


def test_a_file_of_commands_is_done_in_its_order_and_a_second_time_nothing_is(shop: Spice, tmp_path: Path) -> None:
    file = tmp_path / "commands.json"
    rename = {
        "command_id": "a2",
        "command": "update",
        "type": "Shop",
        "id": "Agen/Rue%201",
        "properties": {"name": "B"},
    }
    file.write_text(json.dumps([create("a1", "Agen"), rename]))
    told = shop.json("commands", "submit", str(file))
    assert (told["done"], told["refused"]) == (2, 0)
    assert outcomes(told) == [("a1", "done", 1, False), ("a2", "done", 2, False)]
    again = shop.json("commands", "submit", str(file))
    assert outcomes(again) == [("a1", "done", 1, True), ("a2", "done", 2, True)]
    assert [one["position"] for one in again["commands"]] == [one["position"] for one in told["commands"]]
    assert shop.json("commands", "status", "a2")["event_type"] == "ObjectUpdated"
    assert len(shop.json("objects", "history", "Shop", "Agen", "Rue 1")) == 2


def test_what_waits_is_shown_although_nobody_follows(shop: Spice) -> None:
    shop.run("commands", "submit", "-", "--wait", stdin=json.dumps(create("b1", "Blois")))
    assert shop.json("objects", "get", "Shop", "Blois", "Rue 1")["properties"]["name"] == "Maison"


def test_one_refused_command_is_no_concern_of_the_others_and_the_status_says_so(shop: Spice) -> None:
    lines = [
        create("c1", "Cahors"),
        {**create("c2", "Cergy"), "colour": "red"},
        create("c1", "Chinon"),
        {"command_id": "c4", "command": "delete", "type": "Shop", "id": "Cahors/Rue%201", "expected_seq": 7},
        {"command_id": "c5", "command": "delete", "type": "Shop", "id": "Cahors/Rue%201", "expected_seq": 1},
    ]
    stdin = "\n".join(map(json.dumps, lines))
    done = shop.run("commands", "submit", "-", "--json", check=False, stdin=stdin)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [one["status"] for one in told["commands"]] == ["done", "refused", "refused", "refused", "done"]
    problems = {one["command_id"] + one["at"]: one["problem"] for one in told["commands"] if "problem" in one}
    assert problems["c2stdin:2"]["where"] == "colour"
    assert "properties" in problems["c2stdin:2"]["allowed"]
    assert problems["c1stdin:3"]["type"] == "spice:command-id-reused"
    assert (problems["c4stdin:4"]["expected"], problems["c4stdin:4"]["actual"]) == (7, 1)
    text = shop.run("commands", "submit", "-", check=False, stdin=stdin)
    assert text.returncode == 1
    assert "stdin:2: colour: Command refused: there is no member 'colour' here. Allowed: command_id" in text.stdout
    assert "2 done, 3 refused" in text.stdout


def test_objects_that_loads_make_name_the_file_that_owns_them(shop: Spice) -> None:
    command = {"command_id": "d", "command": "delete", "type": "ShopMonth", "id": "2024-01-01/Lyon/Quai%20Gailleton"}
    done = shop.run("commands", "submit", "-", "--json", check=False, stdin=json.dumps(command))
    (one,) = json.loads(done.stdout)["commands"]
    assert (done.returncode, one["problem"]["status"]) == (1, 409)
    assert one["problem"]["where"] == "orchestration/defs/bakery/domain.yaml"


@pytest.mark.parametrize(
    ("text", "where"),
    [("{", "stdin:1:2"), ('[{"a": 1},', "stdin:1:11"), ('{"a": 1}\n{"b"}\n', "stdin:2:5"), ("", "stdin:1:1")],
)
def test_what_is_no_json_is_not_begun(shop: Spice, text: str, where: str) -> None:
    done = shop.run("commands", "submit", "-", "--json", check=False, stdin=text)
    assert (done.returncode, done.stdout) == (2, "")
    told = json.loads(done.stderr)
    assert told["where"] == where, told
    assert told["allowed"] == ["one command", "a JSON array of commands", "one command a line"]


def test_an_unknown_command_and_an_unreadable_file_are_status_2(shop: Spice) -> None:
    done = shop.run("commands", "status", "never", "--json", check=False)
    assert (done.returncode, json.loads(done.stderr)["status"]) == (2, 404)
    assert shop.run("commands", "submit", "/no/such/file", check=False).returncode == 2


def test_five_thousand_commands_of_one_file_are_committed_in_groups(shop: Spice, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("\n".join(json.dumps(create(f"m{k}", f"M{k}")) for k in range(5_000)))
    told = shop.json("commands", "submit", str(file))
    assert told["done"] == 5_000
    positions = [one["position"] for one in told["commands"]]
    assert positions == list(range(positions[0], positions[0] + 5_000))
    assert len({one["recorded_at"] for one in told["commands"]}) < 500
