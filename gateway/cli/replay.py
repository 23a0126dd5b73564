"""`spice replay`: objects with an event in a range of days, compared with the log and written where they differ."""

from typing import Annotated, Any

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, note, print_json, say, table
from gateway.domains import domains
from gateway.readers import open_readers
from ontology_assets.projections.rebuild.place import check_projection
from ontology_assets.projections.replay.selection import Selection, span_of

COUNTED = ("selected", "compared", "differing", "written", "parked")


def replay(
    projection: Annotated[str | None, typer.Option(help="search or graph.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day (UTC, of `occurred_at`): 2026-03-01.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be repeated.")] = None,
    bucket: Annotated[str | None, typer.Option(help="Only these (0..7 or 3,b); default: all 16.")] = None,
    domain: DomainOption = None,
    as_event: Annotated[
        bool, typer.Option("--request", help="Only put the request into the log: Dagster carries it out.")
    ] = False,
    status: Annotated[str | None, typer.Option(metavar="ID", help="Say what became of a request, instead.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the objects that have an event on these days with the log, and write those that differ.

    Each is folded from its whole history. No index is made and no event is appended. It is the Dagster job
    replay_NAME; status 1 if an object still differs afterwards.
    """
    from gateway.projection_care import buckets_of
    from gateway.replaying import replay as run
    from gateway.replaying import replay_status, request_replay

    place = home_of(home)
    if status is not None:
        with open_readers(place, domains()) as readers:
            found = replay_status(readers, status)
        _tell_request(found, json=json)
        raise typer.Exit(found["status"] == "failed")
    days, buckets, types = span_of(first, last), buckets_of(bucket), list(kind or ())
    if as_event:
        asked: dict[str, Any] = {"projection": projection, "from": first, "to": last, "types": types}
        asked |= {"buckets": [f"{one:x}" for one in buckets], **({"domain": domain} if domain else {})}
        with open_readers(place, domains()) as readers:
            _tell_request(request_replay(readers, asked), json=json)
        return
    done = run(place, check_projection(projection), Selection((days,), tuple(buckets), tuple(types), domain), domains())
    if json:
        print_json(done)
    else:
        _tell(done)


def _tell(done: dict[str, Any]) -> None:
    types: dict[str, dict[str, int]] = done["types"]
    rows = [[name, *(counts[figure] for figure in COUNTED)] for name, counts in types.items()]
    say(table(["type", *COUNTED], rows, right=set(range(1, 1 + len(COUNTED)))))
    days, counts = f"{done['from']} to {done['to']}", f"{done['written']:,} of {done['selected']:,} objects written"
    say(f"{done['projection']}, {days}: {counts}")


def _tell_request(found: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(found)
        return
    say(f"replay {found['id']} of {found['projection']}, {found['from']} to {found['to']}: {found['status']}")
    if found["status"] == "requested":
        note(
            "The sensor replay_requests launches its runs (`spice dev`); `spice replay --status ID` tells the outcome."
        )
    elif found["status"] == "failed":
        say(found["reason"])
    else:
        _tell({**found, **found["done"]})
