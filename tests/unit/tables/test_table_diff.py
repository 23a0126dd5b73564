"""The difference of two states of a table by key: worked out by hand, and equal to a naive comparison whatever the rows,
the partitions and the size of the buckets."""

import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.errors import SpiceError
from resources.lake.base import Lake
from resources.lake.local import LocalLake
from transforms.table_diff import diff_rows

SCHEMA = pa.schema([("_partition", pa.string()), ("k", pa.string()), ("n", pa.int64()), ("v", pa.float64())])
Key = tuple[str | None, int | None]
State = Mapping[Key, tuple[str, float | None]]
"""Key -> partition and value."""


def written(lake: Lake, state: State, versions: Mapping[str, str]) -> None:
    rows = [{"_partition": part, "k": k, "n": n, "v": v} for (k, n), (part, v) in state.items()]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    lake.replace("t", table, versions=versions, partition_column="_partition")


def found(before: Lake, after: Lake, **options: int) -> dict[str, dict[Key, object]]:
    said: dict[str, dict[Key, object]] = {"added": {}, "removed": {}, "changed": {}}
    for one in diff_rows(before, after, "t", ["k", "n"], **options):
        for kind, table in (("added", one.added), ("removed", one.removed)):
            said[kind] |= {(row["k"], row["n"]): (row["_partition"], row["v"]) for row in table.to_pylist()}
        for old, new in zip(one.before.to_pylist(), one.after.to_pylist(), strict=True):
            assert (old["k"], old["n"]) == (new["k"], new["n"])
            said["changed"][new["k"], new["n"]] = ((old["_partition"], old["v"]), (new["_partition"], new["v"]))
    return said


keys = st.tuples(st.sampled_from(["a", "b", "1:a", "|", "", None]), st.integers(0, 3) | st.none())
states = st.dictionaries(
    keys, st.tuples(st.sampled_from(["p", "q"]), st.sampled_from([0.0, 1.5, None, float("nan")])), max_size=24
)


def same(one: object, two: object) -> bool:
    return repr(one) == repr(two)  # NaN is NaN here


@settings(max_examples=40, deadline=None)
@given(states, states, st.integers(1, 30))
def test_it_is_what_a_naive_comparison_finds(old: State, new: State, bucket_rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = LocalLake(Path(folder))
        written(lake, old, {"p": "1" * 64, "q": "1" * 64})
        lake.branches.create("try")
        after = lake.branches.at("try")
        written(after, new, {"p": "2" * 64, "q": "2" * 64})
        said = found(lake, after, bucket_rows=bucket_rows)
    assert same(sorted(said["added"].items(), key=repr), sorted(((k, new[k]) for k in new.keys() - old), key=repr))
    assert same(sorted(said["removed"].items(), key=repr), sorted(((k, old[k]) for k in old.keys() - new), key=repr))
    differ = {k: (old[k], new[k]) for k in old.keys() & new.keys() if not same(old[k], new[k])}
    assert same(sorted(said["changed"].items(), key=repr), sorted(differ.items(), key=repr))


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path)


def test_partitions_of_the_same_version_are_not_read(lake: LocalLake) -> None:
    written(lake, {("a", 1): ("p", 1.0), ("b", 1): ("q", 1.0)}, {"p": "1" * 64, "q": "1" * 64})
    lake.branches.create("try")
    after = lake.branches.at("try")
    written(after, {("b", 1): ("q", 2.0)}, {"q": "2" * 64})
    for file in lake.files("t", partitions=["p"]):
        Path(file).write_bytes(b"torn")
    assert found(lake, after) == {"added": {}, "removed": {}, "changed": {("b", 1): (("q", 1.0), ("q", 2.0))}}


def test_a_row_that_moved_to_another_partition_is_changed(lake: LocalLake) -> None:
    written(lake, {("a", 1): ("p", 1.0)}, {"p": "1" * 64, "q": "1" * 64})
    lake.branches.create("try")
    after = lake.branches.at("try")
    written(after, {("a", 1): ("q", 1.0)}, {"p": "2" * 64, "q": "2" * 64})
    assert found(lake, after)["changed"] == {("a", 1): (("p", 1.0), ("q", 1.0))}


def test_columns_that_came_went_or_changed_their_type_are_compared_as_what_they_say(lake: LocalLake) -> None:
    before = pa.table({"k": ["a", "b"], "gone": [1, None], "amount": [1, 2]})
    after = pa.table({"k": ["a", "b"], "amount": [Decimal("1.00"), Decimal("2.50")], "new": ["x", None]})
    lake.replace("t", before, versions={"": "1" * 64}, partition_column=None)
    lake.branches.create("try")
    there = lake.branches.at("try")
    there.replace("t", after, versions={"": "2" * 64}, partition_column=None)
    (one,) = diff_rows(lake, there, "t", ["k"])
    assert one.before.to_pylist() == [
        {"k": "a", "gone": 1, "amount": "1", "new": None},
        {"k": "b", "gone": None, "amount": "2", "new": None},
    ]
    assert one.after.to_pylist()[1] == {"k": "b", "gone": None, "amount": "2.50", "new": None}


def test_a_table_of_one_side_alone_is_all_added_or_removed(lake: LocalLake) -> None:
    lake.branches.create("try")
    written(lake.branches.at("try"), {("a", 1): ("p", 1.0)}, {"p": "1" * 64})
    assert found(lake, lake.branches.at("try"))["added"] == {("a", 1): ("p", 1.0)}
    assert found(lake.branches.at("try"), lake)["removed"] == {("a", 1): ("p", 1.0)}
    assert list(diff_rows(lake.branches.at("try"), lake.branches.at("try"), "t", ["k"])) == []


def test_what_is_no_key_is_an_error_that_names_a_row(lake: LocalLake) -> None:
    written(lake, {("a", 1): ("p", 1.0)}, {"p": "1" * 64})
    lake.branches.create("try")
    after = lake.branches.at("try")
    written(after, {("a", 1): ("p", 1.0), ("a", 2): ("p", 1.0)}, {"p": "2" * 64})
    with pytest.raises(SpiceError, match="Not a key: k is no key: more than one row has k = a"):
        list(diff_rows(lake, after, "t", ["k"]))
    with pytest.raises(SpiceError, match=r"no column x.*Allowed: k, n, v"):
        list(diff_rows(lake, after, "t", ["x"]))
    with pytest.raises(SpiceError, match="name the columns"):
        list(diff_rows(lake, after, "t", []))
    with pytest.raises(SpiceError, match="neither side has a table other"):
        list(diff_rows(lake, after, "other", ["k"]))
