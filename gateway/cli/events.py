"""`spice events`: the log itself."""

from dataclasses import asdict
from json import dumps as json_text
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, print_json, say, table
from gateway.domains import domains, the_domain
from gateway.readers import open_readers
from ontology_assets.queries.history import event_documents

if TYPE_CHECKING:
    import pyarrow as pa

RunOption = Annotated[
    str | None, typer.Option("--run", help="Only what this Dagster run appended: its id, or how it begins.")
]
app = typer.Typer(no_args_is_help=True, help="The event log: figures, proof, tail, archive.")


@app.command()
def stats(domain: DomainOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Position of the log, events by type and by branch."""
    chosen = the_domain(domain)
    figures = open_readers(home_of(home), [chosen]).stats(chosen.name)
    if json:
        print_json(figures)
        return
    say(f"position {figures['position']:,}")
    say(table(["event type", "events"], [[k, v] for k, v in figures["by_type"].items()], right={1}))


@app.command()
def verify(domain: DomainOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Prove the log: chain, positions, sequences, ids, state hashes, sealed history; status 1 if anything fails."""
    chosen = the_domain(domain)
    report = open_readers(home_of(home), [chosen]).verify(chosen.name)
    if json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        say(f"{report.domain}: {report.records:,} records, position {report.position:,}, digest {report.digest}")
        rows = [
            [
                c.name,
                "skipped" if c.skipped else "ok" if c.ok else "FAILED",
                c.checked,
                c.skipped or "; ".join(c.failures),
            ]
            for c in report.checks
        ]
        say(table(["check", "result", "checked", "detail"], rows, right={2}))
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def archive(
    through: Annotated[int | None, typer.Option(help="Up to this record only.")] = None,
    domain: DomainOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Keep what is sealed in the table `events/<domain>` alone: compare it with the log, then remove its data files.

    Records stay, and every reader goes on as before. From then on that table is no copy any more.
    """
    chosen = the_domain(domain)
    report = open_readers(home_of(home), [chosen]).archive(chosen.name, through)
    if json:
        print_json(asdict(report))
    else:
        say(
            f"{report.domain}: archived through record {report.through}; removed now: {report.files} files, "
            f"{report.bytes:,} bytes"
        )


def appended_by(events: "pa.RecordBatch", run: str) -> "pa.RecordBatch":
    """The events of the runs whose id begins so; `metadata` is canonical JSON: its text is compared, nothing parsed."""
    import pyarrow.compute as pc

    return events.filter(pc.match_substring(events["metadata"], f'"run_id":{json_text(run)[:-1]}'))


@app.command()
def tail(
    start: Annotated[int, typer.Option("--from", help="First position to show.")] = 1,
    limit: Annotated[int, typer.Option(help="Events to show at most; 0 = all there are.")] = 20,
    run: RunOption = None,
    domain: DomainOption = None,
    home: HomeOption = None,
) -> None:
    """Events from a position on, one JSON document a line; each says in `metadata.run_id` which run appended it.

    Those of a run are looked for in all domains, unless one is named.
    """
    import orjson

    chosen = domains() if run is not None and domain is None else [the_domain(domain)]
    readers = open_readers(home_of(home), chosen)
    batches = (batch for one in chosen for batch in readers.log(one.name).events(after_position=start - 1))
    shown = 0
    for batch in batches:
        for document in event_documents(batch if run is None else appended_by(batch, run)):
            say(orjson.dumps(document).decode())
            shown += 1
            if limit and shown >= limit:
                return
