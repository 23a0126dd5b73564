"""A pipeline that looks back: each day made of itself and the days before, by hand; what a corrected day touches."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.definitions import DayPartition, Pipeline
from transforms.look_back import Reach
from transforms.pipeline import code_version, run_pipeline

DAYS = [f"2024-01-0{n}" for n in range(1, 6)]
CALENDAR = DayPartition(by="day", of="to_date(day)", start=date(2024, 1, 1), end=date(2024, 1, 5))
AMOUNTS = {"2024-01-01": [1, 2], "2024-01-02": [10], "2024-01-03": [], "2024-01-04": [100, 200], "2024-01-05": [1000]}
UNBOUND = Pipeline.model_validate(
    {
        "partition": "t",
        "look_back": {"partitions": 2, "as": "day"},
        "inputs": {"t": "clean/t"},
        "nodes": {"sums": {"from": "t", "group_by": ["day"], "aggregate": {"total": "sum(amount)", "n": "count(*)"}}},
        "output": "sums",
    }
)
PIPELINE = UNBOUND.with_calendar(CALENDAR)


def put(lake: LocalLake, amounts: dict[str, list[int]], version: str) -> None:
    rows = [(amount, day) for day, several in amounts.items() for amount in several]
    table = pa.table(
        {
            "amount": pa.array([amount for amount, _ in rows], pa.int64()),
            "_partition": pa.array([day for _, day in rows], pa.string()),
        }
    )
    versions = {day: f"{version} {day}" for day in amounts}
    lake.replace("clean/t", table, versions=versions, partition_column="_partition")


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    lake = LocalLake(tmp_path)
    put(lake, AMOUNTS, "first")
    return lake


def build(lake: LocalLake, days: list[str] = DAYS, chunk_rows: int = 262_144) -> list[str]:
    """The partitions that were made anew."""
    report = run_pipeline("p", PIPELINE, lake, days, engine=session, chunk_rows=chunk_rows)
    return [key for key, one in report.partitions.items() if one.changed]


def made(lake: LocalLake) -> dict[str, tuple[str, int, int]]:
    rows = lake.scan("transform/p").to_pylist()
    return {one["_partition"]: (one["day"].isoformat(), one["total"], one["n"]) for one in rows}


@pytest.mark.parametrize("chunk_rows", [262_144, 3])
def test_each_day_is_made_of_itself_and_the_two_before(lake: LocalLake, chunk_rows: int) -> None:
    assert build(lake, chunk_rows=chunk_rows) == DAYS
    assert made(lake) == {
        "2024-01-01": ("2024-01-01", 3, 2),
        "2024-01-02": ("2024-01-02", 13, 3),
        "2024-01-03": ("2024-01-03", 13, 3),
        "2024-01-04": ("2024-01-04", 310, 3),
        "2024-01-05": ("2024-01-05", 1300, 3),
    }


def test_a_corrected_day_touches_itself_and_the_two_after(lake: LocalLake) -> None:
    build(lake)
    put(lake, {"2024-01-02": [20]}, "second")
    assert build(lake) == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert [made(lake)[day][1] for day in DAYS] == [3, 23, 23, 320, 1300]
    assert build(lake) == []


def test_a_day_that_is_due_and_not_there_is_an_error_and_no_smaller_sum(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    put(lake, {"2024-01-03": [1]}, "first")
    with pytest.raises(SpiceError, match="clean/t has no partition 2024-01-01; run it first"):
        build(lake, ["2024-01-03"])


def test_without_a_calendar_it_does_not_guess(lake: LocalLake) -> None:
    with pytest.raises(SpiceError, match="looks back in the partitions"):
        run_pipeline("p", UNBOUND, lake, DAYS, engine=session)


def test_months_count_as_months_and_the_calendar_has_a_beginning() -> None:
    months = DayPartition(by="month", of="x", start=date(2023, 11, 15), end=date(2024, 3, 31))
    assert Reach(2, months).sources("2024-01-01") == ["2023-11-01", "2023-12-01", "2024-01-01"]
    assert Reach(5, months).sources("2023-12-01") == ["2023-11-01", "2023-12-01"]
    assert Reach(1, months).all_sources(["2024-01-01", "2024-02-01"]) == ["2023-12-01", "2024-01-01", "2024-02-01"]


def test_only_a_pipeline_that_looks_back_has_it_in_its_code_version() -> None:
    plain = PIPELINE.model_copy(update={"look_back": None})
    further = PIPELINE.model_copy(update={"look_back": PIPELINE.look_back.model_copy(update={"partitions": 3})})  # type: ignore[union-attr]
    assert len({code_version(one, "UTC") for one in (plain, PIPELINE, further)}) == 3
