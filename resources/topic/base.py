"""Port of the topic: an ordered log of CloudEvents 1.0 messages in binary mode, written by fenced producers.

Batches are Arrow: 400,000 messages pass as columns, never as a dict each. A message's attributes are named as the
CloudEvents Kafka binding names its headers (`ce_id`, `ce_type`, ...); `key` is the message key, `data` its body.
"""

from abc import ABC, abstractmethod
from datetime import datetime

import pyarrow as pa

PUBLISHED = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("ce_id", pa.string(), nullable=False),
        pa.field("ce_type", pa.string(), nullable=False),
        pa.field("ce_source", pa.string(), nullable=False),
        pa.field("ce_time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("ce_aggregatetype", pa.string(), nullable=False),
        pa.field("ce_branch", pa.string(), nullable=False),
        pa.field("ce_domain", pa.string(), nullable=False),
        pa.field("ce_position", pa.int64(), nullable=False),
        pa.field("ce_schemaversion", pa.string(), nullable=False),
        pa.field("ce_sequence", pa.int64(), nullable=False),
        pa.field("ce_statehash", pa.string(), nullable=True),
        pa.field("ce_traceparent", pa.string(), nullable=True),
        pa.field("data", pa.string(), nullable=False),
    ]
)
"""What a producer hands over. What follows from it is added by the adapter, see `MESSAGES`."""

MESSAGES = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        *PUBLISHED,
        pa.field("ce_subject", pa.string(), nullable=False),
        pa.field("ce_specversion", pa.string(), nullable=False),
        pa.field("ce_datacontenttype", pa.string(), nullable=False),
    ]
)
"""What a consumer gets: `ce_subject` = `<ce_aggregatetype>/<key>`, and the two constants."""

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"


class Producer(ABC):
    """One writer of the topic, known by a name that survives its process. Used by one thread.

    Messages, position, history and epoch change in one transaction, so a message is in the topic exactly if the
    position says so.
    """

    @abstractmethod
    def position(self) -> int:
        """Position of the last message published under this name; 0 for none."""

    @abstractmethod
    def history(self) -> str | None:
        """What was given with the last message published under this name."""

    @abstractmethod
    def epoch(self) -> int: ...

    @abstractmethod
    def updated_at(self) -> datetime | None:
        """When the position last moved."""

    @abstractmethod
    def claim(self, epoch: int) -> None:
        """Hold the producer's name at `epoch`. Raises Fenced if it is held at `epoch` or a later one."""

    @abstractmethod
    def publish(self, messages: pa.RecordBatch, *, after: int, position: int, history: str | None, epoch: int) -> None:
        """Append `messages` (schema `PUBLISHED`) in their order and move the position from `after` to `position`.

        `history` names what was published so far, the messages included, and is kept with the position.

        All of it, or nothing and Fenced if the name is held at another epoch or stands at another position than
        `after`.
        """


class Topic(ABC):
    @abstractmethod
    def producer(self, name: str) -> Producer: ...

    @abstractmethod
    def read(self, from_offset: int = 0, limit: int = 10_000) -> pa.Table:
        """Up to `limit` messages (schema `MESSAGES`) from that offset on, in offset order; empty at the end."""

    @abstractmethod
    def end(self) -> int:
        """The offset that the next message gets; the first message has offset 0."""

    @abstractmethod
    def close(self) -> None: ...
