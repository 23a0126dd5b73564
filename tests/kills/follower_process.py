"""A follower in a process of its own, to be killed, paused and raced by the tests beside it.

`python -m tests.kills.follower_process HOME MODE [options]`: prints a line of JSON at each change of state, flushed.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from sqlite3 import Connection

import pyarrow as pa

from ontology_assets.followers.follow import catch_up, follow
from ontology_assets.followers.progress import Timing
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.signals import StopOnSignal
from resources.lean_arrow import keep_pandas_out
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteProducer, SqliteTopic
from tests.unit.followers.generated_log import GeneratedLog


class PausingProducer(SqliteProducer):
    """Stops its own process (SIGSTOP) between looking at the position and the transaction that moves it, once."""

    pause_at = -1
    fenced = True

    def publish(self, messages: pa.RecordBatch, *, after: int, position: int, history: str | None, epoch: int) -> None:
        if position >= self.pause_at >= 0:
            PausingProducer.pause_at = -1
            os.kill(os.getpid(), signal.SIGSTOP)
        super().publish(messages, after=after, position=position, history=history, epoch=epoch)

    def _advance(self, connection: Connection, after: int, position: int, history: str | None, epoch: int) -> None:
        if self.fenced:
            super()._advance(connection, after, position, history, epoch)
        else:  # the control: what a relay without a fence does
            connection.execute("UPDATE producers SET position = ? WHERE name = ?", (position, self._name))


class PausingTopic(SqliteTopic):
    def producer(self, name: str) -> PausingProducer:
        return PausingProducer(self._file, name, self._now)


def say(**line: object) -> None:
    print(json.dumps({"at": time.monotonic(), **line}), flush=True)


def main() -> int:
    keep_pandas_out()
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("mode", choices=["catch-up", "follow"])
    parser.add_argument("--owner", default="follower")
    parser.add_argument("--batch-rows", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--ttl", type=float, default=4.0)
    parser.add_argument("--renew", type=float, default=0.5)
    parser.add_argument("--pause-at", type=int, default=-1)
    parser.add_argument("--fence-off", action="store_true")
    given = parser.parse_args()
    PausingProducer.pause_at, PausingProducer.fenced = given.pause_at, not given.fence_off

    log = GeneratedLog(given.home / "end")
    relay = Relay(PausingTopic(given.home / "topic.sqlite"), log.domain)
    registry = SqliteRegistry(given.home / "registry.sqlite")
    timing = Timing(ttl=given.ttl, renew=given.renew)
    common = {"owner": given.owner, "batch_rows": given.batch_rows, "timing": timing}
    say(event="ready")
    if given.mode == "catch-up":
        done = catch_up(log, relay, registry, **common)
        say(event="done", position=done.position, events=done.events)
    else:
        with StopOnSignal() as stop:
            ended = follow(
                log,
                relay,
                registry,
                until=time.monotonic() + given.seconds,
                stop=stop,
                on_event=lambda text: say(event="told", text=text),
                **common,
            )
        say(event="ended", reason=ended.reason, position=ended.position, events=ended.events, epochs=ended.epochs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
