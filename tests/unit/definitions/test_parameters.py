"""Parameters: values are bound by type, whatever characters they hold, and decide the data version."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import SpiceError
from transforms.bound_definitions import Parameter
from transforms.definitions import Pipeline
from transforms.expression_errors import ExpressionError
from transforms.expressions import compile_expression
from transforms.parameters import assignments, with_values
from transforms.pipeline import code_version

COLUMNS = {"code": "string", "size": "integer", "price": "decimal(10,2)", "day": "date", "at": "timestamp?"}


def pipeline(**parameters: Any) -> Pipeline:
    return Pipeline.model_validate(
        {
            "inputs": {"orders": "clean/orders"},
            "parameters": parameters,
            "nodes": {"kept": {"from": "orders", "filter": "size > 0"}},
            "output": "kept",
        }
    )


def compiled(text: str, parameters: dict[str, Parameter], timezone: str = "UTC") -> Any:
    return compile_expression(text, COLUMNS, where="x", parameters=parameters, timezone=timezone)


def sql(kind: str, value: Any, timezone: str = "UTC") -> str:
    return compiled(":p", {"p": Parameter(type=kind, default=value)}, timezone).sql


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "O'Neil", r"'O\'Neil'"),
        ("string", "007", "'007'"),
        ("string", "$a :b {{ c }} `d`", "'$a :b {{ c }} `d`'"),
        ("string", "two\nlines\\", r"'two\nlines\\'"),
        ("string?", None, "CAST(NULL AS STRING)"),
        ("string", "", "''"),
        ("integer", "007", "CAST('7' AS BIGINT)"),
        ("integer", -(2**63), "CAST('-9223372036854775808' AS BIGINT)"),
        ("double", 1, "CAST('1.0' AS DOUBLE)"),
        ("double", "-0.0", "CAST('0.0' AS DOUBLE)"),
        ("decimal(10,2)", "1.5", "CAST('1.50' AS DECIMAL(10, 2))"),
        ("decimal(10,2)", 0.1, "CAST('0.10' AS DECIMAL(10, 2))"),
        ("decimal(3,3)", "-.5", "CAST('-0.500' AS DECIMAL(3, 3))"),
        ("decimal(5,0)", "12e2", "CAST('1200' AS DECIMAL(5, 0))"),
        ("boolean", False, "FALSE"),
        ("boolean", "true", "TRUE"),
        ("date", "2013-01-31", "DATE '2013-01-31'"),
        ("timestamp", "2013-01-31T08:00:00Z", "CAST('2013-01-31T08:00:00.000000Z' AS TIMESTAMP)"),
    ],
)
def test_a_value_is_a_constant_of_its_type(kind, value, expected):
    found = compiled(":p", {"p": Parameter(type=kind, default=value)})
    assert (found.sql, found.type) == (expected, kind)


def test_a_local_time_is_of_the_domains_clock():
    assert "2013-07-01T04:00:00" in sql("timestamp", "2013-07-01T00:00:00", "America/New_York")
    with pytest.raises(ExpressionError, match="the clock skips it"):
        sql("timestamp", "2013-03-10T02:30:00", "America/New_York")


@pytest.mark.parametrize(
    ("kind", "value", "part"),
    [
        ("string", 7, "put it in quotes"),
        ("string", None, "null is one of type string\\? only"),
        ("string", "a\0b", "NUL"),
        ("integer", "7.0", "not a whole number"),
        ("integer", True, "not a whole number"),
        ("integer", 2**63, "64 bits"),
        ("double", "NaN", "not a number"),
        ("double", "1e999", "a double holds"),
        ("decimal(4,2)", "1.555", "2 after the point"),
        ("decimal(4,2)", "100", "at most 2 digits before"),
        ("decimal(4,2)", "1e999", "not a decimal"),
        ("boolean", "yes", "not true or false"),
        ("date", "2013-02-30", "not a day"),
        ("timestamp", "2013-02-01", "not a time"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(kind, value, part):
    with pytest.raises(ValueError, match=part):
        Parameter(type=kind, default=value)


def test_a_name_is_not_replaced_inside_another_or_inside_text():
    parameters = {"a": Parameter(type="string", default="1"), "ab": Parameter(type="string", default="2")}
    assert compiled("concat(:a, :ab, ':a', code)", parameters).sql == "CONCAT('1', '2', ':a', `code`)"


def test_types_come_from_the_declaration_and_not_from_the_value():
    """A larger value of a run must not change the columns of the result."""
    for value in (1, 10**15):
        assert compiled("price * :p", {"p": Parameter(type="integer", default=value)}).type == "decimal(30,2)"
    assert compiled("size / :p", {"p": Parameter(type="integer", default=2)}).type == "double?"
    assert compiled("day >= :p", {"p": Parameter(type="date?", default=None)}).type == "boolean?"


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("size + :cuont", 8, "there is no parameter ':cuont'. Did you mean ':?count"),
        ("code = :count", 1, "text and integer don't go together"),
        ("lpad(code, :count, '0')", 1, "takes a length written out"),
        ("code RLIKE :pattern", 1, "takes a pattern written out"),
        ("day + INTERVAL :count DAY", None, "an INTERVAL is a whole number"),
        ("day > :pattern", 1, "date and text don't go together"),
    ],
)
def test_a_parameter_is_a_value_and_nothing_else(text, column, part):
    parameters = {"count": Parameter(type="integer", default=1), "pattern": Parameter(type="string", default="(a+)+")}
    with pytest.raises(ExpressionError, match=part) as caught:
        compiled(text, parameters)
    assert column is None or caught.value.column == column


def test_a_run_brings_values_by_name():
    before = pipeline(code={"type": "string", "default": "x"}, since={"type": "date?"})
    after = with_values("p", before, assignments(["code=O'Neil=1", "since=2013-01-31"]))
    assert {name: one.default for name, one in after.parameters.items()} == {"code": "O'Neil=1", "since": "2013-01-31"}
    assert with_values("p", after, assignments(["since"])).parameters["since"].default is None
    assert before.parameters["code"].default == "x"


@pytest.mark.parametrize(
    ("given", "part", "where"),
    [
        ({"cde": "x"}, "has no parameter 'cde'. Did you mean 'code'", "pipelines.p.parameters.cde"),
        ({"code": None}, "null is one of type string", "pipelines.p.parameters.code"),
        ({"since": "today"}, "'today' is not a day", "pipelines.p.parameters.since"),
    ],
)
def test_what_a_run_brings_is_checked(given, part, where):
    with pytest.raises(SpiceError, match=part) as caught:
        with_values("p", pipeline(code={"type": "string", "default": "x"}, since={"type": "date?"}), given)
    assert caught.value.where == where


def test_a_value_given_twice_is_refused():
    with pytest.raises(SpiceError, match="'a' has two values"):
        assignments(["a=1", "a=2"])


def test_the_value_is_part_of_the_data_version():
    code = {"type": "decimal(4,2)", "default": "1.5"}
    one, same = pipeline(code=code), pipeline(code={**code, "default": 1.50, "description": "Of a unit."})
    other = with_values("p", one, {"code": "1.51"})
    assert code_version(one, "UTC") == code_version(same, "UTC") != code_version(other, "UTC")


def test_a_pipeline_without_parameters_has_the_version_that_it_had(monkeypatch):
    monkeypatch.setattr("transforms.pipeline.CODE_VERSION", "1")  # of our code, as it was then
    assert code_version(pipeline(), "UTC")[:16] == "b52980e3efa10dbf"


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")))
def test_any_text_is_one_literal(text):
    """Taken apart by hand: quotes and backslashes inside are escaped, and nothing is lost."""
    literal = sql("string", text)
    inside, read, at = literal[1:-1], "", 0
    while at < len(inside):
        escaped = inside[at] == "\\"
        assert inside[at] != "'"
        letter = inside[at + 1] if escaped else inside[at]
        read += {"n": "\n", "r": "\r", "t": "\t"}.get(letter, letter) if escaped else letter
        at += 2 if escaped else 1
    assert (literal[0], read, literal[-1]) == ("'", text, "'")
