"""The envelope of a materialization: once per data version, also when it comes back."""

import json

import pytest

from ontology_assets.materializations import (
    DATASET_VERSION_PUBLISHED,
    details_of,
    publish,
    rows_of,
    upstream_by_partition,
)
from tests.unit.objectify.harbour import Store, store


@pytest.fixture
def harbour(tmp_path) -> Store:
    return store(tmp_path)


def put(harbour: Store, versions: dict[str, str], asset: str = "raw/calls", **metadata: str) -> int:
    named = {partition: (version, {"out": 5}) for partition, version in versions.items()}
    return publish(harbour.log, harbour.heads, asset, named, DATASET_VERSION_PUBLISHED, ["source"], metadata)


def test_partitions_are_published_in_one_record_and_only_once(harbour):
    put(harbour, {"a": "s1"}, asset="source")
    source = harbour.heads.asset_versions("source")["a"].event_id
    assert put(harbour, {"b": "v1", "a": "v1"}, run_id="r1") == 2
    first = harbour.log.end().n
    assert put(harbour, {"b": "v1", "a": "v1"}, run_id="r2") == 0
    assert put(harbour, {"b": "v1", "a": "v2"}, run_id="r3") == 1
    assert harbour.log.end().n == first + 1
    events = [row for batch in harbour.log.events() for row in batch.to_pylist()][1:]
    assert [(one["aggregate_id"], one["sequence_number"]) for one in events] == [
        ("raw/calls@a", 1),
        ("raw/calls@b", 1),
        ("raw/calls@a", 2),
    ]
    assert json.loads(events[0]["data"])["state"]["properties"] == {
        "asset": "raw/calls",
        "partition": "a",
        "data_version": "v1",
        "rows": {"out": 5},
        "upstream": [source],
    }
    assert json.loads(events[0]["metadata"]) == {"run_id": "r1"}


def test_a_version_that_comes_back_is_published_again(harbour):
    assert [put(harbour, {"": version}) for version in ("v1", "v2", "v1", "v1")] == [1, 1, 1, 0]


def test_upstream_is_the_same_partition_or_the_whole(harbour):
    put(harbour, {"a": "v1", "b": "v1"})
    put(harbour, {"": "v1"}, asset="raw/ships")
    harbour.heads.catch_up()
    calls, ships = harbour.heads.asset_versions("raw/calls"), harbour.heads.asset_versions("raw/ships")
    assert upstream_by_partition(harbour.heads, ["raw/calls", "raw/ships"], ["b"]) == {
        "b": [calls["b"].event_id, ships[""].event_id]
    }
    assert upstream_by_partition(harbour.heads, ["raw/calls", "raw/none"], ["a", "c"]) == {
        "a": [calls["a"].event_id],
        "c": [],
    }
    assert rows_of(calls["a"]) == {"out": 5}
    assert details_of(calls["b"])["partition"] == "b"
