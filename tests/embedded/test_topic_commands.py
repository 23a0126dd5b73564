"""`spice relay status` and `spice topic tail` over a home whose log and topic are known event by event.

What it shows is asked for in this process; how it ends, of processes.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.domains import domains
from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.relay import Relay
from resources.home import FORMAT, PROJECT_ROOT, Home
from resources.object_store.local import LocalObjectStore
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.embedded.shelves import shelf_event
from tests.unit.events.making import always

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


class Writer:
    """Event n is recorded n minutes after noon."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.domain = domains()[0].name
        self.log = EventLog(LocalObjectStore(home.objects), self.domain, clock=self.now)
        self.heads = Heads(home.heads / "writer.sqlite", self.log)
        self.last = 0

    def now(self) -> datetime:
        return NOON + timedelta(minutes=self.last + 1)

    def publish(self, events: int) -> None:
        for _ in range(events):
            draft = Draft(f"batch-{self.last + 1}", inline=[shelf_event(self.last + 1)])
            assert self.log.append(self.heads, always(draft)) is not None
            self.last += 1
        registry, topic = SqliteRegistry(self.home.registry), SqliteTopic(self.home.topic)
        catch_up(self.log, Relay(topic, self.domain), registry, owner="test")
        topic.close()
        registry.close()


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    home = Home(tmp_path_factory.mktemp("topic"))
    home.format_file.write_text(f"{FORMAT}\n")
    writer = Writer(home)
    writer.publish(60)
    yield writer
    writer.heads.close()


