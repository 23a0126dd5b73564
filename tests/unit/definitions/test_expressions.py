"""Expressions: what is allowed, which type it has, what SQL comes out, and that nothing else gets through."""

import re

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.errors import SpiceError
from transforms.definitions import DayPartition
from transforms.expression_errors import ExpressionError
from transforms.expressions import (
    Expression,
    check_syntax,
    compile_expression,
    compile_filter,
    compile_partition,
)
from transforms.functions import FUNCTIONS

COLUMNS = {
    "text": "string", "note": "string?", "count": "integer", "gap": "integer?", "size": "double?",
    "price": "decimal(10,2)", "day": "date", "at": "timestamp", "open": "boolean?", "odd `name": "string",
}  # fmt: skip


def compiled(text: str, **options: object) -> Expression:
    return compile_expression(text, COLUMNS, where="domain.yaml:1:1", **options)


def refused(text: str, **options: object) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compiled(text, **options)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count", "integer"),
        ("gap + count", "integer?"),
        ("count / 2", "double"),
        ("count / gap", "double?"),
        ("count + size", "double?"),
        ("price * 2", "decimal(12,2)"),
        ("price * price", "decimal(21,4)"),
        ("price + price", "decimal(11,2)"),
        ("price * count", "decimal(30,2)"),
        ("count = 1", "boolean"),
        ("gap = 1", "boolean?"),
        ("gap IS NULL", "boolean"),
        ("gap <=> NULL", "boolean"),
        ("open AND count > 1", "boolean?"),
        ("open IS TRUE", "boolean"),
        ("text LIKE 'a%'", "boolean"),
        ("concat(text, ' ', count)", "string"),
        ("text || gap", "string?"),
        ("coalesce(gap, 0)", "integer"),
        ("coalesce(price, 0)", "decimal(10,2)"),
        ("nullif(count, 0)", "integer?"),
        ("greatest(count, 2.5)", "decimal(20,1)"),
        ("CASE WHEN open THEN 1 END", "integer?"),
        ("CASE WHEN open THEN 1 ELSE 2.5 END", "decimal(2,1)"),
        ("CASE text WHEN 'a' THEN day ELSE DATE '2013-01-01' END", "date"),
        ("if(open, day, NULL)", "date?"),
        ("make_date(count, 1, 1)", "date?"),
        ("to_date(text)", "date?"),
        ("to_date(text, 'dd.MM.yyyy')", "date?"),
        ("timestamp(day)", "timestamp"),
        ("date(at)", "date"),
        ("year(at)", "integer"),
        ("date_trunc('month', day)", "date"),
        ("date_trunc('hour', at)", "timestamp"),
        ("at + INTERVAL 3 HOURS", "timestamp?"),
        ("day - INTERVAL 1 MONTH", "date?"),
        ("datediff(day, '2013-01-01')", "integer"),
        ("cast(text AS int)", "integer?"),
        ("cast(count AS double)", "double"),
        ("cast(size AS decimal(10,4))", "decimal(10,4)?"),
        ("round(price, 1)", "decimal(10,1)"),
        ("floor(price)", "integer"),
        ("length(text)", "integer"),
        ("geopoint(size, 1.5)", "geopoint?"),
        ("regexp_extract(text, '([a-z]+)', 1)", "string"),
        ("1.50", "decimal(3,2)"),
        ("1e3", "double"),
        ("`odd ``name`", "string"),
    ],
)
def test_each_expression_has_one_type(text, expected):
    assert compiled(text).type == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count(*)", "integer"),
        ("count(DISTINCT text)", "integer"),
        ("cast(avg(gap) AS decimal(10,4))", "decimal(10,4)?"),
        ("sum(price)", "decimal(20,2)?"),
        ("avg(price)", "decimal(14,6)?"),
        ("sum(count) / count(*)", "double?"),
        ("max(day)", "date?"),
        ("sum(if(open, 1, 0))", "integer?"),
        ("first(text)", "string?"),
    ],
)
def test_aggregates_have_types_too(text, expected):
    assert compiled(text, aggregate=True).type == expected


def test_a_window_is_written_out_with_its_order():
    found = compiled("rank()", window=True, partition_by=["day"], order_by=["price desc", "count"])
    assert found.sql == (
        "CAST(RANK() OVER (PARTITION BY `day` ORDER BY `price` DESC NULLS LAST, `count` ASC NULLS FIRST) AS BIGINT)"
    )
    assert found.type == "integer"
    assert compiled("count - lag(count)", window=True, order_by=["day"]).type == "integer?"


