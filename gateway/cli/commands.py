"""`spice commands`: objects changed by commands, as `POST /v1/commands` changes them, and what became of one."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, note, print_json, say, table
from gateway.commanding import Commanding, known_command
from gateway.domains import domains
from gateway.readers import open_readers
from ontology_assets.commands.deciding import CheckedCommand
from ontology_assets.commands.errors import DoneParked
from ontology_assets.commands.receipt import Receipt
from ontology_assets.commands.service import CommandService
from ontology_assets.commands.visibility import seen
from ontology_assets.events.group import Answer
from ontology_assets.model.definitions import Domain
from resources.errors import SpiceError
from resources.home import Home

app = typer.Typer(no_args_is_help=True, help="Commands: create, update and delete objects; what became of a command.")
AT_ONCE = 2_000
"""Commands that may be on their way at once: they are committed in groups."""
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Until the read models show it; they are brought there if nobody else does it.")
]


@dataclass(frozen=True)
class Outcome:
    """Of one command: its receipt, or the problem it was refused for. `at`: its place in the file."""

    at: str
    command_id: str | None
    receipt: Receipt | None = None
    problem: SpiceError | None = None

    def document(self) -> dict[str, Any]:
        if self.receipt is not None:
            return self.receipt.document()
        problem = None if self.problem is None else self.problem.problem()
        return {"command_id": self.command_id, "status": "refused", "at": self.at, "problem": problem}

    def row(self) -> list[Any]:
        if self.receipt is None:
            return [self.command_id or "", "refused", "", "", ""]
        told = self.receipt
        done = "already done" if told.already else told.status
        return [told.command_id, done, f"{told.type} {told.id}", told.sequence or "", told.position or ""]


@app.command()
def submit(
    file: Annotated[str, typer.Argument(help="One command, a JSON array, or one a line; - for stdin.")],
    wait: WaitOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Do commands, in their order, each by itself; status 1 if any is refused.

    A command that is sent again with the same id is done once.
    """
    from gateway.home_format import check_format

    documents = read_commands(file)
    place, known = home_of(home), domains()
    check_format(place)
    with closing(Commanding(place, known)) as commanding:
        outcomes = list(done_in_order(commanding.service, documents))
    with open_readers(place, known) as readers:
        outcomes = [
            replace(one, receipt=known_command(readers, one.receipt.command_id, one.receipt.domain))
            if one.receipt is not None and one.receipt.already
            else one
            for one in outcomes
        ]
    refused = sum(one.receipt is None for one in outcomes)
    if json:
        print_json({"done": len(outcomes) - refused, "refused": refused, "commands": [o.document() for o in outcomes]})
    else:
        say(table(["command", "outcome", "object", "sequence", "position"], [o.row() for o in outcomes], right={3, 4}))
        for one in outcomes:
            if one.problem is not None:
                say(f"  {one.at}: {one.problem.text()}")
        say(f"{len(outcomes) - refused:,} done, {refused:,} refused")
    if wait:
        show(place, known, [one.receipt for one in outcomes if one.receipt is not None])
    raise typer.Exit(1 if refused else 0)


@app.command()
def status(
    command_id: Annotated[str, typer.Argument(metavar="ID", help="The command's id.")],
    wait: WaitOption = False,
    domain: DomainOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """What became of a command, looked up in the log, however long ago and whoever took it."""
    place, known = home_of(home), domains()
    with open_readers(place, known) as readers:
        receipt = known_command(readers, command_id, domain)
    if wait:
        show(place, known, [receipt])
    if json:
        print_json(receipt.document())
        return
    say(f"{receipt.command_id}: {receipt.status}, {receipt.event_type} of {receipt.type} {receipt.id}")
    when = receipt.document()["recorded_at"]
    say(f"domain {receipt.domain}, position {receipt.position:,}, sequence {receipt.sequence}, {when}")


def read_commands(file: str) -> list[tuple[str, Any]]:
    """(place, document) of each command in a file. Raises SpiceError where it is no JSON."""
    name = "stdin" if file == "-" else file
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SpiceError("Unreadable file", f"{error.strerror}.", where=file) from error
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError as fault:
        lines = [(f"{name}:{number}", line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or data.lstrip()[:1] == b"[":
            raise _no_json(fault, f"{name}:{fault.lineno}:{fault.colno}") from fault
        return [(at, _line(line, at)) for at, line in lines]
    if isinstance(whole, list):
        return [(f"{name}[{k}]", document) for k, document in enumerate(whole)]
    return [(name, whole)]


def _line(line: bytes, at: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as fault:
        raise _no_json(fault, f"{at}:{fault.colno}") from fault


def _no_json(fault: orjson.JSONDecodeError, where: str) -> SpiceError:
    forms = ["one command", "a JSON array of commands", "one command a line"]
    return SpiceError("No JSON", f"{fault.msg}; nothing was done", where=where, allowed=forms)


def done_in_order(service: CommandService, documents: Sequence[tuple[str, Any]]) -> Iterator[Outcome]:
    """Each command's outcome. Those that follow on each other are committed together."""
    under_way: deque[tuple[Outcome, CheckedCommand | None, Future[Answer] | None]] = deque()
    for at, document in documents:
        named = document.get("command_id") if isinstance(document, dict) else None
        one = Outcome(at, named if isinstance(named, str) else None)
        try:
            request = service.check(document)
        except SpiceError as error:
            under_way.append((replace(one, problem=error), None, None))
        else:
            under_way.append((one, request, service.submit(request)))
        if len(under_way) >= AT_ONCE:
            yield _settled(service, *under_way.popleft())
    while under_way:
        yield _settled(service, *under_way.popleft())


def _settled(
    service: CommandService, one: Outcome, request: CheckedCommand | None, future: "Future[Answer] | None"
) -> Outcome:
    if request is None or future is None:
        return one
    try:
        return replace(one, receipt=service.receipt(request, future.result()))
    except SpiceError as error:
        return replace(one, problem=error)


def show(place: Home, known: Sequence[Domain], receipts: Sequence[Receipt]) -> None:
    """Bring the read models past the commands, or wait for whoever does. Raises DoneParked for one that is parked."""
    from gateway.main_job import follow_all

    for domain in known:
        mine = [one for one in receipts if one.domain == domain.name]
        if mine:
            with open_readers(place, [domain]) as readers:
                follow_all(readers, domain, say=note)
                models = readers.queries.models()
                for one in mine:
                    if aside := seen(models, one.domain, one.type, one.id).aside:
                        raise DoneParked(one.document(), aside)
