"""Dead letters: the objects that a read model has set aside, each with the first event that does not fit it, and why.

The read model says what is open; the log says what the event is. Nothing here changes anything.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ontology_assets.events.envelope import EVENT_SCHEMA
from ontology_assets.events.log import EventLog
from ontology_assets.projections.deadletters.names import object_name
from ontology_assets.projections.rebuild.place import Place
from ontology_assets.queries.history import utc_text
from resources.errors import SpiceError
from resources.read_model.base import ParkedObject

SHOWN = 10


class NotBlocked(SpiceError):
    """The object is not set aside: there is nothing to retry or to skip."""

    kind = "spice:not-blocked"


@dataclass(frozen=True)
class DeadLetter:
    """One blocked object of a projection. The event at `position` is the first that does not fit; with it `waiting`
    events wait. `since`: when that event came into the log.
    """

    projection: str
    domain: str
    type: str
    id: str
    bucket: int
    position: int
    sequence: int
    event_id: str
    event_type: str
    since: datetime
    reason: str
    waiting: int

    @property
    def name(self) -> str:
        return object_name(self.type, self.id)

    def document(self) -> dict[str, Any]:
        return {**vars(self), "name": self.name, "bucket": f"{self.bucket:x}", "since": utc_text(self.since)}


def letters_of(projection: str, log: EventLog, parked: Sequence[ParkedObject]) -> list[DeadLetter]:
    """What is parked, with the envelopes of the events that it is parked for, in order of position."""
    events = {row["position"]: row for row in log.at(sorted(one.position for one in parked)).to_pylist()}
    return [
        DeadLetter(
            *(projection, log.domain, one.type, one.id, one.bucket, one.position),
            sequence=events[one.position]["sequence_number"],
            event_id=events[one.position]["event_id"],
            event_type=events[one.position]["event_type"],
            since=events[one.position]["recorded_at"],
            reason=one.reason,
            waiting=one.waiting,
        )
        for one in parked
    ]


def open_letters(place: Place) -> list[DeadLetter]:
    """All of one projection, domain by domain."""
    found = []
    for source in place.sources:
        with closing(place.live_sink(source)) as sink:
            found += letters_of(place.projection, source.log, sink.writer.parked())
    return found


def named(letters: Sequence[DeadLetter], names: Collection[str]) -> list[DeadLetter]:
    """Those of these names. Raises NotBlocked for a name that none has."""
    missing = sorted(set(names) - {one.name for one in letters})
    if missing:
        raise NotBlocked(
            "Not blocked",
            f"no read model has set {', '.join(missing)} aside. `spice deadletters list` names those that are",
            where=missing[0],
            allowed=sorted({one.name for one in letters})[:SHOWN],
            status=404,
        )
    return [one for one in letters if one.name in names]


def exported(place: Place, letters: Sequence[DeadLetter]) -> Iterator[dict[str, Any]]:
    """The events that wait, object by object, as documents: where and why, and the envelope. `data` and `metadata` are
    the log's own texts, so that nothing is lost of them.
    """
    for source in place.sources:
        histories = replace(source.histories, columns=EVENT_SCHEMA.names)
        mine = [one for one in letters if one.domain == source.domain.name]
        if not mine:
            continue
        with closing(place.live_sink(source)) as sink:
            position = sink.position()
        waiting: dict[tuple[str, str], list[dict[str, Any]]] = {(one.type, one.id): [] for one in mine}
        for row in histories.of_objects(waiting.keys(), position).to_pylist():
            waiting[row["aggregate_type"], row["aggregate_id"]].append(row)
        for letter in mine:
            for row in waiting[letter.type, letter.id]:
                if row["position"] >= letter.position:
                    times = {name: utc_text(row[name]) for name in ("occurred_at", "recorded_at")}
                    yield {
                        "projection": letter.projection,
                        "blocked_at": letter.position,
                        "reason": letter.reason,
                        "event": {**row, **times},
                    }
