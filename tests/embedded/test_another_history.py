"""A log that was restored from an older copy: followers stop, say so with numbers and a way out, and write nothing."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gateway import diagnosis
from gateway.republish import republish
from ontology_assets.followers.errors import AnotherHistory
from ontology_assets.followers.follow import catch_up, follow
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.sink import Sink
from ontology_assets.followers.status import status
from ontology_assets.projections.rebuild.place import open_place
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.sinks import graph_sink, search_sink
from orchestration.jobs.followers import follower_job, stopped
from orchestration.runtime import Runtime
from orchestration.sensors.keeper import follower_definitions
from orchestration.sensors.topic_observation import stand_of
from resources.home import FORMAT, Home
from resources.instance import open_instance
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.contracts.library import LIBRARY
from tests.contracts.library_log import fill_all
from tests.embedded.shelves import (
    DOMAIN,
    Shelves,
    assert_model_is_the_fold,
    assert_topic_is_the_log,
    contents,
)

SINKS = ("topic", "search", "graph")
SinkOf = Callable[[str], Sink]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Twelve events, a backup of the log, then eight more: record 4 holds event 20."""
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.format_file.write_text(f"{FORMAT}\n")
    shelves = Shelves(home)
    shelves.append(6, records=2)
    shutil.copytree(home.objects, tmp_path / "backup")
    shelves.append(4, records=2)
    return home


@pytest.fixture
def registry(home: Home) -> Iterator[SqliteRegistry]:
    registry = SqliteRegistry(home.registry)
    yield registry
    registry.close()


@pytest.fixture
def sink(home: Home) -> Iterator[SinkOf]:
    opened: list[Sink] = []

    def open_sink(name: str) -> Sink:
        made: Sink = Relay(SqliteTopic(home.topic), DOMAIN)
        if name != "topic":
            made = {"search": search_sink, "graph": graph_sink}[name](home, LIBRARY)
        opened.append(made)
        return made

    yield open_sink
    for one in opened:
        one.close()


def path_of(home: Home, name: str) -> Path:
    return home.topic if name == "topic" else home.read_models / f"{name}.sqlite"


def restore(home: Home) -> Shelves:
    """The backup takes the log's place, under whoever has it open; a writer of the restored log."""
    shutil.rmtree(home.objects)
    shutil.copytree(home.root.parent / "backup", home.objects)
    return Shelves(home)


def went_on_differently(home: Home) -> None:
    """As long as the lost one, record by record, with the same event ids at the same positions."""
    other = restore(home)
    other.append(4, height_of=1)
    other.append(4)


def went_on_longer(home: Home) -> None:
    other = restore(home)
    other.append(9, height_of=1, records=3)


def is_shorter(home: Home) -> None:
    restore(home)


def is_gone(home: Home) -> None:
    shutil.rmtree(home.objects)


HISTORIES: dict[str, tuple[Callable[[Home], None], str]] = {
    "as long": (went_on_differently, "stands at event 20; the log of library ends at event 20; record 4"),
    "longer": (went_on_longer, "stands at event 20; the log of library ends at event 39; record 4"),
    "shorter": (is_shorter, "stands at event 20; the log of library ends at event 12; record 4"),
    "gone": (is_gone, "stands at event 20; the log of library ends at event 0; record 4"),
}


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("name", SINKS)
def test_catching_up_with_another_history_writes_nothing_and_says_what_to_do(
    home: Home, registry: SqliteRegistry, sink: SinkOf, name: str, history: str
) -> None:
    change, numbers = HISTORIES[history]
    catch_up(Shelves(home).log, sink(name), registry, owner="before")
    before = contents(path_of(home, name))
    change(home)

    with pytest.raises(AnotherHistory, match=f"{name} {numbers}.*`spice projection rebuild {name}`"):
        catch_up(Shelves(home).log, sink(name), registry, owner="after")
    assert contents(path_of(home, name)) == before
    seen = status(Shelves(home).log, [sink(name)], registry)[name]
    assert f"{name} {numbers}" in str(seen["fault"])


@pytest.mark.parametrize("history", HISTORIES)
def test_a_live_follower_stops_when_the_log_is_replaced_under_it(
    home: Home, registry: SqliteRegistry, sink: SinkOf, history: str
) -> None:
    change, _ = HISTORIES[history]
    log, faults = Shelves(home).log, list[BaseException]()

    def follow_topic() -> None:
        relay = Relay(SqliteTopic(home.topic), DOMAIN)
        try:
            follow(log, relay, registry, owner="live", until=time.monotonic() + 20)
        except AnotherHistory as fault:
            faults.append(fault)
        finally:
            relay.close()

    thread = threading.Thread(target=follow_topic)
    thread.start()
    relay, until = sink("topic"), time.monotonic() + 10
    while relay.position() < 20 and time.monotonic() < until:
        time.sleep(0.01)
    before = contents(home.topic)
    # At once, as a restore is not: the follower may look between removing and copying, and that is "gone".
    whole = home.root.parent / "restored"
    shutil.copytree(home.objects, whole)
    aside = Home(home.root.parent / "aside")
    aside.root.mkdir()
    whole.rename(aside.objects)
    change(aside)
    home.objects.rename(home.root / "lost")
    if aside.objects.exists():
        aside.objects.rename(home.objects)
    thread.join(15)

    assert not thread.is_alive()
    assert len(faults) == 1
    assert "topic stands at event 20" in str(faults[0])
    assert contents(home.topic) == before
    lease = registry.read(f"follower/{DOMAIN}/topic")
    assert lease is not None
    assert lease.renewed_at is None


