"""The closing lines of `make test`: counts of all groups, and never a success that is none."""

import sys
import time
from pathlib import Path

from tests.run import OUT_OF_TIME, Group, Result, by_folder, ended_in_time, read_report, summary

GROUP = Group("one", ("unit",), 10)
REPORT = """<testsuites><testsuite>
<testcase classname="a" name="x" time="1.5"/>
<testcase classname="a" name="y" time="0.1"><failure/></testcase>
<testcase classname="a" name="z" time="0"><skipped/></testcase>
</testsuite></testsuites>"""


def test_counts_and_times_come_from_the_report(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(REPORT)
    result = read_report(GROUP, tmp_path / "r.xml", 2.0, 1)
    assert (result.passed, result.failed, result.skipped) == (1, 1, 1)
    assert result.tests[0] == (1.5, "a::x")


def test_a_group_that_died_counts_as_failed(tmp_path: Path) -> None:
    assert read_report(GROUP, tmp_path / "missing.xml", 2.0, -9).failed == 1
    (tmp_path / "r.xml").write_text("<testsuites><testsuite/></testsuites>")
    assert read_report(GROUP, tmp_path / "r.xml", 2.0, 3).failed == 1


def test_the_last_line_is_the_plain_closing_line_of_all_groups() -> None:
    fast = Result(GROUP, 1.0, 0, 3, 0, 0, [(0.5, "a")])
    slow = Result(Group("two", ("kills",), 1), 5.0, 0, 2, 0, 1, [(4.0, "b")])
    lines = summary([fast, slow])
    assert lines[-1] == "5 passed, 0 failed, 1 skipped"
    assert summary([fast])[-1] == "3 passed, 0 failed"
    assert any("two" in line and "OVER ITS BUDGET" in line for line in lines)
    assert lines.index("     4.00 s  b") < lines.index("     0.50 s  a")


def test_seconds_are_summed_by_folder() -> None:
    tests = [
        (1.0, "tests.unit.events.test_a::test_b"),
        (2.5, "tests.kills.test_c::test_d"),
        (0.5, "tests.unit.test_e::f"),
    ]
    assert by_folder(tests) == {"kills": (2.5, 1), "unit": (1.5, 2)}


def test_a_group_that_hangs_is_interrupted_and_has_failed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code = (
        "import time, pathlib, sys\n"
        "try:\n    time.sleep(600)\n"
        f"except KeyboardInterrupt:\n    pathlib.Path({str(kept)!r}).write_text('what was found')"
    )
    assert ended_in_time([sys.executable, "-c", code], time.monotonic() + 3) == OUT_OF_TIME
    assert kept.read_text() == "what was found"
    assert ended_in_time([sys.executable, "-c", "raise SystemExit(3)"], time.monotonic() + 60) == 3
    assert ended_in_time([sys.executable, "-c", ""], float("inf")) == 0
