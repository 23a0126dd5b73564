"""Clean: types by one written rule each, misfits in quarantine with place and reason, rows accounted for."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from resources.errors import SpiceError
from resources.lake.local import LocalLake
from resources.spark import session
from tests.unit.tables.files import WEEK, dataset, put
from transforms.clean import CleanReport, clean
from transforms.quarantine import quarantined_counts, quarantined_rows, raw_row
from transforms.raw import ingest

HEADER = "id,day,amount\n"
ROWS = HEADER + "1,2024-01-01,10\n2,2024-01-02,NA\n3,2024-01-01,007\n"
TYPES = {"id": "integer", "day": "date", "amount": "integer?"}


def run(
    home: Path, content: str, types: dict[str, str] = TYPES, asked: list[str] = WEEK, **options: Any
) -> CleanReport:
    lake = LocalLake(home / "lake")
    orders = dataset(partitioned=asked != [""], nulls=["", "NA"])
    ingest("orders", orders, put(home, content), lake, asked, engine=session)
    return clean("orders", orders, types, lake, asked, engine=session, **options)


def stored(home: Path, *columns: str) -> list[tuple]:
    table = LocalLake(home / "lake").scan("clean/orders").sort_by([("_row", "ascending")])
    return [tuple(row[column] for column in columns) for row in table.to_pylist()]


def typed(home: Path, kind: str, *texts: str, timezone: str = "UTC") -> dict[str, Any]:
    """The value each text has as this type; "misfit" where it goes to the quarantine."""
    content = "id,value\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(texts))
    run(home, content, {"id": "integer", "value": kind}, [""], timezone=timezone)
    found = dict(stored(home, "id", "value"))
    return {text: found.get(i, "misfit") for i, text in enumerate(texts)}


def test_rows_are_typed_and_keep_their_place(tmp_path: Path) -> None:
    report = run(tmp_path, ROWS)
    assert stored(tmp_path, "id", "day", "amount", "_row", "_line", "_source_file", "_partition") == [
        (1, date(2024, 1, 1), 10, 1, 2, "orders.csv", "2024-01-01"),
        (2, date(2024, 1, 2), None, 2, 3, "orders.csv", "2024-01-02"),
        (3, date(2024, 1, 1), 7, 3, 4, "orders.csv", "2024-01-01"),
    ]
    assert (report.rows_in, report.rows_out, report.quarantined) == (3, 3, {})


def test_a_row_that_does_not_fit_is_quarantined_with_column_value_and_reason(tmp_path: Path) -> None:
    content = ROWS + "4,2024-01-02,abc\n,2024-01-02,x\n6,2024-01-03,9223372036854775808\n"
    report = run(tmp_path, content)
    assert report.quarantined == {"WRONG_TYPE": 2, "MISSING_VALUE": 1}
    assert (report.rows_in, report.rows_out) == (6, 3)
    rows = quarantined_rows(LocalLake(tmp_path / "lake"), "orders").to_pylist()
    assert [(row["stage"], row["partition"], row["row"], row["line"], row["column"], row["value"]) for row in rows] == [
        ("clean", "2024-01-02", 4, 5, "amount", "abc"),
        ("clean", "2024-01-02", 5, 6, "id", ""),
        ("clean", "2024-01-03", 6, 7, "amount", "9223372036854775808"),
    ]
    assert rows[0]["reason"] == "'abc' is not a whole number within 64 bits, like 42"
    assert rows[1]["reason"] == "id has no value"
    assert raw_row(rows[0]["raw"]) == {"id": "4", "day": "2024-01-02", "amount": "abc"}
    assert quarantined_counts(LocalLake(tmp_path / "lake"), "orders", ["2024-01-03"]) == {"WRONG_TYPE": 1}


def test_a_mended_row_leaves_the_quarantine_and_only_its_partition_is_written(tmp_path: Path) -> None:
    run(tmp_path, ROWS + "4,2024-01-02,abc\n")
    report = run(tmp_path, ROWS + "4,2024-01-02,5\n")
    assert [key for key, one in report.partitions.items() if one.changed] == ["2024-01-02"]
    assert quarantined_rows(LocalLake(tmp_path / "lake"), "orders").num_rows == 0
    assert (4, 5) in stored(tmp_path, "id", "amount")


def test_what_is_there_already_is_left_alone_and_reported_the_same(tmp_path: Path) -> None:
    content = ROWS + "4,2024-01-02,abc\n"
    first = run(tmp_path, content)
    lake = LocalLake(tmp_path / "lake")
    number = lake.state("clean/orders").number
    second = run(tmp_path, content)
    assert lake.state("clean/orders").number == number
    assert not any(one.changed for one in second.partitions.values())
    assert {key: one.version for key, one in second.partitions.items()} == {
        key: one.version for key, one in first.partitions.items()
    }
    assert (second.rows_in, second.rows_out, second.quarantined) == (4, 3, {"WRONG_TYPE": 1})


def test_another_type_is_another_version(tmp_path: Path) -> None:
    run(tmp_path, ROWS)
    report = run(tmp_path, ROWS, {**TYPES, "amount": "decimal(6,2)?"})
    assert all(one.changed for one in report.partitions.values())
    assert stored(tmp_path, "amount") == [(Decimal("10.00"),), (None,), (Decimal("7.00"),)]


def test_only_the_asked_partitions_are_cleaned(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake")
    ingest("orders", dataset(nulls=["NA"]), put(tmp_path, ROWS), lake, WEEK, engine=session)
    report = clean("orders", dataset(nulls=["NA"]), TYPES, lake, ["2024-01-02"], engine=session)
    assert list(report.partitions) == ["2024-01-02"]
    assert stored(tmp_path, "id") == [(2,)]


@pytest.mark.parametrize("chunk_rows", [1, 3, 1000])
def test_the_result_does_not_depend_on_the_size_of_chunks(tmp_path: Path, chunk_rows: int) -> None:
    content = HEADER + "".join(f"{i},2024-01-0{i % 5 + 1},{'x' if i % 7 == 0 else i}\n" for i in range(50))
    seen: list[int] = []
    report = run(tmp_path, content, chunk_rows=chunk_rows, progress=seen.append)
    assert (report.rows_out, report.quarantined, sum(seen)) == (42, {"WRONG_TYPE": 8}, 50)
    assert stored(tmp_path, "id", "amount") == [(i, i) for i in range(50) if i % 7]


def test_a_large_table_without_partitions_is_taken_in_pieces(tmp_path: Path) -> None:
    content = HEADER + "".join(f"{i},2024-01-01,{i}\n" for i in range(50))
    report = run(tmp_path, content, asked=[""], chunk_rows=7)
    assert report.rows_out == 50
    assert stored(tmp_path, "id") == [(i,) for i in range(50)]


def test_raw_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="run raw/orders first"):
        clean("orders", dataset(), TYPES, LocalLake(tmp_path), WEEK, engine=session)


def test_columns_and_types_that_do_not_match_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpiceError, match="no type is known for amount"):
        run(tmp_path, ROWS, {"id": "integer", "day": "date"})
    with pytest.raises(SpiceError, match="price is not in the file"):
        run(tmp_path, ROWS, {**TYPES, "price": "integer"})


def test_integers(tmp_path: Path) -> None:
    texts = [
        "5",
        "-5",
        "007",
        "-0",
        "+5",
        " 5",
        "5 ",
        "5.0",
        "1e3",
        "1,000",
        "9223372036854775807",
        "9223372036854775808",
    ]
    assert typed(tmp_path, "integer", *texts, "-9223372036854775808", "9" * 400, "５") == {
        "5": 5,
        "-5": -5,
        "007": 7,
        "-0": 0,
        **dict.fromkeys(["+5", " 5", "5 ", "5.0", "1e3", "1,000", "9223372036854775808", "9" * 400, "５"], "misfit"),
        "9223372036854775807": 2**63 - 1,
        "-9223372036854775808": -(2**63),
    }


def test_doubles(tmp_path: Path) -> None:
    fitting = {
        "5": 5.0,
        "-.5": -0.5,
        "1.": 1.0,
        "1e3": 1000.0,
        "0.1": 0.1,
        "1e-999": 0.0,
        "10.357019999999999": 10.35702,
    }
    misfits = ["NaN", "inf", "1e999", "-1e999", "1,5", " 1", "+1", "0x10", "", "1 000"]
    found = typed(tmp_path, "double", *fitting, *misfits)
    assert found["10.357019999999999"] == 10.357019999999999
    assert {text: found[text] for text in fitting} == pytest.approx(fitting)
    assert {text: found[text] for text in misfits} == dict.fromkeys(misfits, "misfit")


def test_decimals_are_exact_or_misfits(tmp_path: Path) -> None:
    misfits = ["1.234", "1000", "1e2", "0.005", "", "1.2.3", "9" * 400]
    assert typed(tmp_path, "decimal(5,2)", "1.5", "-1.50", "999.99", "0001.230", ".5", "1.", *misfits) == {
        "1.5": Decimal("1.50"),
        "-1.50": Decimal("-1.50"),
        "999.99": Decimal("999.99"),
        "0001.230": Decimal("1.23"),
        ".5": Decimal("0.50"),
        "1.": Decimal("1.00"),
        **dict.fromkeys(misfits, "misfit"),
    }


def test_a_decimal_of_38_digits_keeps_them_all(tmp_path: Path) -> None:
    text = "1234567890123456789012345678.0123456789"
    assert typed(tmp_path, "decimal(38,10)", text) == {text: Decimal(text)}


def test_booleans_and_dates(tmp_path: Path) -> None:
    assert typed(tmp_path / "b", "boolean", "true", "FALSE", "1", "t", "yes") == {
        "true": True,
        "FALSE": False,
        "1": "misfit",
        "t": "misfit",
        "yes": "misfit",
    }
    assert typed(tmp_path / "d", "date", "2024-02-29", "2023-02-29", "0000-01-01", "9999-12-31", "2024-1-1") == {
        "2024-02-29": date(2024, 2, 29),
        "2023-02-29": "misfit",
        "0000-01-01": "misfit",
        "9999-12-31": date(9999, 12, 31),
        "2024-1-1": "misfit",
    }


def test_timestamps_are_instants_and_local_ones_must_exist(tmp_path: Path) -> None:
    misfits = ["2013-03-10 02:30", "2013-01-01 24:00:00", "2013-01-01", "10:00", "2013-02-30 10:00"]
    misfits.append("0000-01-01T00:00:00Z")

    def utc(*parts: int) -> datetime:
        return datetime(*parts, tzinfo=UTC)

    misfits = [
        "2013-03-10 02:30",
        "2013-01-01 24:00:00",
        "2013-01-01",
        "10:00",
        "2013-02-30 10:00",
        "0000-01-01T00:00:00Z",
    ]
    texts = {
        "2013-01-01T10:00:00Z": utc(2013, 1, 1, 10),
        "2013-01-01T10:00:00+09:00": utc(2013, 1, 1, 1),
        "2013-01-01T10:00:00-0130": utc(2013, 1, 1, 11, 30),
        "2013-01-01T10:00:00.123456Z": utc(2013, 1, 1, 10, 0, 0, 123456),
        "2013-01-01 10:00": utc(2013, 1, 1, 15),
        "2013-07-01T10:00:30": utc(2013, 7, 1, 14, 0, 30),
        "2013-03-10 03:00": utc(2013, 3, 10, 7),
        "2013-11-03 01:30": utc(2013, 11, 3, 5, 30),
        "2013-11-03 02:00": utc(2013, 11, 3, 7),
        "9999-12-31T00:00:00Z": utc(9999, 12, 31),
        **dict.fromkeys(misfits, "misfit"),
    }
    assert typed(tmp_path, "timestamp", *texts, timezone="America/New_York") == texts


def test_text_is_taken_as_it_is(tmp_path: Path) -> None:
    texts = ["x", " x ", "=1+1", "007", "\u202eabc", "é", "-2+3"]
    assert typed(tmp_path, "string", *texts) == {text: text for text in texts}
    assert typed(tmp_path / "n", "string?", "NA", "") == {"NA": None, "": None}
    assert typed(tmp_path / "m", "string", "NA") == {"NA": "misfit"}


def test_a_partition_from_before_a_new_column_has_no_value_there(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake")
    ingest("orders", dataset(nulls=["NA"]), put(tmp_path, ROWS), lake, WEEK, engine=session)
    wider = put(tmp_path, "id,day,amount,note\n1,2024-01-01,10,hello\n")
    ingest("orders", dataset(nulls=["NA"]), wider, lake, ["2024-01-01"], engine=session)
    clean("orders", dataset(nulls=["NA"]), {**TYPES, "note": "string?"}, lake, WEEK, engine=session)
    assert stored(tmp_path, "id", "note") == [(1, "hello"), (2, None)]
    report = clean("orders", dataset(nulls=["NA"]), {**TYPES, "note": "integer"}, lake, WEEK, engine=session)
    assert report.quarantined == {"WRONG_TYPE": 1, "MISSING_VALUE": 1}
