"""Rules on the past compare with what was approved, and with nothing else; verdicts name the partitions that fail."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from resources.approvals.sql import SqliteApprovals
from resources.lake.local import LocalLake
from transforms.checking import judge
from transforms.gating import NotApproved, TableRules, judged, past_of, require_approved
from transforms.outcomes import CheckOutcome
from transforms.rule_definitions import Expectation

DAYS = [f"2024-01-0{n}" for n in range(1, 6)]


class Table:
    """A table whose versions are judged one after the other, as the check step does."""

    def __init__(self, folder: Path, *rules: dict[str, Any]) -> None:
        self.lake, self.approvals = LocalLake(folder / "lake"), SqliteApprovals(folder / "registry.sqlite")
        self.rules = TableRules("clean/t", None, [Expectation.model_validate(one) for one in rules])
        self.made = 0

    def put(self, values: dict[str, list[Any]]) -> list[CheckOutcome]:
        """New versions of these partitions, and what the rules say of them."""
        self.made += 1
        rows = [(value, day) for day, several in values.items() for value in several]
        table = pa.table(
            {
                "x": pa.array([value for value, _ in rows], pa.int64()),
                "_partition": pa.array([day for _, day in rows], pa.string()),
            }
        )
        versions = {day: f"{self.made} of {day}" for day in values}
        self.lake.replace("clean/t", table, versions=versions, partition_column="_partition")
        past = past_of(self.rules, self.approvals, versions)
        found = judge(self.rules, self.lake, list(values), past=past)
        self.approvals.record(judged(self.rules, versions, found.outcomes, found.profiles, "run"))
        return found.outcomes

    def refused(self) -> set[str]:
        """Partitions that a consumer may not read."""
        found = set()
        for day, version in self.lake.versions("clean/t").items():
            try:
                require_approved(self.rules, {day: version}, self.approvals)
            except NotApproved:
                found.add(day)
        return found


def test_volume_compares_with_the_median_of_the_partitions_before(tmp_path: Path) -> None:
    table = Table(tmp_path, {"rule": "volume", "against": "partitions", "min": 0.5, "max": 2, "last": 3})
    (first,) = table.put({DAYS[0]: [1]})
    assert (first.passed, first.observed) == (True, "nothing to compare with yet")
    (outcome,) = table.put({DAYS[1]: [1] * 2, DAYS[2]: [1] * 4, DAYS[3]: [1] * 9, DAYS[4]: [1] * 3})
    # Medians: of 1; of 1 and 2; of 1, 2 and 4; of 2, 4 and 9. Ratios: 2, 4 / 1.5, 9 / 2, 3 / 4.
    assert [round(row["ratio"], 2) for row in outcome.samples] == [2.67, 4.5]
    assert outcome.partitions == {DAYS[2], DAYS[3]} == table.refused()


def test_volume_compares_with_approved_versions_only(tmp_path: Path) -> None:
    table = Table(tmp_path, {"rule": "volume", "against": "versions", "min": 0.5})
    assert table.put({DAYS[0]: [1] * 10})[0].passed
    assert not table.put({DAYS[0]: [1] * 2})[0].passed, "a fifth of the rows"
    assert not table.put({DAYS[0]: [1] * 2})[0].passed, "what was refused is no measure of what comes"
    assert table.refused() == {DAYS[0]}
    assert table.put({DAYS[0]: [1] * 6})[0].passed
    assert table.refused() == set()


@pytest.mark.parametrize(
    ("measure", "limit", "before", "near", "far"),
    [
        ("mean", 1, [1, 2, 3], [2, 2, 3], [4, 4, 4]),  # deviation of before 0.82
        ("null_share", 0.25, [1, 2, 3, 4], [1, 2, 3, None], [1, 2, None, None]),
        ("quantiles", 0.3, [1, 2, 3, 4], [1, 2, 4, 4], [4, 4, 4, 4]),
        ("new_values", 0.25, [1, 2, 3], [1, 1, 1, 9], [1, 1, 9, 9]),
    ],
)
def test_a_distribution_may_move_so_far(
    tmp_path: Path, measure: str, limit: float, before: list[Any], near: list[Any], far: list[Any]
) -> None:
    rule = {"rule": "distribution", "column": "x", "measure": measure, "max": limit, "against": "versions"}
    table = Table(tmp_path, rule)
    assert table.put({DAYS[0]: before, DAYS[1]: before})[0].observed == "nothing to compare with yet"
    outcomes = table.put({DAYS[0]: near, DAYS[1]: far})
    assert (outcomes[0].passed, outcomes[0].partitions) == (False, {DAYS[1]})
    assert table.refused() == {DAYS[1]}


def test_a_distribution_may_be_that_of_the_partition_before(tmp_path: Path) -> None:
    rule = {"rule": "distribution", "column": "x", "measure": "new_values", "max": 0, "against": "partitions"}
    table = Table(tmp_path, rule)
    table.put({DAYS[0]: [1, 2]})
    assert table.put({DAYS[1]: [2, 1, 1]})[0].passed
    assert table.put({DAYS[3]: [1, 5]})[0].partitions == {DAYS[3]}
    assert table.put({DAYS[4]: [1, 2]})[0].passed, "compared with the newest that is approved"


def test_too_many_values_to_tell_new_ones_is_said_and_does_not_pass(tmp_path: Path) -> None:
    rule = {"rule": "distribution", "column": "x", "measure": "new_values", "max": 1, "against": "versions"}
    table = Table(tmp_path, rule)
    table.put({DAYS[0]: list(range(1_001))})
    (outcome,) = table.put({DAYS[0]: [1]})
    assert (outcome.passed, outcome.partitions) == (False, {DAYS[0]})
    assert "more than 1,000 different values" in outcome.observed


def test_a_rule_on_the_whole_refuses_all_that_was_judged(tmp_path: Path) -> None:
    table = Table(tmp_path, {"rule": "row_count_between", "max": 2})
    table.put({DAYS[0]: [1], DAYS[1]: [1, 2]})
    assert table.refused() == {DAYS[0], DAYS[1]}
    table.put({DAYS[2]: [1]})
    assert table.refused() == {DAYS[0], DAYS[1]}


def test_a_warning_refuses_nothing_and_a_table_without_blocking_rules_is_not_asked_about(tmp_path: Path) -> None:
    table = Table(tmp_path, {"rule": "values_between", "column": "x", "max": 0, "severity": "warn"})
    assert not table.put({DAYS[0]: [1]})[0].passed
    assert not table.rules.blocking
    assert table.refused() == set()
