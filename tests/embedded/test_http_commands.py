"""`POST /v1/commands` and `GET /v1/commands/{id}` over a real gateway and log: done once, told truly, shown when asked."""

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.api_server import PROCESSES
from gateway.home_format import sole_user
from gateway.http.serving import Limits
from gateway.readers import open_readers
from ontology_assets.events.verify import verify
from resources.errors import SpiceError
from resources.home import Home
from tests.embedded.conftest import Bakery
from tests.served import Inside, inside, served
from tests.writable import Writable, writable

PROBLEM = "application/problem+json"
LYON = "Lyon/Quai%20Gailleton"


@pytest.fixture(scope="module")
def shop(bakery_run: Bakery, tmp_path_factory: pytest.TempPathFactory) -> Writable:
    return writable(bakery_run, tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def api(shop: Writable) -> Iterator[httpx.Client]:
    """A gateway, with followers at work."""
    with shop.following(), served(shop.home, shop.folder) as address:
        with httpx.Client(base_url=address, timeout=30) as client:
            yield client


@pytest.fixture(scope="module")
def other(api: httpx.Client, shop: Writable) -> Iterator[httpx.Client]:
    """Another gateway over the same home."""
    with served(shop.home, shop.folder, 1) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def own(bakery_run: Bakery, tmp_path: Path) -> Writable:
    """A home that nobody follows."""
    return writable(bakery_run, tmp_path)


def create(command_id: str, city: str, name: str = "Maison", **more: Any) -> dict[str, Any]:
    properties = {"city": city, "street": "Rue 1", "name": name}
    return {"command_id": command_id, "command": "create", "type": "Shop", "properties": properties, **more}


def update(command_id: str, key: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "command_id": command_id, "command": "update", "type": "Shop", "id": key, "properties": {"name": name}, **more
    }  # fmt: skip


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    return told


def position(shop: Writable) -> int:
    with open_readers(Home(shop.home), [shop.domain]) as readers:
        return readers.log("bakery").end().position


# -------------------------------------------------------------------------------------------------------- done, and told


def test_create_update_delete_are_in_the_log_when_they_are_answered(api: httpx.Client, shop: Writable) -> None:
    before = position(shop)
    made = api.post("/v1/commands", json=create("a1", "Dijon", actor="me"))
    assert made.status_code == 202, made.text
    assert made.headers["location"] == "/v1/commands/a1"
    told = made.json()
    assert told.pop("recorded_at").endswith("Z")
    assert told == {
        "command_id": "a1", "status": "done", "domain": "bakery", "type": "Shop", "id": "Dijon/Rue%201",
        "event_type": "ObjectCreated", "position": before + 1, "sequence": 1, "already": False,
    }  # fmt: skip
    assert position(shop) == before + 1
    changed = api.post("/v1/commands", json=update("a2", "Dijon/Rue%201", "Chez Ada", expected_seq=1)).json()
    deleted = {"command_id": "a3", "command": "delete", "type": "Shop", "id": "Dijon/Rue%201", "expected_seq": 2}
    gone = api.post("/v1/commands", json=deleted).json()
    assert [(one["event_type"], one["sequence"]) for one in (changed, gone)] == [
        ("ObjectUpdated", 2),
        ("ObjectDeleted", 3),
    ]
    events = api.get("/v1/history/Shop/Dijon/Rue%201").json()["events"]
    assert [(event["command_id"], event["actor"]) for event in events] == [("a1", "me"), ("a2", None), ("a3", None)]
    assert [event["data"]["state"] and event["data"]["state"]["properties"]["name"] for event in events] == [
        "Maison",
        "Chez Ada",
        None,
    ]


def test_who_waits_for_the_position_reads_his_own_write(api: httpx.Client) -> None:
    for k in range(10):
        command = create("b0", "Brest") if k == 0 else update(f"b{k}", "Brest/Rue%201", f"Name {k}")
        done = api.post("/v1/commands", params={"wait": "position"}, json=command)
        assert done.status_code == 200, done.text
        shown = api.get("/v1/objects/Shop/Brest/Rue%201").json()
        assert (shown["position"], shown["sequence"]) == (done.json()["position"], k + 1)
        graph = api.post("/v1/graph-queries", json={"start": {"type": "Shop", "id": "Brest/Rue%201"}}).json()
        assert graph["nodes"][0]["properties"]["name"] == ("Maison" if k == 0 else f"Name {k}")


def test_a_repeated_command_is_answered_with_what_it_did_and_does_nothing(api: httpx.Client, shop: Writable) -> None:
    first = api.post("/v1/commands", json=create("c1", "Caen")).json()
    api.post("/v1/commands", json=update("c2", "Caen/Rue%201", "Other"))
    end = position(shop)
    again = api.post("/v1/commands", json=create("c1", "Caen"))
    assert again.status_code == 202
    assert again.json() == {**first, "already": True}
    assert api.get("/v1/commands/c1").json() == {**first, "already": True}
    assert position(shop) == end


def test_another_process_answers_for_a_command_that_it_never_saw(api: httpx.Client, other: httpx.Client) -> None:
    first = api.post("/v1/commands", json=create("d/1 ü", "Douai")).json()
    assert other.post("/v1/commands", json=create("d/1 ü", "Douai")).json() == {**first, "already": True}
    assert other.get("/v1/commands/d%2F1%20%C3%BC").json() == {**first, "already": True}
    told = problem(other.post("/v1/commands", json=create("d/1 ü", "Laon")), 409)
    assert told["type"] == "spice:command-id-reused"
    assert api.get("/v1/commands/d/1%20%C3%BC", params={"wait": "position"}).json()["position"] == first["position"]


def test_an_unknown_command_is_404_and_says_that_sending_it_again_is_safe(api: httpx.Client) -> None:
    told = problem(api.get("/v1/commands/never"), 404)
    assert "same id" in told["detail"]
    told = problem(api.get("/v1/commands/never", params={"domain": "bank"}), 400)
    assert told["allowed"] == ["bakery"]


# ------------------------------------------------------------------------------------------------ conflicts and refusals


def test_of_64_clients_that_expect_the_same_sequence_one_wins_and_the_others_learn_the_actual(
    api: httpx.Client, other: httpx.Client
) -> None:
    api.post("/v1/commands", json=create("e0", "Evreux"))

    def ask(k: int) -> httpx.Response:
        client = (api, other)[k % 2]
        return client.post("/v1/commands", json=update(f"e{k}", "Evreux/Rue%201", f"{k}", expected_seq=1))

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ask, range(1, 65)))
    won = [one for one in answers if one.status_code == 202]
    lost = [problem(one, 409) for one in answers if one.status_code != 202]
    assert (len(won), len(lost)) == (1, 63)
    assert {(one["type"], one["expected"], one["actual"]) for one in lost} == {("spice:sequence-conflict", 1, 2)}
    assert len(api.get("/v1/history/Shop/Evreux/Rue%201").json()["events"]) == 2


