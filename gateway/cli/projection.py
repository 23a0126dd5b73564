"""`spice projection`: how far the read models and the topic are, compared with the log, built again, gone back to."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, note, print_json, say, table
from gateway.domains import domains, the_domain
from gateway.readers import open_readers
from resources.errors import SpiceError
from resources.home import Home

app = typer.Typer(no_args_is_help=True, help="Read models and topic: position, lag, proof, rebuild, undo.")


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
    name: Annotated[str, typer.Argument(help="search, graph or topic.")],
    buckets: Annotated[
        str | None, typer.Option(help="Fill only these (0..7 or 3,b) and do not swap; default: all 16, then swap.")
    ] = None,
    abort: Annotated[bool, typer.Option("--abort", help="End the open rebuild and remove what it filled.")] = False,
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask (topic).")] = False,
    json: JsonOption = False,
) -> None:
    """Build a read model again from the log, beside the present one, and swap it in: the Dagster job rebuild_NAME.

    The topic is thrown away and published again: the old one is kept in the home's `backups`; who reads it begins anew.
    """
    from gateway.projection_care import place_of, rebuild_document
    from gateway.projection_care import rebuild as build_beside

    place = home_of(home)
    if name == "topic":
        _publish_again(place, yes=yes, json=json)
        return
    with place_of(place, name, domains()) as at:
        if abort:
            from ontology_assets.projections.rebuild.swap import abort as end

            document = rebuild_document(end(at))
            outcome: dict[str, object] = {}
        else:
            outcome = build_beside(place, name, buckets)
            document = rebuild_document(at.records.rebuild())
    assert document is not None  # noqa: S101  it was opened, or the job would have failed
    if json:
        print_json({**outcome, "rebuild": document})
        return
    filled = f"{len(document['filled'])} of 16 buckets filled"
    say(f"rebuild {document['id']} of {name}: generation {document['generation']}, {document['stage']}; {filled}.")


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="search or graph.")],
    buckets: Annotated[str | None, typer.Option(help="0..7 or 3,b; default: all 16.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare what is stored of it: no value is read back. All buckets.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Read the read model back and compare it with the log, bucket by bucket; status 1 if one differs."""
    from gateway.projection_care import buckets_of, compared, place_of
    from ontology_assets.projections.quick import quick as compare_kept
    from ontology_assets.projections.repair import verify as look

    if quick and buckets:
        raise SpiceError("Not both", "a quick look is at all buckets.", where="--buckets")
    with place_of(home_of(home), name, domains()) as at:
        found = [one.comparison for one in compare_kept(at)] if quick else look(at, buckets_of(buckets))
    _tell_comparisons(compared(found), json=json)
    raise typer.Exit(any(one.different for one in found))


@app.command()
def repair(
    name: Annotated[str, typer.Argument(help="search or graph.")],
    buckets: Annotated[str | None, typer.Option(help="0..7 or 3,b; default: all 16.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make the buckets that differ from the log again of it, and prove it; "Not repaired" and status 1 otherwise."""
    from gateway.projection_care import buckets_of, place_of
    from ontology_assets.projections.repair import repair as mend

    with place_of(home_of(home), name, domains()) as at:
        done = mend(at, buckets_of(buckets))
    made = {one.domain: [f"{bucket:x}" for bucket in one.buckets] for one in done}
    if json:
        print_json(made)
        return
    for domain, names in made.items():
        say(f"{domain}: {'buckets made again and proved: ' + ', '.join(names) if names else 'equal to the log'}")


@app.command()
def undo(
    name: Annotated[str, typer.Argument(help="search or graph.")],
    asked: Annotated[
        str | None, typer.Option(help="The generation to go back from: what was done already is then not undone.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the generation again that was asked before the last swap; says how far behind the log it is."""
    from gateway.projection_care import tell_dagster, undo_here

    place = home_of(home)
    done = undo_here(place, name, domains(), asked)
    if json:
        print_json({"generation": done.generation, "former": done.former, "behind": done.behind})
    else:
        behind = ", ".join(f"{domain} {events:,} events behind" for domain, events in done.behind.items() if events)
        say(f"generation {done.generation} of {name} is asked again instead of {done.former}. {behind}".rstrip())
    if not tell_dagster(place):
        note("Dagster was not told of it; its hourly job housekeeping tells it.")


def _publish_again(place: Home, *, yes: bool, json: bool) -> None:
    from gateway.republish import republish

    chosen = domains()
    names = ", ".join(domain.name for domain in chosen)
    if not yes and not typer.confirm(f"Publish the topic again ({place.topic}), of {names}?", err=True):
        note("Nothing was changed.")
        raise typer.Exit(1)
    done = republish(place, chosen, say=note)
    if json:
        print_json({domain: asdict(one) for domain, one in done.items()})
        return
    rows = [[domain, one.position, one.events] for domain, one in done.items()]
    say(table(["domain", "position", "events"], rows, right={1, 2}))


def _tell_comparisons(found: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        print_json(found)
        return
    for one in found:
        say(f"{one['domain']} at event {one['position']:,}")
        rows = [
            [
                bucket["bucket"],
                bucket["log"]["documents"],
                bucket["model"]["documents"],
                bucket["log"]["digest"],
                bucket["model"]["digest"],
                "" if bucket["equal"] else "differs",
            ]
            for bucket in one["buckets"]
        ]
        say(
            table(["bucket", "in the log", "in the model", "digest of the log", "of the model", ""], rows, right={1, 2})
        )
