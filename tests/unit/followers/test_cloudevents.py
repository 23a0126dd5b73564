"""Events become CloudEvents messages: every attribute from its field, in order, none left out."""

from ontology_assets.cloudevents import messages
from resources.topic.base import PUBLISHED
from tests.unit.followers.generated_log import batch, event


def test_each_attribute_comes_from_its_field() -> None:
    message = messages(batch(13, 13)).to_pylist()[0]

    assert message == {
        "key": "ship/1",
        "ce_id": event(13)["event_id"],
        "ce_type": "ObjectUpdated",
        "ce_source": "/domains/harbour/branches/main",
        "ce_time": event(13)["occurred_at"],
        "ce_aggregatetype": "Ship",
        "ce_branch": "main",
        "ce_domain": "harbour",
        "ce_position": 13,
        "ce_schemaversion": "1",
        "ce_sequence": 2,
        "ce_statehash": event(13)["state_hash"],
        "ce_traceparent": None,
        "data": '{"state":{"properties":{"n":13}}}',
    }


def test_messages_have_the_published_schema_and_the_order_of_the_events() -> None:
    converted = messages(batch(5, 500))

    assert converted.schema == PUBLISHED
    assert converted.column("ce_position").to_pylist() == list(range(5, 501))
    assert messages(batch(5, 4)).num_rows == 0
