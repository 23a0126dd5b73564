"""Group commit: many requests decided one after the other in memory, committed as one record.

Each request sees what those before it in the group write, so conflicts inside the group are decided here; those with
other processes by the log. Everything is above the ports and runs in the caller's thread; who waits for whom is
committer.py.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson
import pyarrow as pa

from ontology_assets.events.envelope import EDITS, NULL_STATE_HASH, Draft, NewEvent
from ontology_assets.events.errors import CommandIdReused, LogDamaged, OutcomeUnknown, SequenceConflict
from ontology_assets.events.heads import Heads, KnownCommand
from ontology_assets.events.log import Commit, EventLog
from ontology_assets.events.state import state_text
from resources.errors import SpiceError

MOST_REQUESTS = 1_000
"""Of one record: a group of this size is committed in about 50 ms."""
_CACHED_STATES = 16_384

Aggregate = tuple[str, str]


@dataclass(frozen=True)
class Current:
    """An aggregate as a request sees it: after what the log and the requests before it in the group say.

    `sequence` 0: there never was one. `state` is its canonical text, None unless it is alive.
    """

    sequence: int = 0
    state: str | None = None
    owner: str | None = None
    edits: dict[str, Any] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        return self.state is not None


class View(Protocol):
    """What a request decides on."""

    def current(self, aggregate_type: str, aggregate_id: str) -> Current: ...

    def expect(self, aggregate_type: str, aggregate_id: str, sequence: int) -> None:
        """Raises SequenceConflict unless the aggregate is at this sequence (0: there never was one)."""


class Request(Protocol):
    """One command: what it touches is known beforehand, what it writes is decided on a view, again if need be."""

    @property
    def command_id(self) -> str: ...

    @property
    def digest(self) -> str:
        """Hash of what is asked for: the same id with another digest is an error."""

    @property
    def touches(self) -> Sequence[Aggregate]: ...

    def decide(self, view: View) -> Sequence[NewEvent]:
        """At least one event, each with this command's id and its digest as `request` in its metadata, and what is held
        of the object as `edits` there. Raises SpiceError to refuse."""


@dataclass(frozen=True)
class Answer:
    """A command is in the log: its events' first and last position. `already`: it was there before."""

    command_id: str
    first: int
    last: int
    already: bool
    n: int | None = None
    recorded_at: datetime | None = None
    events: tuple[NewEvent, ...] = ()


Outcome = Answer | SpiceError


class Group:
    """Commits groups of requests to one log. Used by one thread at a time."""

    def __init__(self, log: EventLog, heads: Heads) -> None:
        self._log, self._heads = log, heads
        self._states = _States(log)

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome a request, in their order. What one is refused for is no other's concern.

        Raises OutcomeUnknown (of all requests that are not answered elsewhere: commit the same group again), LogDamaged
        and whatever the store raises.
        """
        deciding = _Deciding(requests, self._states, self._log.domain)
        batch = self._log.new_id()
        try:
            commit = self._log.append(self._heads, lambda heads: deciding.draft(heads, batch), whole=False)
        except (OutcomeUnknown, LogDamaged):
            raise
        except SpiceError as error:
            if len(requests) == 1:
                return [error]
            return [outcome for request in requests for outcome in self.commit([request])]
        return deciding.outcomes(commit)

    def work_off(self) -> bool:
        """Use idle time: fold a little of a large load that the heads are behind with; False if there is no more."""
        return self._heads.work_off()


class _Deciding:
    """One group's decisions; made again from the start when the log asks again."""

    def __init__(self, requests: Sequence[Request], states: "_States", domain: str) -> None:
        self._requests, self._states, self._domain = requests, states, domain
        self._events: list[Sequence[NewEvent]] = []
        self._refused: dict[int, SpiceError] = {}
        self._known: dict[int, KnownCommand] = {}
        self._same: dict[int, int] = {}

    def draft(self, heads: Heads, batch: str) -> Draft | None:
        self._refused, self._known, self._same = {}, {}, {}
        known = heads.known_commands([request.command_id for request in self._requests])
        view = _GroupView(heads, self._states, self._domain, (r.touches for r in self._requests))
        first: dict[str, int] = {}
        self._events = []
        for i, request in enumerate(self._requests):
            events: Sequence[NewEvent] = ()
            try:
                if (there := known.get(request.command_id)) is not None:
                    _same_request(request, there.request, self._domain)
                    self._known[i] = there
                elif (before := first.get(request.command_id)) is not None:
                    _same_request(request, self._requests[before].digest, self._domain)
                    self._same[i] = before
                else:
                    events = request.decide(view)
                    first[request.command_id] = i
            except SpiceError as error:
                self._refused[i] = error
            self._events.append(events)
            view.write(events)
        inline = [event for events in self._events for event in events]
        return Draft(batch, inline=inline) if inline else None

    def outcomes(self, commit: Commit | None) -> list[Outcome]:
        found: list[Outcome] = []
        position = commit.first if commit is not None else 0
        for i, (request, events) in enumerate(zip(self._requests, self._events, strict=True)):
            if i in self._refused:
                found.append(self._refused[i])
            elif i in self._known:
                there = self._known[i]
                found.append(Answer(request.command_id, there.first, there.last, already=True))
            elif i in self._same:
                same = found[self._same[i]]
                assert isinstance(same, Answer)  # noqa: S101 - it was not refused, or it would not be in `first`
                found.append(Answer(same.command_id, same.first, same.last, already=True))
            else:
                assert commit is not None  # noqa: S101 - it has events
                last = position + len(events) - 1
                found.append(
                    Answer(request.command_id, position, last, False, commit.n, commit.recorded_at, tuple(events))  # noqa: FBT003
                )
                for at, event in enumerate(events, position):
                    self._states.keep(event, at)
                position = last + 1
        return found


