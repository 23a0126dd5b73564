"""A log of seven shelves whose heights change in turn: event n (from 1) is known from n alone. For tests of followers.

What a topic and the read models must hold after n events is worked out here, with SQL and nothing of the product.
"""

import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from resources.home import Home
from resources.object_store.local import LocalObjectStore
from tests.unit.events.making import always, sha

DOMAIN = "library"
SHELVES = 7


def height(n: int) -> int:
    return 1_000 + n


def shelf_event(n: int, *, height_of: int | None = None, **more: Any) -> NewEvent:
    number, sequence = (n - 1) % SHELVES, (n - 1) // SHELVES + 1
    properties = {"height": height(n) if height_of is None else height_of, "no": number}
    state = json.dumps({"links": {}, "properties": properties}, separators=(",", ":"), sort_keys=True)
    created = sequence == 1
    return NewEvent(
        event_id=more.pop("event_id", str(uuid.uuid5(uuid.NAMESPACE_OID, f"shelf event {n}"))),
        event_type="ObjectCreated" if created else "ObjectUpdated",
        aggregate_type="Shelf",
        aggregate_id=str(number),
        sequence_number=sequence,
        data=f'{{"state":{state}}}' if created else f'{{"changed":["height"],"state":{state}}}',
        state_hash=sha(state),
        **more,
    )


class Shelves:
    """The writer of a home's log; `last` events are in it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.log = EventLog(LocalObjectStore(home.objects), DOMAIN)
        self.heads = Heads(home.heads / f"{uuid.uuid4().hex}.sqlite", self.log)
        self.last = self.log.end().position

    def append(self, events: int = 1, *, records: int = 1, **more: Any) -> None:
        """`records` commits of `events` events each."""
        for _ in range(records):
            drafted = [shelf_event(n, **more) for n in range(self.last + 1, self.last + events + 1)]
            commit = self.log.append(self.heads, always(Draft(str(uuid.uuid4()), inline=drafted)))
            assert commit is not None
            self.last = commit.last


def published(home: Home) -> int:
    """Messages in the topic."""
    if not home.topic.exists():
        return 0
    with closing(sqlite3.connect(home.topic, timeout=20)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM log").fetchone()[0])
        except sqlite3.OperationalError:  # not made yet
            return 0


def projected(home: Home, model: str) -> int:
    """The position of a read model."""
    path = home.read_models / f"{model}.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        try:
            found = connection.execute("SELECT position FROM state WHERE domain = ?", (DOMAIN,)).fetchone()
        except sqlite3.OperationalError:
            return 0
        return int(found[0]) if found else 0


def assert_topic_is_the_log(home: Home, last: int) -> None:
    with closing(sqlite3.connect(home.topic, timeout=20)) as connection:
        rows = connection.execute(
            'SELECT ce_position, "offset", ce_id, key, ce_sequence, data FROM messages ORDER BY "offset"'
        ).fetchall()
    expected = [shelf_event(n) for n in range(1, last + 1)]
    assert [row[0] for row in rows] == list(range(1, last + 1))
    assert [row[1] for row in rows] == list(range(last))
    assert [row[2:] for row in rows] == [(e.event_id, e.aggregate_id, e.sequence_number, e.data) for e in expected]


def assert_model_is_the_fold(home: Home, model: str, last: int) -> None:
    heights = {(n - 1) % SHELVES: (height(n), (n - 1) // SHELVES + 1, n) for n in range(1, last + 1)}
    assert projected(home, model) == last
    with closing(sqlite3.connect(home.read_models / f"{model}.sqlite", timeout=20)) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE domain = ? AND type = 'Shelf'", (DOMAIN,)).fetchone()
        rows = connection.execute(f"SELECT p_no, p_height, sequence, position FROM t{no}").fetchall()
    assert {number: found for number, *found in rows} == {number: list(one) for number, one in heights.items()}


def contents(path: Path) -> list[str]:
    """Everything in a SQLite file, as SQL."""
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        return list(connection.iterdump())