def command(home: Home, *words: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli.main", "--home", str(home.root), *words]


def spice(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(home, *words), cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPICE_HOME", "")  # a command sets it for its children


def shown(home: Home, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--home", str(home.root)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def tail(home: Home, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shown(home, "topic", "tail", "--json", *words).splitlines()]


def positions(home: Home, *words: str) -> list[int]:
    return [int(event["position"]) for event in tail(home, *words)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], range(41, 61)),
        (["--limit", "3"], range(58, 61)),
        (["--limit", "0"], range(1, 61)),
        (["--from", "newest", "--limit", "2"], [59, 60]),
        (["--from", "10", "--limit", "3"], [10, 11, 12]),
        (["--from", "1", "--limit", "0"], range(1, 61)),
        (["--from", "61"], []),
        (["--from", "2013-01-01T12:30Z", "--limit", "2"], [30, 31]),
        (["--from", "2013-01-01T12:30:00.000001", "--limit", "2"], [31, 32]),
        (["--from", "2013-01-01T14:30+02:00", "--limit", "1"], [30]),
        (["--from", "2014-01-01"], []),
        (["--type", "ObjectCreated"], range(1, 8)),
        (["--key", "3", "--limit", "2"], [53, 60]),
        (["--from", "20", "--key", "3", "--limit", "2"], [25, 32]),
        (["--key", "no such key"], []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else "",
)
def test_a_tail_shows_what_it_was_asked_for(writer: Writer, words: list[str], expected: list[int]) -> None:
    assert positions(writer.home, *words) == list(expected)


def test_each_line_is_a_cloud_event_or_text_for_people(writer: Writer) -> None:
    (event,) = tail(writer.home, "--from", "10", "--limit", "1")
    ten = shelf_event(10)
    assert (event["specversion"], event["id"], event["type"]) == ("1.0", ten.event_id, "ObjectUpdated")
    assert (event["time"], event["partitionkey"]) == ("2013-01-01T12:10:00.000000Z", "2")
    assert event["data"] == json.loads(ten.data)
    text = shown(writer.home, "topic", "tail", "--from", "10", "--limit", "1")
    assert text.split() == [
        *("9", writer.domain, "10", "ObjectUpdated", "Shelf/2", "#2", "2013-01-01T12:10:00.000000Z")
    ]


def test_a_start_that_is_none_is_refused(writer: Writer) -> None:
    done = spice(writer.home, "topic", "tail", "--from", "yesterday")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'yesterday' is neither a position nor a time" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_fault(writer: Writer) -> None:
    whole = " ".join(command(writer.home, "topic", "tail", "--from", "1", "--limit", "0"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {whole} | head -1"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")


def test_looking_begins_no_topic(tmp_path: Path) -> None:
    done = spice(Home(tmp_path / "new"), "topic", "tail")
    assert done.returncode == 2
    assert "nothing was published" in done.stderr
    assert not (tmp_path / "new").exists()


class Tailing:
    """`spice topic tail --follow` as a process of its own, its lines in a file."""

    def __init__(self, writer: Writer, folder: Path, *words: str) -> None:
        self.out = folder / "lines"
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                command(writer.home, "topic", "tail", "--json", "--follow", *words),
                cwd=PROJECT_ROOT,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
            )

    def positions(self) -> list[int]:
        return [int(json.loads(line)["position"]) for line in self.out.read_text().splitlines()]

    def wait_until_it_reads(self) -> None:
        """Nothing tells that it is at the end, for there is nothing to show."""
        end = time.monotonic() + 20
        while not any("topic.sqlite" in file.path for file in psutil.Process(self.process.pid).open_files()):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.5)

    def wait_for(self, expected: list[int]) -> None:
        end = time.monotonic() + 20
        while self.positions() != expected:
            assert time.monotonic() < end, self.positions()
            assert self.process.poll() in (None, 0)
            time.sleep(0.02)


def test_following_goes_on_as_messages_come_and_ctrl_c_ends_it_at_once(writer: Writer, tmp_path: Path) -> None:
    first = writer.last + 1
    tailing = Tailing(writer, tmp_path, "--from", str(first - 2))
    tailing.wait_for([first - 2, first - 1])
    for n in range(3):
        writer.publish(1)
        tailing.wait_for(list(range(first - 2, first + n + 1)))
    assert psutil.Process(tailing.process.pid).children() == []
    asked = time.monotonic()
    tailing.process.send_signal(signal.SIGINT)
    _, said = tailing.process.communicate(timeout=10)
    took = time.monotonic() - asked

    assert tailing.process.returncode == 130
    assert "Traceback" not in said
    assert took < 1
    assert sorted(path.name for path in writer.home.root.glob("topic.sqlite*")) == ["topic.sqlite"]


def test_following_ends_by_itself_with_a_limit(writer: Writer, tmp_path: Path) -> None:
    first = writer.last + 1
    tailing = Tailing(writer, tmp_path, "--from", str(first), "--limit", "2")
    writer.publish(3)
    tailing.wait_for([first, first + 1])
    assert tailing.process.wait(10) == 0


def test_following_the_newest_shows_only_what_comes(writer: Writer, tmp_path: Path) -> None:
    tailing = Tailing(writer, tmp_path, "--limit", "1")
    tailing.wait_until_it_reads()
    assert tailing.positions() == []
    writer.publish(1)
    tailing.wait_for([writer.last])
    assert tailing.process.wait(10) == 0


def test_a_topic_that_is_begun_anew_ends_the_tail_with_what_to_do(writer: Writer, tmp_path: Path) -> None:
    tailing = Tailing(writer, tmp_path, "--from", str(writer.last))
    tailing.wait_for([writer.last])
    writer.home.topic.rename(writer.home.root / "old.sqlite")
    writer.publish(0)
    _, said = tailing.process.communicate(timeout=10)
    assert tailing.process.returncode == 2
    assert "the topic was begun anew" in said


def test_relay_status_says_how_far_and_who(writer: Writer) -> None:
    figures = json.loads(shown(writer.home, "relay", "status", "--json"))[writer.domain]
    with closing(sqlite3.connect(writer.home.topic)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM log").fetchone()
    assert (figures["position"], figures["log"], figures["lag"]) == (count, writer.last, writer.last - count)
    assert (figures["alive"], figures["holder"], figures["fault"]) == (False, None, None)

    registry = SqliteRegistry(writer.home.registry)
    lease = registry.acquire(f"follower/{writer.domain}/topic", owner="run 7", run_id="7")
    assert lease is not None
    held = json.loads(shown(writer.home, "relay", "status", "--json"))[writer.domain]
    registry.release(lease)
    registry.close()
    assert held["alive"]
    assert (held["holder"]["owner"], held["holder"]["run_id"], held["holder"]["pid"]) == ("run 7", "7", os.getpid())
    text = shown(writer.home, "relay", "status").splitlines()
    assert text[0].split() == ["domain", "position", "lag", "epoch", "alive", "at", "work", "updated"]
    assert re.match(rf"\s+{writer.domain}\s+{count}\s+{writer.last - count}\s", text[1])


def test_relay_status_is_red_for_another_history(writer: Writer) -> None:
    (writer.home.objects / "log").rename(writer.home.root / "lost")
    try:
        done = spice(writer.home, "relay", "status")
    finally:
        (writer.home.root / "lost").rename(writer.home.objects / "log")
    assert done.returncode == 1
    assert f"the log of {writer.domain} ends at event 0" in done.stdout
    assert "`spice projection rebuild topic`" in done.stdout
