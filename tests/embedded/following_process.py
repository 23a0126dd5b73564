"""Followers of topic, search and graph in one process, each in a thread: to be paused, raced and relieved by tests.

`python -m tests.embedded.following_process HOME [options]` prints a line of JSON at each change, flushed. When the file
HOME/pause-<owner> appears, all of them go on up to the moment before their next transaction; then the process stops
itself (SIGSTOP).
"""

import argparse
import json
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pyarrow as pa

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()
# ruff: noqa: E402

from ontology_assets.events.log import EventLog
from ontology_assets.followers.follow import follow
from ontology_assets.followers.progress import StopReason, Timing
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.signals import StopOnSignal
from ontology_assets.followers.sink import Sink
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import ProjectionSink
from resources.fencing import Fenced
from resources.home import Home
from resources.object_store.local import LocalObjectStore
from resources.read_model.base import Changes
from resources.read_model.sqlite_graph import GRAPH
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteProducer, SqliteTopic
from tests.contracts.library import LIBRARY

NAMES = ("topic", "search", "graph")


def say(**line: object) -> None:
    sys.stdout.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
    sys.stdout.flush()


class Gate:
    """Where a writing thread stands still when it is told to; the last of them stops the process."""

    def __init__(self, sign: Path, names: tuple[str, ...]) -> None:
        self._sign = sign
        self._paused: set[str] = set()
        # To this thread: one to the process is taken by the main thread, and until it runs the others go on, into a write.
        self._all = threading.Barrier(
            len(names), action=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        )

    def passed(self, name: str) -> bool:
        """True where the process was stopped here."""
        if name in self._paused or not self._sign.exists():
            return False
        self._paused.add(name)
        self._all.wait()
        return True


class GatedProducer(SqliteProducer):
    gate: Gate
    fenced = True

    def publish(self, messages: pa.RecordBatch, *, after: int, position: int, history: str | None, epoch: int) -> None:
        stopped = self.gate.passed("topic")
        try:
            super().publish(messages, after=after, position=position, history=history, epoch=epoch)
        except Fenced as fault:
            say(event="fenced", sink="topic", mine=fault.mine, held=fault.held)
            raise
        if stopped:
            say(event="wrote", sink="topic", position=position)

    def _advance(self, connection: Connection, after: int, position: int, history: str | None, epoch: int) -> None:
        if self.fenced:
            super()._advance(connection, after, position, history, epoch)
        else:  # the control: what a relay without a fence does
            connection.execute("UPDATE producers SET position = ? WHERE name = ?", (position, self._name))


class GatedTopic(SqliteTopic):
    def producer(self, name: str) -> GatedProducer:
        return GatedProducer(self._file, name, self._now)


class GatedWriter(SqliteWriter):
    gate: Gate
    name = ""

    def write(self, changes: Changes, epoch: int, *, settle: bool) -> None:
        stopped = self.gate.passed(self.name)
        try:
            super().write(changes, epoch, settle=settle)
        except Fenced as fault:
            say(event="fenced", sink=self.name, mine=fault.mine, held=fault.held)
            raise
        if stopped:
            say(event="wrote", sink=self.name, position=changes.position)


def sink_of(name: str, home: Home, log: EventLog) -> Sink:
    if name == "topic":
        return Relay(GatedTopic(home.topic), LIBRARY.name)
    options, words = (SEARCH, words_of) if name == "search" else (GRAPH, None)
    writer = GatedWriter(home.read_models / f"{name}.sqlite", domain_layout(LIBRARY), options)
    writer.name = name
    return ProjectionSink(name, writer, domain_layout(LIBRARY), words, log)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--owner", default="follower")
    parser.add_argument("--sinks", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--ttl", type=float, default=4.0)
    parser.add_argument("--renew", type=float, default=0.5)
    parser.add_argument("--fence-off", action="store_true")
    given = parser.parse_args()
    home = Home(given.home)
    gate = Gate(given.home / f"pause-{given.owner}", tuple(given.sinks))
    GatedProducer.gate = GatedWriter.gate = gate
    GatedProducer.fenced = not given.fence_off
    registry = SqliteRegistry(home.registry)
    ended: dict[str, Any] = {}

    def follow_one(name: str, stop: StopOnSignal) -> None:
        log = EventLog(LocalObjectStore(home.objects), LIBRARY.name)
        sink = sink_of(name, home, log)
        timing = Timing(ttl=given.ttl, renew=given.renew)
        try:
            done = follow(
                log,
                sink,
                registry,
                owner=given.owner,
                until=float("inf"),
                stop=stop,
                timing=timing,
                on_event=lambda text: say(event="told", text=text),
            )
            ended[name] = {"reason": done.reason, "events": done.events, "epochs": done.epochs}
        finally:
            sink.close()

    with ExitStack() as stack:
        if given.fence_off:
            from tests.simulator.mutants import MUTANTS

            stack.enter_context(next(mutant for mutant in MUTANTS if mutant.name == "control: fence off").applied())
        stop = stack.enter_context(StopOnSignal())
        threads = [threading.Thread(target=follow_one, args=(name, stop)) for name in given.sinks]
        say(event="ready")
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():  # a signal is noted between two looks only
                thread.join(0.1)
    say(event="ended", **ended, superseded=all(one["reason"] == StopReason.SUPERSEDED for one in ended.values()))
    return 0 if len(ended) == len(given.sinks) else 1


if __name__ == "__main__":
    sys.exit(main())
