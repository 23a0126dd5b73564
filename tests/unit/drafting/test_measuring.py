"""What is measured of columns: types as inference has them, different values, uniqueness, shares. The other opinion is
plain Python over the same values."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.column_pairs import measure_pairs
from transforms.distinct import DistinctValues, Uniqueness
from transforms.inference import infer_types
from transforms.profile import MARKERS, profile_table
from transforms.text_hash import SLICE_BYTES, hash_texts

VALUES = st.one_of(
    st.sampled_from(
        ["", "NA", "-", "null", "1", "2", "1.5", "true", "2024-01-31", "2024-01-31 10:00", "Anna Karenina"]
    ),
    st.integers(-50, 50).map(str),
    st.text(max_size=5).filter(lambda text: "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)),
)


def batches(values: list[str], size: int) -> list[pa.Table]:
    return [pa.table({"a": pa.array(values[i : i + size], pa.string())}) for i in range(0, len(values), size)]


@given(st.lists(st.sampled_from([VALUES]).flatmap(lambda s: s), min_size=1, max_size=30), st.integers(1, 10))
def test_a_profile_says_what_inference_says_and_counts_as_python_counts(values: list[str], size: int) -> None:
    profile = profile_table(batches(values, size), ["a"])
    assert profile.rows == len(values)
    assert profile.types == infer_types(batches(values, size), ["a"], nulls=profile.nulls)
    column = profile.columns["a"]
    present = [value for value in values if value not in profile.nulls]
    assert column.missing == len(values) - len(present)
    assert column.unique == (bool(present) and len(set(present)) == len(present))
    assert column.distinct.count == len(set(present))
    assert set(profile.nulls) <= {"", *MARKERS}


@pytest.mark.parametrize(
    ("values", "nulls", "kind"),
    [
        (["1", "NA", "3"], ["", "NA"], "integer?"),
        (["1", "NA", "x"], [""], "string"),
        (["NA", "NA"], [""], "string"),
        (["", ""], [""], "string?"),
        (["2024-01-01", "-", ""], ["", "-"], "date?"),
        (["red", "-"], [""], "string"),
        (["1.5", "NaN", "?"], ["", "NaN", "?"], "double?"),
    ],
)
def test_a_marker_means_no_value_only_where_all_else_is_of_a_type(
    values: list[str], nulls: list[str], kind: str
) -> None:
    profile = profile_table(batches(values, 2), ["a"])
    assert (profile.nulls, profile.types["a"]) == (nulls, kind)


def test_equal_texts_have_equal_hashes_wherever_they_stand_and_others_have_others() -> None:
    texts = (
        [f"{i}" for i in range(20_000)]
        + ["", "\0", "\0\0", "a\0", "ㄱ", "x" * (SLICE_BYTES + 5), "y" * 300]
        + ["".join(random.Random(i).choices("ab", k=40)) for i in range(5_000)]
    )
    forward, backward = hash_texts(pa.array(texts)), hash_texts(pa.array(texts[::-1]))
    assert (forward == backward[::-1]).all()
    assert len(np.unique(forward)) == len(set(texts))
    assert (hash_texts(pa.array(texts).slice(7, 100)) == forward[7:107]).all()
    assert len(hash_texts(pa.array([], pa.string()))) == 0


def test_beyond_its_bound_a_column_is_a_fair_sample_of_its_values() -> None:
    many = hash_texts(pa.array([f"v{i}" for i in range(100_000)]))
    some = hash_texts(pa.array([f"v{i}" for i in range(0, 200_000, 2)]))
    left, right = DistinctValues(4_000), DistinctValues(4_000)
    for part in np.array_split(many, 9):
        left.add(part)
    right.add(some)
    assert not left.exact
    assert len(left.hashes) == 4_000
    assert abs(left.count - 100_000) < 8_000  # five standard errors of 1/sqrt(4000)
    found, tried = left.found_in(right)
    assert abs(found / tried - 0.5) < 0.05
    left.add(many)
    assert len(left.hashes) == 4_000


@pytest.mark.parametrize("bound", [100, 1 << 20])
def test_a_value_that_comes_twice_is_seen_across_blocks(bound: int) -> None:
    values = hash_texts(pa.array([f"v{i}" for i in range(150_000)]))
    unique = Uniqueness(bound)
    for part in np.array_split(values, 10):
        unique.add(part)
    assert unique.settle()
    assert (unique.share == 1.0) == (bound > 150_000)
    if unique.share == 1.0:
        unique.add(values[70_000:70_001])
    else:
        unique.add(np.sort(values)[:1])  # the lowest hash is in every sample
    assert not unique.settle()


def test_pairs_are_measured_over_rows_and_a_missing_part_makes_none() -> None:
    rows = [("a", "1"), ("a", "2"), ("b", "1"), ("b", ""), ("b", "")]
    table = pa.table({"x": pa.array([r[0] for r in rows]), "y": pa.array([r[1] for r in rows])})
    found = measure_pairs([table.slice(0, 2), table.slice(2)], [("x", "y"), ("y", "x")], nulls=[""])
    assert found["x", "y"].unique
    assert found["x", "y"].distinct.count == 3
    assert found["x", "y"].distinct.found_in(found["y", "x"].distinct)[0] == 0
    assert not measure_pairs([table, table.slice(0, 1)], [("x", "y")], nulls=[""])["x", "y"].unique
