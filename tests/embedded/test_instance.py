"""The home's Dagster instance: its settings hold, it can be copied, and nothing is written outside the home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from resources.home import Home
from resources.instance import ensure_instance, open_instance

RUN_A_JOB = """
import sys
from pathlib import Path
import dagster as dg
from resources.home import Home
from resources.instance import open_instance

@dg.asset
def greeting() -> dg.MaterializeResult:
    print("said aloud")
    return dg.MaterializeResult(metadata={"n": 1})

with open_instance(Home(Path(sys.argv[1]))) as instance:
    assert dg.materialize([greeting], instance=instance).success
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def start(home: Home, code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(home.root)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), **environment},
        cwd=home.root.parent,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_settings_hold(home: Home) -> None:
    with open_instance(home) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 300
        assert not instance.run_retries_enabled
        assert not instance.run_retries_max_retries
        assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
        assert instance.get_settings("freshness") == {"enabled": True}
        assert instance.get_settings("sensors")["use_threads"] is True
        assert isinstance(instance.run_launcher, dg.DefaultRunLauncher)
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        sensor_ticks = instance.get_tick_retention_settings(dg._core.definitions.run_request.InstigatorType.SENSOR)
        assert {status.value: days for status, days in sensor_ticks.items()} == {
            "STARTED": 1,
            "SKIPPED": 1,
            "SUCCESS": 1,
            "FAILURE": 7,
        }


def test_two_backfill_runs_at_a_time_and_a_follower_beside_them(home: Home) -> None:
    from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig
    from dagster._core.utils import make_new_run_id
    from dagster._utils.tags import TagConcurrencyLimitsCounter

    def run(tags: dict[str, str]) -> dg.DagsterRun:
        return dg.DagsterRun(job_name="any", run_id=make_new_run_id(), tags=tags)

    with open_instance(home) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert isinstance(queue, RunQueueConfig)
        backfill = [run({"dagster/backfill": name}) for name in ("a", "b", "c")]
        counter = TagConcurrencyLimitsCounter(queue.tag_concurrency_limits, backfill[:1])
        assert not counter.is_blocked(backfill[1])
        counter.update_counters_with_launched_item(backfill[1])
        assert counter.is_blocked(backfill[2])
        assert not counter.is_blocked(run({"spice/follower": "topic"}))
        assert queue.max_concurrent_runs >= 20


def test_settings_are_written_once_and_put_right_when_changed(home: Home) -> None:
    file = ensure_instance(home) / "dagster.yaml"
    text, written = file.read_text(), file.stat().st_mtime_ns
    ensure_instance(home)
    assert file.stat().st_mtime_ns == written
    file.write_text("telemetry: {enabled: true}\n")
    ensure_instance(home)
    assert file.read_text() == text
    assert str(home.root) not in text


def test_environment_is_set_while_open_and_as_before_afterwards(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    with open_instance(home):
        assert os.environ["DAGSTER_HOME"] == str(home.dagster)
        assert int(os.environ["DAGSTER_EVENT_BATCH_SIZE"]) > 0
    assert os.environ["DAGSTER_HOME"] == "/elsewhere"
    assert "DAGSTER_EVENT_BATCH_SIZE" not in os.environ


def test_a_run_writes_nothing_outside_the_home_and_its_output_is_kept_there(home: Home, tmp_path: Path) -> None:
    someone = tmp_path / "someone"
    someone.mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = start(home, RUN_A_JOB, HOME=str(someone), TMPDIR=str(scratch))
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert list(someone.iterdir()) == []
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "scratch", "someone"]
    assert any("said aloud" in path.read_text() for path in home.dagster.rglob("*.out"))


def test_a_copied_home_is_a_home_of_its_own(home: Home, tmp_path: Path) -> None:
    with open_instance(home) as instance:
        assert dg.materialize([greeting], instance=instance).success
    copy = Home(tmp_path / "copy")
    shutil.copytree(home.root, copy.root, symlinks=True)
    shutil.rmtree(home.root)
    with open_instance(copy) as instance:
        assert len(instance.get_runs()) == 1
        assert dg.materialize([greeting], instance=instance).success
        assert len(instance.fetch_materializations(greeting.key, limit=10).records) == 2
    assert not home.root.exists()


def test_processes_that_open_a_new_home_at_once_all_succeed(home: Home) -> None:
    running = [start(home, RUN_A_JOB) for _ in range(4)]
    outcomes = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], outcomes
    with open_instance(home) as instance:
        assert len(instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))) == 4


def test_looking_whether_an_instance_is_there_does_not_load_dagster(home: Home) -> None:
    ensure_instance(home)
    code = "import sys; from pathlib import Path; from resources.home import Home; from resources.instance import *\n"
    code += "ensure_instance(Home(Path(sys.argv[1]))); assert 'dagster' not in sys.modules"
    process = start(home, code)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


@dg.asset
def greeting() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"n": 1})
