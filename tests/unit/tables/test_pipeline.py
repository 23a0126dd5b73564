"""Nodes and pipelines on small tables: what each operation makes, and that partitions never mix."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.definitions import Pipeline
from transforms.pipeline import PipelineTables, code_version, run_pipeline

DAYS = ["2024-01-01", "2024-01-02"]
SALES = [
    # shop, item, amount, partition
    ("north", "a", 10, DAYS[0]),
    ("north", "b", None, DAYS[0]),
    ("south", "a", 5, DAYS[0]),
    ("north", "a", 7, DAYS[1]),
    ("west", "a", 1, DAYS[1]),
]


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    lake = LocalLake(tmp_path / "lake")
    shop, item, amount, day = zip(*SALES, strict=True)
    sales = pa.table(
        {
            "shop": pa.array(shop),
            "item": pa.array(item),
            "amount": pa.array(amount, pa.int64()),
            "_row": pa.array(range(1, 6), pa.int64()),
            "_partition": pa.array(day),
        }
    )
    lake.replace("clean/sales", sales, versions=dict.fromkeys(DAYS, "1" * 64), partition_column="_partition")
    shops = pa.table({"shop": ["north", "south"], "name": ["North", "South"], "_row": pa.array([1, 2], pa.int64())})
    lake.replace("clean/shops", shops, versions={"": "2" * 64}, partition_column=None)
    return lake


def pipeline(output: str, nodes: dict[str, Any], **fields: Any) -> Pipeline:
    fields = {"partition": "sales", "inputs": {"sales": "clean/sales", "shops": "clean/shops"}} | fields
    return Pipeline.model_validate({"nodes": nodes, "output": output, **fields})


def result(lake: LocalLake, *nodes: dict[str, Any], asked: list[str] = DAYS, **fields: Any) -> list[dict[str, Any]]:
    """Rows of the last of a chain of nodes; each reads the one before it."""
    chain = {f"n{i}": {"from": f"n{i - 1}" if i else "sales", **node} for i, node in enumerate(nodes)}
    run_pipeline("p", pipeline(f"n{len(nodes) - 1}", chain, **fields), lake, asked, engine=session)
    rows = lake.scan("transform/p").to_pylist()
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


def test_filter_keeps_rows_for_which_the_condition_is_true(lake: LocalLake) -> None:
    rows = result(lake, {"filter": "amount > 5"})
    assert [(row["shop"], row["amount"], row["_partition"]) for row in rows] == [
        ("north", 10, DAYS[0]),
        ("north", 7, DAYS[1]),
    ]


def test_compute_sees_the_columns_as_they_were(lake: LocalLake) -> None:
    rows = result(lake, {"compute": {"amount": "amount + 1", "before": "amount"}}, {"filter": "shop = 'south'"})
    assert rows == [{"shop": "south", "item": "a", "amount": 6, "before": 5, "_partition": DAYS[0]}]


def test_select_keeps_columns_in_the_order_named(lake: LocalLake) -> None:
    rows = result(lake, {"select": ["amount", "shop"]})
    assert list(rows[0]) == ["amount", "shop", "_partition"]


@pytest.mark.parametrize(("how", "names"), [("left", ["North", "South", None]), ("inner", ["North", "South"])])
def test_join_takes_the_columns_kept(lake: LocalLake, how: str, names: list[str | None]) -> None:
    rows = result(lake, {"join": "shops", "on": ["shop"], "how": how, "keep": {"name": "shop_name"}})
    assert list(rows[0]) == ["shop", "item", "amount", "shop_name", "_partition"]
    assert set(names) == {row["shop_name"] for row in rows}
    assert len(rows) == (5 if how == "left" else 4)


def test_missing_values_join_nothing(lake: LocalLake) -> None:
    nodes = {
        "m": {"compute": {"shop": "CASE WHEN shop = 'north' THEN shop END"}, "from": "shops"},
        "s": {"compute": {"shop": "CASE WHEN shop <> 'south' THEN shop END"}, "from": "sales"},
        "j": {"join": "m", "on": ["shop"], "how": "left", "keep": {"name": "shop_name"}, "from": "s"},
    }
    run_pipeline("p", pipeline("j", nodes), lake, DAYS, engine=session)
    found = {row["shop"]: row["shop_name"] for row in lake.scan("transform/p").to_pylist()}
    assert found == {"north": "North", None: None, "west": None}


def test_a_join_within_the_partitioned_input_stays_within_a_partition(lake: LocalLake) -> None:
    nodes = {
        "totals": {"group_by": ["item"], "aggregate": {"total": "sum(amount)"}, "from": "sales"},
        "shares": {"join": "totals", "on": ["item"], "how": "left", "from": "sales"},
    }
    run_pipeline("p", pipeline("shares", nodes), lake, DAYS, engine=session)
    found = sorted((r["_partition"], r["shop"], r["item"], r["total"]) for r in lake.scan("transform/p").to_pylist())
    assert found == [
        (DAYS[0], "north", "a", 15),
        (DAYS[0], "north", "b", None),
        (DAYS[0], "south", "a", 15),
        (DAYS[1], "north", "a", 8),
        (DAYS[1], "west", "a", 8),
    ]


def test_a_partitioned_side_cannot_be_joined_to_one_without(lake: LocalLake) -> None:
    nodes = {"j": {"join": "sales", "on": ["shop"], "how": "left", "from": "shops"}}
    with pytest.raises(SpiceError, match="from: sales"):
        run_pipeline("p", pipeline("j", nodes), lake, DAYS, engine=session)


def test_groups_do_not_mix_partitions(lake: LocalLake) -> None:
    node = {"group_by": ["shop"], "aggregate": {"n": "count(*)", "mean": "cast(avg(amount) AS decimal(10,2))"}}
    assert result(lake, node) == [
        {"shop": "north", "n": 1, "mean": Decimal("7.00"), "_partition": DAYS[1]},
        {"shop": "north", "n": 2, "mean": Decimal("10.00"), "_partition": DAYS[0]},
        {"shop": "south", "n": 1, "mean": Decimal("5.00"), "_partition": DAYS[0]},
        {"shop": "west", "n": 1, "mean": Decimal("1.00"), "_partition": DAYS[1]},
    ]


def test_windows_rank_within_the_partition_with_missing_values_first(lake: LocalLake) -> None:
    rows = result(lake, {"window": {"rank": "rank()"}, "order_by": ["amount"]})
    assert sorted((row["_partition"], row["rank"], row["amount"]) for row in rows) == [
        (DAYS[0], 1, None),
        (DAYS[0], 2, 5),
        (DAYS[0], 3, 10),
        (DAYS[1], 1, 1),
        (DAYS[1], 2, 7),
    ]


def test_pivot_spreads_values_and_leaves_absent_ones_missing(lake: LocalLake) -> None:
    node = {"pivot": "shop", "values": {"north": "n", "south": "s"}, "index": ["item"], "columns": ["amount"]}
    assert result(lake, node) == [
        {"item": "a", "amount_n": 10, "amount_s": 5, "_partition": DAYS[0]},
        {"item": "a", "amount_n": 7, "amount_s": None, "_partition": DAYS[1]},
        {"item": "b", "amount_n": None, "amount_s": None, "_partition": DAYS[0]},
    ]


def test_pivot_over_numbers_compares_numbers(lake: LocalLake) -> None:
    node = {"pivot": "amount", "values": {"10": "ten"}, "index": ["shop"], "columns": ["item"]}
    rows = result(lake, node, asked=[DAYS[0]])
    assert [(row["shop"], row["item_ten"]) for row in rows] == [("north", "a"), ("south", None)]


def test_pivot_with_two_rows_for_one_cell_is_an_error_and_nothing_is_written(lake: LocalLake) -> None:
    node = {"pivot": "shop", "values": {"north": "n"}, "index": ["amount"], "columns": ["item"]}
    double = lake.scan("clean/sales").to_pylist()
    rows = pa.Table.from_pylist([*double, double[0]], schema=lake.schema("clean/sales"))
    lake.replace("clean/sales", rows, versions=dict.fromkeys(DAYS, "3" * 64), partition_column="_partition")
    with pytest.raises(SpiceError, match="more than one row for shop 'north'") as caught:
        result(lake, node)
    assert caught.value.where == "pipelines.p.nodes.n0"
    assert "transform/p" not in lake.tables()


def test_names_that_need_quotes_are_fine(lake: LocalLake) -> None:
    odd = pa.table({"a.b": ["x"], "select": pa.array([1], pa.int64()), "_id": ["y"]})
    lake.replace("clean/odd", odd, versions={"": "1" * 64}, partition_column=None)
    nodes = {"n": {"compute": {"c d": "concat(`a.b`, _id)"}, "from": "odd"}}
    run_pipeline("p", pipeline("n", nodes, partition=None, inputs={"odd": "clean/odd"}), lake, [""], engine=session)
    assert lake.scan("transform/p").to_pylist() == [{"a.b": "x", "select": 1, "_id": "y", "c d": "xy"}]


def test_versions_follow_the_partition_the_other_inputs_and_the_definition(lake: LocalLake) -> None:
    node = {"n": {"join": "shops", "on": ["shop"], "how": "left", "from": "sales"}}
    definition = pipeline("n", node)

    def changed(**fields: Any) -> list[str]:
        one = pipeline("n", node, **fields) if fields else definition
        report = run_pipeline("p", one, lake, DAYS, engine=session)
        return [key for key, version in report.partitions.items() if version.changed]

    assert changed() == DAYS
    assert changed() == []
    assert changed(expectations=[{"rule": "row_count_between", "min": 1}]) == []
    day = lake.scan("clean/sales", partitions=[DAYS[1]])
    lake.replace("clean/sales", day, versions={DAYS[1]: "9" * 64}, partition_column="_partition")
    assert changed() == [DAYS[1]]
    lake.replace("clean/shops", lake.scan("clean/shops"), versions={"": "8" * 64}, partition_column=None)
    assert changed() == DAYS
    other = pipeline("n", {"n": {**node["n"], "how": "inner"}})
    assert code_version(other, "UTC") != code_version(definition, "UTC")
    assert run_pipeline("p", other, lake, DAYS, engine=session).rows_out == 4


def test_an_input_that_is_not_there_is_named(lake: LocalLake) -> None:
    node = {"n": {"select": ["shop"], "from": "sales"}}
    with pytest.raises(SpiceError, match="clean/sales has no partition 2024-01-03"):
        run_pipeline("p", pipeline("n", node), lake, ["2024-01-03"], engine=session)
    lake.remove("clean/shops")
    with pytest.raises(SpiceError, match="run clean/shops first"):
        run_pipeline("p", pipeline("n", node), lake, DAYS, engine=session)


@pytest.mark.parametrize("chunk_rows", [1, 100])
def test_the_result_does_not_depend_on_the_size_of_chunks(lake: LocalLake, chunk_rows: int) -> None:
    node = {"n": {"group_by": ["item"], "aggregate": {"total": "sum(amount)"}, "from": "sales"}}
    seen: list[int] = []
    report = run_pipeline(
        "p", pipeline("n", node), lake, DAYS, engine=session, chunk_rows=chunk_rows, progress=seen.append
    )
    assert (report.rows_in, report.rows_out, sum(seen)) == (5, 3, 5)
    assert report.columns == {"item": "string?", "total": "integer?"}
    assert {key: one.rows for key, one in report.partitions.items()} == {DAYS[0]: 2, DAYS[1]: 1}


def test_a_partition_without_rows_has_an_empty_result(lake: LocalLake) -> None:
    report = run_pipeline(
        "p", pipeline("n", {"n": {"filter": "shop = 'west'", "from": "sales"}}), lake, DAYS, engine=session
    )
    assert {key: one.rows for key, one in report.partitions.items()} == {DAYS[0]: 0, DAYS[1]: 1}


def test_a_pipeline_reads_another_ones_result(lake: LocalLake) -> None:
    result(lake, {"filter": "amount IS NOT NULL"})
    second = pipeline(
        "n",
        {"n": {"group_by": ["shop"], "aggregate": {"n": "count(*)"}, "from": "sales"}},
        inputs={"sales": "transform/p"},
    )
    report = run_pipeline("q", second, lake, DAYS, engine=session)
    assert report.rows_out == 4
    assert PipelineTables("q", second, lake, session).followed == "transform/p"
