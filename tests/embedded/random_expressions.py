"""Random typed expressions for tests: each with the words of DuckDB where it has the same function, and rows to try.

A form is a text with holes, `{i}` for a whole number, `{d}` a double, `{p}` a decimal(10,2), `{s}` a text, `{b}` a condition,
`{y}` a date, `{t}` a timestamp. Beside it stands DuckDB's form, with `{0}`, `{1}`, ... for the holes in their order; None
where DuckDB means something else or has nothing. TRY gives null for what ends DuckDB's query.
"""

import random
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from transforms.types import parse_type

KINDS = {
    "i": "integer",
    "d": "double",
    "p": "decimal(10,2)",
    "s": "string",
    "b": "boolean",
    "y": "date",
    "t": "timestamp",
}
COLUMNS = {f"{letter}{number}": f"{kind}?" for letter, kind in KINDS.items() for number in (1, 2)}
HOLE = re.compile(r"\{([idpsbyt])\}")
TIMEZONE = "America/Sao_Paulo"
"""Its clock went forward at midnight, until 2019; of summer times from 2100 on Sail knows nothing."""


@dataclass(frozen=True)
class Random:
    """An expression, and what DuckDB calls the same."""

    text: str
    duckdb: str | None


FORMS: dict[str, list[tuple[str, str | None]]] = {
    "i": [
        ("({i} + {i})", "TRY({0} + {1})"),
        ("({i} - {i})", "TRY({0} - {1})"),
        ("({i} * {i})", "TRY({0} * {1})"),
        ("({i} % {i})", "TRY(CASE WHEN {1} = -1 THEN 0 * {0} ELSE {0} % {1} END)"),
        ("({i} DIV {i})", "TRY({0} // {1})"),
        ("(-({i}))", "TRY(-({0}))"),
        ("abs({i})", "TRY(abs({0}))"),
        ("pmod({i}, {i})", None),
        ("sign({d})", None),
        ("floor({d})", "TRY_CAST(floor({0}) AS BIGINT)"),
        ("ceil({p})", "CAST(ceil({0}) AS BIGINT)"),
        ("length({s})", "length({0})"),
        ("octet_length({s})", "strlen({0})"),
        ("instr({s}, 'a')", "instr({0}, 'a')"),
        ("levenshtein({s}, {s})", None),
        ("regexp_count({s}, r'[a-z\\d]')", None),
        ("cast({s} AS int)", None),
        ("cast({d} AS int)", None),
        ("cast({p} AS int)", None),
        ("cast({b} AS int)", "CAST({0} AS BIGINT)"),
        ("year({y})", "year({0})"),
        ("month({y})", "month({0})"),
        ("day({y})", "day({0})"),
        ("dayofweek({y})", "dayofweek({0}) + 1"),
        ("dayofyear({y})", "dayofyear({0})"),
        ("weekofyear({y})", "weekofyear({0})"),
        ("hour({t})", None),
        ("weekofyear({t})", None),
        ("datediff({y}, {y})", "date_diff('day', {1}, {0})"),
        ("timestampdiff(HOUR, {t}, {t})", None),
        ("timestampdiff(DAY, {t}, {t})", None),
        ("coalesce({i}, {i})", "coalesce({0}, {1})"),
        ("nullif({i}, {i})", "nullif({0}, {1})"),
        ("greatest({i}, {i})", "greatest({0}, {1})"),
        ("if({b}, {i}, {i})", "CASE WHEN {0} THEN {1} ELSE {2} END"),
        ("CASE {i} WHEN {i} THEN {i} END", "CASE {0} WHEN {1} THEN {2} END"),
    ],
    "d": [
        ("({d} + {d})", "({0} + {1})"),
        ("({d} - {d})", "({0} - {1})"),
        ("({d} * {d})", "({0} * {1})"),
        ("({d} / {d})", "({0} / nullif({1} + 0e0, 0))"),
        ("({d} % {d})", None),
        ("({i} / {i})", "(CAST({0} AS DOUBLE) / nullif(CAST({1} AS DOUBLE), 0))"),
        ("({d} * {p})", None),
        ("abs({d})", "abs({0})"),
        ("sqrt({d})", "CASE WHEN {0} >= 0 THEN sqrt({0}) END"),
        ("round({d}, 2)", None),
        ("round({d})", None),
        ("round({d}, 6)", None),
        ("cast({s} AS double)", None),
        ("cast({i} AS double)", "CAST({0} AS DOUBLE)"),
        ("coalesce({d}, {d})", "coalesce({0}, {1})"),
        ("least({d}, {d})", None),
        ("nullif({d}, {d})", None),
        ("if({b}, {d}, {d})", "CASE WHEN {0} THEN {1} ELSE {2} END"),
    ],
    "p": [
        ("cast({p} + {p} AS decimal(10,2))", "TRY(CAST({0} + {1} AS DECIMAL(10,2)))"),
        ("cast({p} * {p} AS decimal(10,2))", "TRY(CAST({0} * {1} AS DECIMAL(10,2)))"),
        ("cast({p} / {p} AS decimal(10,2))", None),
        ("cast({p} / {i} AS decimal(10,2))", None),
        ("cast({p} % {p} AS decimal(10,2))", None),
        ("cast(round({p}, 1) AS decimal(10,2))", None),
        ("cast({d} AS decimal(10,2))", None),
        ("cast({i} AS decimal(10,2))", "TRY_CAST({0} AS DECIMAL(10,2))"),
        ("cast({s} AS decimal(10,2))", None),
        ("(-({p}))", "(-({0}))"),
        ("abs({p})", "abs({0})"),
        ("coalesce({p}, 0.05)", "coalesce({0}, 0.05)"),
        ("greatest({p}, {p})", "greatest({0}, {1})"),
        ("if({b}, {p}, {p})", "CASE WHEN {0} THEN {1} ELSE {2} END"),
    ],
    "s": [
        ("upper({s})", None),
        ("lower({s})", None),
        ("trim({s})", "trim({0}, ' ')"),
        ("rtrim({s})", "rtrim({0}, ' ')"),
        ("reverse({s})", None),
        ("left({s}, 3)", "left({0}, 3)"),
        ("right({s}, {i})", None),
        ("substr({s}, 2, 3)", "substr({0}, 2, 3)"),
        ("substr({s}, {i}, {i})", None),
        ("substring({s}, -4, 3)", None),
        ("replace({s}, 'a', {s})", "replace({0}, 'a', {1})"),
        ("translate({s}, 'ab-', 'x')", "translate({0}, 'ab-', 'x')"),
        ("repeat({s}, 2)", "repeat({0}, 2)"),
        ("split_part({s}, ',', 2)", "split_part({0}, ',', 2)"),
        ("split_part({s}, 'a', -1)", None),
        ("lpad({s}, 5, '*')", "lpad({0}, 5, '*')"),
        ("left(concat({s}, {s}), 40)", "left({0} || {1}, 40)"),
        ("left(concat_ws('-', {s}, {i}), 40)", None),
        ("regexp_extract(s1, r'([a-z]+)\\W*(\\w?)', 2)", None),
        ("regexp_replace({s}, '[^a-z]+', '_')", None),
        ("md5({s})", "md5({0})"),
        ("left(sha2({s}, 256), 9)", "left(sha256({0}), 9)"),
        ("cast({i} AS string)", "CAST({0} AS VARCHAR)"),
        ("cast({p} AS string)", "CAST({0} AS VARCHAR)"),
        ("cast({b} AS string)", "CAST({0} AS VARCHAR)"),
        ("cast({y} AS string)", "strftime({0}, '%Y-%m-%d')"),
        ("cast({t} AS string)", None),
        ("cast(cast({d} AS decimal(20,8)) AS string)", None),
        ("date_format({t}, 'yyyy/MM/ddTHH:mm')", None),
        ("date_format({y}, 'dd.MM.yyyy')", "strftime({0}, '%d.%m.%Y')"),
        ("coalesce({s}, {s})", "coalesce({0}, {1})"),
        ("nullif({s}, {s})", "nullif({0}, {1})"),
        ("least({s}, {s})", "least({0}, {1})"),
        ("if({b}, {s}, {s})", "CASE WHEN {0} THEN {1} ELSE {2} END"),
    ],
    "b": [
        *(
            (f"({{{kind}}} {sign} {{{kind}}})", f"({{0}} {spelt} {{1}})" if kind != "t" else None)
            for kind in "ipsby"
            for sign, spelt in (("=", "="), ("<", "<"), (">=", ">="), ("<=>", "IS NOT DISTINCT FROM"))
        ),
        ("({d} = {d})", "({0} = {1})"),
        ("({d} < {d})", "({0} < {1})"),
        ("({i} < {p})", None),
        ("({d} >= {p})", None),
        ("({t} > {y})", None),
        ("({t} < {t})", "({0} < {1})"),
        ("({b} AND {b})", "({0} AND {1})"),
        ("({b} OR {b})", "({0} OR {1})"),
        ("(NOT {b})", "(NOT {0})"),
        ("({b} IS TRUE)", "({0} IS NOT DISTINCT FROM TRUE)"),
        ("({s} IS NULL)", "({0} IS NULL)"),
        ("({i} IS NOT NULL)", "({0} IS NOT NULL)"),
        ("({i} IN ({i}, 3, {i}))", "({0} IN ({1}, 3, {2}))"),
        ("({s} IN ('a', {s}))", "({0} IN ('a', {1}))"),
        ("({y} BETWEEN {y} AND {y})", "({0} BETWEEN {1} AND {2})"),
        ("({p} BETWEEN {p} AND {p})", "({0} BETWEEN {1} AND {2})"),
        ("({s} LIKE '%a_')", "({0} LIKE '%a_')"),
        ("({s} ILIKE '%A%')", None),
        ("({s} RLIKE r'^\\s*[\\w.]+$')", None),
        ("contains({s}, 'a')", "contains({0}, 'a')"),
        ("startswith({s}, {s})", "starts_with({0}, {1})"),
        ("endswith({s}, {s})", "suffix({0}, {1})"),
        ("cast({s} AS boolean)", None),
        ("({s} IS DISTINCT FROM {s})", "({0} IS DISTINCT FROM {1})"),
    ],
    "y": [
        ("date_add({y}, 40)", None),
        ("date_sub({y}, {i})", None),
        ("add_months({y}, 1)", None),
        ("({y} - INTERVAL 2 WEEKS)", None),
        ("({y} + INTERVAL 1 QUARTER)", None),
        ("last_day({y})", "last_day({0})"),
        ("date_trunc('week', {y})", None),
        ("date_trunc('quarter', {y})", "CAST(date_trunc('quarter', {0}) AS DATE)"),
        ("date_trunc('year', {y})", "CAST(date_trunc('year', {0}) AS DATE)"),
        ("date({t})", None),
        ("cast({s} AS date)", None),
        ("to_date({s}, 'dd.MM.yyyy')", None),
        ("make_date({i}, 2, 29)", None),
        ("greatest({y}, {y})", "greatest({0}, {1})"),
        ("coalesce({y}, {y})", "coalesce({0}, {1})"),
        ("if({b}, {y}, {y})", "CASE WHEN {0} THEN {1} ELSE {2} END"),
    ],
    "t": [
        ("timestamp({y})", None),
        ("date_trunc('hour', {t})", None),
        ("date_trunc('day', {t})", None),
        ("date_trunc('month', {t})", None),
        ("({t} + INTERVAL 3 HOURS)", None),
        ("({t} - INTERVAL 1 DAY)", None),
        ("timestampadd(MINUTE, {i}, {t})", None),
        ("cast({s} AS timestamp)", None),
        ("to_timestamp({s}, 'yyyy-MM-dd HH:mm:ss')", None),
        ("coalesce({t}, {t})", "coalesce({0}, {1})"),
        ("least({t}, {t})", "least({0}, {1})"),
    ],
}
WHOLE_ONLY = [
    ("({p} / {p})", None),
    ("({p} / {i})", None),
    ("({i} / {p})", None),
    ("({p} * {p})", "(CAST({0} AS DECIMAL(19,2)) * CAST({1} AS DECIMAL(19,2)))"),
    ("({p} * {i})", None),
    ("({p} % {p})", None),
    ("({p} + {i})", None),
    ("round({p} / 7, 3)", None),
    ("cast({d} AS decimal(24,9))", None),
]
LITERALS = {
    "i": ["0", "1", "7", "-3", "2147483648", "9223372036854775807"],
    "d": ["0e0", "1e0", "2.5e0", "-1e-3", "1e16"],
    "p": ["0.00", "1.05", "2.50", "-0.01"],
    "s": ["''", "'a'", "'Zß'", "'5'", "'o, n'"],
    "b": ["TRUE", "FALSE"],
    "y": ["DATE '2024-02-29'", "DATE '1969-12-31'"],
    "t": ["timestamp('2013-03-10T07:00:00Z')"],
}
"""A literal of a timestamp has no form of DuckDB's: none of the forms that take it have one either."""