class _GroupView:
    """Heads at the position decided on, under what the group writes."""

    def __init__(self, heads: Heads, states: "_States", domain: str, touched: Iterable[Sequence[Aggregate]]) -> None:
        self._states, self._domain = states, domain
        self._written: dict[Aggregate, Current] = {}
        self._heads: dict[Aggregate, dict[str, Any]] = {}
        self._edits: dict[Aggregate, dict[str, Any]] = {}
        by_type: dict[str, set[str]] = {}
        for aggregates in touched:
            for kind, key in aggregates:
                by_type.setdefault(kind, set()).add(key)
        self._all, self._touched = heads, set[Aggregate]()
        for kind, keys in by_type.items():
            self._look_up(kind, keys)

    def _look_up(self, kind: str, keys: set[str]) -> None:
        ids = pa.array(sorted(keys), pa.string())
        self._touched.update((kind, key) for key in keys)
        for row in self._all.lookup(kind, ids).to_pylist():
            self._heads[kind, row["id"]] = row
        for key, edits in self._all.edits(kind, ids).items():
            self._edits[kind, key] = edits

    def current(self, aggregate_type: str, aggregate_id: str) -> Current:
        named = (aggregate_type, aggregate_id)
        if named not in self._touched:  # a link's target: known only when the state is
            self._look_up(aggregate_type, {aggregate_id})
        if named not in self._written:
            head = self._heads.get(named)
            self._written[named] = (
                Current(edits=self._edits.get(named, {}))
                if head is None
                else Current(
                    head["sequence"],
                    None if head["deleted"] else self._states.at(named, head["position"]),
                    head["owner"],
                    self._edits.get(named, {}),
                )
            )
        return self._written[named]

    def expect(self, aggregate_type: str, aggregate_id: str, sequence: int) -> None:
        """From the heads alone: no state is read."""
        named = (aggregate_type, aggregate_id)
        if named in self._written:
            actual = self._written[named].sequence
        else:
            actual = self._heads[named]["sequence"] if named in self._heads else 0
        if actual != sequence:
            raise SequenceConflict(self._domain, aggregate_type, aggregate_id, sequence, actual)

    def write(self, events: Sequence[NewEvent]) -> None:
        for event in events:
            state = None if event.state_hash == NULL_STATE_HASH else state_text(event.data)
            edits = edits_after(event, self._edits.get((event.aggregate_type, event.aggregate_id), {}))
            self._edits[event.aggregate_type, event.aggregate_id] = edits
            self._written[event.aggregate_type, event.aggregate_id] = Current(
                event.sequence_number, state, event.owner, edits
            )


class _States:
    """States by aggregate, each with the position it is of: what was just written is not read from the log again."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._kept: OrderedDict[Aggregate, tuple[int, str]] = OrderedDict()

    def at(self, aggregate: Aggregate, position: int) -> str:
        kept = self._kept.get(aggregate)
        if kept is not None and kept[0] == position:
            return kept[1]
        state = state_text(self._log.states([position])["data"][0].as_py())
        self._keep(aggregate, position, state)
        return state

    def keep(self, event: NewEvent, position: int) -> None:
        if event.state_hash != NULL_STATE_HASH:
            self._keep((event.aggregate_type, event.aggregate_id), position, state_text(event.data))

    def _keep(self, aggregate: Aggregate, position: int, state: str) -> None:
        self._kept[aggregate] = (position, state)
        if len(self._kept) > _CACHED_STATES:
            self._kept.popitem(last=False)


def edits_after(event: NewEvent, before: dict[str, Any]) -> dict[str, Any]:
    """What is held of the event's object after it: what it says, or what was held before."""
    if f'"{EDITS}"' not in event.metadata:
        return before
    said: dict[str, Any] = orjson.loads(event.metadata).get(EDITS, before)
    return said


def _same_request(request: Request, digest: str, domain: str) -> None:
    if request.digest != digest:
        raise CommandIdReused(domain, request.command_id)
