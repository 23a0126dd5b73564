"""A commit of two tables to a branch, and their promotion, killed at every step that they take on the disk: a branch
shows both tables or neither, main ends with both or neither, and what is asked for again is done once.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources.lake.base import Lake
from resources.lake.local import LocalLake
from tests.kills.branching_process import NEW, commit, write
from tests.kills.killing import ROOT

OLD = "1" * 64
Killed = Callable[[str, Path, int], int]


@pytest.fixture(scope="module")
def process() -> Iterator[Killed]:
    command = [sys.executable, "-m", "tests.kills.branching_process"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        asked, answered = running.stdin, running.stdout

        def killed(do: str, root: Path, step: int) -> int:
            asked.write(json.dumps({"do": do, "root": str(root), "step": step}) + "\n")
            asked.flush()
            return int(answered.readline())

        yield killed
        asked.close()


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("branches") / "lake"
    lake = LocalLake(root)
    write(lake, "t", OLD, "old")
    write(lake, "u", OLD, "old")
    lake.branches.create("try")
    return root


@pytest.fixture(scope="module")
def built(forked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copied(forked, tmp_path_factory.mktemp("built") / "lake")
    commit(LocalLake(root))
    return root


def copied(root: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(root, to)
    return to


def shown(lake: Lake) -> tuple[list[str], list[str]]:
    t, u = (lake.scan(table)["value"].to_pylist() for table in ("t", "u"))
    return t, u


LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
NEXT = ("promotion", "writer", "fork")
BEFORE, AFTER = (["old"], ["old"]), (["new"], ["new"])


def test_a_commit_to_a_branch_is_there_whole_or_not_at_all(process: Killed, forked: Path, tmp_path: Path) -> None:
    seen, step = [], 1
    while process("commit", copied(forked, tmp_path / "lake"), step) != 0:
        lake = LocalLake(tmp_path / "lake")
        seen.append(shown(lake.branches.at("try")))
        assert shown(lake) == BEFORE
        commit(lake)
        assert shown(lake.branches.at("try")) == AFTER
        lake.branches.sweep(older_than_seconds=-1)
        assert shown(lake.branches.at("try")) == AFTER
        step += 1
    # Before the link of the one record nothing is there, from it on everything.
    assert seen == [BEFORE] * (len(seen) - 1) + [AFTER]
    assert len(seen) == 2 * (2 + 1 + 1)  # before and after: two Delta commits, a temp file, a link


def test_a_promotion_that_is_killed_leaves_main_as_it_was_or_is_completed(
    process: Killed, built: Path, tmp_path: Path
) -> None:
    """By whoever comes next: the same promotion, a writer of main, or who makes a branch of it. They take turns; with
    SPICE_LONG_TESTS each of them comes after each kill."""
    ends, step, status = [], 0, -9
    while status != 0:
        step += 1
        for next_one in NEXT if LONG else (NEXT[step % 3],):
            status = process("promote", copied(built, tmp_path / "lake"), step)
            if status != 0:
                ends.append(ended(LocalLake(tmp_path / "lake"), next_one))
    assert step > 12
    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == (False, True)


def ended(lake: LocalLake, next_one: str) -> bool:
    """Whether the promotion had begun, and so is completed."""
    begun = lake.branches.under_way() is not None or shown(lake) == AFTER
    if next_one == "writer":
        write(lake, "other", OLD, "x")
    elif next_one == "fork":
        lake.branches.create("later")
        assert shown(lake.branches.at("later")) == (AFTER if begun else BEFORE)
    else:
        assert lake.branches.promote("try").already is begun
    assert lake.branches.under_way() is None
    if next_one != "promotion":
        assert shown(lake) == (AFTER if begun else BEFORE)
    done = lake.branches.promote("try")
    assert (done.tables, done.already) == ({"t": ("a",), "u": ("a",)}, begun or next_one == "promotion")
    assert shown(lake) == AFTER
    assert {table: dict(lake.versions(table)) for table in ("t", "u")} == {"t": {"a": NEW}, "u": {"a": NEW}}
    assert [lake.state(table).number for table in ("t", "u")] == [1, 1]
    return begun


def test_a_reader_of_a_branch_is_not_disturbed_by_a_promotion_under_way(
    process: Killed, built: Path, tmp_path: Path
) -> None:
    assert process("promote", copied(built, tmp_path / "lake"), 8) == -9
    lake = LocalLake(tmp_path / "lake")
    assert lake.branches.under_way() is not None
    assert shown(lake.branches.at("try")) == AFTER
    assert lake.prune("t", older_than_seconds=-1) >= 0
    lake.branches.settle()
    assert shown(lake) == AFTER
