"""The relay over the real log on disk: what a consumer of the topic gets is what was appended."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.status import status
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.unit.events.making import DOMAIN, append, bulk, event, fleet, inline, open_log, rows, sha


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[SqliteTopic]:
    topic = SqliteTopic(tmp_path / "topic.sqlite")
    yield topic
    topic.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqliteRegistry]:
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


def folded(topic: SqliteTopic) -> dict[tuple[str, str], Any]:
    """The last state of each object, as a consumer works it out from offset 0 on; deleted ones are left out."""
    states: dict[tuple[str, str], Any] = {}
    for message in topic.read(limit=1_000_000).to_pylist():
        of = (message["ce_aggregatetype"], message["key"])
        state = json.loads(message["data"])["state"]
        assert message["ce_sequence"] == states.get((*of, "sequence"), 0) + 1
        states[(*of, "sequence")] = message["ce_sequence"]
        if message["ce_type"] == "ObjectDeleted":
            del states[of]
        else:
            states[of] = state["properties"]["v"]
    return {of: value for of, value in states.items() if len(of) == 2}


def test_a_consumer_from_offset_zero_folds_the_objects_that_were_appended(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(500), event("raw/ships@2013-01-01", 1, "v1", kind="Asset")))
    append(log, heads, inline(event("ship/7", 2, "renamed"), event("ship/8", 2, None)))
    append(log, heads, bulk(rows(("ship/8", 3, "again"), ("ship/9", 2, None))))
    done = catch_up(log, Relay(topic, DOMAIN), registry, owner="test", batch_rows=64)

    expected: dict[tuple[str, str], Any] = {("Ship", f"ship/{number}"): number for number in range(500)}
    expected |= {("Ship", "ship/7"): "renamed", ("Ship", "ship/8"): "again", ("Asset", "raw/ships@2013-01-01"): "v1"}
    del expected["Ship", "ship/9"]
    assert (done.position, done.events, topic.end()) == (505, 505, 505)
    assert folded(topic) == expected


def test_each_message_carries_its_event(tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry) -> None:
    log, heads = open_log(tmp_path)
    first = event("ship/1", 1, "a")
    second = event("ship/1", 2, "b")
    append(log, heads, inline(first))
    append(log, heads, inline(second))
    catch_up(log, Relay(topic, DOMAIN), registry, owner="test")

    message = topic.read(1).to_pylist()[0]
    recorded = log.end().recorded_at
    assert message == {
        "offset": 1,
        "key": "ship/1",
        "ce_id": second.event_id,
        "ce_type": "ObjectUpdated",
        "ce_source": f"/domains/{DOMAIN}/branches/main",
        "ce_subject": "Ship/ship/1",
        "ce_time": recorded,
        "ce_specversion": "1.0",
        "ce_datacontenttype": "application/json",
        "ce_aggregatetype": "Ship",
        "ce_branch": "main",
        "ce_domain": DOMAIN,
        "ce_position": 2,
        "ce_schemaversion": "1",
        "ce_sequence": 2,
        "ce_statehash": sha('{"properties":{"v":"b"}}'),
        "ce_traceparent": None,
        "data": '{"state":{"properties":{"v":"b"}}}',
    }


def test_a_deleted_topic_is_published_anew_from_the_log(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(40)))
    relay = Relay(topic, DOMAIN)
    catch_up(log, relay, registry, owner="test")
    before = topic.read()
    (tmp_path / "topic.sqlite").unlink()

    assert status(log, [relay], registry)["topic"]["lag"] == 40
    assert catch_up(log, relay, registry, owner="test").events == 40
    assert topic.read() == before
    assert relay.epoch() == 2


def test_commits_that_come_while_it_works_are_published_the_next_time(
    tmp_path: Path, topic: SqliteTopic, registry: SqliteRegistry
) -> None:
    log, heads = open_log(tmp_path)
    for number in range(20):
        append(log, heads, inline(event(f"ship/{number}", 1, number)))
        done = catch_up(log, Relay(topic, DOMAIN), registry, owner="test")
        assert (done.position, done.events) == (number + 1, 1)
    assert topic.read()["key"].to_pylist() == [f"ship/{number}" for number in range(20)]
