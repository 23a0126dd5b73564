"""types.lock: written once, read back with places, and it notices columns that come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.definitions import Dataset
from transforms.types_lock import ColumnsChanged, check_header, column_types, read_types_lock, render, write_types_lock
from transforms.yaml_reading import parse_yaml
from transforms.yaml_source import DefinitionError, YamlSource

ORDERS = Dataset(file="orders.csv", types={"amount": "decimal(8,2)"})


def test_a_lock_comes_back_as_it_was_written_in_a_fixed_order(tmp_path):
    types = {"b": {"z": "integer?", "a": "decimal(8,2)"}, "a": {"null": "string", "x y": "double", "ort: 가": "date"}}
    path = tmp_path / "types.lock"
    assert write_types_lock(path, types)
    assert read_types_lock(path).types == types
    assert list(read_types_lock(path).types["b"]) == ["z", "a"]
    assert path.read_text("utf-8").index("  a:") < path.read_text("utf-8").index("  b:")


def test_writing_the_same_again_writes_nothing(tmp_path):
    path = tmp_path / "types.lock"
    assert write_types_lock(path, {"a": {"x": "string"}})
    assert not write_types_lock(path, {"a": {"x": "string"}})
    assert [one.name for one in tmp_path.iterdir()] == ["types.lock"]


def test_no_lock_is_an_empty_one(tmp_path):
    assert read_types_lock(tmp_path / "types.lock").types == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spice: 2\ndatasets: {}\n", "types.lock:1:8: spice: version 2 of the lock is not known. Allowed: 1."),
        ("spice: 1\ndatasets:\n  a: {x: integr}\n", "types.lock:3:10: datasets.a.x: there is no type 'integr'"),
        ("spice: 1\ndatasets:\n  a: {x: geopoint}\n", "types.lock:3:10: datasets.a.x: there is no type 'geopoint'"),
        ("spice: 1\ndatasets: [a]\n", "types.lock:2:11: datasets: should be a mapping"),
    ],
)
def test_a_lock_mended_by_hand_is_checked_with_places(tmp_path, text, expected):
    path = tmp_path / "types.lock"
    path.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        read_types_lock(path)
    assert expected in str(caught.value)


def test_declared_types_lie_over_locked_ones_in_the_files_order():
    assert column_types("orders", ORDERS, {"id": "integer", "amount": "double"}) == {
        "id": "integer",
        "amount": "decimal(8,2)",
    }


def test_a_declared_column_that_is_not_there_is_named():
    with pytest.raises(ColumnsChanged, match=r"datasets\.orders\.types\.amount.*Did you mean 'amounts'.*id, amounts"):
        column_types("orders", ORDERS, {"id": "integer", "amounts": "double"})


def test_no_locked_types_say_how_to_get_them():
    with pytest.raises(ColumnsChanged, match="spice defs infer"):
        column_types("orders", ORDERS, None)


def test_columns_that_come_and_go_are_an_error_that_says_what_to_do():
    with pytest.raises(ColumnsChanged, match=r"new: c; gone: b.*spice defs infer"):
        check_header(ORDERS, ["a", "c"], {"a": "string", "b": "string"})
    check_header(ORDERS, ["b", "a"], {"a": "string", "b": "string"})


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"), min_size=1),
        st.just("string"),
    )
)
def test_any_header_comes_back(columns):
    source = YamlSource(path=None)
    parse_yaml(source, render({"a": columns}).encode())
    assert not source.faults
    assert (source.data["datasets"]["a"] or {}) == columns
