"""What every topic must do. An adapter's test subclasses this and gives `topic`."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from resources.fencing import Fenced
from resources.topic.base import MESSAGES, PUBLISHED, Topic


def batch(first: int, last: int, **changed: object) -> pa.RecordBatch:
    """Messages of positions `first` to `last`; `changed` replaces attributes of all of them."""
    rows = [
        {
            "key": f"k{position % 3}",
            "ce_id": f"id-{position}",
            "ce_type": "ObjectCreated",
            "ce_source": "/domains/harbour/branches/main",
            "ce_time": datetime(2013, 1, 1, 5, 15, 0, position, tzinfo=UTC),
            "ce_aggregatetype": "Ship",
            "ce_branch": "main",
            "ce_domain": "harbour",
            "ce_position": position,
            "ce_schemaversion": "1",
            "ce_sequence": (position + 2) // 3,
            "ce_statehash": f"{position:064x}",
            "ce_traceparent": None if position % 2 else f"00-{7:032x}-{position:016x}-01",
            "data": f'{{"state":{{"n":{position}}}}}',
            **changed,
        }
        for position in range(first, last + 1)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=PUBLISHED)


class TopicContract:
    def test_an_empty_topic_starts_at_offset_zero_and_has_nobody(self, topic: Topic) -> None:
        producer = topic.producer("relay/harbour")

        assert topic.end() == 0
        assert topic.read().num_rows == 0
        assert topic.read().schema == MESSAGES
        assert (producer.position(), producer.epoch(), producer.updated_at()) == (0, 0, None)

    def test_messages_come_back_complete_and_in_order(self, topic: Topic) -> None:
        producer = topic.producer("relay/harbour")
        producer.claim(1)
        producer.publish(batch(1, 2), after=0, position=2, history=None, epoch=1)
        producer.publish(batch(3, 3, ce_type="ObjectDeleted"), after=2, position=3, history=None, epoch=1)

        rows = topic.read().to_pylist()
        assert [row["offset"] for row in rows] == [0, 1, 2]
        assert rows[2] == {
            "offset": 2,
            "key": "k0",
            "ce_id": "id-3",
            "ce_type": "ObjectDeleted",
            "ce_source": "/domains/harbour/branches/main",
            "ce_subject": "Ship/k0",
            "ce_time": datetime(2013, 1, 1, 5, 15, 0, 3, tzinfo=UTC),
            "ce_specversion": "1.0",
            "ce_datacontenttype": "application/json",
            "ce_aggregatetype": "Ship",
            "ce_branch": "main",
            "ce_domain": "harbour",
            "ce_position": 3,
            "ce_schemaversion": "1",
            "ce_sequence": 1,
            "ce_statehash": "0" * 63 + "3",
            "ce_traceparent": None,
            "data": '{"state":{"n":3}}',
        }
        assert [row["ce_type"] for row in rows] == ["ObjectCreated", "ObjectCreated", "ObjectDeleted"]
        assert topic.end() == 3

    def test_reading_goes_on_from_an_offset(self, topic: Topic) -> None:
        producer = topic.producer("relay/harbour")
        producer.claim(1)
        producer.publish(batch(1, 10), after=0, position=10, history=None, epoch=1)

        assert topic.read(4, 3)["offset"].to_pylist() == [4, 5, 6]
        assert topic.read(8, 100)["ce_position"].to_pylist() == [9, 10]
        assert topic.read(10).num_rows == 0

    @pytest.mark.parametrize("state_hash", [None, "", "not a hash", "A" * 64, "f" * 64, "é" * 64])
    def test_a_state_hash_of_any_text_comes_back_as_it_was(self, topic: Topic, state_hash: str | None) -> None:
        producer = topic.producer("relay/harbour")
        producer.claim(1)
        producer.publish(batch(1, 1, ce_statehash=state_hash), after=0, position=1, history=None, epoch=1)

        assert topic.read()["ce_statehash"].to_pylist() == [state_hash]

    @pytest.mark.parametrize("text", ["", "a/b%2F", "서울", '\U0001f6a2 "quoted"\n', "x" * 2_000_000])
    def test_keys_and_data_of_any_text_come_back_as_they_were(self, topic: Topic, text: str) -> None:
        producer = topic.producer("relay/harbour")
        producer.claim(1)
        producer.publish(batch(1, 1, key=text, data=text), after=0, position=1, history=None, epoch=1)

        assert topic.read().select(["key", "data"]).to_pylist() == [{"key": text, "data": text}]

    def test_a_time_before_1970_comes_back_as_it_was(self, topic: Topic) -> None:
        moment = datetime(1969, 7, 20, 20, 17, 39, 999_999, tzinfo=UTC)
        producer = topic.producer("relay/harbour")
        producer.claim(1)
        producer.publish(batch(1, 1, ce_time=moment), after=0, position=1, history=None, epoch=1)

        assert topic.read()["ce_time"].to_pylist() == [moment]

    def test_position_epoch_and_time_of_a_producer_outlive_it(self, topic: Topic) -> None:
        before = datetime.now(UTC)
        first = topic.producer("relay/harbour")
        first.claim(7)
        first.publish(batch(1, 4), after=0, position=4, history=None, epoch=7)

        again = topic.producer("relay/harbour")
        assert (again.position(), again.epoch()) == (4, 7)
        moved = again.updated_at()
        assert moved is not None
        assert before <= moved <= datetime.now(UTC)

    def test_a_producer_with_an_old_epoch_writes_nothing(self, topic: Topic) -> None:
        old, new = topic.producer("relay/harbour"), topic.producer("relay/harbour")
        old.claim(1)
        new.claim(2)

        with pytest.raises(Fenced) as fenced:
            old.publish(batch(1, 2), after=0, position=2, history=None, epoch=1)
        assert (fenced.value.mine, fenced.value.held) == (1, 2)
        assert (topic.end(), old.position()) == (0, 0)

    def test_an_epoch_is_claimed_once(self, topic: Topic) -> None:
        producer = topic.producer("relay/harbour")
        producer.claim(5)

        for epoch in (5, 4):
            with pytest.raises(Fenced):
                producer.claim(epoch)
        assert producer.epoch() == 5

    def test_nothing_is_published_without_a_claim(self, topic: Topic) -> None:
        with pytest.raises(Fenced):
            topic.producer("relay/harbour").publish(batch(1, 1), after=0, position=1, history=None, epoch=0)
        assert topic.end() == 0

    def test_the_same_batch_again_is_refused_as_a_whole(self, topic: Topic) -> None:
        producer = topic.producer("relay/harbour")
        producer.claim(1)
        producer.publish(batch(1, 3), after=0, position=3, history=None, epoch=1)

        with pytest.raises(Fenced):
            producer.publish(batch(1, 5), after=0, position=5, history=None, epoch=1)
        assert (topic.end(), producer.position()) == (3, 3)

    def test_producers_of_two_domains_share_the_topic(self, topic: Topic) -> None:
        harbour, fields = topic.producer("relay/harbour"), topic.producer("relay/fields")
        harbour.claim(3)
        fields.claim(1)
        harbour.publish(batch(1, 2), after=0, position=2, history=None, epoch=3)
        fields.publish(batch(1, 1, ce_domain="fields"), after=0, position=1, history=None, epoch=1)
        harbour.publish(batch(3, 3), after=2, position=3, history=None, epoch=3)

        rows = topic.read()
        assert rows["ce_domain"].to_pylist() == ["harbour", "harbour", "fields", "harbour"]
        assert rows["ce_position"].to_pylist() == [1, 2, 1, 3]
