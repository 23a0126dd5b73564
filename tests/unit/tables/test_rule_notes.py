"""What docs/checks.md says of each rule is so: its example, and what it makes of odd data."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from ontology_assets.model.check_reference import NOTES
from ontology_assets.model.rule_checks import RULES
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.checking import judge
from transforms.definitions import Pipeline
from transforms.gating import TableRules
from transforms.outcomes import CheckOutcome
from transforms.past_rules import Past
from transforms.pipeline import PipelineTables
from transforms.rule_definitions import Expectation

NOW = datetime(2024, 1, 12, 12, tzinfo=UTC)
BEFORE = {"rows": 4, "columns": {"quantity": {"mean": {"mean": 3.0, "deviation": 2.0}}}}
GOOD = pa.table(
    {
        "receipt": pa.array([1, 2, 3, 4], pa.int64()),
        "shop": ["s1", "s2", "s1", "s2"],
        "quantity": [1.0, 2.0, 3.0, 6.0],
        "sold_on": pa.array([date(2024, 1, day) for day in (7, 8, 9, 10)]),
        "n": pa.array([1, 1, 1, 1], pa.int64()),
    }
)
BAD: dict[str, pa.Table] = {
    "row_count_between": GOOD.slice(0, 0),
    "volume": GOOD.slice(0, 1),
    "conserves": GOOD.slice(0, 3),
    "not_null": GOOD.set_column(1, "shop", pa.array(["s1", None, "s1", "s2"])),
    "not_empty": GOOD.set_column(1, "shop", pa.array(["s1", "  ", "s1", "s2"])),
    "unique": pa.concat_tables([GOOD, GOOD.slice(0, 1)]),
    "values_between": GOOD.set_column(2, "quantity", pa.array([1.0, 2.0, 101.0, 6.0])),
    "matches": GOOD.set_column(1, "shop", pa.array(["s1", "S2", "s1", "s2"])),
    "values_in": GOOD.set_column(1, "shop", pa.array(["s1", "s3", "s1", "s2"])),
    "fk_exists": GOOD.set_column(1, "shop", pa.array(["s1", "s9", "s1", "s2"])),
    "freshness": GOOD.slice(0, 3),
    "distribution": GOOD.set_column(2, "quantity", pa.array([4.0, 4.0, 4.0, 5.0])),
}
NAN = float("nan")


def judged(folder: Path, rule: dict[str, Any], table: pa.Table) -> CheckOutcome:
    lake = LocalLake(folder / "lake")
    lake.replace("clean/t", table, versions={"": "v"}, partition_column=None)
    lake.replace("clean/shops", pa.table({"name": ["s1", "s2", "s3"]}), versions={"": "v"}, partition_column=None)
    lake.replace("clean/given", pa.table({"x": [1, 2, 3, 4]}), versions={"": "v"}, partition_column=None)
    counted = Pipeline.model_validate(
        {
            "inputs": {"given": "clean/given"},
            "nodes": {"all": {"from": "given", "filter": "x > 0"}},
            "output": "all",
        }
    )
    tables = PipelineTables("t", counted, lake, session) if rule["rule"] == "conserves" else None
    rules = TableRules("clean/t", None, [Expectation.model_validate(rule)])
    past = Past(versions={"": [BEFORE]})
    (outcome,) = judge(rules, lake, [""], pipeline=tables, past=past, now=lambda: NOW).outcomes
    return outcome


def example(name: str) -> dict[str, Any]:
    rule = yaml.safe_load(NOTES[name].example)
    assert rule["rule"] == name
    return dict(rule)


def column_of(rule: dict[str, Any]) -> str:
    return str(rule.get("column") or (rule.get("columns") or rule.get("sum") or [""])[0])


@pytest.mark.parametrize("name", RULES)
def test_the_example_passes_what_is_good_and_fails_what_is_not(tmp_path: Path, name: str) -> None:
    good, bad = judged(tmp_path / "good", example(name), GOOD), judged(tmp_path / "bad", example(name), BAD[name])
    assert (good.passed, bad.passed) == (True, False)
    assert bad.partitions == {""}
    assert bad.failing_count > 0


@pytest.mark.parametrize("name", [name for name, note in NOTES.items() if note.missing != "-"])
def test_one_missing_value(tmp_path: Path, name: str) -> None:
    rule = example(name)
    at = GOOD.column_names.index(column_of(rule))
    spoilt = GOOD.set_column(at, column_of(rule), pa.array([*GOOD[at].to_pylist()[:2], None, GOOD[at][3].as_py()]))
    assert judged(tmp_path, rule, spoilt.cast(GOOD.schema)).passed is (NOTES[name].missing == "passes")


@pytest.mark.parametrize("name", [name for name, note in NOTES.items() if note.nan != "-"])
def test_one_nan(tmp_path: Path, name: str) -> None:
    rule = example(name)
    if "columns" in rule:
        rule["columns"] = ["quantity"]
    else:
        rule["column"] = "quantity"
    if name == "values_in":
        rule["values"] = ["1", "2", "3", "6"]
    assert judged(tmp_path / "good", rule, GOOD).passed
    spoilt = GOOD.set_column(2, "quantity", pa.array([1.0, 2.0, NAN, 6.0]))
    assert judged(tmp_path / "nan", rule, spoilt).passed is (NOTES[name].nan == "passes")


@pytest.mark.parametrize("name", RULES)
def test_no_row(tmp_path: Path, name: str) -> None:
    assert judged(tmp_path, example(name), GOOD.slice(0, 0)).passed is (NOTES[name].empty == "passes")


@pytest.mark.parametrize("name", [name for name in RULES if column_of(example(name))])
def test_a_column_that_is_not_there_fails_and_never_passes(tmp_path: Path, name: str) -> None:
    """In the original, min and max passed."""
    rule = example(name)
    outcome = judged(tmp_path, rule, GOOD.drop_columns([column_of(rule)]))
    assert (outcome.passed, outcome.partitions) == (False, {""})
    assert outcome.observed == f"the column {column_of(rule)} is not there"


def test_a_reference_with_a_missing_part_fails_where_nulls_are_not_allowed(tmp_path: Path) -> None:
    rule = {**example("fk_exists"), "allow_nulls": False}
    assert judged(tmp_path / "good", rule, GOOD).passed
    outcome = judged(tmp_path / "bad", rule, BAD["not_null"])
    assert (outcome.passed, outcome.failing_count) == (False, 1)
    assert "clean/shops: (missing)" in outcome.observed


def test_there_is_a_note_for_each_rule() -> None:
    assert list(NOTES) == list(RULES)
