"""Reading the embedded topic as a consumer does: from a position, from a time, the newest, and on as messages come."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.opening import open_log
from resources.errors import SpiceError
from resources.home import Home
from resources.topic.base import Topic
from resources.topic.sqlite import SqliteTopic

NEWEST = "newest"
CHUNK = 10_000
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Wanted:
    """Which messages: of a domain, from a position of it on, of a type, with a key. None: any."""

    domain: str | None = None
    position: int = 1
    type: str | None = None
    key: str | None = None

    def of(self, messages: pa.Table) -> pa.Table:
        keep = pc.greater_equal(messages["ce_position"], self.position)
        for column, value in (("ce_domain", self.domain), ("ce_type", self.type), ("key", self.key)):
            if value is not None:
                keep = pc.and_(keep, pc.equal(messages[column], value))
        return messages.filter(keep)


def open_topic(home: Home) -> SqliteTopic:
    """The topic, which must be there: looking at it begins none."""
    if not home.topic.exists():
        raise SpiceError(
            "No topic yet", f"nothing was published in {home.root}; run `spice run` or `spice dev`.", where="--home"
        )
    return SqliteTopic(home.topic)


def position_from(home: Home, domain: str, start: str) -> int:
    """`start` as a position of the domain: a number is one; a time is the first event recorded then or later."""
    if start.isdecimal():
        return int(start)
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise SpiceError(
            "Unknown start",
            f"{start!r} is neither a position nor a time",
            where="--from",
            allowed=["a position, e.g. 120", "a time, e.g. 2013-01-31T12:00Z (UTC where no zone is given)", NEWEST],
        ) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    log = open_log(home, domain)
    return log.position_at(moment - timedelta(microseconds=1)) + 1


def newest(topic: Topic, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """The last `limit` messages that are wanted (0: all), in order; the topic is read backwards until there are so
    many.
    """
    found: list[dict[str, Any]] = []
    end, chunk = topic.end(), limit or CHUNK
    while end > 0 and (not limit or len(found) < limit):
        first = max(0, end - chunk)
        found = wanted.of(topic.read(first, end - first)).to_pylist() + found
        end, chunk = first, CHUNK
    return found[-limit:]


def messages(home: Home, topic: Topic, wanted: Wanted, *, offset: int, follow: bool) -> Iterator[dict[str, Any]]:
    """The wanted messages from an offset on: to the end, or for ever. Raises SpiceError if the topic is replaced."""
    topic_file = home.topic.stat().st_ino
    while True:
        chunk = topic.read(offset, CHUNK)
        if not home.topic.exists() or home.topic.stat().st_ino != topic_file:
            raise SpiceError(
                "Another topic",
                "the topic was begun anew while it was read; what was read so far is of the old one. Read the new one "
                "from its first message.",
                where=str(home.topic),
                status=409,
            )
        yield from wanted.of(chunk).to_pylist()
        offset += chunk.num_rows
        if not chunk.num_rows:
            if not follow:
                return
            time.sleep(POLL_SECONDS)
