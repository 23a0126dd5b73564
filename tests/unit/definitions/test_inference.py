"""The type of a text column, from all its values."""

import time

import pyarrow as pa
import pytest

from transforms.inference import Inference, infer_types, overlay


def kind(*values: str | None, nulls: tuple[str, ...] = ("NA",)) -> str:
    return infer_types([pa.table({"c": pa.array(values, pa.string())})], ["c"], nulls=nulls)["c"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "-2", "0"), "integer"),
        (("1", "NA"), "integer?"),
        (("1", None), "integer?"),
        (("01", "2"), "string"),
        (("1", "+2"), "string"),
        (("1", "2.5"), "double"),
        (("1e3", ".5"), "double"),
        (("1", "1e999"), "string"),
        (("1", "nan"), "string"),
        (("1.5", "1234567890123456789"), "string"),  # an id: a double would round it
        (("999999999999999999",), "integer"),
        (("9999999999999999999",), "string"),
        (("1,000",), "string"),
        (("5 kg", "7"), "string"),
        (("(5)",), "string"),
        (("5%",), "string"),
        ((" 5",), "string"),
        (("true", "FALSE"), "boolean"),
        (("yes", "no"), "string"),
        (("0", "1"), "integer"),
        (("2013-01-31", "2012-02-29"), "date"),
        (("2013-02-30",), "string"),
        (("01/02/2013",), "string"),
        (("2013-01-01T10:00:00Z", "2013-01-01 10:00"), "timestamp"),
        (("2013-01-01T25:00:00Z",), "string"),
        (("2013-01-01", "2013-01-01T10:00:00Z"), "string"),
        (("NA", "NA"), "string?"),
        (("",), "string"),
        (("", "5"), "string"),
    ],
)
def test_a_type_holds_for_every_value_or_not_at_all(values, expected):
    assert kind(*values) == expected


def test_the_texts_that_mean_no_value_are_the_datasets_own():
    assert kind("", "5", nulls=("", "NA")) == "integer?"
    assert kind("NA", "5", nulls=("",)) == "string"


def test_one_late_value_decides():
    inference = Inference(["c"], ["NA"])
    for _ in range(50):
        inference.see(pa.table({"c": ["1"] * 1000}))
    inference.see(pa.table({"c": ["x"]}))
    assert inference.types() == {"c": "string"}


def test_no_rows_give_nullable_text():
    assert kind() == "string?"


def test_declared_types_go_first():
    assert overlay({"a": "integer", "b": "double"}, {"b": "decimal(8,2)"}) == {"a": "integer", "b": "decimal(8,2)"}


def test_a_year_of_rows_takes_little_time():
    columns = {f"c{n}": [str(value % (n * 50 + 1)) for value in range(336_776)] for n in range(19)}
    table = pa.table(columns)
    started = time.process_time()
    infer_types(table.to_batches(64_000), list(columns), nulls=["NA"])
    assert time.process_time() - started < 1.5
