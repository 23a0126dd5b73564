"""Expressions on the real engine: the type that was inferred is the type that comes, and the values are right.

Expected values are worked out by hand; times are those of New York, where the first row's instant is still 2012.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from resources.spark import session, to_arrow
from transforms.definitions import DayPartition
from transforms.expressions import compile_expression, compile_partition
from transforms.types import parse_type

COLUMNS = {
    "s": "string?", "i": "integer?", "n": "integer", "d": "double?", "price": "decimal(10,2)?", "day": "date?",
    "at": "timestamp?", "b": "boolean?", "q": "string", "x `y": "string",
}  # fmt: skip
ROWS: dict[str, list[Any]] = {
    "s": ["12", "x", None],
    "i": [5, -7, None],
    "n": [3, 4, 0],
    "d": [1.5, 2.5, None],
    "price": [Decimal("1.25"), Decimal("2.35"), None],
    "day": [date(2013, 3, 31), date(2012, 2, 29), None],
    "at": [datetime(2013, 1, 1, 3, 30, 15, tzinfo=UTC), datetime(2012, 7, 1, 12, tzinfo=UTC), None],
    "b": [True, False, None],
    "q": ["a'b\\c\nd", "%_", "가"],
    "x `y": ["1", "2", "3"],
}


@pytest.fixture(scope="module")
def view() -> Iterator[str]:
    table = pa.table({name: pa.array(ROWS[name], parse_type(kind).arrow()) for name, kind in COLUMNS.items()})
    session().createDataFrame(table).createOrReplaceTempView("expressions_under_test")
    yield "expressions_under_test"
    session().catalog.dropTempView("expressions_under_test")


def values(view: str, text: str, **options: Any) -> list[Any]:
    """The values of an expression, whose column has just the type that was said."""
    found = compile_expression(text, COLUMNS, where="test", timezone="America/New_York", **options)
    result = to_arrow(session().sql(f"SELECT {found.sql} AS r FROM {view}")).column("r")
    kind = parse_type(found.type)
    assert result.type == kind.arrow(), found.sql
    assert kind.nullable or result.null_count == 0
    return result.to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i / n", [5 / 3, -1.75, None]),
        ("n / 0", [None, None, None]),
        ("i % n", [2, -3, None]),
        ("i DIV 2", [2, -3, None]),
        ("price * 1.5", [Decimal("1.875"), Decimal("3.525"), None]),
        ("price + i", [Decimal("6.25"), Decimal("-4.65"), None]),
        ("d + price", [2.75, 4.85, None]),
        ("-5", [-5, -5, -5]),
        ("CASE WHEN b THEN 1 ELSE 2.5 END", [Decimal("1.0"), Decimal("2.5"), Decimal("2.5")]),
        ("coalesce(price, 0)", [Decimal("1.25"), Decimal("2.35"), Decimal("0.00")]),
        ("greatest(i, 2.5)", [Decimal("5.0"), Decimal("2.5"), Decimal("2.5")]),
        ("concat(q, ' ', i)", ["a'b\\c\nd 5", "%_ -7", None]),
        ("concat_ws('-', s, i)", ["12-5", "x--7", ""]),
        (r"q = 'a\'b\\c\nd'", [True, False, False]),
        (r"q LIKE '\\%\\_'", [False, True, False]),
        (r"q RLIKE r'^\w$'", [False, False, False]),  # a letter of ASCII, as on Spark
        ("q RLIKE '^.$'", [False, False, True]),
        (r"regexp_extract(q, r'([a-z]).*\\([a-z])', 2)", ["c", "", ""]),
        ("`x ``y` || '!'", ["1!", "2!", "3!"]),
        ("length(q)", [7, 2, 1]),
        ("lpad(s, 4, '0')", ["0012", "000x", None]),
        ("cast(s AS int)", [12, None, None]),
        ("try_cast(s AS decimal(6,2))", [Decimal("12.00"), None, None]),
        ("cast('NaN' AS double)", [None, None, None]),
        ("sqrt(i)", [5**0.5, None, None]),
        ("round(price, 1)", [Decimal("1.3"), Decimal("2.4"), None]),
        ("make_date(2000 + n, 2, 29)", [None, date(2004, 2, 29), date(2000, 2, 29)]),
        ("make_date(n, 1, 1)", [None, None, None]),
        ("to_date(concat('2013-1-5', 'T10:00'))", [date(2013, 1, 5)] * 3),
        ("to_date('05.01.2013', 'dd.MM.yyyy')", [date(2013, 1, 5)] * 3),
        ("to_date('2013-02-30')", None),
        ("date(at)", [date(2012, 12, 31), date(2012, 7, 1), None]),
        ("hour(at)", [22, 8, None]),
        ("cast(at AS string)", ["2012-12-31 22:30:15", "2012-07-01 08:00:00", None]),
        ("timestamp(day)", [datetime(2013, 3, 31, 4, tzinfo=UTC), datetime(2012, 2, 29, 5, tzinfo=UTC), None]),
        ("date_trunc('month', at)", [datetime(2012, 12, 1, 5, tzinfo=UTC), datetime(2012, 7, 1, 4, tzinfo=UTC), None]),
        ("date_trunc('month', day)", [date(2013, 3, 1), date(2012, 2, 1), None]),
        ("day + INTERVAL 1 MONTH", [date(2013, 4, 30), date(2012, 3, 29), None]),
        ("datediff(day, '2013-01-01')", [89, -307, None]),
        ("at >= '2013-01-01'", [False, False, None]),
        ("at > day", [False, True, None]),
        ("day BETWEEN '2013-01-01' AND '2013-12-31'", [True, False, None]),
        ("b IS NOT TRUE", [False, True, True]),
        ("s IS DISTINCT FROM 'x'", [True, False, True]),
        ("geopoint(d, i)", [{"lat": 1.5, "lon": 5.0}, {"lat": 2.5, "lon": -7.0}, None]),
    ],
)
def test_values_and_types(view, text, expected):
    if expected is None:  # text that is written out wrongly is refused before it runs
        with pytest.raises(Exception, match="is not a date"):
            values(view, text)
        return
    assert values(view, text) == pytest.approx(expected) if "sqrt" in text else values(view, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count(*)", 3),
        ("count(DISTINCT i)", 2),
        ("sum(i)", -2),
        ("sum(price)", Decimal("3.60")),
        ("avg(price)", Decimal("1.800000")),
        ("cast(avg(n) AS decimal(10,4))", Decimal("2.3333")),
        ("sum(if(b, 1, 0))", 1),
        ("first(q)", "%_"),
        ("sum(i) / count(*)", -2 / 3),
    ],
)
def test_aggregates(view, text, expected):
    assert values(view, text, aggregate=True) == [expected]


def test_windows(view):
    """Rows come in the engine's order."""
    ranked = values(view, "10 * n + rank()", window=True, order_by=["n desc"])
    assert sorted(ranked) == [3, 32, 41]
    assert sorted(values(view, "n - lag(n, 1, 0)", window=True, order_by=["n"])) == [0, 1, 3]
    sums = values(view, "sum(price)", window=True, partition_by=["b"])
    assert sorted(sums, key=str) == [Decimal("1.25"), Decimal("2.35"), None]


def test_raw_text_finds_its_partition(view):
    raw = pa.table(
        {
            "y": ["2013", "2013", "x", "13"],
            "m": ["1", "2", "3", "4"],
            "on": ["2013-07-09T23:00:00Z", "2013-13-01", "NA", " 2013-1-2"],
        }
    )
    frame = session().createDataFrame(raw)

    def days(by: str, of: str) -> list[date | None]:
        partition = DayPartition(by=by, of=of, start="2013-01-01", end="2013-12-31")
        found = compile_partition(partition, dict.fromkeys(raw.column_names, "string"), where="test", timezone="UTC")
        return to_arrow(frame.selectExpr(f"{found.sql} AS r")).column("r").to_pylist()

    assert days("day", "make_date(y, m, 29)") == [date(2013, 1, 29), None, None, None]
    assert days("day", "`on`") == [date(2013, 7, 9), None, None, date(2013, 1, 2)]
    assert days("month", "to_date(`on`)") == [date(2013, 7, 1), None, None, date(2013, 1, 1)]
    assert days("day", "to_timestamp(`on`)") == [date(2013, 7, 9), None, None, None]
