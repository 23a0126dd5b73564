"""`spice run` and `spice demo` killed as a whole process group at random moments; the next run completes the work.

Some are interrupted (Ctrl-C) or terminated instead, which is worse in its way: then cleaning up begins anywhere. What is there then must be what a run that was never killed leaves: the same events with the same ids, the same tables,
answers and digests; no run stays STARTED.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dagster import DagsterRunStatus

from gateway.readers import Readers, open_readers
from orchestration.components.domain import declared_domains
from resources.home import PROJECT_ROOT, Home
from resources.instance import open_instance
from tests.bakery import (
    TIED_TO_POSITIONS,
    UNFINISHED,
    RunServer,
    Workshop,
    assert_same,
    assert_whole,
    contents,
    workshop,
)
from tests.conftest import Spice
from tests.kills.test_crash_points import correct

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
SEED = int(os.environ.get("SPICE_KILL_SEED", "20130101"))
HOMES = 16 if LONG else 2
"""Of the bakery; each is ended three times: 6 random moments in `make test`, 48 (and 20 of the year) in `make test-long`."""
YEAR_KILLS = 20 if LONG else 1
KILLS_A_HOME = 4
"""Of the year at most, before it is completed and looked at."""


@dataclass
class Victim:
    """A command in a process group of its own, in a home."""

    spice: Spice
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli.main", *self.arguments],
                cwd=self.spice.project,
                env={**os.environ, "SPICE_HOME": str(self.spice.home), "PYTHONPATH": str(self.spice.project)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> Path:
        """Beside the home: a foreign file in it would be refused."""
        return self.spice.home.with_suffix(".log")

    def at_work(self) -> bool:
        """The run is created, or about to be."""
        return any((self.spice.home / "locks").glob("run.*.lock"))

    def wait(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGKILL) -> bool:
        """A signal to the whole group (SIGTERM: to the command alone); whether it was still there."""
        alive = self.process.poll() is None
        if alive and number == signal.SIGTERM:
            self.process.terminate()
        elif alive:
            os.killpg(self.process.pid, number)
        self.process.wait(timeout=60)
        return alive


def ended_at_random(
    spice: Spice, chance: random.Random, arguments: tuple[str, ...], seconds: float, number: signal.Signals
) -> bool:
    """Ended at a random moment of the `seconds` of work, or of what goes before it; whether it hit."""
    for lock in (spice.home / "locks").glob("run.*.lock"):
        lock.unlink()  # of a killed run: else it would look as if this one were at work already
    victim = Victim(spice, arguments)
    if chance.random() < 0.8:  # most of a small command's time is the start of Python
        victim.wait(victim.at_work)
    time.sleep(chance.uniform(0.0, seconds))
    return victim.end(number)


@dataclass(frozen=True)
class Reference:
    """What a home holds that was never killed: after a run, and after a correction; seconds that the work took."""

    first: dict[str, Any]
    corrected: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop(tmp_path_factory.mktemp("project"), rules=False)


@pytest.fixture(scope="module")
def reference(shop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    spice = shop.spice(tmp_path_factory.mktemp("plain"))
    victim = Victim(spice, ("run",))
    victim.wait(victim.at_work)
    began = time.monotonic()
    assert victim.process.wait() == 0
    seconds = time.monotonic() - began
    first = contents(shop.readers(spice.home))
    correct(spice.home)
    spice.run("run")
    return Reference(first, contents(shop.readers(spice.home)), seconds)


def killed_and_completed(shop: Workshop, server: RunServer, home: Path, reference: Reference, seed: int) -> int:
    """Two ends of the first run, one of a correction, each time completed and compared; how many hit."""
    chance, spice = random.Random(seed), shop.spice(home)
    kill, other = signal.SIGKILL, (signal.SIGINT, signal.SIGTERM)[seed % 2]
    hits = sum(ended_at_random(spice, chance, ("run",), reference.seconds, number) for number in (kill, other))
    assert server.run(home).status == 0
    assert_same(contents(shop.follow(home)), reference.first)
    correct(home)
    hits += ended_at_random(spice, chance, ("run",), reference.seconds, kill)
    spice.run("run")
    assert_same(contents(shop.readers(home)), reference.corrected)
    assert_whole(shop.readers(home), home / "scratch")
    return hits


def test_a_run_killed_at_random_moments_is_completed_by_the_next(
    shop: Workshop, reference: Reference, tmp_path: Path
) -> None:
    server = RunServer(shop.project, rules=False)
    with ThreadPoolExecutor(max_workers=2) as pool:  # two homes at a time: one for each core
        homes = [
            pool.submit(killed_and_completed, shop, server, tmp_path / str(n), reference, SEED + n)
            for n in range(HOMES)
        ]
        hits = [home.result() for home in homes]
    server.close()
    assert sum(hits) >= 2 * HOMES, f"only {sum(hits)} of {3 * HOMES} signals came in time"
    spice = shop.spice(tmp_path / "0")
    assert spice.run("events", "verify").returncode == 0
    assert spice.json("run")["events"] == 0


@pytest.mark.parametrize("ended_by", ["run", "dev"])
def test_a_killed_run_does_not_stay_started(shop: Workshop, tmp_path: Path, ended_by: str) -> None:
    home = tmp_path / "home"
    spice = shop.spice(home)
    victim = Victim(spice, ("run",))
    victim.wait((home / "lake" / "raw" / "sales" / "_delta_log").exists)
    assert victim.end()
    with open_instance(Home(home)) as instance:
        (killed,) = instance.get_runs()
        assert killed.status == DagsterRunStatus.STARTED
    if ended_by == "run":
        assert f"run {killed.run_id} had lost its process" in spice.run("run").stderr
    else:  # what `spice dev` calls when it starts
        command = [sys.executable, "-m", "gateway.dev_runs", "settle"]
        environment = {**os.environ, "SPICE_HOME": str(home), "PYTHONPATH": str(shop.project)}
        subprocess.run(command, cwd=shop.project, env=environment, check=True)
    with open_instance(Home(home)) as instance:
        assert instance.get_run_by_id(killed.run_id).status == DagsterRunStatus.FAILURE
        assert not (home / "locks" / f"run.{killed.run_id}.lock").exists()


def test_an_interrupted_run_ends_with_its_command(shop: Workshop, tmp_path: Path) -> None:
    home = tmp_path / "home"
    spice = shop.spice(home)
    victim = Victim(spice, ("run",))
    victim.wait((home / "lake" / "raw" / "sales" / "_delta_log").exists)
    os.killpg(victim.process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
    # Within seconds; had it to be killed, after 20, its run would still be STARTED below.
    assert victim.process.wait(timeout=60) == 130, victim.log.read_text()
    assert "Traceback" not in victim.log.read_text()
    with open_instance(Home(home)) as instance:
        assert [run.status for run in instance.get_runs() if run.status in UNFINISHED] == []
    spice.run("run")


def year(home: Path) -> Readers:
    return open_readers(Home(home), declared_domains())


def history(readers: Readers) -> tuple[int, str]:
    """Events that do not depend on positions: how many, and a hash over their ids and states, in order of the ids."""
    names = ["event_id", "state_hash", "sequence_number"]
    parts = []
    for batch in readers.log(readers.domains[0].name).events():
        rows = pa.Table.from_batches([batch])
        parts.append(
            rows.filter(pc.invert(pc.is_in(rows["event_type"], pa.array(sorted(TIED_TO_POSITIONS))))).select(names)
        )
    rows = pa.concat_tables(parts).sort_by("event_id")
    text = "\n".join(f"{a} {b} {c}" for a, b, c in zip(*(rows[name].to_pylist() for name in names), strict=True))
    return rows.num_rows, hashlib.sha256(text.encode()).hexdigest()


def test_the_demo_killed_at_random_moments_of_the_year_is_completed(demo: Spice, tmp_path: Path) -> None:
    chance, wanted = random.Random(SEED), history(year(demo.home))
    counts = year(demo.home).queries.counts()
    left, number = YEAR_KILLS, 0
    while left:
        home = tmp_path / str(number)
        home.mkdir()
        spice = Spice(home, PROJECT_ROOT)
        for _ in range(min(left, KILLS_A_HOME)):
            ended_at_random(spice, chance, ("demo", "--no-correction"), 60.0 if LONG else 20.0, signal.SIGKILL)
        left, number = left - min(left, KILLS_A_HOME), number + 1
        spice.run("demo", "--no-correction")
        readers = year(home)
        assert readers.queries.counts() == counts
        assert history(readers) == wanted
        assert spice.run("events", "verify").returncode == 0
        for sink in readers.sinks(readers.domains[0].name)[1:]:
            proof = sink.proof()
            assert (proof.kept, proof.position) == (
                proof.recomputed,
                readers.log(readers.domains[0].name).end().position,
            )
        with open_instance(Home(home)) as instance:
            assert [run.run_id for run in instance.get_runs() if run.status in UNFINISHED] == []
