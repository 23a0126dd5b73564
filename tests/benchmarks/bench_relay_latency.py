"""From a durable append to the message on the topic, while relays hand over to each other.

`python -m tests.benchmarks.bench_relay_latency`: relays are processes of their own, relieved by SIGTERM while a successor
waits; a client commits a hundred events a second, and a consumer looks at the topic each two milliseconds.
"""

import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from resources.home import PROJECT_ROOT, Home
from tests.benchmarks.figures import SCALE, at_most, figure
from tests.embedded.shelves import Shelves, assert_topic_is_the_log, published

HAND_OVERS = max(2, round(10 * SCALE))
BETWEEN_SECONDS = 2.0
COMMIT_SECONDS, LOOK_SECONDS = 0.01, 0.002


class Client(threading.Thread):
    """Commits one event after the other; when each was durable, by position."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.home, self.durable, self.enough = home, dict[int, float](), threading.Event()

    def run(self) -> None:
        shelves = Shelves(self.home)
        while not self.enough.wait(COMMIT_SECONDS):
            shelves.append()
            self.durable[shelves.last] = time.monotonic()


class Consumer(threading.Thread):
    """When each message was there, by position."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.home, self.seen, self.enough = home, dict[int, float](), threading.Event()

    def run(self) -> None:
        with closing(sqlite3.connect(self.home.topic)) as connection:
            last = 0
            while not self.enough.wait(LOOK_SECONDS):
                (end,) = connection.execute('SELECT coalesce(max("offset"), -1) + 1 FROM log').fetchone()
                now = time.monotonic()
                self.seen.update(dict.fromkeys(range(last + 1, end + 1), now))
                last = end


class Relays:
    """The relay at work and its successors, each a process."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.started: list[subprocess.Popen[str]] = []
        self.at_work = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.embedded.following_process", str(self.home.root)]
        started = subprocess.Popen(
            [*command, "--owner", f"relay {len(self.started)}", "--sinks", "topic"],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(started)
        assert started.stdout is not None
        assert '"ready"' in started.stdout.readline()
        return started

    def hand_over(self) -> None:
        successor = self._start()
        time.sleep(BETWEEN_SECONDS / 2)  # it waits for the lease by now
        self.end()
        self.at_work = successor
        time.sleep(BETWEEN_SECONDS / 2)

    def __enter__(self) -> "Relays":
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.started:
            one.kill()
            one.wait()

    def end(self) -> None:
        self.at_work.send_signal(signal.SIGTERM)
        self.at_work.communicate(timeout=30)


def measured(home: Home) -> list[float]:
    """Milliseconds from durable to published of each event, ascending."""
    with Relays(home) as relays:
        while published(home) < 10:
            time.sleep(0.05)
        client, consumer = Client(home), Consumer(home)
        consumer.start()
        client.start()
        for _ in range(HAND_OVERS):
            relays.hand_over()
        client.enough.set()
        client.join()
        last = max(client.durable)
        while published(home) < last:
            time.sleep(0.05)
        time.sleep(10 * LOOK_SECONDS)
        consumer.enough.set()
        consumer.join()
        relays.end()
        assert_topic_is_the_log(home, last)
    return sorted(max(0.0, consumer.seen[at] - durable) * 1000 for at, durable in client.durable.items())


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        home = Home(Path(folder))
        Shelves(home).append(10)
        waits = measured(home)

    def quantile(part: float) -> float:
        return waits[min(len(waits) - 1, int(part * len(waits)))]

    over = f"append to published over {HAND_OVERS} hand-overs"
    at_most(f"{over}, p95 in ms", quantile(0.95), 250)
    figure(f"{over}, p50 in ms", quantile(0.5))
    figure(f"{over}, the longest in ms", waits[-1])
    figure(f"{over}, events", len(waits))


if __name__ == "__main__":
    main()
