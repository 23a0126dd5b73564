"""Everything at once, killed from outside at random instants: writers that race, relay, both projections, a sealer.

No point is named here, so a kill may come in the middle of a system call, of SQLite or of delta-rs.
"""

import os
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.kills.evidence import (
    assert_heads,
    assert_model,
    assert_pieces,
    assert_sealed,
    assert_topic,
    log_of,
)
from tests.kills.killing import Ran, ended, run, start
from tests.kills.pieces import LAST, WRITERS, expected, pieces, shared

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
SEED = int(os.environ.get("SPICE_KILL_SEED", "20130101"))
KILLS = 300 if LONG else 24
PAUSE = 2.0 if LONG else 0.1
"""Of a writer between two pieces: there must be work for as long as processes are killed."""
PATIENCE_S = 120.0


def events_of(writer: str) -> int:
    loads = sum(piece.load for piece in pieces(writer))
    return sum(map(len, expected(writer).values())) + len(shared(writer)) + loads


TOTAL = sum(map(events_of, WRITERS))


@dataclass
class Member:
    """One process after another that do the same work; a writer goes on where it knows that it was."""

    home: Path
    role: str
    writer: str = ""
    acked: int = 0
    done: bool = False
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        options = {
            "append": ("--writer", self.writer, "--first", str(self.acked), "--pause", str(PAUSE)),
            "seal": (),
        }.get(self.role, ("--last", str(TOTAL)))
        self.process = start(self.home, self.role, *options)

    def look(self) -> None:
        """Whether it has ended by itself, which must be because its work is done."""
        if not self.done and self.process.poll() is not None:
            ran = ended(self.process)
            assert ran.status == 0, f"{self.role} {self.writer} ended {ran.status}: {ran.said}"
            self.take(ran)
            self.done = True

    def kill(self) -> None:
        self.process.kill()
        self.take(ended(self.process))

    def take(self, ran: Ran) -> None:
        self.acked = max(self.acked, ran.acked)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_everything_killed_at_random_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance, home = random.Random(SEED), tmp_path / "home"
    members = [Member(home, "append", writer) for writer in WRITERS]
    members += [Member(home, role) for role in ("relay", "search", "graph", "seal")]
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.3))
            for member in members:
                member.look()
            alive = [member for member in members if not member.done or member.role == "seal"]
            assert alive, "there was too little work for so many kills"
            victim = chance.choice(alive)
            victim.kill()
            victim.done = False
            victim.begin()

        def all_done() -> bool:
            for member in members:
                member.look()
            return all(member.done for member in members)

        until(all_done)
    finally:
        for member in members:
            member.process.kill()
            member.process.wait()

    assert [member.acked for member in members if member.writer] == [LAST] * len(WRITERS)
    truth = log_of(home)
    assert truth.position == TOTAL
    assert_pieces(truth, dict.fromkeys(WRITERS, LAST))
    assert_heads(home, truth, ended=False)
    assert_topic(home, truth, ended=True)
    for name in ("search", "graph"):
        assert_model(home, name, truth, ended=True)
    run(home, "seal")
    assert_sealed(home, truth, ended=True)
