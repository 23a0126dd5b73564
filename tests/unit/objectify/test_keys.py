"""Key text: one text for one key, both ways, by value and by column."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology_assets.canonical import NotCanonical
from ontology_assets.keys import KeyRefused, decode_key, encode_key, key_column, key_parts, key_types, parse_key
from ontology_assets.model.definitions import ObjectType
from tests.unit.objectify.values import KEY_TYPES, array_of, values_of
from transforms.types import ColumnType


def type_with_key(*types: str, codes: dict[str, str] | None = None) -> ObjectType:
    properties = {
        f"p{i}": {"type": text, "values": codes} if text == "enum" else {"type": text} for i, text in enumerate(types)
    }
    return ObjectType.model_validate(
        {"name": "Thing", "key": list(properties), "title": "p0", "properties": properties}
    )


DEPARTURE = type_with_key("string", "integer", "string", "timestamp")


def test_the_parts_stand_in_key_order_percent_encoded():
    values = ["B6", 709, "JFK", datetime(2013, 1, 1, 11, tzinfo=UTC)]
    key = "B6/709/JFK/2013-01-01T11%3A00%3A00Z"
    assert encode_key(values, key_types(DEPARTURE)) == key
    assert decode_key(DEPARTURE, key) == values
    assert parse_key(DEPARTURE, ["B6", "709", "JFK", "2013-01-01T11:00:00Z"]) == key
    assert key_parts(DEPARTURE, key) == ["B6", "709", "JFK", "2013-01-01T11:00:00Z"]


@pytest.mark.parametrize(
    ("declared", "typed", "key"),
    [
        ("string", "", ""),
        ("string", "a/b %~é", "a%2Fb%20%25~%C3%A9"),
        ("integer", "-0007", "-7"),
        ("boolean", "true", "true"),
        ("date", "2013-01-31", "2013-01-31"),
        ("timestamp", "2013-01-01T20:00:00+09:00", "2013-01-01T11%3A00%3A00Z"),
        ("timestamp", "2013-01-01T11:00:00.5Z", "2013-01-01T11%3A00%3A00.500000Z"),
        ("decimal(6,2)", "16.5", "16.50"),
    ],
)
def test_a_typed_part_is_mended_to_the_one_text(declared, typed, key):
    assert parse_key(type_with_key(declared), [typed]) == key


@pytest.mark.parametrize(
    ("declared", "typed", "allowed"),
    [
        ("integer", "seven", "whole number"),
        ("integer", "9223372036854775808", "whole number"),
        ("integer", "1_000", "whole number"),
        ("integer", " 7", "whole number"),
        ("integer", "٧", "whole number"),
        ("boolean", "yes", "true or false"),
        ("date", "2013-02-30", "2013-01-31"),
        ("timestamp", "2013-01-01T11:00:00", "zone"),
        ("decimal(6,2)", "16.555", "4 digits before the point and 2 after"),
        ("decimal(6,2)", "NaN", "4 digits"),
        ("enum", "X", "A, U"),
    ],
)
def test_a_wrong_part_is_refused_with_what_is_allowed(declared, typed, allowed):
    with pytest.raises(KeyRefused, match=allowed) as refused:
        parse_key(type_with_key(declared, codes={"A": "one", "U": "two"}), [typed])
    assert refused.value.where == "Thing.p0"


def test_a_wrong_number_of_parts_names_them_all():
    with pytest.raises(KeyRefused, match=r"has 4 parts, 2 given.*p0 \(text\), p1 \(a whole number"):
        parse_key(DEPARTURE, ["B6", "709"])


@pytest.mark.parametrize("key", ["B6/0709/JFK/2013-01-01T11%3A00%3A00Z", "B6/709/JFK/2013-01-01T11%3a00%3a00Z", "%42"])
def test_another_spelling_of_an_id_is_refused_with_the_right_one(key):
    with pytest.raises(KeyRefused) as refused:
        decode_key(DEPARTURE if "/" in key else type_with_key("string"), key)
    assert refused.value.allowed in (["B6/709/JFK/2013-01-01T11%3A00%3A00Z"], ["B"])


@pytest.mark.parametrize("key", ["%FF", "%ED%A0%80"])
def test_bytes_that_are_no_text_are_refused(key):
    with pytest.raises(KeyRefused):
        decode_key(type_with_key("string"), key)


def test_what_is_no_text_or_missing_has_no_key():
    for value in ("\udc00", None):
        with pytest.raises(NotCanonical):
            encode_key([value], [ColumnType("string")])
    with pytest.raises(NotCanonical, match="part of a key"):
        encode_key([1.5], [ColumnType("double")])


def test_a_row_with_a_missing_part_has_no_key_text():
    columns = [(array_of(["a", None, ""], ColumnType("string")),) * 1, (array_of([1, 2, 3], ColumnType("integer")),)]
    kinds = [ColumnType("string"), ColumnType("integer")]
    parts = [(column[0], kind) for column, kind in zip(columns, kinds, strict=True)]
    assert key_column(parts).to_pylist() == ["a/1", None, "/3"]


keys_of_two = st.sampled_from(KEY_TYPES).flatmap(
    lambda a: st.sampled_from(KEY_TYPES).flatmap(
        lambda b: st.tuples(st.just((a, b)), st.lists(st.tuples(values_of(a), values_of(b)), min_size=1, max_size=8))
    )
)


@settings(max_examples=100, deadline=None)
@given(keys_of_two)
def test_keys_round_trip_are_injective_and_equal_by_value_and_by_column(drawn):
    types, rows = drawn
    thing = type_with_key(*(declared.text if declared.kind != "enum" else "string" for declared in types))
    keys = [encode_key(row, types) for row in rows]
    assert key_column([(array_of([row[i] for row in rows], types[i]), types[i]) for i in (0, 1)]).to_pylist() == keys
    assert [tuple(decode_key(thing, key)) for key in keys] == rows
    assert len(set(keys)) == len(set(rows))
    assert [parse_key(thing, key_parts(thing, key)) for key in keys] == keys
    assert all(key.isascii() and '"' not in key and "\\" not in key for key in keys)


def test_dates_and_decimals_are_plain():
    types = [ColumnType("date"), ColumnType("decimal", precision=10, scale=4)]
    assert encode_key([date(2013, 7, 1), Decimal("-8.2769")], types) == "2013-07-01/-8.2769"
