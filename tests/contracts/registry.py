"""What every registry must do. An adapter's test subclasses this and gives `registry`, whose time is `self.clock`."""

import dataclasses
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from resources.registry.base import Registry

START = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class RegistryContract:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    def test_a_free_lease_is_taken_at_epoch_one(self, registry: Registry) -> None:
        lease = registry.acquire("follower/a", owner="me", run_id="run 1")

        assert lease is not None
        assert (lease.epoch, lease.owner, lease.run_id, lease.pid) == (1, "me", "run 1", os.getpid())
        assert lease.renewed_at == lease.acquired_at == START
        assert registry.read("follower/a") == lease

    def test_a_fresh_lease_is_not_given_to_another(self, registry: Registry, clock: Clock) -> None:
        registry.acquire("follower/a", owner="me")
        clock.step(3.9)

        assert registry.acquire("follower/a", owner="you") is None

    def test_a_lease_that_was_not_renewed_is_lost_after_its_time(self, registry: Registry, clock: Clock) -> None:
        mine = registry.acquire("follower/a", owner="me")
        clock.step(4.1)
        yours = registry.acquire("follower/a", owner="you")

        assert mine is not None
        assert yours is not None
        assert yours.epoch == 2
        assert registry.renew(mine) is None
        assert registry.release(mine) is False
        assert registry.read("follower/a") == yours

    def test_renewing_keeps_it(self, registry: Registry, clock: Clock) -> None:
        lease = registry.acquire("follower/a", owner="me")
        assert lease is not None
        for _ in range(5):
            clock.step(3)
            renewed = registry.renew(lease)
            assert renewed is not None
            assert renewed.renewed_at == clock.now

        assert registry.acquire("follower/a", owner="you") is None

    def test_a_clock_stepped_back_keeps_no_dead_holder_alive(self, registry: Registry, clock: Clock) -> None:
        registry.acquire("follower/a", owner="me")
        clock.step(-3600)

        assert registry.acquire("follower/a", owner="you") is not None

    def test_a_lease_given_back_is_free_at_once_and_its_epoch_is_not_used_again(self, registry: Registry) -> None:
        mine = registry.acquire("follower/a", owner="me")
        assert mine is not None
        assert registry.release(mine) is True
        assert registry.renew(mine) is None

        yours = registry.acquire("follower/a", owner="you")
        assert yours is not None
        assert yours.epoch == 2

    def test_the_epoch_is_above_what_the_store_holds(self, registry: Registry) -> None:
        lease = registry.acquire("follower/a", owner="me", min_epoch=41)
        assert lease is not None
        assert lease.epoch == 42
        registry.release(lease)
        lower = registry.acquire("follower/a", owner="me", min_epoch=7)
        assert lower is not None
        assert lower.epoch == 43

    def test_leases_of_other_names_do_not_meet(self, registry: Registry) -> None:
        registry.acquire("follower/b", owner="me")
        registry.acquire("follower/a", owner="you")

        assert [(lease.name, lease.owner) for lease in registry.leases()] == [
            ("follower/a", "you"),
            ("follower/b", "me"),
        ]
        assert registry.read("follower/c") is None

    def test_a_stop_is_asked_of_the_present_holder_only(self, registry: Registry) -> None:
        assert registry.request_stop("follower/a", "end of day") is False
        mine = registry.acquire("follower/a", owner="me")
        assert mine is not None
        assert registry.request_stop("follower/a", "end of day") is True
        seen = registry.renew(mine)
        assert seen is not None
        assert seen.stop_requested == "end of day"
        registry.release(mine)
        assert registry.request_stop("follower/a", "again") is False

        yours = registry.acquire("follower/a", owner="you")
        assert yours is not None
        assert yours.stop_requested is None

    def test_a_lease_is_taken_away_by_its_epoch(self, registry: Registry) -> None:
        mine = registry.acquire("follower/a", owner="me")
        assert mine is not None
        assert registry.force_expire("follower/a", mine.epoch + 1) is False
        assert registry.force_expire("follower/a", mine.epoch) is True
        assert registry.renew(mine) is None
        assert registry.acquire("follower/a", owner="you") is not None

    def test_the_lease_of_a_process_that_is_gone_need_not_run_out(self, registry: Registry) -> None:
        mine = registry.acquire("follower/a", owner="me")
        assert mine is not None
        finished = subprocess.Popen([sys.executable, "-c", ""])
        finished.wait()

        assert not mine.process_is_gone()
        assert dataclasses.replace(mine, pid=finished.pid).process_is_gone()
        assert not dataclasses.replace(mine, pid=finished.pid, host="elsewhere").process_is_gone()

    def test_of_many_who_ask_at_once_one_gets_it(self, registry: Registry) -> None:
        got: list[int] = []
        start = threading.Barrier(8)

        def ask() -> None:
            start.wait()
            lease = registry.acquire("follower/a", owner=threading.current_thread().name)
            if lease is not None:
                got.append(lease.epoch)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == [1]

    def test_a_mark_is_replaced_only_if_it_is_as_told(self, registry: Registry) -> None:
        assert not registry.replace_mark("a", "2", instead_of="1")
        assert registry.replace_mark("a", "1", instead_of=None)
        assert not registry.replace_mark("a", "3", instead_of=None)
        assert registry.replace_mark("a", "2", instead_of="1")
        assert not registry.replace_mark("a", "3", instead_of="1")
        mark = registry.mark("a")
        assert mark is not None
        assert mark.value == "2"

    def test_a_mark_is_set_replaced_and_cleared(self, registry: Registry, clock: Clock) -> None:
        assert registry.mark("start/a") is None
        registry.set_mark("start/a", "run 1")
        clock.step(2)
        registry.set_mark("start/a", "run 2")

        mark = registry.mark("start/a")
        assert mark is not None
        assert (mark.value, mark.at) == ("run 2", START + timedelta(seconds=2))
        registry.clear_mark("start/a")
        assert registry.mark("start/a") is None
