"""States cut out of data, ids of assets, and the digest of events."""

import hashlib
import json
import random
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology_assets.events.digest import Digest, total
from ontology_assets.events.envelope import EVENT_SCHEMA, asset_aggregate_id, asset_and_partition, bucket_of
from ontology_assets.events.state import hash_of_state, state_hashes, state_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def canonical(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


@given(st.none() | st.dictionaries(st.text(), json_values), st.lists(st.text()))
def test_the_state_is_cut_out_of_any_data(state: Any, changed: list[str]) -> None:
    assert state_text(f'{{"state":{canonical(state)}}}') == canonical(state)
    assert state_text(f'{{"changed":{canonical(changed)},"state":{canonical(state)}}}') == canonical(state)


@given(st.dictionaries(st.text(), json_values), json_values)
def test_the_state_is_found_behind_other_fields(state: Any, other: Any) -> None:
    assert state_text(f'{{"about":{canonical(other)},"state":{canonical(state)}}}') == canonical(state)


def test_a_name_that_looks_like_json_does_not_mislead() -> None:
    data = canonical({"changed": ['],"state":'], "state": {"a": 1}})
    assert state_text(data) == '{"a":1}'


@pytest.mark.parametrize("data", ["", "[]", "{}", '{"sate":{}}', "null", "nonsense"])
def test_data_without_a_state_has_no_hash(data: str) -> None:
    assert hash_of_state(data) is None


def test_hashes_of_a_column_are_those_of_its_rows() -> None:
    plain = ['{"state":{"a":1}}', '{"state":null}']
    mixed = [*plain, '{"changed":["a"],"state":{"a":2}}']
    for column in (plain, mixed):
        assert state_hashes(pa.chunked_array([column])) == [hash_of_state(data) for data in column]
    assert hash_of_state(mixed[2]) == hashlib.sha256(b'{"a":2}').hexdigest()


@given(st.text(), st.text(min_size=1))
def test_asset_ids_are_injective(asset: str, partition: str) -> None:
    assert asset_and_partition(asset_aggregate_id(asset, partition)) == (asset, partition)
    assert asset_and_partition(asset_aggregate_id(asset)) == (asset, "")


def test_the_usual_asset_id_is_plain() -> None:
    assert asset_aggregate_id("ontology/ship/objects", "2013-01-01") == "ontology/ship/objects@2013-01-01"


def test_the_bucket_is_two_hex_digits_of_sha256() -> None:
    assert bucket_of("B6/709") == hashlib.sha256(b"B6/709").hexdigest()[:2]


def events(count: int) -> pa.Table:
    filled = {f.name: [f"{f.name} {i % 3}" for i in range(count)] for f in EVENT_SCHEMA if f.type == pa.string()}
    filled |= {"position": list(range(1, count + 1)), "sequence_number": [1] * count}
    filled |= {name: [datetime(2013, 1, 1, tzinfo=UTC)] * count for name in ("occurred_at", "recorded_at")}
    filled["actor"] = [None if i % 2 else "me" for i in range(count)]
    filled["owner"] = [None] * count
    return pa.table({name: filled[name] for name in EVENT_SCHEMA.names}, schema=EVENT_SCHEMA)


def test_the_digest_does_not_depend_on_order_or_batches() -> None:
    table = events(1_000)
    order = list(range(1_000))
    random.Random(1).shuffle(order)
    shuffled = table.take(order)
    parts = [shuffled.slice(start, 7) for start in range(0, 1_000, 7)]
    assert Digest.of(table) == Digest.of(shuffled) == total(Digest.of(part) for part in parts)
    assert Digest.of(table).events == 1_000


@pytest.mark.parametrize("column", EVENT_SCHEMA.names)
def test_the_digest_sees_every_column(column: str) -> None:
    table = events(50)
    at = table.column_names.index(column)
    values = table[column].to_pylist()
    if table.schema.field(column).type == pa.string():
        values[20] = "changed"
    else:
        values[20] = values[20].replace(year=2014) if isinstance(values[20], datetime) else values[20] + 1_000
    changed = table.set_column(at, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    assert Digest.of(changed) != Digest.of(table)


def test_equal_rows_do_not_cancel_out_and_null_is_not_empty() -> None:
    one = events(1)
    assert Digest.of(pa.concat_tables([one, one])).lanes != Digest().lanes
    at = one.column_names.index("owner")
    empty = one.set_column(at, one.schema.field("owner"), pa.array([""]))
    assert Digest.of(empty) != Digest.of(one)
