"""What each mode makes of a table, by hand; late rows; and that each defect of a clock watermark is told."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.base import Exchange, LakeConflictError
from resources.spark import session
from tests.unit.tables.arrivals import NOON, SALES, Died, Fault, Row, Shop, pipeline
from transforms.definitions import Pipeline
from transforms.incremental import run
from transforms.incremental.watermarks import TakenIn
from transforms.outputs import table
from transforms.pipeline import PipelineReport, run_pipeline

ALL = {"all": {"from": "sales", "select": ["item", "amount", "sold_at", "gone"]}}
TOTALS = {"totals": {"from": "sales", "group_by": ["item"], "aggregate": {"amount": "sum(amount)"}}}
Make = Callable[..., Shop]


def sale(item: str | None, amount: int, hours: float = 0, *, gone: bool | None = None, shop: str = "north") -> Row:
    at = NOON + timedelta(hours=hours)
    return {"id": 1, "item": item, "shop": shop, "amount": amount, "sold_at": at, "gone": gone}


def merging(**fields: Any) -> dict[str, Any]:
    return {"mode": "merge", "key": ["item"], "order": ["sold_at desc"], **fields}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(nodes: dict[str, Any] = ALL, output: str = "all", **parts: Any) -> Shop:
        return Shop.new(tmp_path, pipeline(nodes, output, **parts))

    return made


def load(shop: Shop, rows: Sequence[Row]) -> PipelineReport:
    shop.put("sales", rows)
    return shop.run()


def held(shop: Shop, *columns: str, table: str = "transform/p") -> list[tuple[Any, ...]]:
    return sorted((tuple(row[name] for name in columns) for row in shop.rows(table)), key=str)


def figures(report: PipelineReport) -> tuple[int, int, int]:
    """New, changed, removed."""
    assert report.run is not None
    return report.run.written.new, report.run.written.updated, report.run.written.removed


def test_a_merge_updates_what_it_knows_and_keeps_what_does_not_come(make: Make) -> None:
    shop = make(write=merging())
    load(shop, [sale("tea", 1), sale("jam", 2)])
    report = load(shop, [sale("tea", 5, 1), sale("rye", 7)])
    assert held(shop, "item", "amount") == [("jam", 2), ("rye", 7), ("tea", 5)]
    assert figures(report) == (1, 1, 0)


def test_an_older_row_that_comes_later_changes_nothing(make: Make) -> None:
    shop = make(write=merging())
    load(shop, [sale("tea", 1, 2)])
    report = load(shop, [sale("tea", 5, 1)])
    assert held(shop, "item", "amount") == [("tea", 1)]
    assert figures(report) == (0, 0, 0)
    assert not report.partitions[""].changed


def test_rows_of_one_clock_value_give_the_same_row_however_they_come(make: Make, tmp_path: Path) -> None:
    one, other = sale("tea", 1), sale("tea", 5)
    shop = make(write=merging())
    load(shop, [one])
    load(shop, [other])
    back = Shop.new(tmp_path / "back", shop.pipeline)
    load(back, [other])
    load(back, [one])
    assert held(shop, "amount") == held(back, "amount") == [(1,)]


def test_a_removed_key_is_not_brought_back_by_an_older_row(make: Make) -> None:
    shop = make(write=merging(remove="gone"))
    load(shop, [sale("tea", 1), sale("jam", 2)])
    assert figures(load(shop, [sale("tea", 0, 2, gone=True)])) == (0, 0, 1)
    assert held(shop, "item") == [("jam",)]
    load(shop, [sale("tea", 9, 1)])
    assert held(shop, "item") == [("jam",)]
    assert held(shop, "item", "sold_at", table="removed/p") == [("tea", NOON + timedelta(hours=2))]
    load(shop, [sale("tea", 9, 3)])
    assert held(shop, "item") == [("jam",), ("tea",)]
    assert held(shop, "item", table="removed/p") == []


def test_a_snapshot_removes_what_is_absent(make: Make) -> None:
    shop = make(write={"mode": "snapshot", "key": ["item"]})
    load(shop, [sale("tea", 1), sale("jam", 2), sale("rye", 3)])
    report = load(shop, [sale("tea", 1), sale("jam", 5), sale("oat", 6)])
    assert held(shop, "item", "amount") == [("jam", 5), ("oat", 6), ("tea", 1)]
    assert figures(report) == (1, 1, 1)


def test_a_changelog_has_each_change_once(make: Make) -> None:
    shop = make(write={"mode": "changelog", "key": ["item"]})
    load(shop, [sale("tea", 1), sale("jam", 2)])
    load(shop, [sale("tea", 1), sale("jam", 5), sale(None, 6)])
    load(shop, [sale("tea", 1)])
    load(shop, [sale("tea", 1)])
    assert held(shop, "change_number", "change", "item", "amount") == [
        (1, "new", "jam", 2),
        (1, "new", "tea", 1),
        (2, "changed", "jam", 5),
        (2, "new", None, 6),
        (3, "gone", "jam", 5),
        (3, "gone", None, 6),
    ]


def test_rows_are_only_added_by_append_and_none_twice(make: Make) -> None:
    shop = make(write={"mode": "append", "key": ["item"]})
    load(shop, [sale("tea", 1)])
    report = load(shop, [sale("tea", 1), sale("jam", 2), sale("jam", 2)])
    assert held(shop, "item", "amount") == [("jam", 2), ("tea", 1)]
    assert figures(report) == (1, 0, 0)


def test_another_row_of_a_known_key_ends_an_append_with_both_shown(make: Make) -> None:
    shop = make(write={"mode": "append", "key": ["item"]})
    load(shop, [sale("tea", 1)])
    with pytest.raises(SpiceError, match=r"item tea: amount is [15] and [15]") as caught:
        load(shop, [sale("tea", 5)])
    assert caught.value.where == "pipelines.p.write.key"
    assert held(shop, "item", "amount") == [("tea", 1)]


def test_another_row_of_a_known_key_may_be_skipped(make: Make) -> None:
    shop = make(write={"mode": "append", "key": ["item"], "duplicates": "skip", "order": ["sold_at"]})
    load(shop, [sale("tea", 1)])
    load(shop, [sale("tea", 5), sale("jam", 2, 1), sale("jam", 3)])
    assert held(shop, "item", "amount") == [("jam", 3), ("tea", 1)]


def test_two_rows_of_a_key_without_an_order_end_the_run(make: Make) -> None:
    shop = make(write={"mode": "snapshot", "key": ["item"]})
    with pytest.raises(SpiceError, match="say by `order` which counts"):
        load(shop, [sale("tea", 1), sale("tea", 2)])
    assert "transform/p" not in shop.lake.tables()


def test_only_what_changed_is_computed_again(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental={"by": ["item"]})
    rows = [sale("tea", 1), sale("jam", 2), sale("rye", 3)]
    assert load(shop, rows).run.scope == "all: the first run"  # type: ignore[union-attr]
    report = load(shop, [*rows, sale("jam", 5)])
    assert report.run is not None
    assert (report.run.scope, report.run.arrived, report.run.left) == ("1 values of item", 1, 0)
    assert held(shop, "item", "amount") == [("jam", 7), ("rye", 3), ("tea", 1)]


def test_rows_that_leave_an_input_are_taken_back(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental={"by": ["item"]})
    load(shop, [sale("tea", 1), sale("jam", 2), sale("jam", 5)])
    load(shop, [sale("jam", 2)])
    assert held(shop, "item", "amount") == [("jam", 2)]


def test_the_version_of_a_replaced_table_is_that_of_its_inputs(make: Make, tmp_path: Path) -> None:
    shop = make(TOTALS, "totals", incremental={"by": ["item"]})
    load(shop, [sale("tea", 1)])
    load(shop, [sale("tea", 1), sale("jam", 2)])
    full = Shop.new(tmp_path / "full", shop.pipeline)
    load(full, [sale("tea", 1), sale("jam", 2)])
    assert shop.lake.versions("transform/p") == full.lake.versions("transform/p")


def test_what_an_input_was_and_is_not_there_any_more_makes_a_whole_run(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental={"by": ["item"]})
    load(shop, [sale("tea", 1)])
    shop.put("sales", [sale("tea", 1), sale("jam", 2)])
    shop.lake.prune("clean/sales", older_than_seconds=-1)
    report = shop.run()
    assert report.run is not None
    assert report.run.scope.startswith("all: what clean/sales was is not there any more")
    assert held(shop, "item", "amount") == [("jam", 2), ("tea", 1)]


def test_the_watermarks_are_in_the_commit_that_has_the_rows(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental={"by": ["item"]})
    load(shop, [sale("tea", 1)])
    shop.put("sales", [sale("tea", 1), sale("jam", 2)])
    before = shop.lake.state("transform/p")
    shop.lake.fault = Fault("before", 0)
    with pytest.raises(Died):
        shop.run()
    assert shop.lake.state("transform/p") == before
    shop.run()
    marks = TakenIn.of(shop.lake.state("transform/p")).inputs
    assert {local: (one.table, one.rows) for local, one in marks.items()} == {
        "sales": ("clean/sales", 2),
        "shops": ("clean/shops", 0),
    }
    assert marks["sales"].number == shop.lake.state("clean/sales").number


def test_two_runs_at_once_do_not_write_twice(make: Make) -> None:
    shop = make(write=merging())
    load(shop, [sale("tea", 1)])
    shop.put("sales", [sale("jam", 2)])
    state = shop.lake.state("transform/p")
    shop.run()
    rows = shop.lake.scan("transform/p")
    with pytest.raises(LakeConflictError):
        shop.lake.exchange("transform/p", Exchange(rows, rows.select([]), 0), versions={"": "x"}, after=state)
    assert held(shop, "item") == [("jam",), ("tea",)]


LATE = {"by": ["item"], "lateness": {"sales": {"column": "sold_at", "within": "1h"}}}


def test_a_late_row_within_what_is_allowed_counts_and_an_older_one_is_kept_apart(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental=LATE)
    first = [sale("tea", 1, 4)]
    load(shop, first)
    report = load(shop, [*first, sale("tea", 10, 3), sale("tea", 100, 2.9), sale("jam", 1000, 2)])
    assert held(shop, "item", "amount") == [("tea", 11)]
    assert report.run is not None
    assert report.run.late == {"sales": 2}
    assert held(shop, "item", "amount", table="late/p/sales") == [("jam", 1000), ("tea", 100)]
    assert report.run.watermarks["sales"].latest == (NOON + timedelta(hours=4)).isoformat()
    again = [*shop.there["sales"], sale("tea", 20, 4), sale("tea", 20, 4)]
    load(shop, again)
    assert held(shop, "item", "amount") == [("tea", 51)]


def test_late_rows_of_a_run_that_died_are_kept_once(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental=LATE)
    load(shop, [sale("tea", 1, 4)])
    shop.add("sales", [sale("jam", 7, 0), sale("rye", 1, 4)])
    shop.lake.fault = Fault("before", 1)  # after the late rows were written, before the table is
    with pytest.raises(Died):
        shop.run()
    shop.add("sales", [sale("oat", 2, 5)])
    shop.run()
    assert held(shop, "item", table="late/p/sales") == [("jam",)]
    assert held(shop, "item") == [("oat",), ("rye",), ("tea",)]


def test_each_input_has_its_own_watermark(make: Make) -> None:
    """The newest sale says nothing of how far the shops have come."""
    nodes = {"placed": {"from": "sales", "join": "shops", "on": ["shop"], "how": "left", "keep": {"city": "city"}}}
    shop = make(nodes, "placed", incremental={"by": ["item"]})
    load(shop, [sale("tea", 1, 9)])
    shop.put("shops", [{"shop": "north", "city": "Oslo"}])
    shop.run()
    assert held(shop, "item", "city") == [("tea", "Oslo")]


def test_days_are_clocks_too(make: Make) -> None:
    """Of columns with any name."""
    days = {"days": {"from": "sales", "compute": {"the day": "cast(sold_at AS date)"}}}
    first = make(days, "days")
    load(first, [sale("tea", 1, 96), sale("jam", 2, 24), sale("rye", 4, 48)])
    lateness = {"days": {"column": "the day", "within": "1d"}}
    totals = {"totals": {"from": "days", "group_by": ["item"], "aggregate": {"amount": "sum(amount)"}}}
    made = Pipeline.model_validate(
        {
            "inputs": {"days": "transform/p"},
            "nodes": totals,
            "output": "totals",
            "incremental": {"by": ["item"], "lateness": lateness},
        }
    )

    def second() -> list[tuple[Any, ...]]:
        run_pipeline("q", made, first.lake, [""], engine=session)
        return held(first, "item", "amount", table="transform/q")

    assert second() == [("jam", 2), ("rye", 4), ("tea", 1)]
    load(first, [*first.there["sales"], sale("tea", 10, 72), sale("jam", 20, 47)])
    assert second() == [("jam", 2), ("rye", 4), ("tea", 11)]
    assert held(first, "item", "amount", table="late/q/days") == [("jam", 20)]


def test_late_rows_of_a_state_that_comes_back_are_kept_once(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental=LATE)
    first, second = [sale("tea", 1, 4)], [sale("tea", 1, 4), sale("jam", 7, 0)]
    for rows in (first, second, first):
        load(shop, rows)
    shop.put("sales", second)
    shop.lake.fault = Fault("before", 1)
    with pytest.raises(Died):
        shop.run()
    shop.run()
    assert held(shop, "item", "amount", table="late/p/sales") == [("jam", 7), ("jam", 7)]  # it came twice
    assert held(shop, "item", "amount") == [("tea", 1)]


def test_a_whole_run_has_no_late_rows(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental=LATE)
    load(shop, [sale("tea", 1, 9), sale("tea", 2, 0)])
    assert held(shop, "item", "amount") == [("tea", 3)]


def test_rows_without_a_clock_value_are_not_lost(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental=LATE)
    load(shop, [sale("tea", 1, 4)])
    load(shop, [sale("tea", 1, 4), {**sale("jam", 2), "sold_at": None}])
    assert held(shop, "item", "amount") == [("jam", 2), ("tea", 1)]


def test_other_columns_end_a_mode_with_a_history(make: Make) -> None:
    shop = make(write=merging())
    load(shop, [sale("tea", 1)])
    nodes = {"all": {"from": "sales", "select": ["item", "sold_at"]}}
    shop.pipeline = pipeline(nodes, "all", write=merging())
    with pytest.raises(SpiceError, match="rows of earlier runs"):
        shop.run()
    assert held(shop, "item", "amount") == [("tea", 1)]


def test_a_branch_is_written_and_promoted_as_main_is(make: Make) -> None:
    shop = make(write=merging(remove="gone"))
    load(shop, [sale("tea", 1), sale("jam", 2)])
    shop.lake.branches.create("try")
    there = shop.lake.branches.at("try")
    rows = pa.Table.from_pylist(
        [sale("tea", 5, 1), sale("jam", 0, 1, gone=True)], schema=shop.lake.schema("clean/sales")
    )
    there.replace("clean/sales", rows, versions={"": "2" * 64}, partition_column=None)
    run_pipeline("p", shop.pipeline, there, [""], engine=session)
    assert held(shop, "item", "amount") == [("jam", 2), ("tea", 1)]
    shop.lake.branches.promote("try")
    assert held(shop, "item", "amount") == [("tea", 5)]
    assert held(shop, "item", table="removed/p") == [("jam",)]
    assert not shop.run().partitions[""].changed


def test_of_an_input_with_partitions_those_are_read_whose_version_changed(make: Make) -> None:
    shop = make(TOTALS, "totals", incremental={"by": ["item"]})
    shop.lake.remove("clean/sales")
    days = {"2024-01-01": [sale("tea", 1), sale("jam", 2)], "2024-01-02": [sale("jam", 3)]}

    def put(versions: dict[str, str]) -> None:
        rows = [{**row, "_partition": day} for day in versions for row in days[day]]
        schema = SALES.append(pa.field("_partition", pa.string()))
        made = pa.Table.from_pylist(rows, schema=schema)
        shop.lake.replace("clean/sales", made, versions=versions, partition_column="_partition")

    put(dict.fromkeys(days, "1" * 64))
    shop.run()
    days["2024-01-01"] = [sale("jam", 2)]
    days["2024-01-03"] = [sale("rye", 4)]
    put({"2024-01-01": "2" * 64, "2024-01-03": "2" * 64})
    report = shop.run()
    assert held(shop, "item", "amount") == [("jam", 5), ("rye", 4)]
    assert report.run is not None
    assert (report.run.scope, report.run.arrived, report.run.left) == ("2 values of item", 1, 1)


def test_what_differs_too_much_is_made_anew(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (table, run):
        monkeypatch.setattr(place, "MOST", 2)
    shop = make(write=merging(), incremental={"by": ["item"]})
    load(shop, [sale("tea", 1), sale("jam", 2)])
    report = load(shop, [sale(item, 3, 1) for item in ("jam", "rye", "oat", "bun")])
    assert report.run is not None
    assert "differ" in report.run.scope
    assert held(shop, "item", "amount") == [("bun", 3), ("jam", 3), ("oat", 3), ("rye", 3), ("tea", 1)]