def expressions(kind: str, depth: int) -> st.SearchStrategy[Random]:
    """Expressions of a type, nested at most so deep."""
    leaves = [Random(f"{kind}{number}", f"{kind}{number}") for number in (1, 2)]
    leaves += [Random(text, None if kind == "t" else text) for text in LITERALS[kind]]
    if depth == 0:
        return st.sampled_from(leaves)
    made = st.sampled_from(FORMS[kind]).flatmap(lambda form: filled(form, depth))
    return st.one_of(made, made, made, st.sampled_from(leaves))


def filled(form: tuple[str, str | None], depth: int) -> st.SearchStrategy[Random]:
    text, duckdb = form
    holes = HOLE.findall(text)

    def put(parts: tuple[Random, ...]) -> Random:
        texts = iter(part.text for part in parts)
        known = duckdb is not None and all(part.duckdb is not None for part in parts)
        there = duckdb.format(*(part.duckdb for part in parts)) if known and duckdb is not None else None
        return Random(HOLE.sub(lambda _: next(texts), text), there)

    return st.tuples(*(expressions(hole, depth - 1) for hole in holes)).map(put)


def any_expression(depth: int) -> st.SearchStrategy[Random]:
    return st.one_of(
        *(expressions(kind, depth) for kind in KINDS),
        st.sampled_from(WHOLE_ONLY).flatmap(lambda form: filled(form, depth)),
    )


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


