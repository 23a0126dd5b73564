"""Twenty rebuilds, swaps and undos of read models that are written to and asked all the time, killed at each named point
and taken up again: no answer is wrong, none is missing, and none is older than the one before.

What is right is worked out beforehand (`ledger.py`). The controls take the write lock and the gate away; the client must
notice each.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from resources.read_model.generations import Generations
from tests.kills.killing import ROOT
from tests.kills.ledger import BASE
from tests.kills.turns import POINTS

SWAPS = 20
QUESTIONS_PER_SECOND = 50
UNDO_SECONDS = 2.0
NTH = {
    "fill: half of a bucket": 5,
    "fill: bucket stored": 3,
    "fill: bucket proved": 9,
    "sweep: half of a generation": 2,
}
"""The time at which a process dies that comes to the point more than once; the first one else."""


def process(module: str, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.kills.{module}", str(home)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@dataclass
class Scene:
    """A home in use, a client that asks, and who rebuilds."""

    home: Path
    client: "subprocess.Popen[str]"
    turns: "subprocess.Popen[str]"

    def found(self) -> dict[str, Any]:
        """What the client has found since it was asked last."""
        return self._line(self.client, "tell")

    def do(self, do: str, projection: str, **more: Any) -> dict[str, Any]:
        return self._line(self.turns, json.dumps({"do": do, "projection": projection, **more}))

    def done(self, do: str, projection: str, **more: Any) -> Any:
        """What it says; it must end well."""
        answer = self.do(do, projection, **more)
        assert answer["status"] == 0, (do, answer)
        if do == "undo":
            assert answer["seconds"] <= UNDO_SECONDS
        return answer["said"]

    def killed(self, point: str, projection: str, **more: Any) -> None:
        answer = self.do(point.partition(":")[0], projection, point=point, hit=NTH.get(point, 1), **more)
        assert answer["status"] == -signal.SIGKILL, (point, answer)

    def killed_once(self, do: str, k: int, projection: str, **more: Any) -> None:
        """At the `k`-th of its points; at none when all have had their kill."""
        for point in [point for point in POINTS if point.startswith(do)][k : k + 1]:
            self.killed(point, projection, **more)

    def generations(self, projection: str) -> Generations:
        return Generations(self.home / "read" / f"{projection}.sqlite")

    @staticmethod
    def _line(process: "subprocess.Popen[str]", text: str) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("asked") / "home"
    living = process("living", home)
    assert living.stdout is not None
    assert living.stdout.readline() == "ready\n"
    client, turns = process("asking", home), process("turns", home)
    yield Scene(home, client, turns)
    for one in (client, turns, living):
        one.communicate()
        assert one.returncode == 0


def test_twenty_swaps_killed_and_taken_up_again_are_noticed_by_nobody(scene: Scene) -> None:
    scene.found()
    for k in range(SWAPS):
        projection = ("search", "graph")[k % 2]
        generations = scene.generations(projection)
        former = generations.current()
        scene.killed_once("fill", k, projection)
        generation = scene.done("fill", projection)
        time.sleep(0.15)  # an event comes, which the swap has to catch up with
        scene.killed_once("swap", k, projection)
        assert scene.done("swap", projection) == generation == generations.current() != former
        scene.killed_once("undo", k, projection, asked=generation)
        assert scene.done("undo", projection, asked=generation)["generation"] == former == generations.current()
        if k >= SWAPS - 2:
            assert scene.done("verify", projection) == []
        if k % 5 == 4:
            scene.killed("sweep: half of a generation", projection)
        scene.done("sweep", projection)
        assert set(generations.present()) == {former, generation}
    found = scene.found()
    assert (found["wrong"], found["missing"], found["back"]) == (0, 0, 0), found["told"]
    assert found["asked"] / found["seconds"] >= QUESTIONS_PER_SECOND
    assert len(found["generations"]) == SWAPS + 2
    assert found["position"] > BASE + SWAPS


def test_the_page_on_kills_lists_every_point() -> None:
    page = (ROOT / "docs" / "kills.md").read_text()
    rows = [row.removeprefix("* ").partition(": ") for row in page.splitlines() if row.startswith("* ")]
    assert {f"{do}: {name}" for do, _, names in rows for name in names.split("`")[1::2]} >= set(POINTS)


def test_an_aborted_rebuild_leaves_no_file_wherever_its_process_died(scene: Scene) -> None:
    generations = scene.generations("search")
    before = set(generations.present())
    generation = scene.done("fill", "search", buckets=[0, 1])
    scene.killed("abort: said", "search")
    assert generation in generations.present()
    assert scene.done("abort", "search") == "aborted"
    assert set(generations.present()) == before
    assert scene.do("swap", "search")["status"] == 1


def test_control_without_the_lock_the_client_sees_time_go_back(scene: Scene) -> None:
    assert scene.done("fill", "search")
    scene.found()
    scene.done("swap", "search", control="without_the_lock")
    time.sleep(0.2)
    found = scene.found()
    assert found["back"] > 0
    assert found["missing"] == 0


def test_control_a_generation_that_is_not_complete_is_noticed(scene: Scene) -> None:
    generation = scene.done("fill", "search", buckets=list(range(8)))
    scene.found()
    scene.done("swap", "search", control="before_it_is_complete")
    time.sleep(0.3)
    found = scene.found()
    assert found["wrong"] + found["missing"] > 0
    scene.done("undo", "search", asked=generation)
    scene.found()
    time.sleep(0.2)
    assert scene.found()["wrong"] == 0
