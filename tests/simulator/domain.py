"""The little domain of the simulation: boxes on shelves, what clients ask for, and how it becomes a draft."""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ontology_assets.events.envelope import REQUEST, Draft, NewEvent
from ontology_assets.events.group import View
from ontology_assets.events.heads import Heads
from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.decide import Load, PartitionLoad, decide
from ontology_assets.objectify.states import STATES_SCHEMA
from ontology_assets.projections.layouts import type_layout
from resources.read_model.query import DomainLayout
from tests.simulator.truth import text_of

DOMAIN = "depot"
ASSET = "ontology/box/objects"
BOX = ObjectType.model_validate(
    {
        "name": "Box",
        "key": ["id"],
        "title": "name",
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string?"},
            "n": {"type": "integer?"},
            "shelf": {"type": "string?"},
        },
        "links": {"on": {"to": "Shelf", "by": ["shelf"], "inverse": "boxes"}},
    }
)
SHELF = ObjectType.model_validate(
    {"name": "Shelf", "key": ["id"], "title": "id", "properties": {"id": {"type": "string"}}}
)
LAYOUT = DomainLayout(DOMAIN, (type_layout(BOX), type_layout(SHELF)))
TYPES = ("Box", "Shelf")
AS_READ = -1
"""`expected` of a command whose client expects what is there when it asks first, or a little more."""
_SPACE = uuid.UUID(int=42)


@dataclass
class Command:
    """One wish of a client. `number` names it for ever, in whatever process it is tried."""

    number: int
    kind: str
    keys: tuple[str, ...]
    amount: int = 0
    expected: int | None = None
    rows: tuple[tuple[str, int], ...] = ()
    partition: str = ""
    reuses: "Command | None" = None
    rivalled: bool = False
    """Another command has its id."""
    doubled: bool = False
    """It was asked in another process at the same time."""
    way: str = "append"
    """"group": by the group commit, "append": by an append of its own."""
    record: int | None = None
    """Where it was acknowledged to be."""

    def event_id(self, ordinal: int) -> str:
        owner = self.reuses or self
        return str(uuid.uuid5(_SPACE, f"{owner.number}/{ordinal}"))

    @property
    def batch(self) -> str:
        return str(uuid.uuid5(_SPACE, f"batch {self.number}"))

    @property
    def version(self) -> str:
        return f"v{self.number}"

    def __str__(self) -> str:
        return f"command {self.number} ({self.kind} {','.join(self.keys) or self.partition})"


def state_text(key: str, n: Any) -> str:
    shelf = f"s{len(key) + (n if isinstance(n, int) else 0)}"
    properties = {"id": key, "n": n, "name": f"box {n}", "shelf": shelf}
    return text_of({"links": {"on": [shelf]}, "properties": properties})


def amount_of(state: str) -> int:
    """The number in a box's state; 0 for a deleted or a poisoned one."""
    found = json.loads(state)
    n = found["properties"]["n"] if found else 0
    return n if isinstance(n, int) else 0


def decision(command: Command, states: Callable[[Any], pa.Table]) -> Callable[[Heads], Draft | None]:
    """What the client wants, decided on heads. `states` is log.states."""
    if command.kind == "load":
        load = load_of(command)
        return lambda heads: decide(load, heads, states)

    def decide_command(heads: Heads) -> Draft | None:
        ids = [command.event_id(k) for k in range(len(command.keys))]
        known = {} if command.reuses else heads.known_events(ids)
        found = {row["id"]: row for row in heads.lookup("Box", pa.array(command.keys)).to_pylist()}
        events = []
        for k, key in enumerate(command.keys):
            row = found.get(key)
            sequence = row["sequence"] if row else 0
            if known and command.kind == "add":  # it is there: its content is asked for, not worked out on later ones
                state = _state(states, known[ids[k]].position)
            else:
                state = _wanted(command, key, _state(states, row["position"]) if row else "null")
            events.append(_event(command, ids[k], key, sequence, state, None, ""))
        expected = {} if command.expected is None else {("Box", command.keys[0]): command.expected}
        return Draft(command.batch, inline=events, expected=expected)

    return decide_command


@dataclass(frozen=True)
class Wish:
    """A command as a request of the group commit."""

    command: Command

    @property
    def command_id(self) -> str:
        return f"command-{(self.command.reuses or self.command).number}"

    @property
    def digest(self) -> str:
        one = self.command
        return hashlib.sha256(f"{one.kind} {one.keys} {one.amount} {one.expected}".encode()).hexdigest()

    @property
    def touches(self) -> list[tuple[str, str]]:
        return [("Box", key) for key in self.command.keys]

    def decide(self, view: View) -> list[NewEvent]:
        command, events = self.command, []
        if command.expected is not None:
            view.expect("Box", command.keys[0], command.expected)
        for k, key in enumerate(command.keys):
            now = view.current("Box", key)
            state = _wanted(command, key, now.state or "null")
            events.append(_event(command, command.event_id(k), key, now.sequence, state, self.command_id, self.digest))
        return events


def _wanted(command: Command, key: str, before: str) -> str:
    if command.kind == "delete":
        return "null"
    if command.kind == "poison":
        return state_text(key, f"poison {command.number}")
    if command.kind == "add":
        return state_text(key, amount_of(before) + command.amount)
    return state_text(key, command.amount)


def _state(states: Callable[[Any], pa.Table], position: int) -> str:
    data: str = states([position])["data"][0].as_py()
    return data.partition('"state":')[2][:-1]


def _event(
    command: Command, event_id: str, key: str, sequence: int, state: str, command_id: str | None, digest: str
) -> NewEvent:
    return NewEvent(
        event_id=event_id,
        event_type="ObjectDeleted" if state == "null" else "ObjectUpdated",
        aggregate_type="Box",
        aggregate_id=key,
        sequence_number=sequence + 1,
        data=f'{{"state":{state}}}',
        state_hash=hashlib.sha256(state.encode()).hexdigest(),
        command_id=command_id,
        metadata=text_of({REQUEST: digest}) if command_id else "{}",
    )


def load_of(command: Command) -> Load:
    """A load of one partition: its rows are all that it has."""
    rows = [
        {
            "partition": command.partition,
            "id": key,
            "state": state_text(key, n),
            "state_hash": hashlib.sha256(state_text(key, n).encode()).hexdigest(),
            "bucket": hashlib.sha256(key.encode()).hexdigest()[:2],
            "occurred_at": None,
            "row": number,
            "line": number + 1,
            "source_file": "boxes.csv",
        }
        for number, (key, n) in enumerate(command.rows, 1)
    ]
    states = pa.Table.from_pylist(rows, schema=STATES_SCHEMA)
    return Load(ASSET, BOX, [PartitionLoad(command.partition, command.version)], states, "run", "code")
