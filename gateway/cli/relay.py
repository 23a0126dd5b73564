"""`spice relay`: how far the relay has published each domain's log, and who is at work."""

from typing import Any

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, print_json, say, table
from gateway.domains import domains, the_domain
from gateway.readers import open_readers
from ontology_assets.followers.lease import lease_name
from ontology_assets.followers.status import status as follower_status
from ontology_assets.model.definitions import Domain
from resources.home import Home

TOPIC = "topic"
app = typer.Typer(no_args_is_help=True, help="The relay: what publishes the log on the topic.")


@app.callback()
def relay() -> None:
    """The relay: what publishes the log on the topic."""


@app.command()
def status(domain: DomainOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Per domain: position, lag, epoch, who holds the lease; status 1 if the relay can't go on (another history)."""
    place, chosen = home_of(home), [the_domain(domain)] if domain else domains()
    figures = {one.name: relay_status(place, one) for one in chosen}
    if json:
        print_json(figures)
    else:
        rows = [
            [name, f["position"], f["lag"], f["epoch"], "yes" if f["alive"] else "no", _who(f), f["updated_at"] or ""]
            for name, f in figures.items()
        ]
        say(table(["domain", "position", "lag", "epoch", "alive", "at work", "updated"], rows, right={1, 2, 3}))
        for fault in [f["fault"] for f in figures.values() if f["fault"]]:
            say(fault)
    raise typer.Exit(1 if any(f["fault"] for f in figures.values()) else 0)


def relay_status(home: Home, domain: Domain) -> dict[str, Any]:
    """The figures of one domain; `holder` is None while nobody holds the lease."""
    with open_readers(home, [domain]) as readers:
        sinks = [sink for sink in readers.sinks(domain.name) if sink.name == TOPIC]
        figures = follower_status(readers.log(domain.name), sinks, readers.registry)[TOPIC]
        lease = readers.registry.read(lease_name(domain.name, TOPIC))
        held = lease is not None and figures["alive"]
        holder = None
        if lease is not None and held:
            holder = {
                "owner": lease.owner,
                "run_id": lease.run_id or None,
                "pid": lease.pid,
                "since": lease.acquired_at.isoformat(),
                "renewed_at": None if lease.renewed_at is None else lease.renewed_at.isoformat(),
            }
        return {
            "position": figures["position"],
            "log": figures["position"] + figures["lag"],
            "lag": figures["lag"],
            "epoch": figures["epoch"],
            "alive": held,
            "holder": holder,
            "updated_at": figures["updated_at"],
            "fault": figures["fault"],
        }


def _who(figures: dict[str, Any]) -> str:
    holder = figures["holder"]
    return f"{holder['owner']} (process {holder['pid']})" if holder else ""
