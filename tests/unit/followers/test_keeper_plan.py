"""What the keeper does about a follower, for everything it can see. Times are written out in each case."""

import dataclasses
import os
from datetime import UTC, datetime, timedelta

from orchestration.sensors.keeper_plan import Plan, Seen, SeenRun, pause_after_failures, plan
from resources.registry.base import Lease, this_host

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOON - timedelta(**span)


def lease(run_id: str, *, renewed_at: datetime | None = NOON, acquired_at: datetime | None = None) -> Lease:
    return Lease("follower/d/topic", 3, "", run_id, this_host(), os.getpid(), acquired_at or NOON, renewed_at, None)


def run(run_id: str, *, queued: bool = False, since: datetime = NOON, ended_at: datetime | None = None) -> SeenRun:
    return SeenRun(run_id, queued, since, ended_at, failed=ended_at is not None)


def seen(*leases: Lease | None, runs: list[SeenRun] | None = None, **more: object) -> Seen:
    found = Seen(NOON, leases, runs or [], None, loaded="now", handed_over_to=None)
    return dataclasses.replace(found, **more)


def test_a_follower_with_a_fresh_lease_is_left_alone() -> None:
    assert plan(seen(lease("a"), runs=[run("a")]), "now") == Plan()


def test_a_lost_lease_ends_its_run_and_starts_the_next() -> None:
    planned = plan(seen(lease("a", renewed_at=ago(seconds=5)), runs=[run("a", since=ago(minutes=9))]), "now")
    assert (planned.dead, planned.start) == (("a",), "nobody follows")


def test_a_process_that_is_gone_has_lost_its_lease_at_once() -> None:
    gone = dataclasses.replace(lease("a", renewed_at=ago(seconds=1)), pid=2**22 + 1)
    planned = plan(seen(gone, runs=[run("a")]), "now")
    assert (planned.dead, planned.start) == (("a",), "nobody follows")


def test_a_log_that_nobody_ever_followed_gets_a_follower() -> None:
    assert plan(seen(None), "now").start == "nobody follows"
    assert plan(seen(lease("a"), None, runs=[run("a")]), "now").start == "nobody follows"


def test_a_lease_that_was_given_back_starts_the_next_and_ends_no_run() -> None:
    planned = plan(seen(lease("a", renewed_at=None), runs=[run("a", ended_at=NOON)]), "now")
    assert (planned.dead, planned.start) == ((), "nobody follows")


def test_the_next_run_is_requested_once_while_one_is_on_its_way() -> None:
    for coming in (run("b", queued=True, since=ago(hours=2)), run("b", since=ago(seconds=20))):
        assert plan(seen(None, runs=[coming]), "now") == Plan((), None, "the next run is on its way")
    assert plan(seen(None, requested_at=ago(seconds=29)), "now").start is None
    assert plan(seen(None, requested_at=ago(seconds=31)), "now").start == "nobody follows"


def test_a_started_run_that_never_took_its_lease_is_ended_after_a_minute() -> None:
    at_work = lease("b")
    assert plan(seen(at_work, runs=[run("b"), run("a", since=ago(seconds=59))]), "now").dead == ()
    assert plan(seen(at_work, runs=[run("b"), run("a", since=ago(seconds=61))]), "now").dead == ("a",)
    stuck = plan(seen(None, runs=[run("a", since=ago(seconds=61))]), "now")
    assert (stuck.dead, stuck.start) == (("a",), "nobody follows")


def test_a_command_that_catches_up_counts_as_somebody_at_work() -> None:
    assert plan(seen(lease("run of a load")), "now") == Plan()


def test_the_successor_is_requested_a_minute_before_the_end() -> None:
    young, old = lease("a", acquired_at=ago(minutes=53)), lease("a", acquired_at=ago(minutes=54))
    assert plan(seen(young, runs=[run("a")]), "now").start is None
    assert plan(seen(old, runs=[run("a")]), "now") == Plan((), "hand-over", "hand-over")
    assert plan(seen(old, runs=[run("b", queued=True), run("a")]), "now").start is None


def test_a_new_loading_of_the_definitions_hands_over_once() -> None:
    assert plan(seen(lease("a"), runs=[run("a")]), "later").start == "definitions changed"
    assert plan(seen(lease("a"), runs=[run("a")], handed_over_to="later"), "later").start is None


def test_quick_failures_make_the_pauses_longer_and_a_long_run_ends_them() -> None:
    def failures(count: int) -> list[SeenRun]:
        ends = [ago(seconds=20 * n) for n in range(count)]
        return [run(str(n), since=end - timedelta(seconds=3), ended_at=end) for n, end in enumerate(ends)]

    pauses = [pause_after_failures(failures(count), NOON).total_seconds() for count in range(12)]
    assert pauses == [0, 0, 0, 15, 30, 60, 120, 240, 480, 600, 600, 600]
    assert plan(seen(None, runs=failures(3)), "now").because == "failed again and again; the next try in 15 s"
    worked_long = run("long", since=ago(minutes=5), ended_at=NOON)
    assert pause_after_failures([worked_long, *failures(5)], NOON) == timedelta(0)
