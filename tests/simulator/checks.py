"""The invariants of `reliability.md`, checked while a run goes on: at each record, each commit of a sink, each answer."""

from typing import Any

from tests.simulator.asked import Asked
from tests.simulator.domain import ASSET, DOMAIN, TYPES, Command, amount_of, state_text
from tests.simulator.fold import Fold, compare
from tests.simulator.machine import Process
from tests.simulator.sinks import SinkSeen
from tests.simulator.truth import Event, TrueRecord, Truth, Violation, again
from tests.simulator.world import World

PREFIX = f"log/{DOMAIN}/"


class Checks:
    """Knows what was asked and answered, and looks at everything that becomes visible."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.truth = Truth()
        self.commands: dict[str, list[Command]] = {}
        """By event id: who may have made it. Two for an id that is used twice: the first in the log has it."""
        self.acked: dict[int, tuple[Command, str]] = {}
        self.sinks: dict[str, SinkSeen] = {}
        self.asked = Asked(world.folder / "search.sqlite", self.sinks)
        self.forgotten = 0
        """How often a sink's file was deleted or went back."""
        self.read_up_to: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        """Data files, also after they were archived."""
        world.on_object = self.on_object
        world.on_commit = self.on_commit

    def offered(self, command: Command) -> None:
        """This command is about to be tried; its events may appear from now on."""
        ids = [f"load {command.version}"] if command.kind == "load" else map(command.event_id, range(len(command.keys)))
        for event_id in ids:
            known = self.commands.setdefault(event_id, [])
            if command not in known:
                known.append(command)

    # The log

    def on_object(self, key: str, data: bytes) -> None:
        if key.startswith("log-data/"):
            self.files[key] = data
        if not key.startswith(PREFIX):
            return
        try:
            self._as_asked(self.truth.add(int(key[len(PREFIX) :]), data, self.files))
        except Violation as violation:
            self.world.fail(violation)

    def _as_asked(self, record: TrueRecord) -> None:
        """I7, and that what is appended is what was asked, decided on the state that it follows."""
        ids = {event.id for event in record.events}
        seen: set[int] = set()
        for event in record.events:
            command = self.made_by(event)
            if command is None or command.number in seen:
                continue
            seen.add(command.number)
            if any(command.event_id(k) not in ids for k in range(len(command.keys))):
                raise Violation("I7 all or none", f"record {record.n} has a part of {command}")
            for k, key in enumerate(command.keys):
                self._one(command, key, self.truth.by_id[command.event_id(k)])
        for event in record.events:
            if event.type == "Asset":
                self._load(record, event)
            elif event.id not in self.commands and event.owner is None:
                raise Violation("I4 one event per id", f"record {record.n}: event {event.id} was never asked for")

    def _one(self, command: Command, key: str, event: Event) -> None:
        before = self.truth.of(key)[event.sequence - 2].state if event.sequence > 1 else "null"
        if command.expected is not None and event.sequence != command.expected + 1:
            raise Violation(
                "I5 one winner per expected_seq", f"{command} expected {command.expected}, became {event.sequence}"
            )
        wanted = {
            "delete": "null",
            "poison": state_text(key, f"poison {command.number}"),
            "add": state_text(key, amount_of(before) + command.amount),
        }.get(command.kind, state_text(key, command.amount))
        if (event.key, event.state) != (key, wanted):
            raise Violation(
                "I5 decided on what it follows", f"{command} became {event.state} at {event.position}, not {wanted}"
            )

    def _load(self, record: TrueRecord, envelope: Event) -> None:
        """A load changes what its partition has otherwise, deletes what it owned, touches nothing else."""
        import json

        properties = json.loads(envelope.state)["properties"]
        command = self.commands[f"load {properties['data_version']}"][0]
        owner = f"{ASSET}@{command.partition}"
        before: dict[str, Event] = {}
        for (kind, key), history in self.truth.heads.items():
            earlier = [event for event in history if event.record < record.n]
            if kind == "Box" and earlier:
                before[key] = earlier[-1]
        wanted = {}
        for key, n in command.rows:
            old = before.get(key)
            if old is None or old.deleted or old.owner != owner or old.state != state_text(key, n):
                wanted[key] = state_text(key, n)
        brought = {key for key, _ in command.rows}
        wanted |= {
            k: "null" for k, old in before.items() if old.owner == owner and not old.deleted and k not in brought
        }
        found = {event.key: event.state for event in record.events if event.type == "Box"}
        if found != wanted:
            raise Violation(
                "I24 a load equals a serial decision",
                f"record {record.n}: {command} changed {sorted(found.items())}, should {sorted(wanted.items())}",
            )

    def lost(self) -> None:
        """After a power cut: what is left is what counts, and all that was acknowledged must be in it."""
        self.read_up_to.clear()
        try:
            self.truth = again(self.world.objects, PREFIX, self.files)
            self.all_acked()
            self._nothing_ahead()
        except Violation as violation:
            self.world.fail(violation)

    def _nothing_ahead(self) -> None:
        for name, seen in self.sinks.items():
            if seen.position > self.truth.position:
                raise Violation("I9 nothing before the log", f"{name} is ahead of the log at {seen.position}")

    def all_acked(self) -> None:
        """I1."""
        for n, (command, sha) in self.acked.items():
            if n >= len(self.truth.records) or self.truth.records[n].sha != sha:
                raise Violation("I1 acked is for ever", f"{command} was acknowledged in record {n}, which is not there")

    # Answers

    def acknowledged(self, command: Command, first: int, last: int) -> None:
        """The client was told that it is done, at these positions."""
        events = self.truth.events[first - 1 : last]
        if command.kind == "load":
            good = any(event.type == "Asset" and f'"{command.version}"' in event.state for event in events)
        else:
            good = [e.id for e in events] == [command.event_id(k) for k in range(len(command.keys))]
            good = good and self.made_by(events[0]) is command
        if not good:
            raise Violation("I1 acked is there", f"{command} was acknowledged at {first} to {last}, where it is not")
        n = events[0].record
        if command.record is not None and command.record != n:
            raise Violation("I6 a retry is one event", f"{command} was in record {command.record}, now in {n}")
        self._durable(command, n)
        command.record = n
        self.acked[n] = (command, self.truth.records[n].sha)

    def made_by(self, event: Event) -> Command | None:
        """Which of the commands with this event's id it is of: a rival is told by its amount."""
        commands = self.commands.get(event.id, [])
        for command in commands:
            if command.reuses is not None and event.state == state_text(command.keys[0], command.amount):
                return command
        return next((command for command in commands if command.reuses is None), None)

    def has(self, command: Command) -> bool:
        """Whether it is in the log."""
        event = self.truth.by_id.get(command.event_id(0)) if command.keys else None
        return event is not None and self.made_by(event) is command

    def taken(self, command: Command) -> None:
        """The client was told that another has its id: that must be so."""
        if self.has(command) or command.event_id(0) not in self.truth.by_id:
            raise Violation("I4 same id, other content", f"{command} was refused, though no other has its id")

    def nothing_to_do(self, command: Command) -> None:
        """The client was told that there is nothing to append: right for a load whose version is the latest."""
        latest = self.truth.heads.get(("Asset", f"{ASSET}@{command.partition}"), [])
        if command.kind != "load" or not latest or f'"{command.version}"' not in latest[-1].state:
            raise Violation("I1 acked is there", f"{command} was answered with nothing, and is not there")
        self._durable(command, latest[-1].record)

    def _durable(self, command: Command, n: int) -> None:
        if not self.world.objects[f"{PREFIX}{n:020d}"].durable:
            raise Violation("I1 acked is durable", f"{command} was acknowledged in record {n}, which is not synced")

    def refused(self, command: Command, actual: int, invoked_at: int) -> None:
        """The client was told that somebody else was first: that must be so, and its own event must not be there."""
        key = command.keys[0]
        history = self.truth.of(key)
        at_invoke = sum(1 for event in history if event.position <= invoked_at)
        if self.has(command):
            raise Violation("I6 a retry is one event", f"{command} is in the log and was answered with a conflict")
        if actual == command.expected or not at_invoke <= actual <= len(history):
            raise Violation("I5 truthful conflict", f"{command} was told {key} is at {actual}, it is at {len(history)}")

    def read(self, reader: str, key: str, found: list[tuple[int, str]], invoked_at: int) -> None:
        """I8: a read of one aggregate is of some moment between its call and its answer, and never goes back."""
        history = [(event.sequence, event.id) for event in self.truth.of(key)]
        floor = max(
            sum(1 for e in self.truth.of(key) if e.position <= invoked_at), self.read_up_to.get(f"{reader} {key}", 0)
        )
        if found != history[: len(found)] or len(found) < floor:
            raise Violation(
                "I8 linearizable", f"a read of {key} gave {len(found)} events, {floor} were there when it was asked"
            )
        self.read_up_to[f"{reader} {key}"] = len(found)

    def tail(self, found: list[tuple[int, str]], after: int, invoked_at: int) -> None:
        """I8: a tail gives what was there when it was asked, in order, without a hole."""
        wanted = [(event.position, event.id) for event in self.truth.events[after : after + len(found)]]
        if found != wanted or after + len(found) < invoked_at:
            raise Violation("I8 linearizable", f"a tail after {after} gave {len(found)} events of {invoked_at - after}")

    def end(self, position: int, invoked_at: int) -> None:
        """I8: the end of the log is where it was at some moment between the call and the answer."""
        if not invoked_at <= position <= self.truth.position:
            raise Violation("I8 linearizable", f"the end was told to be {position}, it was {invoked_at} when asked")

    # Sinks

    def on_commit(self, file: str, connection: Any, process: Process) -> None:
        try:
            if file == "topic":
                self._topic(self.sinks.setdefault("topic", SinkSeen()), connection, process)
            elif file == "search" and connection.path.name not in self.asked.filled:
                self._search(self.sinks.setdefault(connection.path.name, SinkSeen()), connection, process)
            elif file == "registry":
                self.asked.recorded(connection.plain().execute)
        except Violation as violation:
            self.world.fail(violation)

    def _topic(self, seen: SinkSeen, connection: Any, process: Process) -> None:
        run = connection.plain().execute
        row = run("SELECT position, epoch FROM producers").fetchone() or (0, 0)
        count = run("SELECT count(*) FROM log").fetchone()[0]
        if count != row[0]:
            raise Violation("I9 topic = log prefix", f"the topic holds {count} messages at position {row[0]}")
        new = run(
            'SELECT ce_position, ce_id, key, ce_sequence FROM log WHERE "offset" >= ? ORDER BY "offset"',
            (seen.position,),
        ).fetchall()
        before = seen.position
        seen.moved("topic", row[0], row[1], process, self.truth.position)
        wanted = [(e.position, e.id, e.key, e.sequence) for e in self.truth.events[before : row[0]]]
        if new != wanted:
            raise Violation("I11 order on the topic", f"after {before} it has {new[:3]}..., the log {wanted[:3]}...")

    def _search(self, seen: SinkSeen, connection: Any, process: Process) -> None:
        run = connection.plain().execute
        row = run("SELECT position, epoch FROM state").fetchone()
        if row is None:
            return
        before = seen.position
        seen.moved("search", row[0], row[1], process, self.truth.position)
        if row[0] != before or not seen.looked:
            if row[0] < seen.fold.position:
                seen.fold = Fold()
            seen.fold.advance(self.truth.events[seen.fold.position : row[0]], TYPES)
            seen.looked = True
            if not self.asked.drifted:
                compare(run, seen.fold)

    def at_end(self) -> bool:
        """Both sinks have all that is in the log."""
        topic = self.sinks.get("topic", SinkSeen())
        return topic.position == self.asked.current.position == self.truth.position and not self.asked.drifted

    def forget(self, name: str) -> None:
        """The sink's file was deleted or went back in a power cut."""
        self.sinks[name] = SinkSeen()
        self.forgotten += 1

    def caught_up(self, role: str, told: int, target: int) -> None:
        """N1: somebody waited for a sink and was told that it is at `told` now."""
        seen = self.asked.current if role == "search" else self.sinks.get("topic", SinkSeen())
        if min(told, seen.position) < target:
            raise Violation(
                "N1 done is done", f"{role} was told to be at {told}, is at {seen.position}; {target} was waited for"
            )
