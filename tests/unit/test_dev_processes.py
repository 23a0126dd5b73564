"""Supervised processes: restarts with pauses, logs set aside, and a family that is found and ended."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from gateway.dev_processes import LOG_BYTES, MARK, Child, end_family, family, rotate


def test_a_process_that_dies_quickly_again_and_again_is_given_up(tmp_path: Path) -> None:
    child = Child("x", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], tmp_path / "x.log")
    pauses = []
    for _ in range(2):
        child.start(dict(os.environ), tmp_path)
        assert child.process is not None
        child.process.wait(10)
        assert child.died()
        now = time.monotonic()
        assert child.after_death(now)
        pauses.append(child.retry_at - now)
    child.start(dict(os.environ), tmp_path)
    assert child.process is not None
    child.process.wait(10)
    assert not child.after_death(time.monotonic())
    assert pauses[1] > pauses[0]
    assert "the reason" in child.tail()


def test_a_process_that_lived_long_starts_counting_anew(tmp_path: Path) -> None:
    child = Child("x", [], tmp_path / "x.log", started=0.0, attempts=2)
    assert child.after_death(now=1000.0)
    assert child.attempts == 1


def test_large_logs_are_set_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for number in range(6):
        log.write_bytes(str(number).encode() * LOG_BYTES)
        rotate(log)
    assert not log.exists()
    kept = {path.name: path.read_bytes()[:1] for path in tmp_path.iterdir()}
    assert kept == {"x.log.1": b"5", "x.log.2": b"4", "x.log.3": b"3"}
    log.write_bytes(b"small")
    rotate(log)
    assert log.read_bytes() == b"small"


def test_the_whole_family_ends_also_orphans_and_those_that_ignore_the_request() -> None:
    dev_id = uuid.uuid4().hex
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE, "
        "start_new_session=True); child.stdout.readline()"
    )
    env = {**os.environ, MARK: dev_id}
    subprocess.run([sys.executable, "-c", parent, stubborn], env=env, check=True)  # leaves an orphan
    polite = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=env)
    members = family(dev_id)
    assert len(members) == 2
    killed = end_family(dev_id, 1.0)
    assert [process.pid for process in members if process.pid != polite.pid] == killed
    assert family(dev_id) == []
    assert polite.wait(5) == -15
