"""One state has one hash: value by value in Python, over Arrow columns, through the engine, and in the engine's SQL.

Every property type at once, drawn by Hypothesis and with a table of extremes. The SQL (`canonical_sql.py`) is a second
hand's: it shares no code with the product.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology_assets.canonical import NotCanonical, state_hash, state_json
from ontology_assets.canonical_columns import json_column, sha256_hex, state_column
from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.states import states_of
from resources.lake.local import LocalLake
from resources.spark import delta, session, to_arrow
from tests.embedded.canonical_sql import with_state
from tests.unit.objectify.values import DECIMALS, values_of
from transforms.types import ALLOWED_PROPERTY_TYPES, ColumnType, parse_type

KINDS = [kind for kind in ALLOWED_PROPERTY_TYPES if "(" not in kind and "?" not in kind]
TEXTS = {f"a_{kind}": kind for kind in KINDS} | {f"d_{p}_{s}": f"decimal({p},{s})" for p, s in DECIMALS}
TYPES = {name: parse_type(text) for name, text in TEXTS.items()}
NEW_YORK, LORD_HOWE = ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
NINES = "9" * 38
EXTREMES: dict[str, list[Any]] = {
    "string": [
        *("", " ", "\u00e9", "e\u0301", "한강", "\u1112\u1161\u11ab", "\U0001f4d6", "\U0010ffff", "\ufeffx", "null"),
        *("".join(map(chr, range(128))), '"\\/', "\u2028\u2029", "a\u0000", "\u0000", "\ud7ff\ue000\ufffd", "\\u0041"),
    ],
    "integer": [0, -1, 2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1, 10**18],
    "double": [
        *(0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1 / 3, 1e15, 1e16, 1e17),
        *(9007199254740993.0, 123456789012345680.0, 1e21, 1e22, 1e23, 9.5e-5, 1e-4, 1e-5, 1e-7, 2e-3, 100.0, 1e100),
    ],
    "boolean": [True, False],
    "date": [date.min, date.max, date(1582, 10, 4), date(1582, 10, 10), date(1582, 10, 15), date(1900, 2, 28)],
    "timestamp": [
        *(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
        *(datetime(1582, 10, 10, 12, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        datetime(1883, 11, 18, 12, 3, 57, 1, tzinfo=NEW_YORK),  # local mean time until that noon
        datetime(2013, 3, 10, 2, 30, tzinfo=NEW_YORK),  # an hour that the clock skips
        datetime(2013, 11, 3, 1, 30, tzinfo=NEW_YORK),  # and one that it has twice
        datetime(2013, 11, 3, 1, 30, fold=1, tzinfo=NEW_YORK),
        datetime(2013, 4, 7, 1, 45, fold=1, tzinfo=LORD_HOWE),  # by half an hour
        datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),  # before a leap second
    ],
    "decimal(10,4)": [Decimal("0.0000"), Decimal("-0.0001"), Decimal("999999.9999"), Decimal("1E+2"), Decimal("-0")],
    "decimal(38,0)": [Decimal(NINES), Decimal(f"-{NINES}"), Decimal(0), Decimal("1E+37")],
    "decimal(38,38)": [Decimal(f"0.{NINES}"), Decimal(f"-0.{NINES}"), Decimal("1E-38"), Decimal("0E-38")],
    "decimal(18,9)": [Decimal("1E-9"), Decimal("-123456789.987654321"), Decimal("0E-9")],
    "decimal(1,1)": [Decimal("0.9"), Decimal("-0.1"), Decimal("0.0")],
}
EXTREMES["enum"] = EXTREMES["string"]
EXTREMES["geopoint"] = [
    {"lat": lat, "lon": lon} for lat in (0.0, -0.0, 90.0, -89.99999999999999, 5e-324, 1e-5) for lon in (-180.0, 0.1)
]
LINK = {"next": "a_integer"}
THING = ObjectType.model_validate(
    {
        "name": "Thing",
        "key": ["n"],
        "title": "n",
        "properties": {"n": {"type": "integer"}}
        | {
            name: {"type": f"{text}?"}
            | ({"values": dict.fromkeys(EXTREMES["enum"], "A label")} if text == "enum" else {})
            for name, text in TEXTS.items()
        },
        "links": {"next": {"to": "Thing", "by": ["a_integer"], "inverse": "previous"}},
    }
)
Row = dict[str, Any]


def table_of(rows: list[Row]) -> pa.Table:
    types = {"n": ColumnType("integer"), **TYPES}
    return pa.table({name: pa.array([row[name] for row in rows], kind.arrow()) for name, kind in types.items()})


def in_python(rows: list[Row]) -> list[str]:
    """Value by value."""
    types = {"n": ColumnType("integer"), **TYPES}
    return [
        state_hash(state_json(row, types, {"next": None if row["a_integer"] is None else [str(row["a_integer"])]}))
        for row in rows
    ]


def in_columns(table: pa.Table) -> list[str]:
    kinds = {"n": ColumnType("integer"), **TYPES}
    columns = {name: (table[name], kind) for name, kind in kinds.items()}
    links = {"next": table["a_integer"].combine_chunks().cast(pa.string())}
    return sha256_hex(state_column(columns, links, table.num_rows)).to_pylist()


def of_load(mapped: pa.Table) -> list[str]:
    """As a load makes states of what the engine gives it, by key."""
    found = states_of(THING, {"Thing": THING}, mapped)
    by_key = {int(row["id"]): row["state_hash"] for row in found.select(["id", "state_hash"]).to_pylist()}
    return [by_key[n] for n in sorted(by_key)]


def in_sql(frame: Any) -> list[str]:
    told = with_state(frame, {"n": ColumnType("integer"), **TYPES}, LINK)
    found = to_arrow(told.selectExpr("n", "sha2(state, 256) AS state_hash"))
    return found.sort_by("n")["state_hash"].to_pylist()


def extremes() -> list[Row]:
    """Every extreme of every type once, beside ones of the other types; the last rows are mostly absent."""
    columns = {name: EXTREMES[TYPES[name].base] for name in TYPES}
    rows = zip_longest(*columns.values())
    return [{"n": n, **dict(zip(columns, row, strict=True))} for n, row in enumerate(rows)]


def values(kind: ColumnType) -> st.SearchStrategy[Any]:
    """What an object may have: a code that is declared, a point on the earth."""
    if kind.kind == "enum":
        return st.sampled_from(EXTREMES["enum"])
    if kind.kind == "geopoint":
        return st.fixed_dictionaries({"lat": st.floats(-90, 90), "lon": st.floats(-180, 180)})
    return st.sampled_from(EXTREMES[kind.base]) | values_of(kind)


def things() -> st.SearchStrategy[list[Row]]:
    one = st.fixed_dictionaries({name: st.none() | values(kind) for name, kind in TYPES.items()})
    return st.lists(one, min_size=1, max_size=20).map(lambda rows: [{"n": n, **row} for n, row in enumerate(rows)])


def test_the_extremes_have_one_hash_on_every_way(tmp_path: Path) -> None:
    rows = extremes()
    table, expected = table_of(rows), in_python(rows)
    lake = LocalLake(tmp_path)
    lake.replace("clean/things", table, versions={"": "1"}, partition_column=None)
    stored = delta(session(), lake.path("clean/things"))
    assert len(set(expected)) == len(rows)
    assert in_columns(table) == expected
    assert of_load(to_arrow(stored)) == expected, "written to the lake, read by the engine, made into states"
    assert in_sql(stored) == expected


@settings(max_examples=30, deadline=None)
@given(things())
def test_every_state_has_one_hash_on_every_way(rows: list[Row]) -> None:
    table, expected = table_of(rows), in_python(rows)
    assert in_columns(table) == expected
    frame = session().createDataFrame(table)
    assert of_load(to_arrow(frame.selectExpr("*"))) == expected
    assert in_sql(frame) == expected


def test_the_same_word_in_two_unicode_forms_is_two_states() -> None:
    """Nothing is normalized behind the user's back, and an empty text is not an absent one."""
    rows = [{"n": 0, **dict.fromkeys(TYPES), "a_string": text} for text in ("\u00e9", "e\u0301", "", None)]
    assert len(set(in_python(rows))) == 4
    assert in_columns(table_of(rows)) == in_python(rows)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CAST('NaN' AS DOUBLE)", "double"),
        ("-1e308 * 10D", "double"),
        ("DATE '9999-12-31' + INTERVAL 1 DAY", "date"),
        ("TIMESTAMP '9999-12-31 23:59:59.999999Z' + INTERVAL 1 MICROSECOND", "timestamp"),
        ("named_struct('lat', 1D, 'lon', CAST('Infinity' AS DOUBLE))", "geopoint"),
    ],
)
def test_what_an_engine_can_hold_and_no_state_may_is_refused_and_not_hashed(sql: str, kind: str) -> None:
    found = to_arrow(session().sql(f"SELECT {sql} AS v")).column("v")
    assert found.null_count == 0
    with pytest.raises(NotCanonical):
        json_column(found, parse_type(kind))