VALUES: dict[str, list[Any]] = {
    "i": [None, 0, 1, -1, 2, 5, -7, 3, 2024, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)],
    "d": [None, 0.0, -0.0, 0.1, 1.5, 2.5, -2.5, 2.675, 1.005, -0.145, 1e-7, 1e21, -1e15, 5e-324, 1e308, 2.0**53, 123456.789],
    "p": [None, *map(Decimal, ("0.00", "1.25", "2.35", "-2.35", "99999999.99", "-99999999.99", "0.01", "-0.05", "3.00"))],
    "s": [
        None, "", " ", "a", "abc", "ABC", "ß", "straße", "İ", "ı", "ǆ", "ﬁ", "ΌΔΟΣ", "e\u0301a", "👍🏽a", "가나다", "  pad ", "\t\n x",
        "a'b\\c", "%_a%", "NaN", "12", " 12 ", "12\n", "-7.50", "1e3", "1.005", "true", "2013-10-20 00:30:00", "2013-02-29",
        "2024-02-29", "2024-2-9", "05.01.2013", "2013-02-16 23:30:00", "2013-11-03T05:30:00Z", "10:00", "\u00a0x", "a,b,,c", "١٢",
    ],
    "b": [None, True, False],
    "y": [None, *(date(*day) for day in (
        (1, 1, 1), (1582, 10, 10), (1899, 12, 31), (1969, 12, 31), (1970, 1, 1), (2000, 2, 29), (2013, 10, 20), (2023, 1, 1),
        (2024, 1, 31), (2024, 12, 30), (9999, 12, 31),
    ))],
    "t": [None, *(_utc(*moment) for moment in (
        (1, 1, 2), (1582, 10, 10, 12), (1883, 11, 18, 17, 3, 58), (1969, 12, 31, 23, 59, 59, 999999), (1970, 1, 1),
        (2013, 10, 20, 2, 59, 59, 999999), (2013, 10, 20, 3), (2013, 2, 17, 1, 30), (2013, 2, 17, 2, 30), (2024, 12, 31, 4, 59),
        (9999, 12, 30, 1),
    ))],
}  # fmt: skip
"""Values that functions are known to stumble over; doubles are finite, as those of tables are."""
ROWS = 120


def rows() -> pa.Table:
    """The same rows each time; each value stands in some of them."""
    dice = random.Random(7)
    columns = {"ordinal": pa.array(range(ROWS), pa.int64())}
    for name, kind in COLUMNS.items():
        pool = VALUES[name[0]]
        drawn = (pool * (ROWS // len(pool) + 1))[:ROWS]
        dice.shuffle(drawn)
        columns[name] = pa.array(drawn, parse_type(kind).arrow())
    return pa.table(columns)