@pytest.mark.parametrize(
    ("command", "status", "where", "allowed"),
    [
        ({**create("f", "Foix"), "colour": 1}, 400, "colour", None),
        (create("f", "Foix") | {"command": "upsert"}, 400, "command", ["create", "update", "delete", "undo"]),
        (create("f", "Foix") | {"properties": {"city": "Foix"}}, 400, "Shop", None),
        (create("f", "Foix") | {"properties": {"owner": "x"}}, 400, "Shop.owner", None),
        (create("f", "Foix") | {"properties": {"city": "Foix", "street": "a", "name": 7}}, 400, "Shop.name", ["text"]),
        (create("f", "Foix") | {"type": "Boat"}, 400, "type", ["Sale", "Shop", "ShopMonth"]),
        (create("f", "Foix") | {"id": "Foix/Rue%202"}, 400, "id", ["Foix/Rue%201"]),
        (update("f", "Foix", "x"), 400, "Shop", None),
        (update("f", "Foix/Rue%201", "x"), 404, "Shop/Foix/Rue%201", None),
        ([], 400, "document", None),
    ],
)
def test_a_command_that_can_not_be_is_refused_with_place_and_what_is_allowed(
    api: httpx.Client, command: Any, status: int, where: str, allowed: list[str] | None
) -> None:
    told = problem(api.post("/v1/commands", json=command), status)
    assert told["where"] == where
    if allowed is not None:
        assert told["allowed"] == allowed


