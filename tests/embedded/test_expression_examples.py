"""docs/expressions.md: every function has an example, and each has the value that is said, on Sail and on Spark."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from resources.home import PROJECT_ROOT
from resources.spark import session, to_arrow
from transforms.expression_reference import refreshed, spoken
from transforms.expressions import compile_expression
from transforms.function_examples import COLUMNS, GROUPS, ORDER, REFUSED_FUNCTIONS, ROWS, SECTIONS, TIMEZONE, WINDOWS
from transforms.functions import FUNCTIONS
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DOCUMENT = PROJECT_ROOT / "docs" / "expressions.md"
FUNCTIONS_SHOWN = {name for section, examples in SECTIONS.items() if section != "operators" for name in examples}


def test_the_document_is_up_to_date():
    text = DOCUMENT.read_text("utf-8")
    assert refreshed(text) == text, "run: python -m transforms.expression_reference docs/expressions.md"
    assert set(re.findall(r"<!-- examples: (\w+) -->", text)) == {*SECTIONS, "refused"}


def test_every_function_has_an_example():
    assert set(FUNCTIONS) == FUNCTIONS_SHOWN
    assert len(FUNCTIONS) >= 49
    assert not FUNCTIONS_SHOWN & REFUSED_FUNCTIONS.keys()
    for name in FUNCTIONS_SHOWN:
        example = next(examples[name] for examples in SECTIONS.values() if name in examples)
        assert f"{name}(" in example.expression


def values(engine: "SparkSession") -> dict[str, str]:
    """The value of each example, in one query for each kind."""
    kinds = [parse_type(kind).arrow() for kind in COLUMNS.values()]
    rows = [(n, s, None if p is None else Decimal(p), ok) for n, s, p, ok in ROWS]
    table = pa.table({name: pa.array([row[i] for row in rows], kinds[i]) for i, name in enumerate(COLUMNS)})
    frame = engine.createDataFrame(table.append_column("ordinal", pa.array(range(len(ROWS)), pa.int64())))
    found: dict[str, str] = {}
    for section, examples in SECTIONS.items():
        options = {"aggregate": examples is GROUPS, "window": examples is WINDOWS}
        order = ORDER if examples is WINDOWS else []
        compiled = [
            compile_expression(one.expression, COLUMNS, where=name, timezone=TIMEZONE, order_by=order, **options)
            for name, one in examples.items()
        ]
        columns = [f"{one.sql} AS c{ordinal}" for ordinal, one in enumerate(compiled)]
        if examples is GROUPS:
            from pyspark.sql import functions

            made = frame.agg(*(functions.expr(one.sql).alias(f"c{ordinal}") for ordinal, one in enumerate(compiled)))
        else:
            made = frame.selectExpr("ordinal", *columns)
            made = made if examples is WINDOWS else made.where("ordinal = 0")
        result = to_arrow(made)
        result = result.sort_by("ordinal") if "ordinal" in result.column_names else result
        for ordinal, (name, one) in enumerate(zip(examples, compiled, strict=True)):
            column = result[f"c{ordinal}"]
            assert column.type == parse_type(one.type).arrow(), (section, name)
            found[f"{section}: {name}"] = ", ".join(spoken(value) for value in column.to_pylist())
    return found


EXPECTED = {f"{section}: {name}": one.value for section, examples in SECTIONS.items() for name, one in examples.items()}


def test_each_example_has_the_value_that_is_said_on_sail():
    assert values(session()) == EXPECTED


def test_each_example_has_the_value_that_is_said_on_spark(spark_session):
    assert values(spark_session) == EXPECTED


@pytest.mark.parametrize("name", REFUSED_FUNCTIONS)
def test_what_is_not_here_is_refused_with_the_reason(name):
    with pytest.raises(Exception, match=re.escape(REFUSED_FUNCTIONS[name])) as caught:
        compile_expression(f"1 + {name}(n)", COLUMNS, where="x")
    assert caught.value.column == 5
