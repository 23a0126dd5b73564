"""Several processes on one chain: each gets on, none waits long, and a load beside single commands lands exactly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ontology_assets.events.envelope import Draft
from ontology_assets.events.verify import verify
from tests.unit.events.making import append, fleet, open_log

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 3.0


def race(folder: Path, kinds: list[str], keys: int) -> list[dict[str, Any]]:
    """One process a kind, all started at once when all are ready."""
    log, heads = open_log(folder)
    append(log, heads, Draft("fleet", events=fleet(keys)))
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.embedded.committing_process", folder, f"p{i}", str(SECONDS), kind, str(keys)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i, kind in enumerate(kinds)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    print(*answers, sep="\n")
    assert verify(log, heads).ok
    assert log.end().position == keys + sum(
        answer["commits"] * (keys if kind == "bulk" else 1) for answer, kind in zip(answers, kinds, strict=True)
    )
    return answers


def test_four_processes_share_the_chain_and_none_is_starved(tmp_path: Path) -> None:
    answers = race(tmp_path, ["single"] * 4, keys=50)
    commits = [answer["commits"] for answer in answers]
    assert min(commits) >= 0.3 * max(commits)
    assert max(answer["longest"] for answer in answers) < SECONDS


def test_a_bulk_load_of_the_objects_that_two_processes_edit_lands_and_does_not_stop_them(tmp_path: Path) -> None:
    """The load reads and writes every object that the others write: whatever comes between makes it decide again."""
    answers = race(tmp_path, ["bulk", "single", "single"], keys=2_000)
    assert answers[0]["commits"] >= 2
    assert min(answer["commits"] for answer in answers[1:]) >= 10
    assert max(answer["longest"] for answer in answers) < 2 * SECONDS
