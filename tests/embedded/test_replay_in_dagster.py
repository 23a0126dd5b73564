"""Ranged replays as people do them: partitions and runs in Dagster, `spice replay`, requests as events, by HTTP."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from csv import DictReader
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests_with_backfill_policies
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from gateway.demo.correction import copy_home
from gateway.main_job import follow_all
from gateway.readers import Readers, open_readers
from gateway.replaying import replay, replay_status, request_replay
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from ontology_assets.projections.replay.selection import Selection, runs_of, span_of
from ontology_assets.projections.replay.stream import Cursor, read_on
from orchestration.components.replay_assets import replay_definitions, replay_partitions
from orchestration.definitions import build_defs
from orchestration.runtime import Runtime
from orchestration.sensors.replay_requests import PART_TAG, REQUEST_TAG, replay_request_definitions
from resources.errors import SpiceError
from resources.home import Home
from resources.instance import open_instance
from resources.topic.sqlite import SqliteTopic
from tests.bakery import BAKERY
from tests.conftest import Spice
from tests.embedded.conftest import Bakery
from tests.served import inside

DOMAIN = load_domain(BAKERY)
ASSET = dg.AssetKey(["projection", "search", "replay"])
FEBRUARY = {"projection": "search", "from": "2024-02-01", "to": "2024-02-29"}


def sold_in_february() -> list[str]:
    """Ids of the sales whose event is of February 2024 in UTC, read from the source file.

    A sale occurred at the midnight with which its day begins in Paris, which is 23:00 of the day before in UTC.
    """
    with (BAKERY / "sources" / "sales.csv").open(newline="") as file:
        rows = list(DictReader(file))
    return [f"{row['receipt']}/{row['line']}" for row in rows if "2024-02-02" <= row["sold_on"] <= "2024-03-01"]


@pytest.fixture
def spice(bakery_run: Bakery, tmp_path: Path) -> Spice:
    return Spice(copy_home(Home(bakery_run.home), tmp_path / "home").root, bakery_run.shop.project)


@pytest.fixture
def readers(spice: Spice) -> Iterator[Readers]:
    with open_readers(Home(spice.home), [DOMAIN]) as opened:
        yield opened


def spoil(spice: Spice, statement: str) -> int:
    """Run a statement on the table of sales in the search model; the rows that it changed."""
    with closing(sqlite3.connect(spice.home / "read" / "search.sqlite")) as connection, connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Sale'").fetchone()
        return connection.execute(statement.format(table=f"t{no}")).rowcount


SPOIL = "UPDATE {table} SET p_quantity = p_quantity + 1 WHERE p_sold_on BETWEEN '2024-02-02' AND '2024-03-01'"
STUBBORN = (
    "CREATE TRIGGER spoilt AFTER INSERT ON {table} BEGIN UPDATE {table} SET p_quantity = 0 WHERE rid = new.rid; END"
)


def test_ten_years_are_1920_partitions_and_the_present_month_is_always_one_of_them() -> None:
    begun = DOMAIN.model_copy(update={"first_day": date(2016, 12, 9), "datasets": {}})
    partitions = replay_partitions([begun])
    keys = partitions.get_partition_keys(current_time=datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert (len(keys), keys[0], keys[-1]) == (1920, "0|2016-12", "f|2026-11")
    later = partitions.get_partition_keys(current_time=datetime(2026, 12, 1, tzinfo=UTC))
    assert (len(later), later[-1]) == (1936, "f|2026-12"), "nothing is fixed when the location is loaded"


@pytest.fixture(scope="module")
def graph() -> Any:
    return build_defs(domains=[DOMAIN]).resolve_asset_graph()


@pytest.mark.parametrize(
    ("buckets", "months", "runs"),
    [(16, 2, 2), (2, 24, 2), (16, 24, 16), (16, 16, 16), (16, 1, 1), (1, 24, 1)],
)
def test_a_backfill_is_one_run_for_each_bucket_or_for_each_month(
    graph: Any, buckets: int, months: int, runs: int
) -> None:
    """And a request is split the same way."""
    names = [f"{one:x}" for one in range(buckets)]
    chosen = [f"{2024 + k // 12}-{k % 12 + 1:02}" for k in range(months)]
    keys = [AssetKeyPartitionKey(ASSET, f"{bucket}|{month}") for bucket in names for month in chosen]
    with dg.DagsterInstance.ephemeral() as instance:
        requests = build_run_requests_with_backfill_policies(keys, graph, instance)
    ranges = {(one.partition_key_range.start, one.partition_key_range.end) for one in requests}  # type: ignore[union-attr]
    assert len(requests) == len(ranges) == runs
    assert ranges == set(runs_of(range(buckets), chosen))


def test_the_command_line_replays_by_the_dagster_job_and_says_what_was_done(spice: Spice) -> None:
    count = len(sold_in_february())
    assert spoil(spice, SPOIL) == count
    end = spice.json("events", "stats")["position"]
    days = ["--projection", "search", "--from", "2024-02-01", "--to", "2024-02-29"]
    told = spice.json("replay", *days, "--type", "Sale")
    figures = {"selected": count, "compared": count, "differing": count, "written": count, "parked": 0}
    assert told["types"] == {"Sale": figures}
    assert {name: told[name] for name in figures} == figures
    with open_instance(Home(spice.home)) as instance:
        (run_id,) = told["runs"]
        run = instance.get_run_by_id(run_id)
        event = instance.get_latest_materialization_event(ASSET)
    assert run is not None
    assert (run.job_name, run.tags["dagster/asset_partition_range_end"]) == ("replay_search", "f|2024-02")
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert (metadata["written"].value, metadata["days"].value) == (count, "2024-02-01 to 2024-02-29")
    assert f"| Sale | {count} | {count} | {count} | {count} | 0 |" in str(metadata["by_type"].value)
    again = spice.run("replay", *days, "--bucket", "0..7")
    assert "0 of" in again.stdout
    assert spice.json("events", "stats")["position"] == end, "nothing is appended"
    assert spice.run("projection", "verify", "search").returncode == 0

    spoil(spice, STUBBORN)
    assert spoil(spice, SPOIL) == count
    failed = spice.run("replay", *days, check=False)
    assert failed.returncode == 1
    assert f"{count} objects still differ from the log: Sale " in failed.stderr


def test_what_can_not_be_done_is_said_with_what_there_is(spice: Spice, readers: Readers) -> None:
    home, days = readers.home, (date(2024, 2, 1), date(2024, 2, 29))
    for wrong, said in (
        (lambda: replay(home, "topic", Selection((days,)), [DOMAIN]), "there is no projection 'topic'"),
        (lambda: replay(home, "search", Selection((days,), types=("Boat",)), [DOMAIN]), "there is no type 'Boat'"),
        (lambda: replay(home, "search", Selection(((date(1999, 1, 1), days[1]),)), [DOMAIN]), "is not within the"),
        (lambda: request_replay(readers, {**FEBRUARY, "from": "1999-01-01"}), "is not within the months"),
        (lambda: span_of("2025-01-01", "2024-01-01"), "ends before it begins"),
        (lambda: span_of("yesterday", "2024-01-01"), "'yesterday' is no day"),
        (lambda: span_of("2024-01-01", None), "None is no day"),
        (lambda: replay_status(readers, "nobody"), "no replay 'nobody' was requested"),
    ):
        with pytest.raises(SpiceError, match=said) as refused:
            wrong()
        assert refused.value.status < 500
    refused_by_command = spice.run("replay", "--from", "2024-02-01", "--to", "2024-02-29", check=False)
    assert refused_by_command.returncode == 2
    assert "Allowed: graph, search" in refused_by_command.stderr


class Requests:
    """The sensor of one loaded location, ticked by hand; its runs in this process."""

    def __init__(self, home: Path, instance: dg.DagsterInstance, domain: Domain = DOMAIN) -> None:
        self.instance, self.cursor = instance, None
        replays = replay_definitions([domain])
        resources = dg.Definitions(resources={"runtime": Runtime(home_dir=str(home))}, executor=dg.in_process_executor)
        sensor = replay_request_definitions([domain], list(replays.jobs or ()))
        self.definitions = dg.Definitions.merge(replays, sensor, resources)
        self.sensor = self.definitions.resolve_sensor_def("replay_requests")

    def tick(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.definitions)
        result = self.sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def created(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """The run that the daemon makes of a request, without a process."""
        job = self.definitions.resolve_job_def(str(request.job_name))
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        return self.instance.create_run_for_job(job, tags=tags, run_config=request.run_config, status=status)

    def run(self, request: dg.RunRequest) -> bool:
        job = self.definitions.resolve_job_def(str(request.job_name))
        run = self.created(request, dg.DagsterRunStatus.NOT_STARTED)
        return execute_run(InMemoryJob(job), run, self.instance).success


@pytest.fixture
def requests(spice: Spice, monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    monkeypatch.setenv("SPICE_HOME", str(spice.home))
    with open_instance(Home(spice.home)) as instance:
        yield Requests(spice.home, instance)


def test_a_requested_replay_is_carried_out_and_its_outcome_is_an_event(
    spice: Spice, readers: Readers, requests: Requests
) -> None:
    assert requests.tick() == []
    count, end = spoil(spice, SPOIL), readers.log("bakery").end().position
    asked = spice.json(
        "replay", "--request", "--projection", "search", "--from", "2024-02-01", "--to", "2024-02-29", "--type", "Sale"
    )
    assert (asked["status"], asked["domain"], asked["types"]) == ("requested", "bakery", ["Sale"])
    (request,) = requests.tick()
    key = f"replay:bakery:{asked['id']}:0|2024-02:attempt-1"
    assert (request.job_name, request.run_key) == ("replay_search", key)
    assert request.tags[REQUEST_TAG] == asked["id"]
    assert requests.run(request)
    assert requests.tick() == []
    found = replay_status(readers, asked["id"])
    assert spice.run("replay", "--status", asked["id"]).stdout.startswith(f"replay {asked['id']} of search")
    (run,) = requests.instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: asked["id"]}))
    assert (found["status"], found["runs"]) == ("completed", [run.run_id])
    assert (found["done"]["selected"], found["done"]["written"]) == (count, count)

    # Of all that, request and outcome are what the log and the topic hold.
    appended = [row for batch in readers.log("bakery").events(end) for row in batch.to_pylist()]
    assert [(row["event_type"], row["aggregate_type"], row["aggregate_id"]) for row in appended] == [
        ("ReplayRequested", "Replay", asked["id"]),
        ("ReplayCompleted", "Replay", asked["id"]),
    ]
    with closing(SqliteTopic(Home(spice.home).topic)) as topic:
        before = topic.end()
        follow_all(readers, DOMAIN, say=lambda _: None)
        published = topic.read(before).column("ce_type").to_pylist()
    assert published == ["ReplayRequested", "ReplayCompleted"]
    assert "Replay" not in readers.heads("bakery").counts()
    requests.cursor = None
    assert requests.tick() == [], "a lost cursor launches nothing again"


def test_a_failed_run_is_tried_again_under_the_next_key_and_a_third_failure_is_the_outcome(
    readers: Readers, requests: Requests
) -> None:
    asked = request_replay(readers, {**FEBRUARY, "id": "one", "buckets": ["3", "b"]})
    assert request_replay(readers, {**FEBRUARY, "id": "one", "buckets": ["b", "3"]}) == asked, "asked twice is once"
    with pytest.raises(SpiceError) as refused:
        request_replay(readers, {**FEBRUARY, "id": "one"})
    assert refused.value.status == 409
    first = requests.tick()
    assert [one.run_key for one in first] == [f"replay:bakery:one:{part}|2024-02:attempt-1" for part in "3b"]
    assert [one.run_key for one in requests.tick()] == [one.run_key for one in first], "nothing was launched"
    assert requests.run(first[0])
    requests.created(first[1], dg.DagsterRunStatus.STARTED)
    requests.cursor = "no cursor"
    assert requests.tick() == [], "it is under way"
    (run,) = requests.instance.get_runs(dg.RunsFilter(tags={PART_TAG: "b|2024-02"}))
    requests.instance.report_run_failed(run)
    for attempt in (2, 3):
        (again,) = requests.tick()
        assert again.run_key == f"replay:bakery:one:b|2024-02:attempt-{attempt}"
        last = requests.created(again, dg.DagsterRunStatus.FAILURE)
    assert requests.tick() == []
    found = replay_status(readers, "one")
    assert (found["status"], len(found["runs"])) == ("failed", 4)
    assert f"run {last.run_id} failed" in found["reason"]
    requests.cursor = None
    assert requests.tick() == []


@pytest.mark.parametrize(
    "cursor", ["", "{", "[]", '{"bakery": 7}', '{"bakery": {"history": "x/y", "waiting": {}}}',
               '{"bakery": {"history": "3/of another log", "waiting": {"gone": {}}}}']
)  # fmt: skip
def test_a_cursor_that_can_not_be_read_or_is_of_another_log_begins_anew(
    readers: Readers, requests: Requests, cursor: str
) -> None:
    request_replay(readers, {**FEBRUARY, "id": "again"})
    requests.cursor = cursor
    assert [one.tags[REQUEST_TAG] for one in requests.tick()] == ["again"]


def test_the_stream_is_read_record_by_record_where_time_is_short(readers: Readers) -> None:
    request_replay(readers, {**FEBRUARY, "id": "late"})
    log, cursor, looks = readers.log("bakery"), Cursor(), 0
    while cursor.history is None or int(cursor.history.partition("/")[0]) < log.end().n:
        cursor, looks = read_on(log, cursor, seconds=0), looks + 1
    assert looks == log.end().n + 1
    assert list(cursor.waiting) == ["late"]
    assert read_on(log, Cursor.read(cursor.document())) == cursor


def test_a_canceled_run_ends_the_request(readers: Readers, requests: Requests) -> None:
    request_replay(readers, {**FEBRUARY, "id": "two"})
    (request,) = requests.tick()
    requests.created(request, dg.DagsterRunStatus.CANCELED)
    assert requests.tick() == []
    assert "was canceled" in replay_status(readers, "two")["reason"]


def test_a_request_of_what_the_definitions_do_not_have_any_more_fails(
    spice: Spice, readers: Readers, requests: Requests
) -> None:
    request_replay(readers, {**FEBRUARY, "id": "three", "types": ["Shop"]})
    types = {name: one for name, one in DOMAIN.object_types.items() if name != "Shop"}
    others = Requests(spice.home, requests.instance, DOMAIN.model_copy(update={"object_types": types}))
    assert others.tick() == []
    assert "no type 'Shop'" in replay_status(readers, "three")["reason"]


def test_a_replay_is_requested_by_http_and_looked_up(spice: Spice, requests: Requests) -> None:
    with inside(spice.home, [DOMAIN]) as api:
        asked = api.ask("POST", "/v1/replays", json={**FEBRUARY, "id": "by-http", "types": ["Sale"]})
        assert asked.status_code == 202, asked.text
        assert asked.headers["location"] == "/v1/replays/by-http"
        assert asked.json()["status"] == "requested"
        (request,) = requests.tick()
        assert request.tags["dagster/asset_partition_range_start"] == "0|2024-02"
        assert requests.run(request)
        requests.tick()
        found = api.ask("GET", "/v1/replays/by-http").json()
        assert (found["status"], found["done"]["written"]) == ("completed", 0)
        assert found["done"]["selected"] == found["done"]["types"]["Sale"]["selected"] == len(sold_in_february())
        for body, status, where in (
            ({**FEBRUARY, "id": "by-http"}, 409, None),
            ({**FEBRUARY, "types": ["Boat"]}, 400, "type"),
            ({**FEBRUARY, "days": 3}, 400, "days"),
            ({**FEBRUARY, "buckets": ["10"]}, 400, "buckets"),
            ({**FEBRUARY, "projection": "topic"}, 400, "projection"),
            ({**FEBRUARY, "to": "2024-01-01"}, 400, "to"),
            ([], 400, "document"),
        ):
            refused = api.ask("POST", "/v1/replays", json=body)
            assert refused.status_code == status, refused.text
            assert where in (None, refused.json()["where"])
        assert api.ask("GET", "/v1/replays/nobody").status_code == 404
