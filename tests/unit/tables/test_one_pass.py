"""However many rules there are, a table is read once; where something fails, once more, for all failures together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from resources.lake.local import LocalLake
from transforms.checking import judge
from transforms.gating import TableRules
from transforms.rule_definitions import Contract, Expectation

DAYS = ["2024-01-01", "2024-01-02"]
V = "1" * 64


class CountingLake(LocalLake):
    """Counts what is read: calls and rows by table, and the columns asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: Counter[str] = Counter()
        self.rows_read: Counter[str] = Counter()
        self.columns: list[list[str] | None] = []

    def batches(
        self,
        table: str,
        *,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        batch_rows: int = 65_536,
    ) -> Iterator[pa.RecordBatch]:
        self.calls[table] += 1
        self.columns.append(None if columns is None else list(columns))
        for batch in super().batches(table, partitions=partitions, columns=columns, batch_rows=batch_rows):
            self.rows_read[table] += batch.num_rows
            yield batch

    def scan(
        self, table: str, *, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        raise AssertionError(f"{table} is read whole")


@pytest.fixture
def lake(tmp_path: Path) -> CountingLake:
    rows = 1_000
    table = pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "shop": [f"s{n % 7}" for n in range(rows)],
            "amount": pa.array([float(n % 50) for n in range(rows)]),
            "never_asked_for": ["x" * 50] * rows,
            "_partition": [DAYS[n % 2] for n in range(rows)],
        }
    )
    lake = CountingLake(tmp_path)
    lake.replace("clean/t", table, versions=dict.fromkeys(DAYS, V), partition_column="_partition")
    shops = pa.table({"name": [f"s{n}" for n in range(7)]})
    lake.replace("clean/shops", shops, versions={"": V}, partition_column=None)
    return lake


GREEN = [
    {"rule": "row_count_between", "min": 1, "max": 1_000},
    {"rule": "row_count_between", "per": "shop", "min": 1},
    {"rule": "volume", "against": "partitions", "min": 0.5, "max": 2},
    {"rule": "not_null", "column": "id"},
    {"rule": "not_empty", "column": "shop"},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "unique", "columns": ["id", "shop"]},
    {"rule": "values_between", "column": "amount", "min": 0, "max": 49},
    {"rule": "matches", "column": "shop", "pattern": "^s[0-9]$"},
    {"rule": "values_in", "column": "shop", "values": [f"s{n}" for n in range(7)]},
    {"rule": "distribution", "column": "amount", "measure": "mean", "max": 0.5, "against": "versions"},
    {"rule": "distribution", "column": "shop", "measure": "new_values", "max": 0, "against": "versions"},
]
CONTRACT = Contract(unique=["id"], columns={"amount": {"min": 0, "null": False}, "shop": {"matches": "^s"}})


@pytest.mark.parametrize("count", [1, len(GREEN)])
@pytest.mark.parametrize("contract", [None, CONTRACT])
def test_all_rules_together_read_each_row_once(lake: CountingLake, count: int, contract: Contract | None) -> None:
    rules = [Expectation.model_validate(one) for one in GREEN[-count:]]
    outcomes = judge(TableRules("clean/t", contract, rules), lake, DAYS).outcomes
    assert [one.name for one in outcomes if not one.passed] == []
    assert lake.calls == {"clean/t": 1}
    assert lake.rows_read == {"clean/t": 1_000}
    assert "never_asked_for" not in (lake.columns[0] or ["never_asked_for"])


def test_rules_on_counts_alone_read_no_row(lake: CountingLake) -> None:
    rules = [Expectation(rule="row_count_between", min=1), Expectation(rule="volume", against="partitions", min=0.5)]
    assert all(one.passed for one in judge(TableRules("clean/t", None, rules), lake, DAYS).outcomes)
    assert lake.calls == {}


def test_failures_are_shown_by_one_more_pass_for_all_of_them(lake: CountingLake) -> None:
    red = [Expectation(rule="values_between", column="amount", max=number) for number in range(1, 8)]
    red += [Expectation(rule="matches", column="shop", pattern="^x"), Expectation(rule="unique", columns=["shop"])]
    outcomes = judge(TableRules("clean/t", CONTRACT, red), lake, DAYS).outcomes
    assert sum(not one.passed for one in outcomes) == len(red)
    assert lake.calls == {"clean/t": 2}
    assert lake.rows_read == {"clean/t": 2_000}


def test_a_reference_reads_the_other_table_once(lake: CountingLake) -> None:
    rule = {"rule": "fk_exists", "columns": ["shop"], "references": "clean/shops", "key": ["name"]}
    rules = [Expectation.model_validate({**rule, "allow_nulls": True})]
    assert all(one.passed for one in judge(TableRules("clean/t", None, rules), lake, DAYS).outcomes)
    assert lake.calls == {"clean/t": 1, "clean/shops": 1}
