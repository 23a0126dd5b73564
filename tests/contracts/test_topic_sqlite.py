"""The embedded topic keeps the port's contract; its file can be read with plain SQL and deleted at any time."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.fencing import Fenced
from resources.sqlite_file import FileDamaged
from resources.topic.sqlite import SqliteTopic
from tests.contracts.topic import TopicContract, batch


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[SqliteTopic]:
    topic = SqliteTopic(tmp_path / "home" / "topic.sqlite")
    yield topic
    topic.close()


class TestSqliteTopic(TopicContract):
    """All of the port's tests."""


def test_plain_sql_reads_what_the_port_reads(topic: SqliteTopic, tmp_path: Path) -> None:
    producer = topic.producer("relay/harbour")
    producer.claim(1)
    producer.publish(batch(1, 4, ce_statehash="text"), after=0, position=4, history=None, epoch=1)
    producer.publish(batch(5, 9), after=4, position=9, history=None, epoch=1)

    connection = sqlite3.connect(tmp_path / "home" / "topic.sqlite")
    connection.row_factory = sqlite3.Row
    by_sql = [dict(row) for row in connection.execute('SELECT * FROM messages ORDER BY "offset"')]
    by_port = topic.read().to_pylist()
    for row in by_port:
        row["ce_time"] = row["ce_time"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert by_sql == by_port
    assert by_sql[0]["ce_time"] == "2013-01-01T05:15:00.000001Z"
    assert json.loads(by_sql[8]["data"])["state"]["n"] == 9


def test_a_deleted_file_is_noticed_and_begun_anew(topic: SqliteTopic, tmp_path: Path) -> None:
    producer = topic.producer("relay/harbour")
    producer.claim(4)
    producer.publish(batch(1, 9), after=0, position=9, history=None, epoch=4)
    (tmp_path / "home" / "topic.sqlite").unlink()  # its write-ahead log stays, as after `rm`

    assert (producer.position(), producer.epoch(), topic.end()) == (0, 0, 0)
    with pytest.raises(Fenced):
        producer.publish(batch(10, 11), after=9, position=11, history=None, epoch=4)
    producer.claim(5)
    producer.publish(batch(1, 2), after=0, position=2, history=None, epoch=5)
    assert topic.read()["ce_position"].to_pylist() == [1, 2]


def test_a_file_that_is_no_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "topic.sqlite").write_text("not a database, but long enough to be taken for one" * 10)

    with pytest.raises(FileDamaged, match=r"topic\.sqlite: File damaged: .* delete the file"):
        SqliteTopic(tmp_path / "topic.sqlite").end()


def test_a_fault_in_the_middle_of_a_batch_leaves_nothing_of_it(topic: SqliteTopic) -> None:
    producer = topic.producer("relay/harbour")
    producer.claim(1)
    broken = batch(1, 3).set_column(
        1, "ce_id", batch(1, 3).column("ce_id").filter([True, True, False]).take([0, 1, None])
    )

    with pytest.raises(sqlite3.IntegrityError, match="ce_id"):
        producer.publish(broken, after=0, position=3, history=None, epoch=1)
    assert (topic.end(), producer.position()) == (0, 0)
