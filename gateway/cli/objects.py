"""`spice objects`, `spice search`, `spice graph`: the questions, as the HTTP API will take them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, note, print_json, say, table
from gateway.domains import domains
from gateway.readers import open_readers
from ontology_assets.queries.service import Queries
from resources.errors import SpiceError

app = typer.Typer(no_args_is_help=True, help="Objects: count, get, history.")
TypeOption = Annotated[str | None, typer.Option("--type", help="Object type.")]


def _queries(home: str | None) -> Queries:
    return open_readers(home_of(home), domains()).queries


@app.command()
def count(type_name: TypeOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Live objects by type."""
    place = home_of(home)
    # A domain that was never run has nothing to count, and nothing to complain of.
    counted = (
        domains() if type_name else [one for one in domains() if open_readers(place, [one]).log(one.name).end().n >= 0]
    )
    counts = open_readers(place, counted).queries.counts(type_name)
    if json:
        print_json(counts)
    else:
        say(table(["type", "objects"], [[name, number] for name, number in counts.items()], right={1}))
        if not counts:
            note("No domain has been run on this home yet: `spice run --domain NAME`.")


@app.command()
def get(
    type_name: Annotated[str, typer.Argument(metavar="TYPE")],
    key: Annotated[list[str], typer.Argument(metavar="KEY...", help="Parts of the key, in key order.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """One object with its properties and links."""
    queries = _queries(home)
    found = queries.get(type_name, queries.key_text(type_name, key)).document
    if json:
        print_json(found)
        return
    say(f"{found['type']} {found['id']}: {found['title']}")
    say(table(["property", "value"], [[name, value] for name, value in found["properties"].items()]))
    say(table(["link", "to"], [[name, ", ".join(ids)] for name, ids in found["links"].items()]))
    say(f"sequence {found['sequence']}, position {found['position']:,}, {found['data_status']}")


@app.command()
def history(
    type_name: Annotated[str, typer.Argument(metavar="TYPE")],
    key: Annotated[list[str], typer.Argument(metavar="KEY...", help="Parts of the key, in key order.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """The events of one object, oldest first."""
    queries = _queries(home)
    events = queries.history(type_name, queries.key_text(type_name, key))
    if json:
        print_json(events)
        return
    rows = [
        [
            e["sequence_number"],
            e["event_type"],
            e["recorded_at"],
            ", ".join(e["data"].get("changed", [])),
            e["position"],
        ]
        for e in events
    ]
    say(table(["sequence", "event", "recorded at", "changed", "position"], rows, right={0, 4}))


def search(
    text: Annotated[str, typer.Argument(help='Words to find; "" for none.')] = "",
    type_name: TypeOption = None,
    where: Annotated[list[str] | None, typer.Option("--where", help="'property op value'; may be given again.")] = None,
    sort: Annotated[list[str] | None, typer.Option("--sort", help="'property' or 'property desc'.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="Objects at most.")] = 20,
    after: Annotated[str | None, typer.Option("--after", help="Token of the former page.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Objects by words and typed conditions."""
    queries = _queries(home)
    if (where or sort) and type_name is None:
        raise SpiceError("Type needed", "--where and --sort name properties; add --type.", where="--type")
    document: dict[str, Any] = {"limit": limit}
    if text:
        document["text"] = text
    if type_name is not None:
        document |= {"type": type_name, "where": queries.where(type_name, where or []), "sort": _sort(sort or [])}
    if after:
        document["after"] = after
    answer = queries.search(document).document
    if json:
        print_json(answer)
        return
    rows = [[found["type"], found["id"], found["title"]] for found in answer["objects"]]
    say(table(["type", "id", "title"], rows))
    say(
        f"{len(rows)} of {answer['total']:,}" + (f"; next page: --after {answer['after']}" if "after" in answer else "")
    )


def _sort(texts: list[str]) -> list[list[str]]:
    pairs = [text.split() for text in texts]
    for text, parts in zip(texts, pairs, strict=True):
        if len(parts) not in (1, 2) or (len(parts) == 2 and parts[1] not in ("asc", "desc")):
            raise SpiceError(
                "Unreadable sort",
                f"{text!r} is no sort.",
                where="--sort",
                allowed=["property", "property asc", "property desc"],
            )
    return [[parts[0], parts[1] if len(parts) == 2 else "asc"] for parts in pairs]


def graph(
    file: Annotated[str, typer.Argument(help="JSON document of the question; - for stdin.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """A question over links: start, hops, filters on each."""
    text = sys.stdin.read() if file == "-" else _read(Path(file))
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SpiceError("No JSON", f"{error.msg} at line {error.lineno}, column {error.colno}.", where=file) from error
    answer = _queries(home).graph(document).document
    if json:
        print_json(answer)
        return
    say(
        table(
            ["type", "id", "title", "status"],
            [[n["type"], n["id"], n["title"] or "", n["data_status"]] for n in answer["nodes"]],
        )
    )
    say(table(["from", "link", "to"], [[e["from"], e["link"], e["to"]] for e in answer["edges"]]))
    cut = "; a limit cut the answer" if answer["truncated"] else ""
    say(f"{len(answer['nodes']):,} nodes, {len(answer['edges']):,} edges at position {answer['position']:,}{cut}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpiceError("Unreadable file", f"{error.strerror}.", where=str(path)) from error
