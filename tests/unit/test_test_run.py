"""The closing lines of `make test`: counts of all groups, and never a success that is none."""

from pathlib import Path

from tests.run import Group, Result, read_report, summary

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
