"""The relay: a sink that publishes every event of one domain's log on the topic, in log order.

Per aggregate that is order, too. A message is published at least once by the port's promise; with the embedded topic
exactly once, since messages and position are one transaction.
"""

from datetime import datetime

import pyarrow as pa

from ontology_assets.cloudevents import messages
from ontology_assets.followers.history import history_of
from ontology_assets.followers.sink import Parked
from resources.errors import SpiceError
from resources.topic.base import Topic


class Relay:
    """`Sink` of the topic. Its producer is known as `relay/<domain>`."""

    name = "topic"

    def __init__(self, topic: Topic, domain: str) -> None:
        self._topic = topic
        self._producer = topic.producer(f"relay/{domain}")

    def position(self) -> int:
        return self._producer.position()

    def history(self) -> str | None:
        return self._producer.history()

    def epoch(self) -> int:
        return self._producer.epoch()

    def claim(self, epoch: int) -> None:
        self._producer.claim(epoch)

    def apply(self, batch: pa.RecordBatch, epoch: int) -> None:
        position = self._producer.position()
        new = batch.slice(_count_at_or_below(batch, position))
        if new.num_rows:
            first = new.column("position")[0].as_py()
            if first != position + 1 and self._producer.epoch() == epoch:
                raise SpiceError(
                    "Events missing",
                    f"the topic stands at event {position}, the batch begins with event {first}; nothing was published",
                    where=self.name,
                    status=500,
                )
            last = new.column("position")[-1].as_py()
            history = history_of(batch)
            self._producer.publish(messages(new), after=position, position=last, history=history, epoch=epoch)

    def parked(self) -> list[Parked]:
        """Always none: a message is the event's own text, there is nothing in it to fail on."""
        return []

    def digest(self) -> str | None:
        """None: the topic is compared with the log by its positions, which `Relay` publishes without a gap."""
        return None

    def updated_at(self) -> datetime | None:
        return self._producer.updated_at()

    def close(self) -> None:
        self._topic.close()


def _count_at_or_below(batch: pa.RecordBatch, position: int) -> int:
    """Positions are dense and ascending in a batch."""
    if not batch.num_rows:
        return 0
    first = batch.column("position")[0].as_py()
    return int(min(max(position - first + 1, 0), batch.num_rows))
