"""Canonical JSON: the written rules on one value, and the columnar path equal to them over every type."""

import hashlib
import json
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology_assets.canonical import NotCanonical, canonical_json, json_of, state_json
from ontology_assets.canonical_columns import bucket, json_column, sha256_hex, state_column, uuid5_column
from tests.unit.objectify.values import TEXTS, TYPES, array_of, values_of
from transforms.types import ColumnType, parse_type

SEOUL = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ("string", 'a"b\\c\n\x1f\x7f한\u2028', '"a\\"b\\\\c\\n\\u001f\x7f한\u2028"'),
        ("integer", -(2**63), "-9223372036854775808"),
        ("double", 1e16, "1e+16"),
        ("double", 1e-5, "1e-05"),
        ("double", -0.0, "0.0"),
        ("double", 5e-324, "5e-324"),
        ("double", 3, "3.0"),
        ("boolean", True, "true"),
        ("date", date(13, 1, 2), '"0013-01-02"'),
        ("timestamp", datetime(2013, 1, 1, 20, tzinfo=SEOUL), '"2013-01-01T11:00:00.000000Z"'),
        ("decimal(10,4)", Decimal("16.5"), '"16.5000"'),
        ("decimal(10,4)", Decimal("-0.00"), '"0.0000"'),
        ("decimal(38,9)", Decimal("1E-9"), '"0.000000001"'),
        ("decimal(3,0)", Decimal("1E+2"), '"100"'),
        ("geopoint", {"lon": -72.5, "lat": -0.0}, '{"lat":0.0,"lon":-72.5}'),
        ("enum", "A", '"A"'),
    ],
)
def test_each_type_has_one_written_form(declared, value, expected):
    assert json_of(value, parse_type(declared)) == expected


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("string", "\ud800"),
        ("string", 7),
        ("integer", 2**63),
        ("integer", True),
        ("integer", 1.0),
        ("double", float("nan")),
        ("double", float("inf")),
        ("boolean", 1),
        ("date", datetime(2013, 1, 1, tzinfo=SEOUL)),
        ("timestamp", datetime(2013, 1, 1)),  # noqa: DTZ001
        ("decimal(4,2)", Decimal("100")),
        ("decimal(4,2)", Decimal("1.001")),
        ("decimal(4,2)", Decimal("NaN")),
        ("decimal(4,2)", Decimal("1E+999999")),
        ("geopoint", {"lat": 1.0}),
    ],
)
def test_what_has_no_form_is_refused(declared, value):
    with pytest.raises(NotCanonical):
        json_of(value, parse_type(declared))


@pytest.mark.parametrize(
    ("declared", "column"),
    [
        ("double", pa.array([1.0, float("nan")])),
        ("double", pa.array([None, float("-inf")])),
        ("decimal(4,2)", pa.array([Decimal("100.00")])),
        ("decimal(4,2)", pa.array([Decimal("1.001")])),
        ("timestamp", pa.array([datetime(2013, 1, 1)])),  # noqa: DTZ001
        ("date", pa.array([2_932_897], pa.int32()).cast(pa.date32())),
        ("timestamp", pa.array([-(2**62)]).cast(pa.timestamp("us", "UTC"))),
        ("geopoint", pa.array([{"lat": 1.0, "lon": None}])),
        ("string", pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\3\0\0\0"), pa.py_buffer(b"\xed\xa0\x80"))),
    ],
)
def test_columns_refuse_the_same(declared, column):
    with pytest.raises(NotCanonical):
        json_column(column, parse_type(declared))


@pytest.mark.parametrize("declared", TYPES, ids=lambda declared: declared.text)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_columns_and_values_have_the_same_text(declared: ColumnType, data):
    values = data.draw(st.lists(st.none() | values_of(declared), max_size=12))
    expected = [None if value is None else json_of(value, declared) for value in values]
    array = array_of(values, declared)
    assert json_column(array, declared).to_pylist() == expected
    padded = pa.concat_arrays([array_of([None], declared), array])
    assert json_column(pa.chunked_array([padded.slice(1)]), declared).to_pylist() == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_states_of_columns_and_values_are_the_same_json(data):
    types = {f"p{i}": data.draw(st.sampled_from(TYPES)) for i in range(data.draw(st.integers(0, 4)))}
    rows = [
        (
            {name: data.draw(st.none() | values_of(declared)) for name, declared in types.items()},
            {
                name: data.draw(st.none() | st.lists(st.sampled_from(["a", "b%2F/c"]), max_size=2))
                for name in ("m", "l")
            },
        )
        for _ in range(data.draw(st.integers(0, 5)))
    ]
    columns = {
        name: (array_of([properties[name] for properties, _ in rows], declared), declared)
        for name, declared in types.items()
    }
    links = {name: pa.array([targets[name] for _, targets in rows], pa.list_(pa.string())) for name in ("m", "l")}
    texts = state_column(columns, links, len(rows)).to_pylist()
    assert texts == [state_json(properties, types, targets) for properties, targets in rows]
    for text, (properties, targets) in zip(texts, rows, strict=True):
        state = json.loads(text)
        assert state["links"] == {name: ids for name, ids in targets.items() if ids is not None}
        assert set(state["properties"]) == {name for name, value in properties.items() if value is not None}


def test_a_link_given_as_one_id_reads_as_a_list_of_one():
    lists = state_column({}, {"l": pa.array([["x"], None])}, 2)
    ids = state_column({}, {"l": pa.array(["x", None])}, 2)
    assert (
        lists.to_pylist()
        == ids.to_pylist()
        == ['{"links":{"l":["x"]},"properties":{}}', '{"links":{},"properties":{}}']
    )


def test_a_document_is_sorted_by_code_point_and_has_no_absent_entries():
    assert canonical_json({"b": 1, "a": [True, 1e16, "é"], "Z": None, "\U0001f600": {}, "\uffee": 2}) == (
        '{"a":[true,1e+16,"é"],"b":1,"\uffee":2,"\U0001f600":{}}'
    )
    with pytest.raises(NotCanonical, match="Allowed"):
        canonical_json({"day": date(2013, 1, 1)})
    with pytest.raises(NotCanonical):
        canonical_json([None])


@given(st.lists(TEXTS, max_size=6), st.integers(0, 3))
def test_hashes_over_columns_are_those_of_hashlib_and_uuid(texts, start):
    column = pa.array(["x" * 50] * start + texts, pa.string()).slice(start)
    assert sha256_hex(column).to_pylist() == [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    assert bucket(column).to_pylist() == [hashlib.sha256(text.encode()).hexdigest()[:2] for text in texts]
    space = uuid.uuid5(uuid.NAMESPACE_URL, "x")
    assert uuid5_column(space, column).to_pylist() == [str(uuid.uuid5(space, text)) for text in texts]


def test_a_null_has_no_hash():
    with pytest.raises(ValueError, match="null"):
        sha256_hex(pa.array(["a", None]))
