"""Keeper, followers' jobs and housekeeping on a real instance and registry, in this process."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.model.loading import load_domain
from orchestration.jobs.followers import FOLLOWER_TAG, FOLLOWERS, LOADED_TAG, follower_job, loaded_mark, relieve
from orchestration.runtime import Runtime
from orchestration.schedules.housekeeping import prune
from orchestration.sensors.keeper import follower_definitions, next_run_key
from resources.home import PROJECT_ROOT, Home
from resources.instance import open_instance
from resources.object_store.local import LocalObjectStore
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.unit.events.making import event, inline

BAKERY = load_domain(PROJECT_ROOT / "tests" / "domains" / "bakery")
LEASES = [f"follower/bakery/{name}" for name in FOLLOWERS]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    monkeypatch.setenv("SPICE_HOME", str(home.root))
    return home


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    with open_instance(home) as instance:
        yield instance


@pytest.fixture
def registry(home: Home) -> Iterator[SqliteRegistry]:
    registry = SqliteRegistry(home.registry)
    yield registry
    registry.close()


class Keeper:
    """The sensor of one loaded location, ticked by hand."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor = instance, None
        resources = dg.Definitions(resources={"runtime": Runtime()})
        self.definitions = dg.Definitions.merge(follower_definitions([BAKERY]), resources)
        self.sensor = self.definitions.resolve_sensor_def("follower_keeper")

    def tick(self) -> dict[str, dg.RunRequest]:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.definitions)
        result = self.sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return {request.job_name: request for request in result.run_requests or []}

    def launch(self, request: dg.RunRequest) -> dg.DagsterRun:
        """The run that the daemon makes of a request, as far as STARTED, without a process."""
        job = self.definitions.resolve_job_def(request.job_name)
        tags = {**request.tags, "dagster/run_key": request.run_key}
        run = self.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTING)
        self.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", job.name), run.run_id)
        return run


def test_a_new_home_gets_one_run_of_each_follower_and_no_second_one(instance: dg.DagsterInstance) -> None:
    keeper = Keeper(instance)
    requests = keeper.tick()
    assert set(requests) == {"follow_topic", "follow_search", "follow_graph"}
    assert all(":epoch-0:attempt-1:" in str(request.run_key) for request in requests.values())
    assert keeper.tick() == {}


def test_fresh_leases_are_left_alone(instance: dg.DagsterInstance, registry: SqliteRegistry) -> None:
    keeper = Keeper(instance)
    requests = keeper.tick()
    for name, lease in zip(FOLLOWERS, LEASES, strict=True):
        request = requests[f"follow_{name}"]
        assert registry.acquire(lease, owner="it", run_id=keeper.launch(request).run_id)
        registry.set_mark(loaded_mark(name), request.tags[LOADED_TAG])
    assert keeper.tick() == {}
    assert len(instance.get_runs()) == 3

    # The location is loaded again: each is handed over once, at once, with the old one at work until then.
    again = Keeper(instance)
    assert set(again.tick()) == set(requests)
    assert again.tick() == {}


def test_a_lost_lease_ends_the_run_as_failed_and_the_next_attempt_is_requested(
    instance: dg.DagsterInstance, registry: SqliteRegistry
) -> None:
    keeper = Keeper(instance)
    request = keeper.tick()["follow_topic"]
    run = keeper.launch(request)
    lease = registry.acquire("follower/bakery/topic", owner="it", run_id=run.run_id, min_epoch=6)
    assert lease is not None
    registry.set_mark(loaded_mark("topic"), request.tags[LOADED_TAG])
    assert "follow_topic" not in keeper.tick()
    registry._changes(_of_a_process_that_is_gone(lease.name))
    following = keeper.tick()["follow_topic"]
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert any("lease lost" in r.event_log_entry.message for r in instance.get_records_for_run(run.run_id).records)
    assert ":epoch-7:attempt-1:" in str(following.run_key)
    assert "follow_topic" not in keeper.tick()


def _of_a_process_that_is_gone(name: str) -> object:
    from resources.registry.sql import leases

    return leases.update().where(leases.c.name == name).values(pid=2**22 + 1)


def test_run_keys_are_never_used_twice() -> None:
    now = datetime(2013, 1, 1, tzinfo=UTC)
    first = next_run_key("topic", 4, None, now)
    second = next_run_key("topic", 4, first, now)
    assert (first, second) == (
        "follow_topic:epoch-4:attempt-1:20130101T000000",
        "follow_topic:epoch-4:attempt-2:20130101T000000",
    )
    assert next_run_key("topic", 5, second, now) == "follow_topic:epoch-5:attempt-1:20130101T000000"


