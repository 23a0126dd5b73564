"""Commands over the logs of all domains: what `POST /v1/commands`, the command line and Python programs call.

Safe for any number of threads and asyncio clients. Nothing here knows HTTP; every error carries its status.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

from ontology_assets.commands.command import Command, read_command
from ontology_assets.commands.deciding import CheckedCommand, checked
from ontology_assets.commands.errors import CommandRefused, NotInTime, OwnedByFiles
from ontology_assets.events.committer import GroupCommitter
from ontology_assets.events.group import Answer, Group
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.model.definitions import Domain

ALLOWED = "allowed"
_LOOK_S = 0.01


@dataclass(frozen=True)
class CommandDomain:
    """A domain that takes commands. `file`: the definition file it belongs to, None for a domain of the API."""

    domain: Domain
    log: EventLog
    heads: Heads
    file: str | None


@dataclass(frozen=True)
class Receipt:
    """A command's answer. `status` "done": durable in the log at `position`, `sequence` known where it was done now.

    "unknown": it is being committed, or not; it settles by itself, and the same command asked again is answered.
    """

    command_id: str
    status: str
    domain: str
    type: str
    id: str
    position: int | None = None
    sequence: int | None = None
    already: bool = False

    def document(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


class CommandService:
    """One committer a domain, each with a thread of its own, started with its first command."""

    def __init__(self, domains: Sequence[CommandDomain]) -> None:
        self._domains = {name: one for one in domains for name in one.domain.object_types}
        self._committers = {
            one.domain.name: GroupCommitter(Group(one.log, one.heads), name=f"commands {one.domain.name}")
            for one in domains
        }

    def check(self, document: Any) -> CheckedCommand:
        """Everything about the command that needs no object. Raises CommandRefused, OwnedByFiles, NotCanonical, ..."""
        command = document if isinstance(document, Command) else read_command(document)
        owner = self._domains.get(command.type)
        if owner is None:
            raise CommandRefused(f"there is no type {command.type!r}", where="type", allowed=sorted(self._domains))
        object_type = owner.domain.object_types[command.type]
        mapping = owner.domain.mappings.get(command.type)
        held = mapping is not None
        if owner.file is not None and (mapping is None or mapping.edits != ALLOWED) and command.kind != "undo":
            raise OwnedByFiles(command.type, owner.file)
        if not held and command.kind == "undo":
            raise CommandRefused(
                f"no dataset has objects of {command.type}, so there is nothing to go back to", where="command"
            )
        return checked(command, object_type, owner.domain.object_types, held=held)

    def submit(self, document: Any) -> "Future[Answer]":
        """Checked now, answered when durable. asyncio callers await `asyncio.wrap_future(...)`."""
        return self._submitted(self.check(document))

    def run(self, document: Any, timeout_s: float | None = None) -> Receipt:
        """Submit and wait; "unknown" when the time is over first. Raises what the command is refused for."""
        request = self.check(document)
        future = self._submitted(request)
        try:
            return self.receipt(request, future.result(timeout_s))
        except NotYet:
            if future.cancel():  # it was still waiting: nobody will ever do it
                raise NotInTime(
                    "the command was not begun in time and is given up; nothing was written",
                    where=request.command_id,
                ) from None
            return self.receipt(request, None)

    def receipt(self, request: CheckedCommand, answer: Answer | None) -> Receipt:
        """What to tell the sender; no answer (yet) is "unknown"."""
        domain, name = self._domains[request.object_type.name].domain.name, request.object_type.name
        if answer is None:
            return Receipt(request.command_id, "unknown", domain, name, request.id)
        sequence = answer.events[-1].sequence_number if answer.events else None
        return Receipt(request.command_id, "done", domain, name, request.id, answer.last, sequence, answer.already)

    def lookup(self, domain: str, command_id: str) -> tuple[int, int] | None:
        """First and last position of a command that is in the domain's log, or None: exact at the log's end."""
        one = next((d for d in self._domains.values() if d.domain.name == domain), None)
        if one is None:
            raise CommandRefused(f"there is no domain {domain!r}", where="domain", allowed=sorted(self._committers))
        one.heads.catch_up()
        found = one.heads.known_commands([command_id]).get(command_id)
        return None if found is None else (found.first, found.last)

    def close(self) -> None:
        """Commit what waits and end the threads."""
        for committer in self._committers.values():
            committer.close()

    def _submitted(self, request: CheckedCommand) -> "Future[Answer]":
        return self._committers[self._domains[request.object_type.name].domain.name].submit(request)


def wait_for(
    position: int,
    position_of: Mapping[str, Callable[[], int]],
    timeout_s: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    timer: Callable[[], float] = time.monotonic,
) -> dict[str, int]:
    """Wait until each reader (by name: a projection, the topic) stands at `position` or later; where they stand.

    Raises NotInTime (408) with who is behind.
    """
    until = timer() + timeout_s
    while True:
        found = {name: read() for name, read in position_of.items()}
        behind = [f"{name} is at {at}" for name, at in found.items() if at < position]
        if not behind:
            return found
        if timer() >= until:
            raise NotInTime(
                f"after {timeout_s:g} s {', '.join(behind)}, not at {position}; the events are safe in the log",
                where=", ".join(name for name, at in found.items() if at < position),
            )
        sleep(_LOOK_S)
