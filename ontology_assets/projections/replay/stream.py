"""The stream of replay requests of one log: which of them have no outcome yet, read from where one stood before."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow.compute as pc

from ontology_assets.events.envelope import REPLAY_TYPE
from ontology_assets.events.log import EventLog
from ontology_assets.projections.replay.requests import COMPLETED, FAILED, REQUESTED

OF_REPLAYS = frozenset({REQUESTED, COMPLETED, FAILED})
LOOK_SECONDS = 5.0
"""Records read in one go: the rest comes with the next."""


@dataclass(frozen=True)
class Cursor:
    """Read through the record that `history` names (`<n>/<chain value>`; None: nothing). `waiting`: the state of each
    request without an outcome, by id.
    """

    history: str | None = None
    waiting: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {"history": self.history, "waiting": dict(self.waiting)}

    @classmethod
    def read(cls, document: object) -> "Cursor":
        """The beginning, for what is no cursor."""
        if not isinstance(document, dict) or not isinstance(document.get("waiting"), dict):
            return cls()
        history = document.get("history")
        if not isinstance(history, str) or not history.partition("/")[0].isdigit():
            return cls()
        return cls(history, document["waiting"])


def read_on(log: EventLog, cursor: Cursor, seconds: float = LOOK_SECONDS) -> Cursor:
    """Go on to the log's end, for so long. A log that does not have the cursor's history is read from its beginning.

    Of a record without requests only its header is looked at.
    """
    until = time.monotonic() + seconds
    if cursor.history is not None and not log.holds(cursor.history):
        cursor = Cursor()
    history, waiting = cursor.history, dict(cursor.waiting)
    begin = 0 if history is None else int(history.partition("/")[0]) + 1
    for record in log.records(begin):
        if OF_REPLAYS & record.by_type.keys():
            rows = record.inline()
            for row in rows.filter(pc.equal(rows["aggregate_type"], REPLAY_TYPE)).to_pylist():
                if row["event_type"] == REQUESTED:
                    waiting[row["aggregate_id"]] = orjson.loads(row["data"])["state"]["properties"]
                else:
                    waiting.pop(row["aggregate_id"], None)
        history = f"{record.n}/{record.chain}"
        if time.monotonic() > until:
            break
    return Cursor(history, waiting)
