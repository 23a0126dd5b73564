"""`spice deadletters`: the objects that a read model has set aside because an event does not fit, and what to do."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, note, print_json, say, table
from gateway.deadletter_care import DeadLetters
from gateway.domains import domains
from resources.errors import SpiceError

app = typer.Typer(no_args_is_help=True, help="Dead letters: objects set aside because an event does not fit.")
ProjectionOption = Annotated[str | None, typer.Option("--projection", help="search or graph; default: both.")]
NamesArgument = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="As `list` gives them.")]


@app.command("list")
def list_(projection: ProjectionOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """What is set aside: since when, for which event, why, and how many events wait."""
    with DeadLetters(home_of(home), domains(), projection) as dead:
        found = dead.open()
    if json:
        print_json([one.document() for one in found])
        return
    rows = [
        [one.name, one.projection, one.id, one.sequence, one.position, one.waiting, f"{one.since:%F %T}", one.reason]
        for one in found
    ]
    header = ["name", "projection", "id", "sequence", "position", "waiting", "since (UTC)", "reason"]
    say(table(header, rows, right={3, 4, 5}))
    say(f"{len(found):,} set aside." + (" `spice deadletters retry NAME` tries one again." if found else ""))


@app.command()
def retry(
    names: NamesArgument = None,
    every: Annotated[bool, typer.Option("--all", help="All that are set aside.")] = False,
    projection: ProjectionOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make these objects of their whole histories again, by the code of now; status 1 if one is still blocked."""
    if bool(names) == every:
        raise SpiceError(
            "Which?", "name what `spice deadletters list` gives, or say --all.", where="NAME", allowed=["NAME", "--all"]
        )
    with DeadLetters(home_of(home), domains(), projection) as dead:
        done = dead.retry(names or [])
    left = [one.left for one in done if one.left is not None]
    if json:
        print_json(
            [
                {
                    "name": one.letter.name,
                    "projection": one.letter.projection,
                    "applied": one.applied,
                    "left": None if one.left is None else one.left.document(),
                }
                for one in done
            ]
        )
    else:
        rows = [
            [
                one.letter.name,
                one.letter.projection,
                one.applied,
                "" if one.left is None else f"still blocked at event {one.left.position}: {one.left.reason}",
            ]
            for one in done
        ]
        say(table(["name", "projection", "events applied", ""], rows, right={2}) if rows else "Nothing is set aside.")
        if left:
            say(
                "Make the definition or the code fit, or give the event up: "
                f"`spice deadletters skip {left[0].name} --reason ...`."
            )
    raise typer.Exit(bool(left))


@app.command()
def skip(
    name: Annotated[str, typer.Argument(help="As `list` gives it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is in the log for ever.")],
    actor: Annotated[str | None, typer.Option("--actor", help="Who.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give up the event that blocks: an EventSkipped in the object's history makes it void for all read models."""
    with DeadLetters(home_of(home), domains()) as dead:
        done = dead.skip(name, reason, actor=actor, say=note)
        left = [one for one in dead.open() if one.name == name]
    letter = done.letter
    if json:
        print_json(
            {
                "skipped": letter.document(),
                "position": done.position,
                "already": done.already,
                "left": [one.document() for one in left],
            }
        )
        return
    say(
        f"{letter.event_type} {letter.sequence} of {letter.type} {letter.id} is void for read models, "
        f"by event {done.position:,}."
    )
    for one in left:
        say(f"{one.projection}: blocked by event {one.position} now ({one.reason})")


@app.command()
def export(
    names: NamesArgument = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default: stdout.")] = None,
    projection: ProjectionOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """The waiting events with their envelopes, a JSON line each (--json: one array). Of all, or of these names."""
    with DeadLetters(home_of(home), domains(), projection) as dead:
        lines = dead.export(names or [])
    if json:
        content = orjson.dumps(lines, option=orjson.OPT_INDENT_2) + b"\n"
    else:
        content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    if out is None:
        sys.stdout.write(content.decode())
    else:
        out.write_bytes(content)
        note(f"{len(lines):,} events in {out}")
