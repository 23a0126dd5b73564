"""Requested replays: an aggregate of type `Replay` in the log, whose first event is the request and whose last the
outcome. Whoever asks twice with one id asks once, as with commands: it is one for the log.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson
import pyarrow as pa

from ontology_assets.canonical import canonical_json, state_hash
from ontology_assets.events.envelope import REPLAY_TYPE, REQUEST, NewEvent, derived_id
from ontology_assets.events.group import Answer, Group, View
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import ALL_BUCKETS
from ontology_assets.projections.rebuild.place import check_projection
from ontology_assets.projections.replay.selection import Selection, span_of
from resources.errors import SpiceError

REQUESTED, COMPLETED, FAILED = "ReplayRequested", "ReplayCompleted", "ReplayFailed"
MEMBERS = ("id", "projection", "from", "to", "types", "buckets", "domain")
HEX = "0123456789abcdef"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestRefused(SpiceError):
    """The document asks for no replay."""

    kind = "spice:replay-refused"


class NoSuchReplay(SpiceError):
    """No log has a request with this id."""

    kind = "spice:not-found"

    def __init__(self, request_id: str) -> None:
        super().__init__("No such replay", f"no replay {request_id!r} was requested.", where="id", status=404)


class Status(StrEnum):
    REQUESTED = "requested"
    """Its runs are being launched, or are under way."""
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True)
class ReplayRequest:
    """A replay that somebody asks for, as a request of the group commit. `selection` has one span and one domain."""

    id: str
    projection: str
    selection: Selection

    @property
    def domain(self) -> str:
        assert self.selection.domain is not None  # noqa: S101  settled when it was read
        return self.selection.domain

    def document(self) -> dict[str, Any]:
        ((first, last),) = self.selection.days
        return {
            "id": self.id,
            "projection": self.projection,
            "domain": self.domain,
            "from": first.isoformat(),
            "to": last.isoformat(),
            "types": sorted(self.selection.types),
            "buckets": [HEX[one] for one in self.selection.buckets],
        }

    @property
    def command_id(self) -> str:
        return self.id

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical_json(self.document()).encode()).hexdigest()

    @property
    def touches(self) -> Sequence[tuple[str, str]]:
        return [(REPLAY_TYPE, self.id)]

    def decide(self, view: View) -> Sequence[NewEvent]:
        view.expect(REPLAY_TYPE, self.id, 0)
        return [_event(self, REQUESTED, 1, {**self.document(), "status": Status.REQUESTED})]


def read_request(document: object, domains: Sequence[Domain], new_id: str) -> ReplayRequest:
    """From JSON; `new_id` where it has none. Raises RequestRefused and what names there are not."""
    if not isinstance(document, Mapping):
        raise RequestRefused("No request", "a JSON object is expected.", where="document", allowed=list(MEMBERS))
    for name in document:
        if name not in MEMBERS:
            raise RequestRefused(
                "Unknown member", f"there is no member {name!r} here.", where=str(name), allowed=list(MEMBERS)
            )
    request_id = document.get("id", new_id)
    if not isinstance(request_id, str) or not _ID.fullmatch(request_id):
        raise RequestRefused(
            "No id", f"{request_id!r} is no id.", where="id", allowed=["up to 64 letters, digits, `.`, `_`, `-`"]
        )
    projection = check_projection(document.get("projection"))
    days = span_of(document.get("from"), document.get("to"))
    types, buckets = _texts(document, "types"), _texts(document, "buckets")
    for name in buckets:
        if name not in HEX or len(name) != 1:
            raise RequestRefused("Unknown bucket", f"{name!r} is no bucket.", where="buckets", allowed=list(HEX))
    domain = document.get("domain", "")
    if not isinstance(domain, str):
        raise RequestRefused("No domain", f"{domain!r} is no name.", where="domain")
    selection = Selection(
        days=(days,),
        buckets=tuple(sorted({HEX.index(name) for name in buckets})) or ALL_BUCKETS,
        types=tuple(sorted(set(types))),
        domain=domain or None,
    ).checked(domains)
    return ReplayRequest(
        request_id, projection, replace(selection, domain=_domain_of(selection, domains)).checked(domains)
    )


def _texts(document: Mapping[str, Any], name: str) -> list[str]:
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise RequestRefused("No list", f"{name} must be a list of texts.", where=name)
    return value


def _domain_of(selection: Selection, domains: Sequence[Domain]) -> str:
    """A request is in one log, and about it: the log of its types, or the only one there is."""
    found = [one.name for one in domains if selection.of_domain(one)]
    if len(found) != 1:
        raise RequestRefused(
            "Which domain?",
            "a request is about one domain; name it, or types of one.",
            where="domain",
            allowed=sorted(found),
        )
    return found[0]


@dataclass(frozen=True)
class Outcome:
    """How a requested replay has ended, as a request of the group commit: the first one that is said stays. `reason`:
    why it failed; None where it is completed.
    """

    id: str
    runs: Sequence[str]
    done: Mapping[str, object]
    reason: str | None

    @property
    def command_id(self) -> str:
        return derived_id("replay", self.id, "outcome")

    @property
    def digest(self) -> str:
        """The same whatever it says."""
        return hashlib.sha256(self.command_id.encode()).hexdigest()

    @property
    def touches(self) -> Sequence[tuple[str, str]]:
        return [(REPLAY_TYPE, self.id)]

    def decide(self, view: View) -> Sequence[NewEvent]:
        now = view.current(REPLAY_TYPE, self.id)
        if now.state is None:
            raise NoSuchReplay(self.id)
        status, event_type = (Status.COMPLETED, COMPLETED) if self.reason is None else (Status.FAILED, FAILED)
        said = {"status": status, "runs": list(self.runs), "done": dict(self.done), "reason": self.reason}
        return [_event(self, event_type, now.sequence + 1, {**orjson.loads(now.state)["properties"], **said})]


def append(log: EventLog, heads: Heads, one: ReplayRequest | Outcome) -> Answer:
    """Put a request or an outcome into the log, once. Raises CommandIdReused for another request of the same id, and
    what appending does.
    """
    (outcome,) = Group(log, heads).commit([one])
    if isinstance(outcome, SpiceError):
        raise outcome
    return outcome


def status(logs: Sequence[tuple[EventLog, Heads]], request_id: str) -> dict[str, Any]:
    """What was asked and what came of it. Raises NoSuchReplay."""
    for log, heads in logs:
        heads.catch_up(whole=False)
        state = _state(log, heads, request_id)
        if state is not None:
            return state
    raise NoSuchReplay(request_id)


def request_of(state: Mapping[str, Any], domains: Sequence[Domain]) -> ReplayRequest:
    """The request in an event's state. Raises what `read_request` does: definitions may have changed since."""
    return read_request({name: state[name] for name in MEMBERS if name in state}, domains, "")


def _state(log: EventLog, heads: Heads, request_id: str) -> dict[str, Any] | None:
    found = heads.lookup(REPLAY_TYPE, pa.array([request_id])).to_pylist()
    if not found:
        return None
    (data,) = log.states([found[0]["position"]])["data"].to_pylist()
    properties: dict[str, Any] = orjson.loads(data)["state"]["properties"]
    return properties


def _event(of: "ReplayRequest | Outcome", event_type: str, sequence: int, properties: Mapping[str, object]) -> NewEvent:
    state = canonical_json({"properties": dict(properties)})
    return NewEvent(
        event_id=derived_id("replay", of.id, str(sequence)),
        event_type=event_type,
        aggregate_type=REPLAY_TYPE,
        aggregate_id=of.id,
        sequence_number=sequence,
        data=f'{{"state":{state}}}',
        state_hash=state_hash(state),
        metadata=canonical_json({REQUEST: of.digest}),
        command_id=of.command_id,
        correlation_id=of.id,
    )