def test_columns_that_are_read_are_known_and_quoted():
    found = compiled("coalesce(note, `odd ``name`)")
    assert found.columns == {"note", "odd `name"}
    assert found.sql == "COALESCE(`note`, `odd ``name`)"


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("cuont + 1", 1, "Did you mean 'count'?"),
        ("count + uper(text)", 9, "there is no function 'uper'. Did you mean 'upper'?"),
        ("text = 5", 1, "text and integer don't go together; write try_cast(... AS integer)"),
        ("count AND open", 1, "a condition is needed here; this is integer"),
        ("lpad(text, count, '0')", 1, "takes a length written out"),
        ("text RLIKE '(a+)+'", 1, "repeats a group"),
        ("year(text)", 1, "takes date, not text"),
        ("count(*)", 1, "works only in `aggregate`"),
        ("rank()", 1, "works only in a `window` node"),
        ("text.count", 1, "a column has no prefix"),
        ("day > '2013-02-30'", 1, "'2013-02-30' is not a date"),
        ("at + INTERVAL 1 MONTH", 1, "a timestamp takes intervals of"),
        ("day + 1", 1, "date_add"),
        ("substr(text)", 1, "has 1 arguments; it is substr(text, start, length)"),
        ("date_format(day, 'EEEE')", 1, "format 'EEEE' is not known"),
        ("99999999999999999999", 1, "too large"),
        ("count IN ('a')", 1, "don't go together"),
        ("'it''s'", 1, "a quote inside text is written \\'"),
        ("cast(text AS array<int>)", 6, "there is no type"),
        ("NULL", 1, "NULL alone has no type"),
        ("count; count", 6, "';' is not allowed"),
        ("count /*+ hint */", 1, "comments are not allowed"),
        ("(count", 2, "Expecting )"),
    ],
)
def test_a_refusal_says_where_and_why(text, column, part):
    error = refused(text)
    assert part in str(error)
    assert error.column == column
    assert error.where == "domain.yaml:1:1"


@pytest.mark.parametrize(
    "text",
    [
        "reflect('java.lang.Runtime', 'getRuntime')", "java_method('java.util.UUID', 'randomUUID')", "(SELECT 1)",
        "count IN (SELECT 1)", "EXISTS (SELECT 1)", "SELECT 1", "transform(text, x -> x)", "x -> x", "*", "f(*)",
        "read_csv('/etc/passwd')", "getenv('HOME')", "input_file_name()", "load_extension('x')", "my_udf(count)",
        "db.my_udf(count)", "`length`(text)", "count[0]", "text:path", "struct(count)", "array(1)", "map(1, 2)",
        "{{ count }}", "${count}", ":count", "?", "@count", "count AS other", "count other", "(count, gap)",
        "sum(count) OVER ()", "sum(count) FILTER (WHERE open)", "rand()", "current_timestamp()", "current_date()",
        "uuid()", "monotonically_increasing_id()", "version()", "current_user()", "session_user()", "0x1F", "x'AB'",
        "count & 1", "~count", "text COLLATE utf8", "at AT TIME ZONE 'UTC'", "VALUES (1)", "CREATE TABLE x (a int)",
        "DROP TABLE x", "text LIKE ANY ('a', 'b')", "text SIMILAR TO 'a'", "try_cast(count AS int FORMAT 'x')",
        "__import__('os')", "().__class__", "9**9**9", "count\n--x", "", " ", "'", '"', "`", "count AND", "AND",
    ],
)  # fmt: skip
def test_what_is_not_listed_is_refused(text):
    assert refused(text).status == 400


@pytest.mark.parametrize(
    "text", ["(" * 40 + "1" + ")" * 40, "NOT " * 700 + "open", "-" * 700 + "1", "+".join("1" * 500), "x" * 5000]
)
def test_deep_and_long_expressions_are_refused(text):
    assert refused(text)


def test_text_keeps_to_its_literal():
    hostile = r"a\' OR 1=1 -- \\ `x` ${y} \n"
    found = compiled(f"text = '{hostile}'")
    literal = r"a\' OR 1=1 -- \\ `x` ${y} \n"
    assert found.sql == f"(`text` = '{literal}')"


def test_local_dates_and_times_name_the_domains_zone():
    zone = {"timezone": "America/New_York"}
    assert compiled("timestamp(day)", **zone).sql == "TO_UTC_TIMESTAMP(CAST(`day` AS TIMESTAMP), 'America/New_York')"
    assert compiled("date(at)", **zone).sql == "CAST(FROM_UTC_TIMESTAMP(`at`, 'America/New_York') AS DATE)"
    assert "'2013-07-01T04:00:00.000000Z'" in compiled("at >= '2013-07-01'", **zone).sql  # midnight of summer time
    assert "FROM_UTC" not in compiled("year(day)", **zone).sql