def test_objects_that_loads_make_are_409_and_name_the_file(api: httpx.Client, shop: Writable) -> None:
    command = {"command_id": "g", "command": "delete", "type": "ShopMonth", "id": "2024-01-01/Lyon/Quai%20Gailleton"}
    told = problem(api.post("/v1/commands", json=command), 409)
    assert told["type"] == "spice:owned-by-files"
    assert Path(told["where"]) == shop.folder / "domain.yaml"
    assert "edits: allowed" in told["detail"]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("?wait=search", "query wait"),
        ("?timeout=1", "query wait"),
        ("?wait=position&timeout=0", "query timeout"),
        ("?wait=position&timeout=nan", "query timeout"),
        ("?wait=position&timeout=61", "query timeout"),
        ("?wait=position&wait=position", "query wait"),
        ("?dry_run=1", "query"),
    ],
)
def test_an_unknown_parameter_is_refused_and_nothing_is_done(
    api: httpx.Client, shop: Writable, query: str, where: str
) -> None:
    before = position(shop)
    assert problem(api.post(f"/v1/commands{query}", json=create("h", "Hyeres")), 400)["where"] == where
    assert position(shop) == before


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({}, b"{}", 415),
        ({"Content-Type": "application/json"}, b"{", 400),
        ({"Content-Type": "application/json"}, b"[" * 40 + b"]" * 40, 400),
        ({"Content-Type": "application/json"}, b" " * (1 << 20) + b"{}", 413),
        ({"Content-Type": "application/json", "Origin": "http://elsewhere.example"}, b"{}", 403),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, b"{}", 403),
        ({"Content-Type": "application/json", "Host": "elsewhere.example"}, b"{}", 421),
    ],
)
def test_what_no_page_of_ours_and_no_program_sends_writes_nothing(
    api: httpx.Client, headers: dict[str, str], body: bytes, status: int
) -> None:
    problem(api.post("/v1/commands", headers=headers, content=body), status)


# ---------------------------------------------------------------------------------------------------- waiting, and 408


def test_a_wait_that_fails_says_that_the_command_is_done_and_where(own: Writable) -> None:
    with inside(own.home, [own.domain]) as gateway:
        before = position(own)
        command = create("i1", "Issoire")
        told = problem(gateway.ask("POST", "/v1/commands?wait=position&timeout=0.2", json=command), 408)
        assert told["type"] == "spice:not-visible"
        assert told["committed"]["position"] == before + 1 == position(own)
        assert told["committed"]["status"] == "done"
        assert f"stands at position {before}" in told["detail"]
        assert told["where"] == "search, graph"
        told = problem(gateway.ask("GET", "/v1/commands/i1?wait=position&timeout=0.05"), 408)
        assert told["committed"]["command_id"] == "i1"
        with own.following():
            again = gateway.ask("POST", "/v1/commands?wait=position&timeout=30", json=command)
            assert (again.status_code, again.json()["already"]) == (200, True)
        assert position(own) == before + 1


def test_a_wait_for_an_object_that_is_set_aside_ends_at_once_and_says_why(own: Writable) -> None:
    with inside(own.home, [own.domain]) as gateway, own.following():
        gateway.ask("POST", "/v1/commands?wait=position", json=create("j1", "Jura"))
        with sqlite3.connect(own.home / "read" / "graph.sqlite") as model:
            model.execute("INSERT INTO parked VALUES ('bakery', 'Shop', 'Jura/Rue%201', 0, 1, 'no such street', 1)")
        command = update("j2", "Jura/Rue%201", "New")
        told = problem(gateway.ask("POST", "/v1/commands?wait=position&timeout=30", json=command), 503)
        assert told["type"] == "spice:parked"
        assert told["where"] == "graph"
        assert "deadletters list" in told["detail"]
        assert "no such street" in told["detail"]
        assert told["committed"]["command_id"] == "j2"


def test_while_the_disk_gives_no_answer_the_event_loop_answers_others_and_the_command_settles(own: Writable) -> None:
    """The committer hangs in its write; a status of 202 "unknown" or 408 is told, and it is done once later."""
    limits = Limits(commit_seconds=0.3)
    with inside(own.home, [own.domain], limits=limits) as gateway:
        gateway.ask("POST", "/v1/commands", json=create("k0", "Kembs"))
        free = threading.Event()
        hold(gateway, free)
        began = time.monotonic()
        answers = gateway.together(
            [
                ("POST", "/v1/commands", {"json": create("k1", "Kaysersberg")}),
                *[("GET", "/v1/objects/Shop/" + LYON, {}) for _ in range(20)],
            ]
        )
        assert time.monotonic() - began < 5
        assert {one.status_code for one in answers[1:]} == {200}
        assert (answers[0].status_code, answers[0].json()["status"]) == (202, "unknown")
        assert "position" not in answers[0].json()
        late = problem(gateway.ask("POST", "/v1/commands", json=create("k2", "Kruth")), 503)
        assert late["type"] == "spice:not-begun"
        free.set()
        deadline = time.monotonic() + 20
        while (found := gateway.ask("GET", "/v1/commands/k1")).status_code == 404:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert found.json()["status"] == "done"
        assert gateway.ask("GET", "/v1/commands/k2").status_code == 404
        assert len(gateway.ask("GET", "/v1/history/Shop/Kaysersberg/Rue%201").json()["events"]) == 1
        free.clear()
        waited = problem(gateway.ask("POST", "/v1/commands?wait=position", json=create("k3", "Kogenheim")), 408)
        assert (waited["type"], waited["where"]) == ("spice:outcome-unknown", "k3")
        free.set()


