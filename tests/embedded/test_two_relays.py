"""Two live followers at once, one stopped past its lease in the middle of a write and resumed; hand-overs.

Real processes over a real log, for the topic and both read models. The control switches the fences off and must fail.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ontology_assets.followers.lease import lease_name
from resources.home import PROJECT_ROOT, Home
from resources.registry.sql import SqliteRegistry
from tests.embedded.shelves import (
    DOMAIN,
    Shelves,
    assert_model_is_the_fold,
    assert_topic_is_the_log,
    projected,
    published,
)

SINKS = ("topic", "search", "graph")
SHORT = ("--ttl", "1.5", "--renew", "0.2")
ROUNDS = 3


class Following:
    """One process of `following_process`, what it says read by a thread."""

    def __init__(self, home: Home, owner: str, *options: str) -> None:
        self.owner, self.lines = owner, list[dict[str, Any]]()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.embedded.following_process", str(home.root), "--owner", owner, *options],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def all(self, what: str) -> list[dict[str, Any]]:
        return [line for line in list(self.lines) if line["event"] == what]

    def stopped(self) -> bool:
        return bool(psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.joined()

    def joined(self) -> int:
        code = self.process.wait(30)
        self._reader.join()
        return code


Start = Callable[..., Following]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    Shelves(home).append(10)
    return home


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    started: list[Following] = []

    def start_one(owner: str, *options: str) -> Following:
        started.append(Following(home, owner, *options))
        return started[-1]

    yield start_one
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
            one.process.kill()
            one.process.wait()


@pytest.fixture
def writing(home: Home) -> Iterator[Callable[[], int]]:
    """The log grows, some 100 events a second, until the function is called; it gives the last position."""
    shelves, enough = Shelves(home), threading.Event()

    def write() -> None:
        shelves_of_thread = Shelves(home)
        while not enough.wait(0.01):
            shelves_of_thread.append()
        shelves.last = shelves_of_thread.last

    thread = threading.Thread(target=write)
    thread.start()

    def stop() -> int:
        enough.set()
        thread.join()
        return shelves.last

    yield stop
    stop()


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def positions(home: Home) -> dict[str, int]:
    return {"topic": published(home), "search": projected(home, "search"), "graph": projected(home, "graph")}


def holders(home: Home) -> set[str]:
    registry = SqliteRegistry(home.registry)
    try:
        leases = [registry.read(lease_name(DOMAIN, sink)) for sink in SINKS]
        return {lease.owner for lease in leases if lease is not None and lease.renewed_at is not None}
    finally:
        registry.close()


def stop_in_the_middle_of_a_write(home: Home, zombie: Following) -> dict[str, int]:
    """All three stand before the transaction of a batch; where the stores are then."""
    (home.root / f"pause-{zombie.owner}").touch()
    wait_until(zombie.stopped)
    return positions(home)


def test_a_follower_stopped_past_its_lease_and_resumed_writes_nothing_round_after_round(
    home: Home, start: Start, writing: Callable[[], int]
) -> None:
    leader = start("relay 0", *SHORT)
    wait_until(lambda: all(at >= 10 for at in positions(home).values()))
    for number in range(1, ROUNDS + 1):
        other = start(f"relay {number}", *SHORT)
        wait_until(lambda other=other: bool(other.all("ready")))
        at = stop_in_the_middle_of_a_write(home, leader)
        wait_until(lambda other=other: holders(home) == {other.owner})
        wait_until(lambda at=at: all(now > at[sink] + 20 for sink, now in positions(home).items()))

        leader.process.send_signal(signal.SIGCONT)
        assert leader.joined() == 0
        fenced = leader.all("fenced")
        assert {line["sink"] for line in fenced} == set(SINKS)
        assert all(line["mine"] < line["held"] for line in fenced)
        assert not leader.all("wrote")
        assert leader.all("ended")[0]["superseded"]
        leader = other
    last = writing()
    wait_until(lambda: set(positions(home).values()) == {last})
    assert leader.end() == 0

    assert_topic_is_the_log(home, last)
    for model in ("search", "graph"):
        assert_model_is_the_fold(home, model, last)


def test_control_without_the_fences_the_resumed_one_writes_in_each_store(
    home: Home, start: Start, writing: Callable[[], int]
) -> None:
    zombie = start("zombie", *SHORT, "--fence-off")
    wait_until(lambda: all(at >= 10 for at in positions(home).values()))
    other = start("other", *SHORT)
    wait_until(lambda: bool(other.all("ready")))
    at = stop_in_the_middle_of_a_write(home, zombie)
    wait_until(lambda: all(now > at[sink] + 20 for sink, now in positions(home).items()))
    last = writing()
    wait_until(lambda: set(positions(home).values()) == {last})

    zombie.process.send_signal(signal.SIGCONT)
    wait_until(lambda: {line["sink"] for line in zombie.all("wrote")} == set(SINKS))
    wrote = {line["sink"]: line["position"] for line in zombie.all("wrote")}
    # The models go back (and mend themselves by the guard of each row); the topic has messages twice.
    assert all(wrote[sink] < last for sink in SINKS)
    with pytest.raises(AssertionError):
        assert_topic_is_the_log(home, last)


def test_over_hand_overs_the_topic_holds_each_event_once(home: Home, start: Start, writing: Callable[[], int]) -> None:
    relays = [start("relay 0", "--sinks", "topic")]
    for number in (1, 2):
        wait_until(lambda: bool([line for line in relays[-1].all("told") if "at work" in line["text"]]))
        relays.append(start(f"relay {number}", "--sinks", "topic"))
        wait_until(lambda: bool(relays[-1].all("ready")))
        before = published(home)
        assert relays[-2].end() == 0
        wait_until(lambda before=before: published(home) > before + 20)
    last = writing()
    wait_until(lambda: published(home) == last)
    assert relays[-1].end() == 0
    assert_topic_is_the_log(home, last)