def test_columns_stand_inside_aggregates():
    assert "must stand inside an aggregate" in str(refused("sum(count) + gap", aggregate=True))
    assert "inside another aggregate" in str(refused("sum(sum(count))", aggregate=True))
    assert "no aggregate function" in str(refused("5", aggregate=True))
    assert "needs `order_by`" in str(refused("rank()", window=True, partition_by=["day"]))
    assert "no window function" in str(refused("count", window=True, order_by=["day"]))
    assert "Did you mean 'price'" in str(refused("rank()", window=True, order_by=["prise desc"]))


def test_a_filter_is_a_condition():
    with pytest.raises(ExpressionError, match="is integer, not a condition"):
        compile_filter("count", COLUMNS, where="x")


def test_partitions_are_dates_of_raw_text():
    raw = dict.fromkeys(["year", "month", "day", "on"], "string")

    def sql(of: str, by: str = "day") -> str:
        partition = DayPartition(by=by, of=of, start="2013-01-01", end="2013-12-31")
        found = compile_partition(partition, raw, where="x")
        assert found.type == "date?"
        return found.sql

    assert "TRY_CAST(TRIM(IF(`year` RLIKE '^ *[-+]?[0-9]{1,30} *\\\\z', `year`, NULL)) AS BIGINT)" in sql(
        "make_date(year, month, day)"
    )
    assert sql("`on`").startswith("TRY_CAST(IF(`on` RLIKE")
    assert sql("to_date(`on`)", by="month").startswith("CAST(DATE_TRUNC('MONTH', CAST(TRY_CAST(")
    with pytest.raises(ExpressionError, match=r"is integer\?, not a date"):
        sql("year(`on`)")


def test_a_column_named_like_a_keyword_is_written_in_backticks():
    with pytest.raises(ExpressionError, match="`on` is a word of SQL: write the column in backticks"):
        compile_expression("to_date(on)", {"on": "string"}, where="x")


def test_the_syntax_alone_can_be_checked():
    check_syntax("count(*) + sum(nobody_knows)", where="x")
    with pytest.raises(ExpressionError, match="no function 'reflect'"):
        check_syntax("upper(reflect('x'))", where="x")


WORDS = [
    "count", "text", "day", "at", "open", "price", "1", "2.5", "'a'", "NULL", "(", ")", ",", "+", "-", "*", "/", "%",
    "=", "<", "AND", "OR", "NOT", "IS", "IN", "LIKE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST(", "AS",
    "int", "SELECT", "FROM", "INTERVAL", "DAY", "DISTINCT", "OVER", "->", ";", "--", "/*", "`", "'", '"', "{{", "[",
    "]", ".", ":", "reflect(", *(f"{name}(" for name in FUNCTIONS),
]  # fmt: skip
CALLED = re.compile(r"([A-Za-z_]+)\(")
ENGINE_CALLS = {
    "ADD_MONTHS", "AND", "BETWEEN", "CAST", "COALESCE", "CONCAT", "DATE_ADD", "DATE_TRUNC", "DECIMAL", "DIV", "ELSE",
    "FROM_UTC_TIMESTAMP", "IF", "ILIKE", "IN", "LENGTH", "LIKE", "NAMED_STRUCT", "NOT", "NULLIF", "OR", "OVER",
    "REGEXP_EXTRACT", "RLIKE", "THEN", "TO_UTC_TIMESTAMP", "TRIM", "TRY_CAST", "TRY_TO_TIMESTAMP", "WHEN",
}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)),
    st.sampled_from([{}, {"aggregate": True}, {"window": True, "order_by": ["day"]}, {"lenient": True}]),
)
def test_any_text_is_either_refused_or_becomes_sql_of_the_allowed_functions(text, options):
    try:
        found = compiled(text, timezone="Asia/Seoul", **options)
    except SpiceError:
        return
    without_text = re.sub(r"'(\\.|[^'\\])*'|`([^`]|``)*`", "''", found.sql)
    called = {name.upper() for name in CALLED.findall(without_text)}
    assert called <= ENGINE_CALLS | {name.upper() for name in FUNCTIONS}
    assert len(sqlglot.parse(found.sql, dialect="spark")) == 1
    assert found.columns <= COLUMNS.keys()