def test_a_store_in_the_middle_of_a_record_knows_its_history(
    home: Home, registry: SqliteRegistry, sink: SinkOf
) -> None:
    relay = sink("topic")
    relay.claim(1)
    for batch in Shelves(home).log.events(batch_rows=13):
        relay.apply(batch.slice(0, 13), 1)
        break
    assert relay.position() == 13
    assert catch_up(Shelves(home).log, relay, registry, owner="same").events == 7
    assert_topic_is_the_log(home, 20)


def test_the_right_log_put_back_is_followed_again(home: Home, registry: SqliteRegistry, sink: SinkOf) -> None:
    shelves = Shelves(home)
    catch_up(shelves.log, sink("topic"), registry, owner="before")
    shutil.copytree(home.objects, home.root.parent / "right")
    went_on_longer(home)
    with pytest.raises(AnotherHistory):
        catch_up(Shelves(home).log, sink("topic"), registry, owner="wrong")
    shutil.rmtree(home.objects)
    (home.root.parent / "right").rename(home.objects)
    Shelves(home).append(5)

    assert catch_up(Shelves(home).log, sink("topic"), registry, owner="right").events == 5
    assert_topic_is_the_log(home, 25)


def test_an_older_copy_that_a_store_has_not_passed_yet_is_no_other_history(
    home: Home, registry: SqliteRegistry, sink: SinkOf
) -> None:
    relay = sink("topic")
    relay.claim(1)
    relay.apply(next(Shelves(home).log.events(batch_rows=12)), 1)
    restore(home).append(3)

    assert catch_up(Shelves(home).log, relay, registry, owner="test").events == 3


def test_rebuilding_ends_it_and_keeps_the_old_topic(home: Home, registry: SqliteRegistry, sink: SinkOf) -> None:
    log = Shelves(home).log
    for name in SINKS:
        catch_up(log, sink(name), registry, owner="before")
    old = contents(home.topic)
    other = restore(home)
    other.append(7)
    report = diagnosis.diagnose(home, [LIBRARY])
    assert not report.ok
    faults = {check["name"]: check["detail"] for check in report.checks if check["state"] == diagnosis.FAULT}
    assert set(faults) == {f"library {name}" for name in SINKS}
    assert all("stands at event 20" in fault and "ends at event 19" in fault for fault in faults.values())
    assert all(any(f"`spice projection rebuild {name}`" in line for line in report.advice) for name in SINKS)

    told: list[str] = []
    done = republish(home, [LIBRARY], say=told.append)
    assert (done[DOMAIN].position, done[DOMAIN].events) == (19, 19)
    for model in ("search", "graph"):
        place = open_place(home, model, [LIBRARY], registry, owner="test")
        fill_all(place)
        assert swap(place).comparisons[0].position == 19
    assert_topic_is_the_log(home, 19)
    for model in ("search", "graph"):
        assert_model_is_the_fold(home, model, 19)
    (kept,) = (home.root / "backups").iterdir()
    assert any(str(kept) in line for line in told)
    assert contents(kept) == old
    assert all(check["state"] != diagnosis.FAULT for check in diagnosis.diagnose(home, [LIBRARY]).checks)


# Dagster


@pytest.fixture
def instance(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("SPICE_HOME", str(home.root))
    with open_instance(home) as instance:
        yield instance


def test_the_keeper_shows_it_starts_no_run_for_it_and_goes_on_once_it_is_mended(
    home: Home, instance: dg.DagsterInstance, registry: SqliteRegistry, sink: SinkOf
) -> None:
    definitions = dg.Definitions.merge(
        follower_definitions([LIBRARY]), dg.Definitions(resources={"runtime": Runtime()})
    )
    sensor = definitions.resolve_sensor_def("follower_keeper")

    def tick() -> Any:
        return sensor.evaluate_tick(dg.build_sensor_context(instance, definitions=definitions))

    catch_up(Shelves(home).log, sink("topic"), registry, owner="before")
    went_on_differently(home)
    for _ in range(3):
        result = tick()
        assert {request.job_name for request in result.run_requests or []} <= {"follow_search", "follow_graph"}
    assert "topic: there is no log to follow; follower/library/topic: Another history: topic stands at event 20" in str(
        tick().skip_message
    )
    assert registry.mark("start/follow_topic") is None
    stand = stand_of(home, [DOMAIN])[DOMAIN]
    assert "Another history" in str(stand.fault)

    republish(home, [LIBRARY], say=lambda _: None)
    assert [request.job_name for request in tick().run_requests or []] == ["follow_topic"]
    assert stand_of(home, [DOMAIN])[DOMAIN].fault is None


def test_the_other_domains_logs_are_still_followed_and_the_run_is_red_in_the_end(
    home: Home, instance: dg.DagsterInstance, registry: SqliteRegistry, sink: SinkOf
) -> None:
    catch_up(Shelves(home).log, sink("topic"), registry, owner="before")
    is_shorter(home)
    other = LIBRARY.model_copy(update={"name": "other"})
    job = dg.Definitions(
        jobs=[follower_job("topic", [other, LIBRARY], seconds=1)], resources={"runtime": Runtime()}
    ).resolve_job_def("follow_topic")
    assert set(stopped(home, [other, LIBRARY], "topic")) == {DOMAIN}

    done = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    taken = registry.read("follower/other/topic")
    assert taken is not None
    assert taken.run_id == done.run_id
    failure = done.failure_data_for_node("follow_the_log_to_topic")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "Another history" in str(failure.user_failure_data.description)