def follow_in_a_run(instance: dg.DagsterInstance, seconds: float) -> dg.ExecuteInProcessResult:
    job = dg.Definitions(
        jobs=[follower_job("topic", [BAKERY], seconds=seconds)], resources={"runtime": Runtime()}
    ).resolve_job_def("follow_topic")
    return job.execute_in_process(instance=instance)


def test_a_follower_publishes_what_is_appended_and_ends_green_when_its_time_is_over(
    home: Home, instance: dg.DagsterInstance
) -> None:
    log = EventLog(LocalObjectStore(home.objects), "bakery")
    heads = Heads(home.heads / "writer.sqlite", log)

    def append() -> None:
        time.sleep(1)
        log.append(heads, lambda _: inline(event("shop/1", 1, "a"), event("shop/2", 1, "b")))

    writer = threading.Thread(target=append)
    writer.start()
    result = follow_in_a_run(instance, 3)
    writer.join()
    assert result.success
    assert [m["key"] for m in SqliteTopic(home.topic).read(limit=10).to_pylist()] == ["shop/1", "shop/2"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_follower_green(
    instance: dg.DagsterInstance, registry: SqliteRegistry, number: signal.Signals
) -> None:
    threading.Timer(1.5, os.kill, (os.getpid(), number)).start()
    started = time.monotonic()
    assert follow_in_a_run(instance, 90).success
    assert time.monotonic() - started < 60
    lease = registry.read("follower/bakery/topic")
    assert lease is not None
    assert lease.renewed_at is None


def test_a_successor_that_is_ready_relieves_the_run_at_work(
    instance: dg.DagsterInstance, registry: SqliteRegistry
) -> None:
    threading.Timer(1.5, relieve, (registry, "follower/bakery/topic", "the next run")).start()
    started = time.monotonic()
    assert follow_in_a_run(instance, 90).success
    assert time.monotonic() - started < 60


def test_one_domain_that_fails_ends_the_run_of_all_as_failed(home: Home, instance: dg.DagsterInstance) -> None:
    log = EventLog(LocalObjectStore(home.objects), "bakery")
    log.append(Heads(home.heads / "writer.sqlite", log), lambda _: inline(event("shop/1", 1, "a")))
    assert follow_in_a_run(instance, 2).success
    log.append(Heads(home.heads / "writer.sqlite", log), lambda _: inline(event("shop/2", 1, "b")))
    (home.objects / log.chain.key(2)).write_bytes(b"")
    other = BAKERY.model_copy(update={"name": "other"})
    job = dg.Definitions(
        jobs=[follower_job("topic", [other, BAKERY], seconds=90)], resources={"runtime": Runtime()}
    ).resolve_job_def("follow_topic")
    started = time.monotonic()
    assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    assert time.monotonic() - started < 60


def test_pruning_keeps_what_the_graph_shows_and_the_newest_hundred_follower_runs(
    home: Home, instance: dg.DagsterInstance
) -> None:
    daily = dg.DailyPartitionsDefinition(start_date="2013-01-01", end_date="2013-01-04")

    @dg.asset(partitions_def=daily)
    def by_day() -> None: ...

    @dg.asset
    def whole() -> None: ...

    @dg.job(tags={FOLLOWER_TAG: "topic"})
    def follow_nothing() -> None: ...

    def made(day: str) -> str:
        return dg.materialize([by_day], partition_key=day, instance=instance).dagster_run.run_id

    replaced, shown = made("2013-01-01"), [made("2013-01-01"), made("2013-01-02")]
    replaced_whole = dg.materialize([whole], instance=instance).dagster_run.run_id
    shown.append(dg.materialize([whole], instance=instance).dagster_run.run_id)
    followers = [follow_nothing.execute_in_process(instance=instance).run_id for _ in range(3)]
    unfinished = instance.create_run_for_job(follow_nothing, status=dg.DagsterRunStatus.STARTED).run_id
    now = datetime.now(UTC)
    assert prune(instance, now) == []
    assert set(prune(instance, now + timedelta(days=2))) == {replaced, replaced_whole, *followers}
    assert {run.run_id for run in instance.get_runs()} == {*shown, unfinished}
    assert instance.get_materialized_partitions(by_day.key) == {"2013-01-01", "2013-01-02"}
    kept = {path.stem for path in (home.dagster / "history" / "runs").glob("*.db")}
    assert kept & {replaced, replaced_whole, *followers} == set()
    assert not any((home.dagster / "storage" / run_id).exists() for run_id in (replaced, *followers))
