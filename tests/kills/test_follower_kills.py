"""The relay paused past its lease, started twice, handed over. The topic must equal the log. Its kills at named points
are in test_every_point.py.

Every process is started anew (never forked). The control at the end switches the fence off and must fail.
"""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import psutil
import pytest

from resources.topic.sqlite import SqliteTopic
from tests.unit.followers.generated_log import AGGREGATES, event

ROOT = Path(__file__).resolve().parents[2]


class Follower:
    """One process of `follower_process`, its printed lines read by a thread."""

    def __init__(self, home: Path, mode: str, *options: str) -> None:
        self.lines: list[dict[str, object]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.follower_process", str(home), mode, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def find(self, what: str, text: str = "") -> dict[str, object] | None:
        return next((line for line in self.lines if line["event"] == what and text in str(line.get("text", ""))), None)

    def wait_for(self, what: str, text: str = "", seconds: float = 20.0) -> dict[str, object]:
        wait_until(lambda: self.find(what, text) is not None, seconds)
        found = self.find(what, text)
        assert found is not None
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def finish(self, seconds: float = 30.0) -> int:
        code = self.process.wait(seconds)
        self._reader.join()
        return code


Start = Callable[..., Follower]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    set_end(tmp_path, 0)
    return tmp_path


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    started: list[Follower] = []

    def start_one(mode: str, *options: str) -> Follower:
        started.append(Follower(home, mode, *options))
        return started[-1]

    yield start_one
    for follower in started:
        if follower.process.poll() is None:
            follower.process.send_signal(signal.SIGCONT)
            follower.kill()


def set_end(home: Path, position: int) -> None:
    (home / "end.new").write_text(str(position))
    (home / "end.new").replace(home / "end")


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def published(home: Path) -> int:
    """Messages in the topic, without the code under test."""
    if not (home / "topic.sqlite").exists():
        return 0
    connection = sqlite3.connect(home / "topic.sqlite", timeout=10)
    try:
        return int(connection.execute('SELECT coalesce(max("offset"), -1) + 1 FROM log').fetchone()[0])
    except sqlite3.OperationalError:  # not created yet
        return 0
    finally:
        connection.close()


def assert_topic_is_the_log(home: Path, last: int) -> None:
    rows = SqliteTopic(home / "topic.sqlite").read(limit=last + 1_000)
    assert rows["ce_position"].to_pylist() == list(range(1, last + 1))
    assert rows["offset"].to_pylist() == list(range(last))
    expected = [event(position) for position in range(1, last + 1)]
    assert rows["ce_id"].to_pylist() == [one["event_id"] for one in expected]
    assert rows["data"].to_pylist() == [one["data"] for one in expected]
    sequences: dict[str, list[int]] = {}
    for key, sequence in zip(rows["key"].to_pylist(), rows["ce_sequence"].to_pylist(), strict=True):
        sequences.setdefault(key, []).append(sequence)
    assert len(sequences) == AGGREGATES
    for per_aggregate in sequences.values():
        assert per_aggregate == list(range(1, len(per_aggregate) + 1))


def zombie_wakes_after_another_did_its_work(home: Path, start: Start, *options: str) -> Follower:
    """A relay stops in the middle of a batch, loses its lease, another one publishes everything; then it wakes up."""
    set_end(home, 3_000)
    zombie = start("follow", "--owner", "zombie", "--batch-rows", "500", "--pause-at", "1500", "--ttl", "0.5", *options)
    wait_until(lambda: psutil.Process(zombie.process.pid).status() == psutil.STATUS_STOPPED)
    assert published(home) == 1_000
    other = start("follow", "--owner", "other", "--ttl", "0.5", "--renew", "0.1")
    wait_until(lambda: published(home) == 3_000)

    zombie.process.send_signal(signal.SIGCONT)
    ended = zombie.wait_for("ended")
    assert zombie.finish() == 0
    assert ended["reason"] == "superseded"
    other.process.send_signal(signal.SIGTERM)
    assert other.finish() == 0
    return zombie


def test_a_relay_paused_past_its_lease_writes_nothing_when_it_wakes(home: Path, start: Start) -> None:
    zombie = zombie_wakes_after_another_did_its_work(home, start)

    assert zombie.find("ended")["events"] == 1_000
    assert_topic_is_the_log(home, 3_000)


def test_control_without_the_fence_the_same_pause_publishes_twice(home: Path, start: Start) -> None:
    zombie_wakes_after_another_did_its_work(home, start, "--fence-off")

    with pytest.raises(AssertionError):
        assert_topic_is_the_log(home, 3_000)


def test_two_relays_at_once_publish_each_event_once(home: Path, start: Start) -> None:
    last = 20_000
    set_end(home, last)
    pair = [start("catch-up", "--batch-rows", "100", "--owner", name) for name in ("one", "two")]

    assert [follower.finish() for follower in pair] == [0, 0]
    assert sum(int(str(follower.wait_for("done")["events"])) for follower in pair) == last
    assert_topic_is_the_log(home, last)


def test_of_two_relays_the_waiting_one_goes_on_when_the_other_is_killed(home: Path, start: Start) -> None:
    last = 20_000
    set_end(home, last)
    first = start("catch-up", "--batch-rows", "100", "--owner", "first", "--pause-at", "5000")
    wait_until(lambda: psutil.Process(first.process.pid).status() == psutil.STATUS_STOPPED)
    second = start("catch-up", "--batch-rows", "1000", "--owner", "second", "--ttl", "60")
    second.wait_for("ready")
    time.sleep(0.2)
    assert published(home) == 4_900
    first.kill()

    assert second.finish() == 0
    assert second.wait_for("done")["events"] == last - 4_900
    assert_topic_is_the_log(home, last)


def test_a_successor_takes_over_within_a_tenth_of_a_second(home: Path, start: Start) -> None:
    growing = threading.Event()
    grown = [100]

    def grow() -> None:
        while not growing.wait(0.004):
            grown[0] += 1
            set_end(home, grown[0])

    set_end(home, grown[0])
    grower = threading.Thread(target=grow)
    grower.start()
    followers = [start("follow", "--owner", "0")]
    gaps: list[float] = []
    try:
        for number in range(1, 6):
            followers[-1].wait_for("told", "at work")
            followers.append(start("follow", "--owner", str(number)))
            followers[-1].wait_for("ready")
            time.sleep(0.2)
            followers[-2].process.send_signal(signal.SIGTERM)
            assert followers[-2].finish() == 0
            given_back = followers[-2].wait_for("told", "signal at event")
            taken = followers[-1].wait_for("told", "at work")
            gaps.append(float(str(taken["at"])) - float(str(given_back["at"])))
    finally:
        growing.set()
        grower.join()
    wait_until(lambda: published(home) == grown[0])
    followers[-1].process.send_signal(signal.SIGTERM)
    assert followers[-1].finish() == 0
    print("gaps in ms:", [round(gap * 1000) for gap in gaps])

    assert_topic_is_the_log(home, grown[0])
    assert median(gaps) <= 0.1


def test_an_idle_follower_is_small_and_nearly_free(home: Path, start: Start) -> None:
    set_end(home, 20_000)
    follower = start("follow")
    wait_until(lambda: published(home) == 20_000)
    process = psutil.Process(follower.process.pid)
    time.sleep(1)
    used, at = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(3)
    share = (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - at)
    rss = process.memory_info().rss / 2**20
    print(f"idle: {share:.2%} of a core, {rss:.0f} MB")
    follower.process.send_signal(signal.SIGTERM)

    assert follower.finish() == 0
    assert share < 0.03
    assert rss <= 130
