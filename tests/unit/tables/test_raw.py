"""Ingest: lossless, by partition, versioned by content, every row accounted for."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.local import LocalLake
from resources.sources import SourceError
from resources.spark import session
from tests.unit.tables.files import WEEK, dataset, put
from transforms.quarantine import quarantined_counts, quarantined_rows, raw_row
from transforms.raw import RawReport, ingest

HEADER = "id,day,amount\n"
ROWS = HEADER + "1,2024-01-01,10\n2,2024-01-02,NA\n3,2024-01-01,007\n"


def run(
    home: Path, content: str | bytes, asked: list[str] = WEEK, *, block_bytes: int = 8 << 20, **fields
) -> RawReport:
    partitioned = asked != [""]
    return ingest(
        "orders",
        dataset(partitioned=partitioned, **fields),
        put(home, content),
        LocalLake(home / "lake"),
        asked,
        engine=session,
        block_bytes=block_bytes,
    )


def stored(home: Path, *columns: str) -> list[tuple]:
    table = LocalLake(home / "lake").scan("raw/orders").sort_by([("_row", "ascending")])
    return [tuple(row[column] for column in columns) for row in table.to_pylist()]


def changed(report: RawReport) -> list[str]:
    return [key for key, one in report.partitions.items() if one.changed]


def test_a_row_keeps_its_texts_and_says_where_it_stood(tmp_path: Path) -> None:
    report = run(tmp_path, ROWS)
    sha256 = hashlib.sha256(ROWS.encode()).hexdigest()
    assert stored(tmp_path, "id", "day", "amount", "_row", "_line", "_partition") == [
        ("1", "2024-01-01", "10", 1, 2, "2024-01-01"),
        ("2", "2024-01-02", "NA", 2, 3, "2024-01-02"),
        ("3", "2024-01-01", "007", 3, 4, "2024-01-01"),
    ]
    assert set(stored(tmp_path, "_source_file", "_source_sha256")) == {("orders.csv", sha256)}
    assert {key: one.rows for key, one in report.partitions.items()} == dict.fromkeys(WEEK, 0) | {
        "2024-01-01": 2,
        "2024-01-02": 1,
    }
    assert (report.rows_in_file, report.rows_elsewhere, report.quarantined) == (3, 0, {})


def test_the_same_bytes_make_no_new_version_and_are_not_read_again(tmp_path: Path) -> None:
    first = run(tmp_path, ROWS)
    number = LocalLake(tmp_path / "lake").state("raw/orders").number
    second = run(tmp_path, ROWS)
    assert changed(first) == WEEK
    assert changed(second) == []
    assert not second.read
    assert (second.rows_in_file, second.rows_elsewhere, second.quarantined) == (3, 0, {})
    assert LocalLake(tmp_path / "lake").state("raw/orders").number == number


def test_the_same_rows_in_another_file_make_no_new_version(tmp_path: Path) -> None:
    first = run(tmp_path, ROWS)
    second = run(tmp_path, ROWS.replace("10", '"10"').replace("\n", "\r\n"))
    assert second.read
    assert changed(second) == []
    assert {key: one.version for key, one in second.partitions.items()} == {
        key: one.version for key, one in first.partitions.items()
    }


def test_only_the_partition_that_differs_is_written(tmp_path: Path) -> None:
    run(tmp_path, ROWS)
    report = run(tmp_path, ROWS.replace("2024-01-02,NA", "2024-01-02,5"))
    assert changed(report) == ["2024-01-02"]
    assert stored(tmp_path, "id", "amount") == [("1", "10"), ("2", "5"), ("3", "007")]


def test_values_that_look_alike_when_joined_have_different_versions(tmp_path: Path) -> None:
    versions = set()
    for row in ("ab,2024-01-01,c", "a,2024-01-01,bc", '"a,2024-01-01",2024-01-01,c'):
        versions.add(run(tmp_path / row[:4].replace('"', "q"), HEADER + row + "\n").partitions["2024-01-01"].version)
    assert len(versions) == 3


def test_the_version_does_not_depend_on_how_the_file_is_cut_into_blocks_but_on_the_order_of_rows(
    tmp_path: Path,
) -> None:
    content = HEADER + "".join(f"{i},2024-01-0{i % 3 + 1},{i * i}\n" for i in range(200))
    whole = run(tmp_path / "whole", content)
    pieces = run(tmp_path / "pieces", content, block_bytes=100)
    assert {k: v.version for k, v in whole.partitions.items()} == {k: v.version for k, v in pieces.partitions.items()}
    assert stored(tmp_path / "pieces", "id", "_row", "_line") == [(str(i), i + 1, i + 2) for i in range(200)]
    lines = content.splitlines(keepends=True)
    turned = run(tmp_path / "turned", "".join([lines[0], *reversed(lines[1:])]))
    assert whole.partitions["2024-01-01"].version != turned.partitions["2024-01-01"].version


def test_partitions_that_are_not_asked_for_are_not_touched(tmp_path: Path) -> None:
    run(tmp_path, ROWS)
    report = run(tmp_path, HEADER + "9,2024-01-01,9\n8,2024-01-02,8\n", ["2024-01-02"])
    assert stored(tmp_path, "id") == [("1",), ("8",), ("3",)]
    assert (report.rows_in_file, report.rows_elsewhere) == (2, 1)
    assert list(report.partitions) == ["2024-01-02"]


ONE_DAY = HEADER + "1,2024-01-01,10\n3,2024-01-01,007\n"


def test_with_replace_whole_a_partition_without_rows_in_the_file_becomes_empty(tmp_path: Path) -> None:
    run(tmp_path, ROWS, replace="whole")
    report = run(tmp_path, ONE_DAY, replace="whole")
    assert changed(report) == ["2024-01-02"]
    assert report.partitions["2024-01-02"].rows == 0


def test_with_replace_partition_one_that_the_file_says_nothing_of_stays(tmp_path: Path) -> None:
    run(tmp_path, ROWS, replace="partition")
    report = run(tmp_path, ONE_DAY, replace="partition")
    assert changed(report) == []
    assert report.partitions["2024-01-02"].rows == 1
    assert (report.rows_in_file, report.rows_taken, report.rows_elsewhere) == (2, 2, 0)
    assert stored(tmp_path, "id") == [("1",), ("2",), ("3",)]


def test_with_replace_nothing_rows_are_only_added_and_only_once(tmp_path: Path) -> None:
    run(tmp_path, ROWS, replace="nothing")
    report = run(tmp_path, HEADER + "3,2024-01-01,007\n4,2024-01-01,4\n5,2024-01-03,5\n", replace="nothing")
    assert changed(report) == ["2024-01-01", "2024-01-03"]
    assert sorted(stored(tmp_path, "id")) == [("1",), ("2",), ("3",), ("4",), ("5",)]
    assert (report.rows_in_file, report.rows_taken, report.rows_elsewhere) == (3, 3, 0)
    assert report.partitions["2024-01-01"].rows == 3
    again = run(tmp_path, HEADER + "4,2024-01-01,4\n", replace="nothing")
    assert changed(again) == []


def test_an_unpartitioned_dataset_is_one_table(tmp_path: Path) -> None:
    report = run(tmp_path, ROWS, [""])
    assert report.partitions[""].rows == 3
    assert "_partition" not in LocalLake(tmp_path / "lake").schema("raw/orders").names
    assert changed(run(tmp_path, ROWS + "4,x,1\n", [""])) == [""]
    assert len(stored(tmp_path, "id")) == 4
    run(tmp_path, HEADER + "7,x,1\n", [""])
    assert stored(tmp_path, "id") == [("7",)]


def test_rows_without_a_place_are_quarantined_with_their_place_in_the_file_and_counted(tmp_path: Path) -> None:
    content = ROWS + "4,2024-13-01,1\n5,2023-12-31,1\n6,2024-01-03\n7,2024-01-03,ok\n8,,1\n"
    report = run(tmp_path, content)
    assert report.quarantined == {"NO_PARTITION": 2, "OUTSIDE_PARTITIONS": 1, "RAGGED_ROW": 1}
    assert report.rows_in_file == 8 == sum(one.rows for one in report.partitions.values()) + 4
    lake = LocalLake(tmp_path / "lake")
    rows = quarantined_rows(lake, "orders", ["2024-01-05"]).to_pylist()
    assert [(row["row"], row["line"], row["column"], row["value"], row["code"]) for row in rows] == [
        (4, 5, "day", "2024-13-01", "NO_PARTITION"),
        (5, 6, "day", "2023-12-31", "OUTSIDE_PARTITIONS"),
        (6, 7, None, "6,2024-01-03", "RAGGED_ROW"),
        (8, 9, "day", "", "NO_PARTITION"),
    ]
    assert raw_row(rows[0]["raw"]) == {"id": "4", "day": "2024-13-01", "amount": "1"}
    assert rows[2]["reason"] == "2 fields where the header has 3"
    assert {row["source_file"] for row in rows} == {"orders.csv"}
    assert quarantined_counts(lake, "orders") == report.quarantined
    assert run(tmp_path, content).quarantined == report.quarantined
    run(tmp_path, ROWS)
    assert quarantined_rows(lake, "orders").num_rows == 0


def test_a_partition_expression_that_places_no_row_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="gives no date for any of the 2 rows") as caught:
        run(tmp_path, "id,day,amount\n1,x,1\n2,y,2\n")
    assert caught.value.where == "datasets.orders.partition.of"
    assert LocalLake(tmp_path / "lake").tables() == []


def test_a_partition_expression_of_an_unknown_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="day"):
        run(tmp_path, "id,date\n1,2024-01-01\n")


def test_a_broken_file_leaves_what_was_there(tmp_path: Path) -> None:
    run(tmp_path, ROWS)
    before = LocalLake(tmp_path / "lake").state("raw/orders")
    bad = ROWS.encode() + b"5,2024-01-05,\xff\n"
    with pytest.raises(SourceError, match="UTF-8"):
        run(tmp_path, bad, block_bytes=20)
    after = LocalLake(tmp_path / "lake")
    assert after.state("raw/orders") == before
    assert sorted(after.scan("raw/orders")["id"].to_pylist()) == ["1", "2", "3"]


def test_months_are_partitions_of_their_first_day(tmp_path: Path) -> None:
    report = ingest(
        "orders",
        dataset(by="month"),
        put(tmp_path, HEADER + "1,2024-01-05,x\n2,2024-02-05,x\n"),
        LocalLake(tmp_path / "lake"),
        ["2024-01-01"],
        engine=session,
    )
    assert report.partitions["2024-01-01"].rows == 1
    assert report.quarantined == {"OUTSIDE_PARTITIONS": 1}


def test_a_new_column_joins_partition_by_partition(tmp_path: Path) -> None:
    run(tmp_path, ROWS)
    run(tmp_path, "id,day,amount,note\n1,2024-01-01,10,hello\n", ["2024-01-01"])
    assert stored(tmp_path, "id", "note") == [("1", "hello"), ("2", None)]


def test_progress_counts_the_rows_of_the_file(tmp_path: Path) -> None:
    seen: list[int] = []
    ingest(
        "orders",
        dataset(),
        put(tmp_path, ROWS),
        LocalLake(tmp_path / "lake"),
        WEEK,
        engine=session,
        progress=seen.append,
    )
    assert sum(seen) == 3


def test_a_kill_between_the_quarantine_and_the_rows_is_made_good_by_the_next_run(tmp_path: Path) -> None:
    """The quarantine is committed first: without the rows' own commit the file counts as not read."""
    content = ROWS + "4,nowhere,1\n"
    run(tmp_path, content)
    lake = LocalLake(tmp_path / "lake")
    lake.remove("raw/orders")
    report = run(tmp_path, content)
    assert report.read
    assert report.partitions["2024-01-01"].rows == 2
    assert quarantined_rows(lake, "orders").num_rows == 1


def test_the_content_hash_of_the_documentation_is_what_is_stored(tmp_path: Path) -> None:
    """Worked out here by hand from the rule in `transforms.content_hash`."""
    report = run(tmp_path, HEADER + "1,2024-01-01,é\n22,2024-01-01,\n")
    columns = [["1", "22"], ["2024-01-01"] * 2, ["é", ""]]
    total = hashlib.sha256(json.dumps([["id", "day", "amount"], 2]).encode())
    for values in columns:
        texts = [value.encode() for value in values]
        total.update(hashlib.sha256(b"".join(len(text).to_bytes(4, "little") for text in texts)).digest())
        total.update(hashlib.sha256(b"".join(texts)).digest())
    assert report.partitions["2024-01-01"].version == total.hexdigest()
    assert isinstance(LocalLake(tmp_path / "lake").scan("raw/orders"), pa.Table)
