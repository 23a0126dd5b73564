"""Commands over the logs of all domains: what `POST /v1/commands`, the command line and Python programs call.

Safe for any number of threads and asyncio clients. Nothing here knows HTTP; every error carries its status.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

from ontology_assets.commands.command import Command, read_command
from ontology_assets.commands.deciding import CheckedCommand, checked
from ontology_assets.commands.errors import CommandRefused, NotBegun, OwnedByFiles
from ontology_assets.commands.receipt import Receipt
from ontology_assets.events.committer import GroupCommitter, done
from ontology_assets.events.group import Answer, Group, Outcome, Request
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.model.definitions import Domain

ALLOWED = "allowed"


@dataclass(frozen=True)
class CommandDomain:
    """A domain that takes commands. `heads` is called once, by the thread that commits, when the first one comes."""

    domain: Domain
    log: EventLog
    heads: Callable[[], Heads]


def takes_commands(domain: Domain, type_name: str) -> bool:
    """Whether objects of the type may be made and edited by command: the domain is no file's, or its mapping allows."""
    mapping = domain.mappings.get(type_name)
    return domain.file is None or (mapping is not None and mapping.edits == ALLOWED)


class CommandService:
    """One committer a domain, each with a thread of its own, started with its first command."""

    def __init__(self, domains: Sequence[CommandDomain]) -> None:
        self._domains = {name: one.domain for one in domains for name in one.domain.object_types}
        self._committers = {
            one.domain.name: GroupCommitter(_FirstOpened(one), name=f"commands {one.domain.name}") for one in domains
        }

    def check(self, document: Any) -> CheckedCommand:
        """Everything about the command that needs no object. Raises CommandRefused, OwnedByFiles, NotCanonical, ..."""
        command = document if isinstance(document, Command) else read_command(document)
        domain = self._domains.get(command.type)
        if domain is None:
            raise CommandRefused(f"there is no type {command.type!r}", where="type", allowed=sorted(self._domains))
        object_type = domain.object_types[command.type]
        held = command.type in domain.mappings
        if domain.file is not None and not takes_commands(domain, command.type) and command.kind != "undo":
            raise OwnedByFiles(command.type, domain.file)
        if not held and command.kind == "undo":
            raise CommandRefused(
                f"no dataset has objects of {command.type}, so there is nothing to go back to", where="command"
            )
        return checked(command, object_type, domain.object_types, held=held)

    def submit(self, request: CheckedCommand, wakes: "asyncio.Future[None] | None" = None) -> "Future[Answer]":
        """Answered when durable in the log; then `wakes` is done."""
        return self._committers[self._domains[request.object_type.name].name].submit(request, wakes)

    def run(self, document: Any, timeout_s: float | None = None) -> Receipt:
        """Submit and wait; "unknown" when the time is over first. Raises NotBegun and what it is refused for."""
        request = self.check(document)
        future = self.submit(request)
        try:
            return self.receipt(request, future.result(timeout_s))
        except NotYet:
            return self._given_up(request, future, timeout_s or 0)

    async def arun(self, document: Any, timeout_s: float) -> Receipt:
        """The same for asyncio. Whoever is cancelled while waiting knows nothing, as if the reply were lost."""
        request = self.check(document)
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        future = self.submit(request, woken)
        # A third of what wait_for takes, and cancelling the caller leaves the command alone.
        timer = loop.call_later(timeout_s, done, woken)
        try:
            await woken
        finally:
            timer.cancel()
        return self.receipt(request, future.result()) if future.done() else self._given_up(request, future, timeout_s)

    def receipt(self, request: CheckedCommand, answer: Answer | None) -> Receipt:
        """What to tell the sender; no answer (yet) is "unknown". Of one that was there before, `find_command` knows
        the rest.
        """
        name = request.object_type.name
        asked = Receipt(request.command_id, "unknown", self._domains[name].name, name, request.id)
        if answer is None:
            return asked
        made = answer.events[-1] if answer.events else None
        return Receipt(
            *(asked.command_id, "done", asked.domain, name, request.id),
            event_type=None if made is None else made.event_type,
            position=answer.last,
            sequence=None if made is None else made.sequence_number,
            recorded_at=answer.recorded_at,
            already=answer.already,
        )

    def close(self) -> None:
        """Commit what waits and end the threads."""
        for committer in self._committers.values():
            committer.close()

    def _given_up(self, request: CheckedCommand, future: "Future[Answer]", seconds: float) -> Receipt:
        if future.cancel():  # it was still waiting: nobody will ever do it
            raise NotBegun(request.command_id, seconds)
        return self.receipt(request, future.result() if future.done() else None)


class _FirstOpened:
    """The group of a domain, opened by its first commit: heads may have a year to fold."""

    def __init__(self, domain: CommandDomain) -> None:
        self._domain = domain
        self._group: Group | None = None

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        if self._group is None:
            self._group = Group(self._domain.log, self._domain.heads())
        return self._group.commit(requests)

    def work_off(self) -> bool:
        return self._group is not None and self._group.work_off()
