"""Messages as CloudEvents 1.0, held against the specification: its JSON format, its type system, its Kafka binding.

`SCHEMA` is written by hand from the JSON Event Format (v1.0.2) and checked by a validator that is not ours.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from ontology_assets.cloudevents import event_document
from ontology_assets.followers.relay import Relay
from resources.topic.base import MESSAGES
from resources.topic.sqlite import SqliteTopic
from tests.unit.followers.generated_log import GeneratedLog

TEXT = {"type": "string", "minLength": 1}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": TEXT,
        "source": {**TEXT, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": TEXT,
        "datacontenttype": TEXT,
        "dataschema": {**TEXT, "format": "uri"},
        "subject": TEXT,
        "time": {**TEXT, "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
        "data": {},
        "data_base64": {"type": "string"},
        # Extensions that CloudEvents itself describes
        "sequence": TEXT,
        "partitionkey": TEXT,
        "traceparent": {**TEXT, "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
    # Attribute names; a value is a Boolean, an Integer (32 bits) or a String without control characters, never null.
    "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "boolean"},
            {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
            {"type": "string", "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$"},
        ]
    },
    "not": {"required": ["data", "data_base64"]},
}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    topic = SqliteTopic(tmp_path / "topic.sqlite")
    relay = Relay(topic, "harbour")
    relay.claim(1)
    for batch in GeneratedLog(40).events():
        relay.apply(batch, 1)
    rows: list[dict[str, Any]] = topic.read().to_pylist()
    topic.close()
    return rows


def document(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(orjson.dumps(event_document(row)))
    return found


def test_every_message_is_a_cloud_event_in_the_json_format(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        VALIDATOR.validate(document(row))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"specversion": "0.3"},
        {"source": ""},
        {"id": None},
        {"time": "2013-01-01 05:15:00"},
        {"state_hash": "x"},
        {"offset": 2**31},
        {"traceparent": "00-1-1-1"},
        {"statehash": None},
    ],
)
def test_control_the_schema_refuses_what_is_none(rows: list[dict[str, Any]], spoilt: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**document(rows[0]), **spoilt})


def test_a_document_says_what_the_event_says(rows: list[dict[str, Any]]) -> None:
    row = {**rows[12], "ce_traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    assert document(row) == {
        "id": f"harbour-{13:032x}",
        "source": "/domains/harbour/branches/main",
        "specversion": "1.0",
        "type": "ObjectUpdated",
        "datacontenttype": "application/json",
        "subject": "Ship/ship/1",
        "time": "2013-01-01T05:15:00.250013Z",
        "aggregatetype": "Ship",
        "branch": "main",
        "domain": "harbour",
        "position": "0000000000000000013",
        "schemaversion": "1",
        "sequence": "0000000000000000002",
        "statehash": f"{13:064x}",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "partitionkey": "ship/1",
        "data": {"state": {"properties": {"n": 13}}},
    }


def test_positions_and_sequences_sort_as_texts_to_the_end_of_their_range(rows: list[dict[str, Any]]) -> None:
    numbers = [1, 9, 10, 2**31, 2**63 - 1]
    for name in ("position", "sequence"):
        texts = [document({**rows[0], f"ce_{name}": number})[name] for number in numbers]
        assert sorted(texts) == texts
        assert [int(text) for text in texts] == numbers


def test_a_time_before_the_year_1000_has_four_digits(rows: list[dict[str, Any]]) -> None:
    early = document({**rows[0], "ce_time": datetime(1, 1, 1, tzinfo=UTC)})
    VALIDATOR.validate(early)
    assert early["time"] == "0001-01-01T00:00:00.000000Z"


def test_headers_are_named_as_the_kafka_binding_names_them() -> None:
    carried = {"offset", "key", "data"}  # where a message is, its key, its body
    assert {"ce_id", "ce_source", "ce_specversion", "ce_type"} <= set(MESSAGES.names)
    assert all(re.fullmatch("ce_[a-z0-9]{1,20}", name) for name in MESSAGES.names if name not in carried)


def test_one_source_never_names_two_events_alike(rows: list[dict[str, Any]]) -> None:
    assert len({(row["ce_source"], row["ce_id"]) for row in rows}) == len(rows)
