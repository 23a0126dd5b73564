"""Catching up and following, over the real registry and topic, in one process."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from ontology_assets.followers.errors import AnotherHistory, EventsMissing, FollowerStalled
from ontology_assets.followers.follow import catch_up, follow
from ontology_assets.followers.lease import HeldLease
from ontology_assets.followers.progress import Ended, Progress, StopReason, Timing
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.status import status
from resources.fencing import Fenced
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.unit.followers.generated_log import GeneratedLog, event

NAME = "follower/harbour/topic"
QUICK = Timing(poll=0.005, renew=0.02, ttl=0.2)
LONG = 3600.0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqliteRegistry]:
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[SqliteTopic]:
    topic = SqliteTopic(tmp_path / "topic.sqlite")
    yield topic
    topic.close()


def positions(topic: SqliteTopic) -> list[int]:
    return topic.read(limit=1_000_000)["ce_position"].to_pylist()


def in_thread(tmp_path: Path, work: Callable[[Relay, SqliteRegistry], object]) -> tuple[threading.Thread, list[object]]:
    """Run `work` with its own relay and registry, as another process would have."""
    result: list[object] = []

    def run() -> None:
        result.append(
            work(Relay(SqliteTopic(tmp_path / "topic.sqlite"), "harbour"), SqliteRegistry(tmp_path / "registry.sqlite"))
        )

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


# Catching up


def test_the_topic_equals_the_log_after_catching_up(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    done = catch_up(GeneratedLog(2_345), Relay(topic, "harbour"), registry, owner="test", batch_rows=1_000)

    assert (done.position, done.events) == (2_345, 2_345)
    rows = topic.read(limit=10_000)
    assert rows["ce_position"].to_pylist() == list(range(1, 2_346))
    assert rows["ce_id"].to_pylist() == [event(position)["event_id"] for position in range(1, 2_346)]


def test_catching_up_again_publishes_nothing_and_takes_no_lease(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    relay = Relay(topic, "harbour")
    catch_up(GeneratedLog(50), relay, registry, owner="test")
    again = catch_up(GeneratedLog(50), relay, registry, owner="test")

    assert (again.position, again.events, topic.end(), relay.epoch()) == (50, 0, 50, 1)


def test_it_goes_on_where_it_was(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    catch_up(GeneratedLog(50), Relay(topic, "harbour"), registry, owner="test")
    done = catch_up(GeneratedLog(75), Relay(topic, "harbour"), registry, owner="test")

    assert (done.position, done.events) == (75, 25)
    assert positions(topic) == list(range(1, 76))


def test_an_empty_log_is_caught_up(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    assert catch_up(GeneratedLog(0), Relay(topic, "harbour"), registry, owner="test").position == 0


def test_the_lease_is_given_back(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    catch_up(GeneratedLog(5), Relay(topic, "harbour"), registry, owner="test")

    lease = registry.read(NAME)
    assert lease is not None
    assert (lease.epoch, lease.renewed_at) == (1, None)


def test_progress_is_told_after_each_batch(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    told: list[Progress] = []
    catch_up(GeneratedLog(25), Relay(topic, "harbour"), registry, owner="test", batch_rows=10, on_progress=told.append)

    assert [(progress.position, progress.target) for progress in told] == [(10, 25), (20, 25), (25, 25), (25, 25)]


def test_it_lets_a_living_follower_do_the_work(tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry) -> None:
    end = tmp_path / "end"
    set_end(end, 0)
    log = GeneratedLog(end)
    stop = threading.Event()
    thread, _ = in_thread(
        tmp_path,
        lambda relay, own: follow(
            log,
            relay,
            own,
            owner="live",
            until=time.monotonic() + LONG,
            stop=lambda: StopReason.SIGNAL if stop.is_set() else None,
        ),
    )
    wait_until(lambda: registry.read(NAME) is not None)
    set_end(end, 3_000)
    # Its ttl is the living one's own: with a shorter one a renewal each half second would look like death.
    done = catch_up(log, Relay(topic, "harbour"), registry, owner="test", timing=Timing(poll=0.005))
    stop.set()
    thread.join()

    assert (done.position, done.events) == (3_000, 0)
    assert positions(topic) == list(range(1, 3_001))


def test_it_takes_over_from_a_follower_that_stands_still(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    registry.acquire(NAME, owner="dead", min_epoch=8)
    told: list[Progress] = []
    done = catch_up(
        GeneratedLog(30), Relay(topic, "harbour"), registry, owner="test", timing=QUICK, on_progress=told.append
    )

    assert (done.position, done.events) == (30, 30)
    assert told[0].waiting_for is not None
    assert told[0].waiting_for.startswith("dead (process ")
    assert Relay(topic, "harbour").epoch() == 10


def test_it_says_who_is_in_the_way_of_a_holder_that_renews_and_does_nothing(
    topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    lease = registry.acquire(NAME, owner="stuck")
    assert lease is not None
    with HeldLease(registry, lease, every=0.02), pytest.raises(FollowerStalled, match=r"stuck \(process .* 0 of 30"):
        catch_up(GeneratedLog(30), Relay(topic, "harbour"), registry, owner="test", timeout=0.3)
    assert topic.end() == 0


def test_a_topic_that_is_ahead_of_the_log_is_refused(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    catch_up(GeneratedLog(50), Relay(topic, "harbour"), registry, owner="test")

    with pytest.raises(AnotherHistory, match="topic stands at event 50; the log of harbour ends at event 49"):
        catch_up(GeneratedLog(49), Relay(topic, "harbour"), registry, owner="test")


def test_a_topic_of_another_log_is_refused_also_if_it_is_not_ahead(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    catch_up(GeneratedLog(50), Relay(topic, "harbour"), registry, owner="test")
    other = GeneratedLog(50, log_id="log 2")

    for _ in range(2):
        with pytest.raises(AnotherHistory, match="`spice projection rebuild topic`"):
            catch_up(other, Relay(topic, "harbour"), registry, owner="test")
    with pytest.raises(AnotherHistory):
        follow(replace(other, last=60), Relay(topic, "harbour"), registry, owner="test", until=time.monotonic() + LONG)
    (tmp_path / "topic.sqlite").unlink()
    assert catch_up(other, Relay(topic, "harbour"), registry, owner="test").events == 50


def test_a_log_that_skips_a_position_stops_the_follower(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    class Skipping(GeneratedLog):
        def events(self, after_position: int = 0, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]:
            for batch in super().events(after_position, batch_rows):
                yield batch if batch.column("position")[0].as_py() == 1 else batch.slice(1)

    with pytest.raises(EventsMissing, match="after event 10 the log of harbour gave event 12"):
        catch_up(Skipping(40), Relay(topic, "harbour"), registry, owner="test", batch_rows=10)
    assert positions(topic) == list(range(1, 11))
    lease = registry.read(NAME)
    assert lease is not None
    assert lease.renewed_at is None


# Following


def set_end(end: Path, position: int) -> None:
    """At once: whoever reads it meanwhile finds the former number or this one."""
    end.with_suffix(".new").write_text(str(position))
    end.with_suffix(".new").replace(end)


def test_it_follows_a_growing_log_until_its_time_is_over(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    end = tmp_path / "end"
    set_end(end, 3)

    def grow() -> None:
        for last in range(4, 40):
            time.sleep(0.005)
            set_end(end, last)

    grower = threading.Thread(target=grow)
    grower.start()
    ended = follow(
        GeneratedLog(end),
        Relay(topic, "harbour"),
        registry,
        owner="test",
        until=time.monotonic() + 0.8,
        timing=QUICK,
    )
    grower.join()

    assert ended == Ended(StopReason.TIME_OVER, 39, 39, (1,))
    assert positions(topic) == list(range(1, 40))


@pytest.mark.parametrize("reason", [StopReason.SIGNAL, StopReason.DEFINITIONS_CHANGED])
def test_told_to_stop_it_ends_its_batch_and_gives_the_lease_back(
    topic: SqliteTopic, registry: SqliteRegistry, reason: StopReason
) -> None:
    relay = Relay(topic, "harbour")
    ended = follow(
        GeneratedLog(100),
        relay,
        registry,
        owner="test",
        until=time.monotonic() + LONG,
        stop=lambda: reason if relay.position() >= 20 else None,
        batch_rows=10,
        timing=QUICK,
    )

    assert ended == Ended(reason, 20, 20, (1,))
    lease = registry.read(NAME)
    assert lease is not None
    assert lease.renewed_at is None


def test_a_stop_mark_in_the_registry_ends_it(tmp_path: Path, registry: SqliteRegistry) -> None:
    thread, result = in_thread(
        tmp_path,
        lambda relay, own: follow(
            GeneratedLog(10), relay, own, owner="test", until=time.monotonic() + LONG, timing=QUICK
        ),
    )
    wait_until(lambda: registry.request_stop(NAME, "enough"))
    thread.join(5)

    assert result == [Ended(StopReason.REQUESTED, 10, 10, (1,))]


def test_one_that_waits_for_the_lease_can_be_stopped(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    lease = registry.acquire(NAME, owner="other")
    assert lease is not None
    with HeldLease(registry, lease, every=0.02):
        ended = follow(GeneratedLog(10), Relay(topic, "harbour"), registry, owner="test", until=time.monotonic() + 0.2)
    assert ended == Ended(StopReason.TIME_OVER, 0, 0, ())


def test_a_lease_that_was_taken_away_is_taken_again_at_the_next_epoch(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    thread, result = in_thread(
        tmp_path,
        lambda relay, own: follow(
            GeneratedLog(10), relay, own, owner="test", until=time.monotonic() + 1.0, timing=QUICK
        ),
    )
    wait_until(lambda: topic.end() == 10)
    assert registry.force_expire(NAME, 1)
    thread.join(5)

    assert result == [Ended(StopReason.TIME_OVER, 10, 10, (1, 2))]


def test_one_whose_lease_went_to_another_ends_as_superseded(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    slow = replace(QUICK, renew=0.5)  # looks late, so that the other has the lease by then
    thread, result = in_thread(
        tmp_path,
        lambda relay, own: follow(
            GeneratedLog(10), relay, own, owner="old", until=time.monotonic() + LONG, timing=slow
        ),
    )
    wait_until(lambda: topic.end() == 10)
    registry.force_expire(NAME, 1)
    lease = registry.acquire(NAME, owner="new")
    assert lease is not None
    with HeldLease(registry, lease, every=0.02):
        thread.join(5)

    assert result == [Ended(StopReason.SUPERSEDED, 10, 10, (1,))]


def test_a_topic_that_is_deleted_under_it_is_published_again(tmp_path: Path, registry: SqliteRegistry) -> None:
    thread, result = in_thread(
        tmp_path,
        lambda relay, own: follow(
            GeneratedLog(10), relay, own, owner="test", until=time.monotonic() + 2.0, timing=QUICK
        ),
    )
    topic = SqliteTopic(tmp_path / "topic.sqlite")
    wait_until(lambda: topic.end() == 10)
    (tmp_path / "topic.sqlite").unlink()
    wait_until(lambda: topic.end() == 10)
    thread.join(5)

    assert positions(topic) == list(range(1, 11))
    assert result == [Ended(StopReason.TIME_OVER, 10, 20, (1, 2))]


# The relay's own guard, and what people see


def test_a_batch_delivered_again_changes_nothing(topic: SqliteTopic) -> None:
    relay = Relay(topic, "harbour")
    relay.claim(1)
    first, second = GeneratedLog(20).events(0, 12)
    relay.apply(first, 1)
    relay.apply(first, 1)
    relay.apply(next(GeneratedLog(15).events()), 1)
    relay.apply(second, 1)

    assert positions(topic) == list(range(1, 21))


def test_a_relay_with_an_old_epoch_moves_nothing(topic: SqliteTopic) -> None:
    relay = Relay(topic, "harbour")
    relay.claim(1)
    relay.claim(2)

    with pytest.raises(Fenced):
        relay.apply(next(GeneratedLog(5).events()), 1)
    assert topic.end() == 0


def test_status_says_how_far_and_whether_somebody_is_at_work(topic: SqliteTopic, registry: SqliteRegistry) -> None:
    relay = Relay(topic, "harbour")
    assert status(GeneratedLog(12), [relay], registry) == {
        "topic": {
            "position": 0,
            "lag": 12,
            "digest": None,
            "updated_at": None,
            "epoch": 0,
            "alive": False,
            "parked": 0,
            "fault": None,
        }
    }
    catch_up(GeneratedLog(10), relay, registry, owner="test")
    lease = registry.acquire(NAME, owner="live")
    assert lease is not None
    seen = status(GeneratedLog(12), [relay], registry)["topic"]

    assert (seen["position"], seen["lag"], seen["epoch"], seen["alive"]) == (10, 2, 1, True)
    assert seen["updated_at"] is not None
    registry.release(lease)
    assert not status(GeneratedLog(12), [relay], registry)["topic"]["alive"]
