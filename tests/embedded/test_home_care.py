"""Disk by part, reset and prune on a home with a real Dagster instance; a copied home works."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from gateway.home_care import disk, prune, reset, reset_plan
from gateway.home_format import check_format
from resources.errors import SpiceError
from resources.home import Home
from resources.instance import open_instance
from resources.locks import exclusive


@dg.asset
def table() -> None:
    pass


@dg.op
def look(context: dg.OpExecutionContext) -> None:
    context.log.info("nothing to do")


@dg.job(executor_def=dg.in_process_executor)
def follow() -> None:
    look()


@dg.job(executor_def=dg.in_process_executor)
def fail() -> None:
    @dg.op
    def broken() -> None:
        raise ValueError("broken")

    broken()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    check_format(home)
    for folder, size in ((home.lake, 400_000), (home.objects / "log", 200_000), (home.sources, 100_000)):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * size)
    home.topic.write_bytes(b"x" * 50_000)
    home.topic.with_name("topic.sqlite-wal").write_bytes(b"x" * 50_000)
    return home


def test_disk_is_told_by_part_the_largest_first(home: Home) -> None:
    parts = disk(home)
    assert [part.name for part in parts[:4]] == ["lake", "log", "topic", "sources (yours)"]
    by_name = {part.name: part for part in parts}
    assert by_name["lake"].bytes == pytest.approx(400_000, abs=4096)
    assert by_name["topic"].files == 2
    assert by_name["topic"].paths == ("topic.sqlite", "topic.sqlite-wal")


def test_a_file_with_two_names_counts_once(home: Home) -> None:
    (home.lake / "again").hardlink_to(home.lake / "file")
    assert disk(home)[0].bytes == pytest.approx(400_000, abs=4096)


def test_a_home_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert disk(Home(tmp_path / "none")) == []


def test_reset_removes_what_it_announced_and_keeps_the_sources(home: Home) -> None:
    (home.root / "mine.txt").write_text("mine")
    plan = reset_plan(home)
    assert plan.kept == ["mine.txt", "sources"]
    assert plan.bytes == pytest.approx(700_000, abs=5 * 4096)
    assert reset(home) == plan
    assert sorted(path.name for path in home.root.iterdir()) == ["locks", "mine.txt", "sources"]
    assert (home.sources / "file").exists()


def test_a_folder_that_is_no_home_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    with pytest.raises(SpiceError, match="stays untouched"):
        reset(Home(tmp_path))
    assert (tmp_path / "lake").exists()


def test_a_served_home_is_not_reset(home: Home) -> None:
    with exclusive(home.locks, "dev", holder="spice dev"), pytest.raises(SpiceError, match="spice dev"):
        reset(home)
    assert home.lake.exists()


def test_a_home_that_a_run_writes_into_is_not_reset(home: Home) -> None:
    with exclusive(home.locks, "lake/clean", holder="run 7"), pytest.raises(SpiceError, match="run 7"):
        reset(home)
    assert home.lake.exists()


def test_prune_deletes_old_runs_that_made_nothing_and_keeps_the_rest(home: Home) -> None:
    with open_instance(home) as instance:
        made = dg.materialize([table], instance=instance).run_id
        followed = follow.execute_in_process(instance=instance).run_id
        failed = fail.execute_in_process(instance=instance, raise_on_error=False).run_id
    assert prune(home, days=1).runs == 0
    later = datetime.now(tz=UTC) + timedelta(days=2)
    done = prune(home, days=1, now=later)
    assert (done.runs, done.runs_kept) == (2, 1)
    with open_instance(home) as instance:
        assert [run.run_id for run in instance.get_runs()] == [made]
        assert instance.get_latest_materialization_event(dg.AssetKey("table")) is not None
    left = [path.name for path in home.dagster.rglob("*") if followed in path.name or failed in path.name]
    assert left == []


def test_a_copied_home_works_and_names_no_former_place(home: Home, tmp_path: Path) -> None:
    with open_instance(home) as instance:
        run_id = dg.materialize([table], instance=instance).run_id
    copy = Home(tmp_path / "elsewhere")
    shutil.copytree(home.root, copy.root, symlinks=True)
    shutil.rmtree(home.root)
    assert str(home.root) not in (copy.dagster / "dagster.yaml").read_text()
    with open_instance(copy) as instance:
        assert instance.get_run_by_id(run_id) is not None
        assert dg.materialize([table], instance=instance).success
    assert not home.root.exists()
