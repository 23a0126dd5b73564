"""`spice projection`: how far the read models and the topic are."""

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, print_json, say, table
from gateway.domains import the_domain
from gateway.readers import open_readers

app = typer.Typer(no_args_is_help=True, help="Read models and topic: position, lag, digest.")


@app.command()
def status(domain: DomainOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Per follower: position, lag, digest, when it last moved."""
    chosen = the_domain(domain)
    figures = open_readers(home_of(home), [chosen]).status(chosen.name)
    if json:
        print_json(figures)
        return
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