def hold(gateway: Inside, free: threading.Event) -> None:
    """From now on the store of the gateway's committers answers no put until `free` is set."""
    commanding = gateway.app.state.commands._commanding[1]
    store = commanding._readers.log("bakery").store
    put = store.put_if_absent

    def slow(key: str, data: bytes) -> Any:
        free.wait(60)
        return put(key, data)

    store.put_if_absent = slow


# --------------------------------------------------------------------------------------------------- definitions, load


def test_definitions_that_change_while_commands_come_lose_none(own: Writable) -> None:
    file = own.folder / "domain.yaml"
    with served(own.home, own.folder, 1) as address, httpx.Client(base_url=address, timeout=60) as client:
        for k in range(20):
            if k % 10 == 5:  # another description each time; the gateway looks at its files once a second
                file.write_text(file.read_text() + f"# {k}\n")
                time.sleep(1.1)
            assert client.post("/v1/commands", json=create(f"l{k}", f"Lens{k}")).status_code == 202
        file.write_text(file.read_text().replace("edits: allowed, ", ""))
        time.sleep(1.1)
        assert problem(client.post("/v1/commands", json=create("l99", "Lens99")), 409)["type"] == "spice:owned-by-files"
    with open_readers(Home(own.home), [own.domain]) as readers:
        assert verify(readers.log("bakery")).ok
        found = [row["command_id"] for batch in readers.log("bakery").events() for row in batch.to_pylist()]
    assert [one for one in found if one] == [f"l{k}" for k in range(20)]


def test_commands_of_many_clients_over_two_processes_are_each_in_the_log_once_and_in_groups(own: Writable) -> None:
    """The gateway as it is served: each of its processes takes its share of the connections."""
    assert PROCESSES > 1
    with served(own.home, own.folder) as address:

        async def client(k: int) -> list[int]:
            async with httpx.AsyncClient(base_url=address, timeout=60) as asking:
                answers = [await asking.post("/v1/commands", json=create(f"m{k}-{i}", f"M{k}-{i}")) for i in range(6)]
            assert {answer.status_code for answer in answers} == {202}
            return [answer.json()["position"] for answer in answers]

        async def clients() -> list[list[int]]:
            return await asyncio.gather(*(client(k) for k in range(24)))

        before = position(own)
        positions = asyncio.run(clients())
    assert sorted(at for of_one in positions for at in of_one) == list(range(before + 1, before + 145))
    assert all(of_one == sorted(of_one) for of_one in positions)
    with open_readers(Home(own.home), [own.domain]) as readers:
        assert verify(readers.log("bakery")).ok


def test_a_command_that_was_acknowledged_survives_the_kill_of_the_server(own: Writable) -> None:
    import signal
    import subprocess
    import sys

    from resources.home import PROJECT_ROOT
    from tests.served import free_port, wait

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.served", str(own.home), str(port), str(own.folder), "1"],
        cwd=PROJECT_ROOT, env={**os.environ, "SPICE_GATEWAY_URL": address},
    )  # fmt: skip
    wait(address, server)
    told = httpx.post(f"{address}/v1/commands", json=create("n1", "Nice")).json()
    server.send_signal(signal.SIGKILL)
    server.wait()
    with inside(own.home, [own.domain]) as gateway:
        assert gateway.ask("GET", "/v1/commands/n1").json() == {**told, "already": True}


def test_a_home_that_takes_commands_is_neither_reset_nor_upgraded_under_them(own: Writable) -> None:
    home = Home(own.home)
    with inside(own.home, [own.domain]) as gateway:
        assert gateway.ask("POST", "/v1/commands", json=create("o1", "Orange")).status_code == 202
        with pytest.raises(SpiceError, match="being written by commands"), sole_user(home, "spice reset"):
            pass
    assert list(home.locks.glob("commands*")) == []
    with sole_user(home, "spice reset"):
        pass


def test_asking_for_a_command_makes_no_file(tmp_path: Path, own: Writable) -> None:
    with inside(tmp_path / "empty", [own.domain]) as gateway:
        assert gateway.ask("GET", "/v1/commands/x").status_code == 404
        assert problem(gateway.ask("POST", "/v1/commands", json={"command": "no"}), 400)
    assert not (tmp_path / "empty").exists()


def test_the_openapi_document_has_a_command_for_each_type_and_its_examples_are_right(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    operation = document["paths"]["/v1/commands"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert {one["value"]["command"] for one in examples.values()} == {"create", "update", "delete"}
    for one in examples.values():
        answer = api.post(
            "/v1/commands", content=json.dumps(one["value"]), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {202, 404, 409}, answer.text
    assert {"202", "200", "400", "404", "408", "409", "413", "415", "503"} <= set(operation["responses"])
