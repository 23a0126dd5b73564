"""What a running gateway sees: new data and new definitions without a restart, a home with nothing in it, slow questions."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.http.definitions import DefinitionFiles
from gateway.http.serving import Limits
from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT
from tests.bakery import BAKERY, RunServer, edit
from tests.embedded.conftest import Bakery
from tests.served import inside

DOMAIN = load_domain(BAKERY)
FLIGHTS = load_domain(PROJECT_ROOT / "orchestration/defs/nyc_flights")


@pytest.fixture
def copy(bakery_run: Bakery, tmp_path: Path) -> Path:
    shutil.copytree(bakery_run.home, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def test_a_home_with_nothing_in_it_says_what_to_do(tmp_path: Path) -> None:
    with inside(tmp_path / "home", [DOMAIN]) as gateway:
        for method, address, more in (
            ("GET", "/v1/objects/Shop/Lyon/Rue", {}),
            ("POST", "/v1/search", {"json": {"type": "Shop"}}),
            ("POST", "/v1/search", {"json": {"text": "bread"}}),
            ("POST", "/v1/graph-queries", {"json": {"start": {"type": "Shop"}}}),
        ):
            answer = gateway.ask(method, address, **more)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
            assert "spice run" in answer.json()["detail"]
        assert gateway.ask("GET", "/v1/health").status_code == 503
        assert gateway.ask("GET", "/v1/history/Shop/Lyon/Rue").status_code == 404
        assert {one["count"] for one in gateway.ask("GET", "/v1/types").json()["types"]} == {0}
        assert gateway.ask("GET", "/openapi.json").status_code == 200
        assert gateway.ask("GET", "/docs").status_code == 200


def test_asking_makes_no_read_model(tmp_path: Path) -> None:
    with inside(tmp_path / "home", [DOMAIN]) as gateway:
        gateway.ask("GET", "/v1/health")
        gateway.ask("GET", "/v1/types")
    assert not (tmp_path / "home" / "read").exists()
    assert not (tmp_path / "home" / "objects").exists()


def test_a_domain_that_was_never_run_hides_nothing_of_the_others(copy: Path) -> None:
    with inside(copy, [DOMAIN, FLIGHTS]) as gateway:
        found = gateway.ask("POST", "/v1/search", json={"text": "fournil"})
        shops = [one["id"] for one in found.json()["objects"] if one["type"] == "Shop"]
        assert shops == ["Lyon/Quai%20Gailleton"]
        assert gateway.ask("POST", "/v1/search", json={"type": "Flight"}).status_code == 503
        assert gateway.ask("GET", "/v1/health").json()["status"] == "ok"
        counts = {one["name"]: one["count"] for one in gateway.ask("GET", "/v1/types").json()["types"]}
        assert (counts["Shop"], counts["Flight"]) == (4, 0)


def test_a_new_run_and_a_rebuilt_file_are_seen_without_a_restart(bakery_run: Bakery, copy: Path) -> None:
    address = "/v1/objects/Sale/R0001/1"
    with inside(copy, [DOMAIN]) as gateway:
        before = gateway.ask("GET", address)
        edit(copy / "sources" / "bakery" / "sales.csv", {2: "R0001,1,cake,Paris,Rue Mercière,2024-01-01,2,24.50,"})
        server = RunServer(bakery_run.shop.project, rules=False)
        assert server.run(copy).status == 0
        server.close()
        behind = gateway.ask("GET", "/v1/health").json()
        assert behind["status"] == "behind"
        assert behind["projections"]["search"]["lag"] > 0
        bakery_run.shop.follow(copy)
        after = gateway.ask("GET", address, headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert (before.json()["properties"]["quantity"], after.json()["properties"]["quantity"]) == (1, 2)
        assert after.json()["sequence"] == 2
        events = gateway.ask("GET", address.replace("objects", "history")).json()["events"]
        assert [event["event_type"] for event in events] == ["ObjectCreated", "ObjectUpdated"]
        for path in (copy / "read").iterdir():
            path.unlink()
        assert gateway.ask("GET", address).status_code == 503
        assert {one["count"] for one in gateway.ask("GET", "/v1/types").json()["types"]} == {None}
        bakery_run.shop.follow(copy)
        again = gateway.ask("GET", address)
        assert again.json() == after.json()
        assert again.headers["etag"] != after.headers["etag"]


def test_a_damaged_read_model_is_named_with_what_to_do(copy: Path) -> None:
    (copy / "read" / "search.sqlite").write_bytes(b"no database" * 1000)
    with inside(copy, [DOMAIN]) as gateway:
        answer = gateway.ask("GET", "/v1/objects/Sale/R0001/1")
        assert answer.status_code == 503
        assert "Delete it" in answer.json()["detail"]


def test_definitions_that_change_are_read_again_and_broken_ones_are_told(copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "defs" / "bakery"
    shutil.copytree(BAKERY, folder)
    source = DefinitionFiles(folder.parent, lambda: [load_domain(folder)])
    with inside(copy, [], source=source) as gateway:
        first = gateway.ask("GET", "/v1/types")

        def changed(old: str, new: str) -> httpx.Response:
            file = folder / "domain.yaml"
            file.write_text(file.read_text().replace(old, new))
            gateway.app.state.serving._watch._looked = 0.0  # as if its second had passed
            return gateway.ask("GET", "/v1/types", headers={"If-None-Match": first.headers["etag"]})

        renamed = changed("{en: Shop, ko: 매장}\n    properties", "{en: Store, ko: 매장}\n    properties")
        assert renamed.status_code == 200
        assert "Store" in renamed.text
        assert changed("title: name", "title: nmae").json() == renamed.json()
        health = gateway.ask("GET", "/v1/health").json()
        assert health["status"] == "ok"
        assert "domain.yaml" in health["problems"][0]["where"]
        assert changed("title: nmae", "title: name").json() == renamed.json()
        assert gateway.ask("GET", "/v1/health").json()["problems"] == []


def test_a_gateway_started_on_broken_definitions_says_so_and_mends_itself(copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "defs" / "bakery"
    shutil.copytree(BAKERY, folder)
    file = folder / "domain.yaml"
    good = file.read_text()
    file.write_text(good.replace("title: name", "title: nmae"))
    with inside(copy, [], source=DefinitionFiles(folder.parent, lambda: [load_domain(folder)])) as gateway:
        health = gateway.ask("GET", "/v1/health")
        assert health.status_code == 503
        assert any("domain.yaml" in one["where"] for one in health.json()["problems"])
        assert gateway.ask("GET", "/openapi.json").status_code == 200
        file.write_text(good)
        gateway.app.state.serving._watch._looked = 0.0  # as if its second had passed
        assert gateway.ask("GET", "/v1/objects/Sale/R0001/1").status_code == 200
        assert gateway.ask("GET", "/v1/health").json()["status"] == "ok"


SLOW = {
    "type": "Flight",
    "where": [["distance", ">", 1], ["dep_delay", "<", 10_000], ["arr_delay", "<", 10_000]],
    "sort": [["arr_delay", "desc"], ["dep_delay", "asc"]],
}
WIDE = {"start": {"type": "Airport", "id": "JFK"}, "hops": [{"link": "departures"}, {"link": "operated_by"}]}


def test_a_question_that_takes_too_long_is_stopped_and_told_what_to_do(demo_home: Path) -> None:
    limits = Limits(quick_seconds=0.002, query_seconds=0.02)
    with inside(demo_home, [FLIGHTS], limits=limits) as gateway:
        for address, question in (("/v1/search", SLOW), ("/v1/graph-queries", {**WIDE, "max_nodes": 50_000})):
            answer = gateway.ask("POST", address, json=question)
            assert answer.status_code == 503, answer.text[:300]
            assert answer.json()["title"] == "Query too slow"
            assert "Ask for less" in answer.json()["detail"]
        assert gateway.ask("GET", "/v1/objects/Plane/N794JB").status_code == 200


def test_slow_questions_hold_up_neither_each_other_nor_small_ones(demo_home: Path) -> None:
    small = [("GET", "/v1/objects/Plane/N794JB", {})] * 20
    slow = [("POST", "/v1/search", {"json": {**SLOW, "limit": 5 + k}}) for k in range(4)]
    with inside(demo_home, [FLIGHTS]) as gateway:
        alone = [gateway.ask(method, address, **more).json() for method, address, more in slow]
        answers = gateway.together([*slow, *small])
        assert {answer.status_code for answer in answers} == {200}
        assert [answer.json() for answer in answers[:4]] == alone


def test_a_fault_of_ours_tells_nothing_of_itself(copy: Path) -> None:
    with inside(copy, [DOMAIN]) as gateway:
        queries = gateway.app.state.serving.now.queries
        queries.catalogue.types["Shop"] = "spoilt"
        answer = gateway.ask("GET", "/v1/objects/Shop/Lyon/Rue")
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert "object has no attribute" not in answer.text
        assert str(copy) not in answer.text


SMALL = """
import json, sys
from pathlib import Path
import gateway.api_server
import psutil
from ontology_assets.model.loading import load_domain
from tests.served import inside
with inside(Path(sys.argv[1]), [load_domain(Path(sys.argv[2]))]) as gateway:
    for address in ("/v1/objects/Sale/R0001/1", "/v1/history/Sale/R0001/1", "/v1/types", "/v1/health",
                    "/v1/lineage/Sale", "/openapi.json", "/docs", "/"):
        assert gateway.ask("GET", address).status_code == 200, address
    assert gateway.ask("POST", "/v1/search", json={"text": "bread"}).status_code == 200
    assert gateway.ask("POST", "/v1/graph-queries", json={"start": {"type": "Shop"}}).status_code == 200
    memory = psutil.Process().memory_full_info()
heavy = ("dagster", "pandas", "deltalake", "pyspark", "pysail", "duckdb", "pandera", "great_expectations")
print(json.dumps([[name for name in heavy if name in sys.modules], getattr(memory, "pss", memory.uss) / 1e6]))
"""


def test_the_gateway_loads_no_engine_and_stays_small(bakery_run: Bakery) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(bakery_run.home), str(BAKERY)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, megabytes = json.loads(done.stdout)
    assert loaded == []
    assert megabytes < 120
