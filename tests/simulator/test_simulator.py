"""The simulator's own promises: seeds pass, cover what they are said to cover, repeat exactly, and find planted bugs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.campaign import LEAST_STEPS, campaign, hunt, lines, planted, remembered
from tests.simulator.faults import CRASH_POINTS, KINDS
from tests.simulator.mutant import Mutant, MutantStale
from tests.simulator.mutants import ASKED_FOR, MUTANTS
from tests.simulator.run import run_seed

SEEDS = 2_000
MOST_SEEDS = 2_000
"""Within so many seeds, from 0 on, each mutant must be caught."""
PROCESSES = 2
ROOT = Path(__file__).resolve().parents[2]


def test_two_thousand_seeds_hold_every_invariant_and_cover_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    found = campaign(range(SEEDS), PROCESSES)

    with capsys.disabled():
        print("\n" + "\n".join(lines(found)))
    assert not found.failures, f"{len(found.failures)} seeds failed, the first:\n{found.failures[0]}"
    assert found.rarely_hit() == []
    assert found.median_steps >= LEAST_STEPS


def test_each_planted_bug_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    """The seeds in caught.json are the first, from 0 up, that catch each; one that catches no more is looked for anew."""
    known = remembered()
    found = list(hunt(planted(), MOST_SEEDS, PROCESSES, known))

    with capsys.disabled():
        print()
        for one in sorted(found, key=lambda one: (one.seed is None, one.seed or 0)):
            print(f"  seed {one.seed!s:>5}  {one.mutant:66.66} {one.by[:90]}")
    assert [one.mutant for one in found if one.seed is None] == []
    moved = sum(known.get(one.mutant) != one.seed for one in found)
    print(f"  {moved} of {len(found)} found anew; `python -m tests.simulator --hunt` remembers them")


def test_there_are_enough_planted_bugs_and_each_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in MUTANTS]

    assert len(names) >= 30
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("bug", ASKED_FOR)
def test_each_bug_that_was_asked_for_is_planted(bug: str) -> None:
    assert any(bug in name for name in planted())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_to_the_code_as_it_is_and_is_taken_back(mutant: Mutant) -> None:
    before = mutant.function().__code__
    with mutant.applied():
        assert mutant.function().__code__ is not before
    assert mutant.function().__code__ is before


def test_a_mutant_that_no_longer_applies_or_changes_nothing_is_an_error() -> None:
    where = "ontology_assets.events.log:EventLog._made"
    with pytest.raises(MutantStale, match="0 times"):
        Mutant("gone", where, "no such text", "pass").code()
    with pytest.raises(MutantStale, match="changes nothing"):
        Mutant("idle", where, "self._clock()", "(self._clock())").code()


def test_the_same_seed_gives_the_same_trace_byte_for_byte() -> None:
    for seed in (1, 7, 23):
        assert run_seed(seed).trace == run_seed(seed).trace


def test_the_trace_depends_on_nothing_but_the_seed() -> None:
    """Another process, another hash seed, another time zone."""
    script = "import sys; from tests.simulator.run import run_seed; sys.stdout.write(run_seed(5).trace)"
    traces = set()
    for number, zone in (("1", "UTC"), ("2", "Asia/Seoul")):
        environment = {"PYTHONHASHSEED": number, "TZ": zone, "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        traces.add(done.stdout)
    assert len(traces) == 1
    assert traces.pop().count("\n") > LEAST_STEPS


def test_a_failure_tells_its_seed_its_last_steps_and_how_to_see_it_again() -> None:
    mutant = next(one for one in MUTANTS if one.name == "messages and position in two transactions")
    with mutant.applied():
        run = next(run for run in map(run_seed, range(20)) if not run.ok)
        again = run_seed(run.seed)

    assert again.report() == run.report()
    assert f"spice simulate --seed {run.seed}" in run.report()
    assert "commit topic" in run.report()


def test_every_named_point_and_kind_has_a_meaning() -> None:
    assert len(CRASH_POINTS) == len(set(CRASH_POINTS)) >= 30
    assert all(KINDS.values())
