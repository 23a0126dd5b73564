"""Several commands on one home at once: one waits and says for whom, or both go on; no event is there twice."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway.demo.correction import correct
from gateway.demo.questions import demo_of
from gateway.domains import domain_folders
from gateway.readers import open_readers
from orchestration.components.domain import declared_domains
from resources.home import Home
from resources.instance import open_instance
from resources.locks import exclusive
from tests.bakery import NAME, Workshop, assert_same, assert_whole, contents, workshop
from tests.conftest import Spice


def start(spice: Spice, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli.main", *arguments],
        cwd=spice.project,
        env={**os.environ, "SPICE_HOME": str(spice.home), "PYTHONPATH": str(spice.project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop(tmp_path_factory.mktemp("project"), rules=False)


def test_runs_at_once_on_a_new_home_bring_every_event_once(shop: Workshop, tmp_path: Path) -> None:
    alone, shared = shop.spice(tmp_path / "alone"), shop.spice(tmp_path / "shared")
    with exclusive(Home(shared.home).locks, "raw/shops", holder="the start line"):
        running = [start(shared, "run") for _ in range(3)]
        for process in running:  # however loaded the machine is, all three are at work when the line opens
            said_that_it_waits(process)
    outputs = [process.communicate(timeout=180) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    with open_instance(Home(shared.home)) as instance:  # nobody took a run that lives for a dead one
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS"] * 3
    alone.run("run")
    assert_same(contents(shop.readers(shared.home)), contents(shop.readers(alone.home)))
    assert_whole(shop.readers(shared.home), tmp_path / "scratch")
    assert any("being written by run" in errors for _, errors in outputs), outputs


def said_that_it_waits(process: subprocess.Popen[str]) -> str:
    """The line in which a run says so; it ends a run that never does."""
    assert process.stderr is not None
    said = []
    while "waiting" not in (line := process.stderr.readline()):
        assert line, said
        said.append(line)
    return line


def test_a_run_waits_for_the_writer_of_a_table_and_names_it(shop: Workshop, tmp_path: Path) -> None:
    spice = shop.spice(tmp_path / "home")
    locks = Home(spice.home).locks
    with exclusive(locks, "clean/sales", holder="somebody else"):
        running = start(spice, "run")
        assert (
            said_that_it_waits(running)
            == f"clean/sales is being written by somebody else (process {os.getpid()}); waiting.\n"
        )
        time.sleep(0.5)
        assert running.poll() is None
        heads = shop.readers(spice.home).heads(NAME)
        heads.catch_up()
        assert heads.asset_versions("clean/sales") == {}
    assert running.wait(timeout=60) == 0
    running.communicate()
    assert_whole(shop.readers(spice.home), tmp_path / "scratch")


def test_a_demo_and_a_run_at_once_bring_a_correction_once(demo_copy: Spice) -> None:
    domain = next(one for one in declared_domains() if demo_of(domain_folders()[one.name]).get("correction"))
    spec = demo_of(domain_folders()[domain.name])["correction"]
    home = Home(demo_copy.home)
    readers = open_readers(home, [domain])
    before = readers.log(domain.name).end().position
    done = correct(home, spec["dataset"], domain.datasets[spec["dataset"]], spec)
    running = [
        start(demo_copy, "demo", "--no-correction"),
        start(demo_copy, "run", "--domain", domain.name, "--partitions", done.partition),
    ]
    outputs = [process.communicate(timeout=400) for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    readers = open_readers(home, [domain])
    events = Counter(
        row["event_type"]
        for batch in readers.log(domain.name).events(after_position=before)
        for row in batch.to_pylist()
        if row["aggregate_type"] != "Asset"
    )
    assert events == {"ObjectUpdated": 1, "ObjectDeleted": 1, "ObjectCreated": 1}
    assert readers.verify(domain.name).ok
    assert {name: one["lag"] for name, one in readers.status(domain.name).items()} == {
        "topic": 0,
        "search": 0,
        "graph": 0,
    }
