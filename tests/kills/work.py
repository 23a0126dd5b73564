"""A process to be killed: it does one kind of work on a home, tells what is done as lines of JSON, and may have a trap.

`python -m tests.kills.work HOME ROLE [--point POINT --hit N]`. Roles: `append` (a writer: commands and loads, each
acknowledged), `relay`, `search`, `graph` (followers), `rebuild` (search after the ontology changed, from
position 0), `heads` (their rebuild from nothing), `seal`, `archive`. A process that nobody kills ends by itself, and
tells every point that it came to.
"""

import time

BEGAN = time.monotonic()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from pathlib import Path  # noqa: E402


def waited() -> float:
    """Seconds that this process has waited for a processor; 0 where the system does not tell."""
    seen = Path("/proc/self/schedstat")
    return int(seen.read_text().split()[1]) / 1e9 if seen.exists() else 0.0


WAITED = waited()

from resources.lean_arrow import keep_pandas_out  # noqa: E402

keep_pandas_out()

from ontology_assets.events import log  # noqa: E402
from ontology_assets.events.archiving import archive  # noqa: E402
from ontology_assets.events.group import Answer, Group  # noqa: E402
from ontology_assets.events.heads import Heads  # noqa: E402
from ontology_assets.events.log import EventLog  # noqa: E402
from ontology_assets.events.sealing import seal  # noqa: E402
from resources.home import Home  # noqa: E402
from resources.object_store.local import LocalObjectStore  # noqa: E402
from resources.registry.base import RENEW_SECONDS  # noqa: E402
from tests.kills.pieces import DOMAIN, Piece, Wish, decision, pieces  # noqa: E402
from tests.kills.traps import Trap, install  # noqa: E402

ASKED_AGAIN = 14
"""Each so many pieces one is asked for twice, as by a client that lost the answer."""
BATCH_ROWS = 8
STEPS = 3
"""In which a log is sealed, and archived."""
HINT_EVERY = 12
"""Records from one hint to the next. As shipped it is 64, more than the whole log of these tests."""


class Worker:
    """One process's work on a home."""

    def __init__(self, options: argparse.Namespace, trap: Trap) -> None:
        self.home, self.options, self.trap = Home(options.home), options, trap
        log.HINT_EVERY = HINT_EVERY
        self.log = EventLog(LocalObjectStore(self.home.objects), DOMAIN)

    def append(self) -> None:
        """Pieces one after the other; the one that `--first` names may be in the log already, without an answer."""
        heads = Heads(self.home.heads / f"{DOMAIN}.sqlite", self.log)
        group = Group(self.log, heads)
        todo = pieces(self.options.writer)[: self.options.last]
        for i, piece in enumerate(todo):
            if i >= self.options.first:
                for _ in range(2 if i % ASKED_AGAIN == ASKED_AGAIN - 1 else 1):
                    self.appended(heads, group, piece)
                self.trap.reach("before ack")
                say(acked=i, **caught_up())
                self.trap.reach("after ack")
                time.sleep(self.options.pause)
        say(**caught_up())

    def appended(self, heads: Heads, group: Group, piece: Piece) -> None:
        if piece.load:
            self.log.append(heads, decision(piece.commands[0], self.log.states))
            return
        for outcome in group.commit([Wish(command) for command in piece.commands]):
            if not isinstance(outcome, Answer):
                raise outcome

    def heads(self) -> None:
        Heads(self.home.heads / f"{DOMAIN}.sqlite", self.log).catch_up()
        say(**caught_up())

    def follower(self) -> None:
        """Follow to where the log ends now, or to the end of all that will ever be there."""
        from ontology_assets.followers.follow import follow
        from ontology_assets.followers.progress import StopReason, Timing
        from resources.registry.sql import SqliteRegistry
        from tests.kills.sinks import position_in, sink_of

        role, end = self.options.role, self.options.last or self.log.end().position
        sink = sink_of(self.home, role, self.log, self.trap)

        def stop() -> StopReason | None:
            return StopReason.REQUESTED if position_in(self.home, role) >= end else None

        follow(
            self.log,
            sink,
            SqliteRegistry(self.home.registry),
            owner=role,
            until=time.monotonic() + 60,
            stop=stop,
            batch_rows=BATCH_ROWS,
            timing=Timing(poll=0.02, renew=self.options.renew),
            on_event=lambda text: say(told=text),
        )
        say(**caught_up())

    def seal(self) -> None:
        from resources.lake.local import LocalLake

        for step in range(1, STEPS + 1):
            seal(self.log, LocalLake(self.home.lake), DOMAIN, self.log.end().n * step // STEPS)
        say(**caught_up())

    def archive(self) -> None:
        from resources.lake.local import LocalLake

        for step in range(1, STEPS + 1):
            archive(self.log, LocalLake(self.home.lake), DOMAIN, self.log.end().n * step // STEPS)
        say(**caught_up())

    @property
    def roles(self) -> Mapping[str, Callable[[], None]]:
        return {
            "append": self.append,
            "heads": self.heads,
            **dict.fromkeys(("relay", "search", "graph", "rebuild"), self.follower),
            "seal": self.seal,
            "archive": self.archive,
        }


def caught_up() -> dict[str, float]:
    """Seconds since this process began, but those in which the processors were busy with other processes."""
    return {"recovery": time.monotonic() - BEGAN - (waited() - WAITED)}


def say(**line: object) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("role")
    parser.add_argument("--point", default="")
    parser.add_argument("--hit", type=int, default=0)
    parser.add_argument("--writer", default="w")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=None)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--renew", type=float, default=RENEW_SECONDS)
    parser.add_argument("--control", default="")
    options = parser.parse_args()
    trap = Trap(options.point, options.hit)
    if options.control:
        from tests.kills.controls import CONTROLS

        CONTROLS[options.control](trap)
    install(trap)
    worker = Worker(options, trap)
    worker.roles[options.role]()
    say(reached=trap.reached)


if __name__ == "__main__":
    main()
