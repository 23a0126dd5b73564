"""`spice init`: a first definition of an own domain from CSV files, to run at once and to edit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, note, print_json, say, table
from resources.errors import SpiceError

if TYPE_CHECKING:
    from gateway.init_domain import FirstDefinition
    from gateway.init_files import GivenFile, OnProgress
    from resources.home import Home


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the domain: lower-case letters, digits and _.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV files (or a .zip of one), a table each.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the definition; write and copy nothing.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Draft a domain from CSV files: types, keys and links are found in the data, to run at once and to edit."""
    from gateway.home_format import check_format
    from gateway.init_domain import check_name, check_new, first_definition, write_definition
    from gateway.init_files import check_free, given_files

    place = home_of(home)
    check_name(name)
    if not dry_run:
        check_new(name)
        check_format(place)
    given = given_files(files)
    if not dry_run:
        check_free(place, name, given)
    with reading(given) as on_progress:
        definition = first_definition(name, given, on_progress)
    if not dry_run:
        try:
            write_definition(definition, place, given)
        except OSError as error:
            detail = f"{error.strerror or error}; the definition was not written."
            raise SpiceError("Can't write", detail, where=str(error.filename or definition.folder)) from error
    if json:
        print_json(_document(definition, given, dry_run=dry_run))
    elif dry_run:
        for file, text in definition.files.items():
            say(f"# ---- {definition.folder.name}/{file}")
            say(text)
    else:
        _tell(definition, given, place)


@contextmanager
def reading(files: "list[GivenFile]") -> "Iterator[OnProgress]":
    """A bar for each file that is being read, on a terminal; two files of a few rows need none."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("reading {task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks = {
            one.path: bars.add_task(
                one.path.name, total=None if one.path.suffix.lower() == ".zip" else one.source.bytes, rows=0
            )
            for one in files
        }

        def moved(path: Path, rows: int, done: int) -> None:
            bars.update(tasks[path], completed=done, rows=rows)

        yield moved


def _tell(definition: "FirstDefinition", files: "list[GivenFile]", home: "Home") -> None:
    from gateway.init_domain import shown
    from ontology_assets.model.loading import FILE_NAME
    from resources.addresses import dagster_url, gateway_url

    domain = definition.folder.name
    copies = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    say(f"{shown(definition.folder / FILE_NAME)} is written; {copies} in {shown(home.sources / domain)}.")
    rows = [
        [one.table.type_name, "+".join(one.table.names[c] for c in one.key.columns) or "none found: choose one",
         one.table.names[one.title], one.table.profile.rows, one.table.original]
        for one in definition.draft.types
    ]  # fmt: skip
    say(table(["type", "key", "title", "rows", "file"], rows, right={3}))
    links = [
        [f"{one.table.type_name}.{link.name}", link.to, f"{link.evidence.found:,} of {link.evidence.tried:,} values"]
        for one in definition.draft.types
        for link in one.links
    ]
    if links:
        say(table(["link", "to", "found"], links))
    for line in _remarks(definition):
        note(line)
    say()
    say("Everything that was found is said beside it in the file. Next:")
    say("  .venv/bin/spice defs check")
    say(f"  .venv/bin/spice run --domain {domain}")
    say("  .venv/bin/spice objects count")
    say(f"  make dev                        the Dagster UI on {dagster_url()}, the explorer on {gateway_url()}")


def _remarks(definition: "FirstDefinition") -> list[str]:
    """What a person should know before the first run."""
    lines = []
    for one in definition.draft.types:
        if not one.key.columns:
            lines.append(
                f"{one.table.original}: no column, and no pair of columns, tells its rows apart. It becomes tables "
                f"and no objects yet: choose a key for {one.table.type_name} where the file says so."
            )
        count, line = definition.draft.ragged.get(one.table.dataset, (0, 0))
        if count:
            what = "1 row has" if count == 1 else f"{count:,} rows have"
            lines.append(
                f"{one.table.original}:{line}: {what} another number of fields than the header; a run puts them in "
                "quarantine."
            )
    return lines


def _document(definition: "FirstDefinition", files: "list[GivenFile]", *, dry_run: bool) -> dict[str, Any]:
    return {
        "domain": definition.folder.name,
        "folder": str(definition.folder),
        "written": not dry_run,
        "types": [
            {
                "name": one.table.type_name,
                "dataset": one.table.dataset,
                "file": str(file.path),
                "rows": one.table.profile.rows,
                "ragged": file.ragged,
                "key": [one.table.names[column] for column in one.key.columns],
                "title": one.table.names[one.title],
                "links": [
                    {"name": link.name, "to": link.to, "by": link.by, "found": link.evidence.found,
                     "of": link.evidence.tried}
                    for link in one.links
                ],
            }
            for one, file in zip(definition.draft.types, files, strict=True)
        ],
        "files": definition.files,
    }  # fmt: skip
