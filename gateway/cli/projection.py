"""`spice projection`: how far the read models and the topic are."""

from dataclasses import asdict
from typing import Annotated

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, note, print_json, say, table
from gateway.domains import domains, the_domain
from gateway.readers import open_readers

app = typer.Typer(no_args_is_help=True, help="Read models and topic: position, lag, digest.")


@app.command()
def status(domain: DomainOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Per follower: position, lag, digest, when it last moved; status 1 if one can't go on (another history)."""
    chosen = the_domain(domain)
    figures = open_readers(home_of(home), [chosen]).status(chosen.name)
    faults = [f["fault"] for f in figures.values() if f["fault"]]
    if json:
        print_json(figures)
        raise typer.Exit(bool(faults))
    rows = [
        [
            name,
            f["position"],
            f["lag"],
            f["parked"],
            "yes" if f["alive"] else "no",
            (f["digest"] or "")[:16],
            f["updated_at"] or "",
        ]
        for name, f in figures.items()
    ]
    say(table(["follower", "position", "lag", "parked", "alive", "digest", "updated"], rows, right={1, 2, 3}))
    for fault in faults:
        say(fault)
    raise typer.Exit(bool(faults))


@app.command()
def rebuild(
    name: Annotated[str, typer.Argument(help="topic, search or graph.")],
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Throw away a read model or the topic and build it again from the log, for all domains.

    A read model answers 503 until it is there again. The old topic is kept in the home's `backups`; who reads the topic
    begins anew.
    """
    from gateway.rebuild import file_of
    from gateway.rebuild import rebuild as build_again

    place, chosen = home_of(home), domains()
    path = file_of(place, name)
    if not yes and not typer.confirm(f"Build {name} again ({path}), of {', '.join(d.name for d in chosen)}?", err=True):
        note("Nothing was changed.")
        raise typer.Exit(1)
    done = build_again(place, chosen, name, say=note)
    if json:
        print_json({domain: asdict(one) for domain, one in done.items()})
        return
    say(
        table(
            ["domain", "position", "events"], [[d, one.position, one.events] for d, one in done.items()], right={1, 2}
        )
    )
