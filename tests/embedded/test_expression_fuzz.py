"""Random expressions: Sail, real Spark and, where it has the same functions, DuckDB give the same values, of the type
that was said."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from resources.spark import session
from tests.conftest import LONG
from tests.embedded.random_expressions import (
    COLUMNS,
    FORMS,
    LITERALS,
    TIMEZONE,
    WHOLE_ONLY,
    Random,
    any_expression,
    rows,
)
from transforms.expression_errors import ExpressionError
from transforms.expressions import Expression, compile_expression
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT_ONCE = 60
DEPTH = 3 if LONG else 2
ROUNDS = 60 if LONG else 5
REFUSALS = ("38 are the most", "too long", "is not a date", "is not a timestamp", "a text of a column")


def compiled(one: Random) -> Expression | None:
    """None where it is refused by its values or its size."""
    try:
        return compile_expression(one.text, COLUMNS, where="x", timezone=TIMEZONE)
    except ExpressionError as error:
        if any(part in error.detail for part in REFUSALS):
            return None
        raise


def on_spark(engine: "SparkSession", expressions: list[Expression]) -> list[pa.ChunkedArray]:
    columns = [f"{one.sql} AS c{ordinal}" for ordinal, one in enumerate(expressions)]
    result = engine.createDataFrame(rows()).selectExpr("ordinal", *columns).toArrow().sort_by("ordinal")
    return [result[f"c{ordinal}"] for ordinal in range(len(expressions))]


def on_duckdb(connection: duckdb.DuckDBPyConnection, texts: list[str]) -> list[list[Any]]:
    columns = ", ".join(f"{text} AS c{ordinal}" for ordinal, text in enumerate(texts))
    result = connection.execute(f"SELECT {columns} FROM tried ORDER BY ordinal").to_arrow_table()
    return [comparable(result[f"c{ordinal}"]) for ordinal in range(len(texts))]


def comparable(column: pa.ChunkedArray) -> list[Any]:
    """Values that are equal where they are the same: a not-a-number is one; zero has no sign."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    values = column.to_pylist()
    return ["nan" if isinstance(value, float) and value != value else value for value in values]


def differences(batch: list[Random], spark: "SparkSession", other: duckdb.DuckDBPyConnection) -> list[str]:
    known = [(one, found) for one in batch if (found := compiled(one)) is not None]
    if not known:
        return []
    expressions = [found for _, found in known]
    sail, real = on_spark(session(), expressions), on_spark(spark, expressions)
    third = [ordinal for ordinal, (one, _) in enumerate(known) if one.duckdb is not None]
    told = dict(zip(third, on_duckdb(other, [known[i][0].duckdb or "" for i in third]), strict=True)) if third else {}
    found = []
    for ordinal, ((one, expression), mine, theirs) in enumerate(zip(known, sail, real, strict=True)):
        kind = parse_type(expression.type)
        for engine, column in (("Sail", mine), ("Spark", theirs)):
            if column.type != kind.arrow() or (column.null_count and not kind.nullable):
                found.append(f"{one.text} is {expression.type}; {engine}: {column.type}, {column.null_count} nulls")
        values = {"Sail": comparable(mine), "Spark": comparable(theirs)}
        if ordinal in told:
            values["DuckDB"] = told[ordinal]
        for engine, column in values.items():
            rows_apart = [i for i, (a, b) in enumerate(zip(values["Sail"], column, strict=True)) if a != b]
            if rows_apart:
                i = rows_apart[0]
                inputs = {name: rows()[name][i].as_py() for name in sorted(expression.columns)}
                found.append(f"{one.text}: Sail {values['Sail'][i]!r}, {engine} {column[i]!r} for {inputs}")
    return found


@pytest.fixture(scope="module")
def other() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        tried = rows()
        connection.register("arriving", tried)
        connection.execute("CREATE TABLE tried AS SELECT * FROM arriving")
        yield connection


@settings(
    max_examples=ROUNDS,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(st.lists(any_expression(DEPTH), min_size=AT_ONCE, max_size=AT_ONCE))
def test_a_random_expression_has_the_same_value_on_each_engine(spark_session, other, batch):
    assert differences(batch, spark_session, other) == []


def test_each_form_has_the_same_value_on_each_engine(spark_session, other):
    """Each form over plain columns, whatever the dice say."""

    def of(form: tuple[str, str | None]) -> Random:
        text, duck = form
        names: list[str] = []
        for letter in (part[0] for part in text.split("{")[1:]):
            names.append(f"{letter}{1 + sum(name[0] == letter for name in names) % 2}")
        fields = iter(names)
        plain = "".join(part if i == 0 else next(fields) + part[2:] for i, part in enumerate(text.split("{")))
        return Random(plain, duck.format(*names) if duck is not None else None)

    forms = [of(form) for group in FORMS.values() for form in group] + [of(form) for form in WHOLE_ONLY]
    found = [
        one
        for start in range(0, len(forms), 40)
        for one in differences(forms[start : start + 40], spark_session, other)
    ]
    assert found == []
    assert set(LITERALS) == set(FORMS)
