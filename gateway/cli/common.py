"""What every command shares: the home, the JSON switch, output, and errors with an exit status."""

import os
import sys
from typing import Annotated, Any

import orjson
import typer

from resources.home import Home

HomeOption = Annotated[
    str | None, typer.Option("--home", help="Data folder (default: $SPICE_HOME, else .spice in the project).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DomainOption = Annotated[str | None, typer.Option("--domain", help="Domain (needed where there are several).")]


def home_of(given: str | None) -> Home:
    """The data home a command works on; also handed to child processes by the environment."""
    home = Home.resolve(given)
    os.environ["SPICE_HOME"] = str(home.root)
    return home


def print_json(document: Any) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Progress and remarks go to stderr, so that stdout stays a document."""
    sys.stderr.write(text + "\n")


def table(header: list[str], rows: list[list[Any]], *, right: set[int] = frozenset()) -> str:  # type: ignore[assignment]
    """Rows as aligned text; columns in `right` are right-aligned."""
    cells = [
        [f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value) for value in row]
        for row in rows
    ]
    widths = [max(len(str(line[i])) for line in [header, *cells]) for i in range(len(header))]
    lines = [
        "  ".join(
            text.rjust(widths[i]) if i in right else text.ljust(widths[i]) for i, text in enumerate(line)
        ).rstrip()
        for line in [header, *cells]
    ]
    return "\n".join(["  " + line for line in lines])
