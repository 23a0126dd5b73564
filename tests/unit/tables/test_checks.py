"""Contracts and expectations: each rule green and red, with counts and samples; only finished tables are judged."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.checking import judge
from transforms.definitions import Pipeline
from transforms.gating import TableRules
from transforms.outcomes import CheckOutcome, contract_names, expectation_names
from transforms.pipeline import PipelineTables, run_pipeline
from transforms.rule_definitions import Contract, Expectation

DAYS = ["2024-01-01", "2024-01-02"]
V = "1" * 64


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    """Six rows: code A1 A1 B2 b3 (missing) A1; amount 1 2 2 100 (missing) 3; rate as a decimal."""
    lake = LocalLake(tmp_path)
    table = pa.table(
        {
            "code": ["A1", "A1", "B2", "b3", None, "A1"],
            "amount": pa.array([1, 2, 2, 100, None, 3], pa.int64()),
            "rate": pa.array(["0.10", "0.20", "0.30", "0.40", None, "0.60"]).cast(pa.decimal128(5, 2)),
            "level": pa.array([0.5, 1.5, 2.5, -1.0, None, 3.5]),
            "_row": pa.array(range(1, 7), pa.int64()),
            "_partition": [DAYS[0]] * 4 + [DAYS[1]] * 2,
        }
    )
    lake.replace("clean/t", table, versions=dict.fromkeys(DAYS, V), partition_column="_partition")
    return lake


def judged(lake: LocalLake, partitions: list[str] | None = None, **rule: Any) -> CheckOutcome:
    (outcome,) = judge(TableRules("clean/t", None, [Expectation(**rule)]), lake, partitions).outcomes
    return outcome


@pytest.mark.parametrize(
    ("rule", "failing", "rows"),
    [
        ({"rule": "values_between", "column": "amount", "min": 1, "max": 100}, 0, []),
        ({"rule": "values_between", "column": "amount", "min": 2, "max": 10}, 2, [1, 4]),
        ({"rule": "values_between", "column": "amount", "max": 1}, 4, [2, 3, 4, 6]),
        ({"rule": "values_between", "column": "rate", "min": 0.2}, 1, [1]),
        ({"rule": "values_between", "column": "level", "min": 0}, 1, [4]),
        ({"rule": "not_null", "column": "code"}, 1, [5]),
        ({"rule": "not_null", "column": "_row"}, 0, []),
        ({"rule": "matches", "column": "code", "pattern": "^[A-Z][0-9]$"}, 1, [4]),
        ({"rule": "matches", "column": "code", "pattern": "[0-9]"}, 0, []),
        ({"rule": "matches", "column": "amount", "pattern": "^[0-9]$"}, 1, [4]),
        ({"rule": "values_in", "column": "code", "values": ["A1", "b3"]}, 1, [3]),
        ({"rule": "values_in", "column": "amount", "values": ["1", "2", "3"]}, 1, [4]),
        ({"rule": "values_in", "column": "code", "values": ["A1", "B2", "b3"]}, 0, []),
    ],
)
def test_rules_on_values_count_and_show_the_rows_that_break_them(
    lake: LocalLake, rule: dict[str, Any], failing: int, rows: list[int]
) -> None:
    outcome = judged(lake, **rule)
    assert outcome.passed is (failing == 0)
    assert outcome.failing_count == failing
    assert sorted(row["_row"] for row in outcome.samples) == rows


def test_unique_counts_the_rows_of_keys_that_are_there_more_than_once(lake: LocalLake) -> None:
    assert judged(lake, rule="unique", columns=["code", "amount"]).passed
    outcome = judged(lake, rule="unique", columns=["code"])
    assert (outcome.passed, outcome.failing_count) == (False, 3)
    assert outcome.samples == [{"code": "A1", "rows": 3}]


def test_row_counts_of_the_table_and_of_groups(lake: LocalLake) -> None:
    assert judged(lake, rule="row_count_between", min=6, max=6).passed
    assert judged(lake, [DAYS[1]], rule="row_count_between", max=2).passed
    outcome = judged(lake, rule="row_count_between", min=7)
    assert (outcome.passed, outcome.observed) == (False, "6 rows")
    outcome = judged(lake, rule="row_count_between", per="code", max=2)
    assert (outcome.passed, outcome.failing_count) == (False, 1)
    assert outcome.samples == [{"code": "A1", "rows": 3}]


def test_only_the_asked_partitions_are_judged(lake: LocalLake) -> None:
    assert not judged(lake, [DAYS[0]], rule="values_between", column="amount", max=50).passed
    assert judged(lake, [DAYS[1]], rule="values_between", column="amount", max=50).passed


def test_an_empty_table_breaks_no_rule_on_values_but_its_row_count(lake: LocalLake) -> None:
    assert judged(lake, ["2030-01-01"], rule="values_between", column="amount", max=0).passed
    assert judged(lake, ["2030-01-01"], rule="unique", columns=["code", "amount"]).passed
    assert not judged(lake, ["2030-01-01"], rule="row_count_between", min=1).passed


def test_a_warning_says_so(lake: LocalLake) -> None:
    outcome = judged(lake, rule="values_between", column="amount", max=50, severity="warn")
    assert (outcome.passed, outcome.severity, outcome.expected) == (False, "warn", "amount is at most 50")
    assert "100" in outcome.observed


def counting(lake: LocalLake) -> PipelineTables:
    """A pipeline that counts rows per code, run."""
    nodes = {
        "given": {"filter": "code IS NOT NULL OR code IS NULL", "from": "t"},
        "n": {"group_by": ["code"], "aggregate": {"n": "count(*)"}, "from": "given"},
    }
    pipeline = Pipeline.model_validate({"partition": "t", "inputs": {"t": "clean/t"}, "nodes": nodes, "output": "n"})
    run_pipeline("p", pipeline, lake, DAYS, engine=session)
    return PipelineTables("p", pipeline, lake, session)


def test_conserves_compares_sums_with_rows_of_a_node(lake: LocalLake) -> None:
    tables = counting(lake)
    rule = Expectation(rule="conserves", sum=["n"], of="given")
    (outcome,) = judge(TableRules("transform/p", None, [rule]), lake, DAYS, pipeline=tables).outcomes
    assert (outcome.passed, outcome.observed) == (True, "6 against 6 rows of given")


def test_conserves_sees_a_loss_that_another_partition_makes_up_for(lake: LocalLake) -> None:
    tables = counting(lake)
    wrong = pa.table({"code": ["A1", "A1"], "n": pa.array([3, 3], pa.int64()), "_partition": DAYS})
    lake.replace("transform/p", wrong, versions=dict.fromkeys(DAYS, V), partition_column="_partition")
    rule = Expectation(rule="conserves", sum=["n"], of="given")
    (outcome,) = judge(TableRules("transform/p", None, [rule]), lake, DAYS, pipeline=tables).outcomes
    assert (outcome.passed, outcome.failing_count) == (False, 2)
    assert outcome.samples == [
        {"partition": DAYS[0], "sum": 3, "rows of given": 4},
        {"partition": DAYS[1], "sum": 3, "rows of given": 2},
    ]


def contracted(lake: LocalLake, types: dict[str, str] | None = None, **contract: Any) -> dict[str, CheckOutcome]:
    outcomes = judge(TableRules("clean/t", Contract(**contract), types=types or {}), lake, None).outcomes
    assert [outcome.name for outcome in outcomes] == [one.name for one in contract_names(Contract(**contract))]
    return {outcome.name: outcome for outcome in outcomes}


@pytest.mark.parametrize(
    ("column", "rule", "failing"),
    [
        ("code", {"matches": "^[A-Z][0-9]$"}, 1),
        ("code", {"matches": "[0-9]"}, 0),
        ("code", {"null": False}, 1),
        ("code", {"null": True}, 0),
        ("code", {"values": ["A1", "B2"]}, 1),
        ("code", {"matches": "^[A-Z][0-9]$", "null": False, "values": ["A1"]}, 3),
        ("amount", {"min": 1, "max": 100}, 0),
        ("amount", {"min": 2, "max": 99}, 2),
        ("amount", {"values": ["1", "2", "3"]}, 1),
        ("rate", {"max": 0.5}, 1),
        ("level", {"min": 0, "null": False}, 2),
    ],
)
def test_a_contract_counts_the_rows_that_break_it(
    lake: LocalLake, column: str, rule: dict[str, Any], failing: int
) -> None:
    outcome = contracted(lake, columns={column: rule})[f"contract_{column}"]
    assert (outcome.passed, outcome.failing_count, outcome.severity) == (failing == 0, failing, "block")
    assert len(outcome.samples) == min(failing, 5)


def test_a_contract_on_keys(lake: LocalLake) -> None:
    assert contracted(lake, unique=["code", "amount"])["contract_unique_code_amount"].passed
    outcome = contracted(lake, unique=["code"])["contract_unique_code"]
    assert (outcome.passed, outcome.failing_count, outcome.samples) == (False, 3, [{"code": "A1", "rows": 3}])


def test_a_contract_on_columns_and_types(lake: LocalLake) -> None:
    types = {"code": "string", "amount": "integer?", "rate": "decimal(5,2)", "level": "double"}
    assert contracted(lake, types)["contract_columns"].passed
    outcome = contracted(lake, {"code": "integer", "gone": "string"}, columns={"absent": {"null": False}})
    assert not outcome["contract_columns"].passed
    assert "column code is string, not integer" in outcome["contract_columns"].observed
    assert "column gone is not there" in outcome["contract_columns"].observed
    assert "column absent is not there" in outcome["contract_columns"].observed
    assert not outcome["contract_absent"].passed


def test_a_rule_that_does_not_fit_its_column_is_an_error_with_its_place(lake: LocalLake) -> None:
    with pytest.raises(SpiceError, match="needs numbers; code is string"):
        judged(lake, rule="values_between", column="code", min=1)
    with pytest.raises(SpiceError, match="min and max need numbers"):
        contracted(lake, columns={"code": {"min": 1}})


def test_checks_have_names_of_letters_digits_and_underscores_and_no_two_the_same() -> None:
    rules = [
        Expectation(rule="values_between", column="a b", min=1),
        Expectation(rule="values_between", column="a-b", min=1),
        Expectation(rule="row_count_between", min=1),
        Expectation(rule="conserves", sum=["x", "y"], of="z"),
    ]
    assert [one.name for one in expectation_names(rules)] == [
        "values_between_a_b",
        "values_between_a_b_2",
        "row_count_between",
        "conserves_x_y",
    ]
    assert contract_names(None) == []


def test_nothing_is_evaluated_and_nothing_imported_where_there_is_no_rule(lake: LocalLake) -> None:
    assert judge(TableRules("clean/t"), lake, None).outcomes == []
