"""The record codec: what goes in comes out, and nothing that was touched is read."""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology_assets.events.envelope import inline_batch, moment
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.record import NO_CHAIN, DataFile, Record, Statement, decode, encode, packed
from tests.unit.events.making import DOMAIN, event

LOG_ID = "6c2b8f0e-0000-4000-8000-000000000001"

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
counts = st.dictionaries(text, st.integers(0, 2**40), max_size=4)
moments = st.integers(0, 7_258_118_400_000_000).map(moment)
files = st.builds(DataFile, text, st.integers(1, 2**40), st.integers(0, 2**40), hashes, hashes, st.integers(0, 2**40))
statements = st.builds(
    Statement,
    types=counts,
    ids=st.dictionaries(text, st.tuples(text, text), max_size=3),
    owners=st.none() | st.lists(text, max_size=3).map(tuple),
)
records = st.builds(
    Record,
    log_id=text,
    domain=st.just(DOMAIN),
    n=st.integers(0, 2**50),
    prev=hashes,
    batch=text,
    first=st.integers(1, 2**50),
    last=st.integers(0, 2**50),
    recorded_at=moments,
    epoch=st.integers(0, 2**40),
    events=text,
    streams=st.lists(st.tuples(text, text, st.integers(1, 2**50)), max_size=4).map(tuple),
    bulk=st.none(),
    by_type=counts,
    by_branch=counts,
    body=st.binary(max_size=200),
) | st.builds(
    Record,
    log_id=text,
    domain=st.just(DOMAIN),
    n=st.integers(0, 2**50),
    prev=hashes,
    batch=text,
    first=st.integers(1, 2**50),
    last=st.integers(0, 2**50),
    recorded_at=moments,
    bulk=statements,
    defaults=st.dictionaries(text, text, max_size=3),
    files=st.lists(files, max_size=3).map(tuple),
)


def a_record(**changes: object) -> Record:
    body = packed(inline_batch([event("a", 1, 1, event_id="id-a"), event("b", 1, 2, event_id="id-b")]))
    record = Record(
        log_id=LOG_ID,
        domain=DOMAIN,
        n=7,
        prev="ab" * 32,
        batch="batch-1",
        first=10,
        last=11,
        recorded_at=datetime(2013, 1, 1, 5, 15, tzinfo=UTC),
        body=body,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def read(data: bytes) -> Record:
    return decode(data, DOMAIN, 7, log_id=LOG_ID, prev="ab" * 32)


@given(records)
@settings(max_examples=200, deadline=None)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    data, chain = encode(record)
    assert decode(data, DOMAIN, record.n, log_id=record.log_id, prev=record.prev) == replace(record, chain=chain)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_bit_can_be_changed_unseen(data: st.DataObject) -> None:
    whole, _ = encode(a_record())
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    with pytest.raises(LogDamaged) as caught:
        read(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
    assert caught.value.n == 7


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_part_of_a_record_is_read_as_a_record(data: st.DataObject) -> None:
    whole, _ = encode(a_record())
    with pytest.raises(LogDamaged):
        read(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(LogDamaged):
        read(whole + data.draw(st.binary(min_size=1, max_size=50)))


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_other_bytes_are_not_a_record(data: bytes) -> None:
    with pytest.raises(LogDamaged):
        read(data)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"log_id": "another"}, "foreign: it is of log another"),
        ({"domain": "airfield"}, "foreign: it is a record of domain 'airfield'"),
        ({"n": 8}, "misplaced: it says that it is record 8"),
        ({"prev": "cd" * 32}, "unchained: it follows cdcdcdcdcdcd"),
    ],
)
def test_a_whole_record_in_the_wrong_place_is_refused(changes: dict[str, object], reason: str) -> None:
    data, _ = encode(a_record(**changes))
    with pytest.raises(LogDamaged, match=reason) as caught:
        read(data)
    assert f"log/{DOMAIN}, record 7" in str(caught.value)


def test_the_chain_value_is_sha256_of_the_predecessors_and_the_content() -> None:
    data, chain = encode(a_record())
    assert chain == hashlib.sha256(bytes.fromhex("ab" * 32) + data[:-32]).hexdigest()
    assert data[-32:].hex() == chain


def test_the_inline_events_can_be_read_by_pyarrow_alone() -> None:
    record = a_record()
    with pa.CompressedInputStream(io.BytesIO(record.body), "zstd") as source:
        found = pa.ipc.open_stream(source).read_all()
    assert found["aggregate_id"].to_pylist() == ["a", "b"]
    assert found.equals(record.inline())


def test_a_commit_of_one_event_is_below_two_kilobytes() -> None:
    one = a_record(last=10, body=packed(inline_batch([event("a", 1, 1)])), streams=(("Ship", "a", 1),))
    assert len(encode(one)[0]) < 2_048


def test_the_first_record_follows_nothing() -> None:
    assert NO_CHAIN == "0" * 64


@given(moments)
def test_times_keep_their_microseconds(given_moment: datetime) -> None:
    record = a_record(recorded_at=given_moment)
    assert read(encode(record)[0]).recorded_at == given_moment
    assert moment(0) + timedelta(microseconds=1) == moment(1)
