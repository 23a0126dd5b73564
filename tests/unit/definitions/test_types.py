"""The type grammar and its counterparts."""

import pyarrow as pa
import pytest

from transforms.types import ColumnType, parse_type, type_of_arrow


@pytest.mark.parametrize(
    ("text", "sql", "arrow"),
    [
        ("string", "STRING", pa.string()),
        ("integer?", "BIGINT", pa.int64()),
        ("double", "DOUBLE", pa.float64()),
        ("boolean", "BOOLEAN", pa.bool_()),
        ("date", "DATE", pa.date32()),
        ("timestamp?", "TIMESTAMP", pa.timestamp("us", tz="UTC")),
        ("decimal(10,4)", "DECIMAL(10, 4)", pa.decimal128(10, 4)),
        ("geopoint", "STRUCT<lat: DOUBLE, lon: DOUBLE>", pa.struct([("lat", pa.float64()), ("lon", pa.float64())])),
    ],
)
def test_each_type_has_one_counterpart(text, sql, arrow):
    parsed = parse_type(text)
    assert (parsed.text, parsed.sql, parsed.arrow()) == (text, sql, arrow)
    assert type_of_arrow(arrow, nullable=parsed.nullable) == parsed


def test_an_enum_is_text_for_the_engine():
    assert (parse_type("enum").sql, parse_type("enum").arrow()) == ("STRING", pa.string())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "int",
        "string??",
        "decimal",
        "decimal(0,0)",
        "decimal(39,1)",
        "decimal(2,3)",
        "STRING",
        "array<int>",
        "null",
    ],
)
def test_other_types_do_not_exist(text):
    with pytest.raises(ValueError):
        parse_type(text)


def test_a_decimal_may_be_written_with_spaces():
    assert parse_type("decimal( 10, 2 )?") == ColumnType("decimal", nullable=True, precision=10, scale=2)
