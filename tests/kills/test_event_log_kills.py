"""Writers of the event log killed for real, at named points and at random moments, alone and in a race of eight.

The evidence is the log, never an exit status: nothing acknowledged is lost, nothing is there twice, the chain holds.
"""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ontology_assets.events.sealing import seal
from ontology_assets.events.verify import verify
from resources.lake.local import LocalLake
from tests.kills.event_log_process import BULK_EVERY, BULK_ROWS, POINTS, SEAL_POINTS
from tests.unit.events.making import DOMAIN, everything, open_log

ROOT = Path(__file__).resolve().parents[2]
SEED = 20130101
PIECES = 12
RACERS = 8
RACE_PIECES = 6


def writer(root: Path, name: str = "w", count: int = PIECES, point: str = "", hit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.kills.event_log_process", str(root), name, str(count)]
    return subprocess.Popen(
        [*command, *([point, str(hit)] if point else [])], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, set[str]]:
    """Exit status, and what was acknowledged."""
    out, _ = process.communicate(timeout=60)
    return process.returncode, set(out.split())


def check(root: Path, done: dict[str, set[str]], count: int | None) -> None:
    """Everything acknowledged is there; with `count` exactly that many pieces of each writer are there, once."""
    log, heads = open_log(root)
    report = verify(log, heads)
    assert report.ok, [check for check in report.checks if not check.ok]
    found = everything(log)
    assert [row["position"] for row in found] == list(range(1, len(found) + 1))
    markers = Counter(row["event_id"] for row in found if row["aggregate_type"] == "Marker")
    assert set(markers.values()) <= {1}
    assert {f"{name}-{i}" for name, acked in done.items() for i in acked if i.isdigit()} <= set(markers)
    increments = [row["sequence_number"] for row in found if row["aggregate_type"] == "Counter"]
    assert increments == list(range(1, len(markers) + 1))
    objects = Counter(row["aggregate_id"].rsplit("/", 1)[0] for row in found if row["aggregate_type"] == "Ship")
    with_objects = {name for name in markers if int(name.rsplit("-", 1)[1]) % BULK_EVERY == 0}
    assert objects == dict.fromkeys(with_objects, BULK_ROWS)  # all of a batch or nothing of it
    if count is not None:
        assert set(markers) == {f"{name}-{i}" for name in done for i in range(count)}


@pytest.mark.parametrize(("point", "hit"), [(point, 1 + i % 3) for i, point in enumerate(POINTS)])
def test_a_writer_killed_at_a_named_point_is_completed_by_the_next(tmp_path: Path, point: str, hit: int) -> None:
    status, acked = ended(writer(tmp_path, point=point, hit=hit))
    assert status == -signal.SIGKILL
    assert len(acked) < PIECES
    check(tmp_path, {"w": acked}, None)

    began = time.monotonic()
    status, acked = ended(writer(tmp_path))
    assert time.monotonic() - began < 20
    assert (status, len(acked)) == (0, PIECES)
    check(tmp_path, {"w": acked}, PIECES)


def test_a_writer_killed_at_random_moments_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance, count, acked, kills = random.Random(SEED), 150, set[str](), 0
    while len(acked) < count:
        process = writer(tmp_path, count=count)
        assert process.stdout is not None
        # It is at work when it prints something new; from then on any moment may be the last.
        while (line := process.stdout.readline()) and line.strip() in acked:
            pass
        acked.add(line.strip())
        time.sleep(chance.uniform(0.0, 0.25))
        process.kill()
        _, rest = ended(process)
        acked = (acked | rest) - {""}
        kills += 1
        check(tmp_path, {"w": acked}, None)
    check(tmp_path, {"w": acked}, count)
    print(f"{kills} kills")


def test_eight_processes_in_a_race_some_killed_and_started_again(tmp_path: Path) -> None:
    chance, names = random.Random(SEED), [f"w{i}" for i in range(RACERS)]
    processes = {name: writer(tmp_path, name, RACE_PIECES) for name in names}
    time.sleep(1.0)
    done = dict[str, set[str]]()
    for name in chance.sample(names, 3):
        time.sleep(chance.uniform(0.0, 0.3))
        processes[name].kill()
        _, done[name] = ended(processes[name])
        processes[name] = writer(tmp_path, name, RACE_PIECES)
    for name, process in processes.items():
        status, acked = ended(process)
        assert (status, len(acked)) == (0, RACE_PIECES)
        done[name] = done.get(name, set()) | acked
    check(tmp_path, done, RACE_PIECES)


@pytest.mark.parametrize("point", SEAL_POINTS)
def test_a_killed_sealing_is_completed_once(tmp_path: Path, point: str) -> None:
    status, acked = ended(writer(tmp_path, point=point, hit=1))
    assert status == -signal.SIGKILL
    assert "sealed" not in acked
    log, heads = open_log(tmp_path)
    lake = LocalLake(tmp_path / "lake")
    report = seal(log, lake, DOMAIN)
    assert report.appended == (report.position if point == SEAL_POINTS[0] else 0)
    assert lake.scan(f"events/{DOMAIN}").sort_by("position")["position"].to_pylist() == list(
        range(1, report.position + 1)
    )
    assert verify(log, heads, lake).ok
