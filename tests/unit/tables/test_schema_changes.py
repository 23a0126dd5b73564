"""Which changes of a pipeline's columns break whoever reads its table, and what an approval has to say."""

from pathlib import Path

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.base import TableState
from resources.lake.local import LocalLake
from transforms.building.built import Built
from transforms.building.schema_changes import BreakingChange, refuse_breaking, schema_changes

BEFORE = {"id": "string", "amount": "decimal(8,2)", "note": "string?", "count": "integer"}


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    made = LocalLake(tmp_path)
    rows = pa.table(
        {
            "id": pa.array(["a"]),
            "amount": pa.array(["1.00"]).cast(pa.decimal128(8, 2)),
            "note": pa.array(["x"]),
            "count": pa.array([1], pa.int64()),
        }
    )
    built = Built(BEFORE, ["id"], {"": "code"}, 10, 2.0)
    made.replace("t", rows, versions={"": "1" * 64}, partition_column=None, metadata=built.metadata())
    made.replace("older", rows, versions={"": "1" * 64}, partition_column=None)
    return made


@pytest.mark.parametrize(
    ("now", "key", "expected"),
    [
        (BEFORE, ["id"], []),
        ({**BEFORE, "more": "date?"}, ["id"], [("added:more", False)]),
        ({"id": "string", "amount": "decimal(8,2)", "count": "integer"}, ["id"], [("removed:note", True)]),
        ({**BEFORE, "amount": "decimal(10,2)"}, ["id"], [("type:amount", True)]),
        ({**BEFORE, "amount": "double?"}, ["id"], [("type:amount", True)]),
        ({**BEFORE, "count": "integer?"}, ["id"], [("nullability:count", True)]),
        ({**BEFORE, "note": "string"}, ["id"], [("nullability:note", True)]),
        (BEFORE, ["id", "count"], [("key", True)]),
        (BEFORE, [], [("key", True)]),
        (dict(reversed(BEFORE.items())), ["id"], []),
    ],
)
def test_changes_are_named(
    lake: LocalLake, now: dict[str, str], key: list[str], expected: list[tuple[str, bool]]
) -> None:
    assert [(one.name, one.breaking) for one in schema_changes(lake, "t", now, key)] == expected


def test_of_a_table_that_does_not_say_what_was_declared_the_types_alone_are_compared(lake: LocalLake) -> None:
    now = {**BEFORE, "count": "string", "note": "string"}
    assert [one.name for one in schema_changes(lake, "older", now, ["count"])] == ["type:count"]


def test_a_table_that_is_not_there_has_no_changes(lake: LocalLake) -> None:
    assert schema_changes(lake, "nowhere", BEFORE, ["id"]) == []


def test_a_breaking_change_is_refused_until_each_is_approved_by_name(lake: LocalLake) -> None:
    changes = schema_changes(lake, "t", {"id": "integer", "amount": "decimal(8,2)", "more": "date"}, ["id"])
    with pytest.raises(BreakingChange, match=r"removed:note.*--approve type:id --approve removed:note"):
        refuse_breaking("pipelines.p", changes, [])
    with pytest.raises(BreakingChange, match=r"Allowed: removed:count, removed:note\.?$"):
        refuse_breaking("pipelines.p", changes, ["type:id"])
    refuse_breaking("pipelines.p", changes, ["type:id", "removed:note", "removed:count"])
    with pytest.raises(SpiceError, match="Nothing to approve: key is no breaking change"):
        refuse_breaking("pipelines.p", changes, ["type:id", "removed:note", "removed:count", "key"])


def test_what_is_kept_of_a_build_comes_back_and_estimates_the_next() -> None:
    built = Built({"a": "integer?"}, ["a"], {"p": "one", "q": "two", "r": "one"}, 100, 4.0)
    again = Built.of(TableState(metadata=built.metadata()))
    assert (dict(again.columns), list(again.key), dict(again.codes)) == (
        {"a": "integer?"}, ["a"], {"p": "one", "q": "two", "r": "one"},
    )  # fmt: skip
    assert again.estimate(50) == 2.0
    assert Built.of(TableState()).estimate(50) is None
