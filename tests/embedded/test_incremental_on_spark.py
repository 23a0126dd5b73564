"""The frames that incremental runs are made of mean the same on Sail and on real Spark: missing values are equal to each
other, and of one key the same row counts."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from resources.spark import from_arrow, session, to_arrow
from transforms.nodes.example import Table
from transforms.outputs.changes import differences
from transforms.outputs.keys import as_keys, of_keys, winners

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLD = Table(
    "| k: string? | n: integer? | d: double? | at: timestamp? | e: decimal(6,2)? | b: boolean? |\n"
    "| a | 1 | 0.5 | 2024-01-01T10:00:00 | 1.50 | true |\n"
    "| a | 1 | 0.5 | 2024-01-01T10:00:00 | 1.50 | true |\n"
    "| | | nan | | | |\n"
    "| b | 2 | | 2024-01-02T00:00:00 | 2.00 | false |"
)
NEW = Table(
    "| k: string? | n: integer? | d: double? | at: timestamp? | e: decimal(6,2)? | b: boolean? |\n"
    "| a | 1 | 0.5 | 2024-01-01T10:00:00 | 1.50 | true |\n"
    "| | | nan | | | |\n"
    "| b | 2 | | 2024-01-02T00:00:00 | 2.01 | false |\n"
    "| | 3 | | | | |"
)


@pytest.fixture(params=["sail", "spark"])
def engine(request: pytest.FixtureRequest) -> "SparkSession":
    found: SparkSession = session() if request.param == "sail" else request.getfixturevalue("spark_session")
    return found


def texts(rows: pa.Table) -> list[tuple[str, ...]]:
    return sorted(tuple(str(value) for value in row.values()) for row in rows.to_pylist())


def of(table: Table, *places: int) -> list[tuple[str, ...]]:
    return texts(table.arrow().take(pa.array(places, pa.int64())))


def test_differences_are_those_of_whole_rows_with_their_copies(engine: "SparkSession") -> None:
    old, new = from_arrow(engine, OLD.arrow()), from_arrow(engine, NEW.arrow())
    found = differences(old, new, NEW.columns)
    assert found is not None
    assert (texts(found.dropped), texts(found.added)) == (of(OLD, 0, 3), of(NEW, 2, 3))
    assert differences(old, new, NEW.columns, most=2) is None
    empty = from_arrow(engine, OLD.arrow().slice(0, 0))
    every = differences(empty, old, OLD.columns)
    assert every is not None
    assert texts(every.added) == texts(OLD.arrow())


def test_missing_keys_are_equal(engine: "SparkSession") -> None:
    old, new = from_arrow(engine, OLD.arrow()), from_arrow(engine, NEW.arrow())
    keys = as_keys(old.where("n IS NULL OR n = 2"), ["k", "n"])
    assert texts(to_arrow(of_keys(new, keys, ["k", "n"]))) == of(NEW, 1, 2)
    assert texts(to_arrow(new.exceptAll(old))) == of(NEW, 2, 3)


def test_one_row_of_each_key_counts_whatever_their_order(engine: "SparkSession") -> None:
    for rows in (NEW.arrow(), NEW.arrow().take(pa.array([3, 2, 1, 0]))):
        frame = winners(from_arrow(engine, rows), NEW.columns, ["k"], ["n desc"])
        assert texts(to_arrow(frame)) == of(NEW, 0, 2, 3)
        first = winners(from_arrow(engine, rows), NEW.columns, ["k"], ["n"])
        assert texts(to_arrow(first)) == of(NEW, 0, 1, 2)
