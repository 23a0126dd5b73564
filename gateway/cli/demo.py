"""`spice demo`: the main job on the sample data, its answers, and a late correction on a throw-away copy."""

import shutil
from typing import Annotated, Any

import typer

from gateway.cli.common import HomeOption, home_of, note, say
from gateway.domains import domain_folders, domains
from ontology_assets.model.definitions import Domain
from resources.errors import SpiceError
from resources.home import Home

COPY = "demo-correction"


def demo(
    home: HomeOption = None,
    correction: Annotated[bool, typer.Option(help="Show a late correction on a copy of the home.")] = True,
) -> None:
    """Run the main job of every domain that ships sample files, show what came out, then a late correction."""
    from gateway.home_format import check_format

    place = home_of(home)
    check_format(place)
    shown = [one for one in domains() if any(d.source and d.source.package for d in one.datasets.values())]
    if not shown:
        raise SpiceError("No sample", "No domain names a package that ships its files.", where="orchestration/defs")
    for domain in shown:
        _main_job(place, domain)
    if correction:
        for domain in shown:
            _correction(place, domain)
    say()
    say(
        "Next: `make dev` opens the Dagster UI on this data; `.venv/bin/spice --help` lists the commands; "
        "docs/concepts.md explains."
    )


def _main_job(place: Home, domain: Domain) -> None:
    from gateway.demo.questions import answer, demo_of
    from gateway.demo.summary import summary
    from gateway.main_job import run_main_job
    from gateway.readers import open_readers
    from gateway.sample import fill_sources, infer_types

    say(f"{domain.label.get('en', domain.name)}: files to objects to answers, in {place.root}")
    for line in fill_sources(place, domain):
        note(f"sample file {line}")
    for name in infer_types(place, domain):
        note(f"{name}: types inferred and kept in types.lock")
    outcome = run_main_job(place, domain, None, say=note)
    with open_readers(place, [domain]) as readers:
        for line in summary(readers, domain, outcome):
            say(line)
        say()
        say("Questions")
        for question in demo_of(domain_folders()[domain.name]).get("questions", []):
            say(f"  {question['ask']['en']}")
            for line in answer(readers.queries, question):
                say(f"      {line}")


def _correction(place: Home, domain: Domain) -> None:
    """One day's file comes again with one value changed, one row gone and one row new: three events, then none."""
    from gateway.demo.correction import copy_home, correct
    from gateway.demo.questions import demo_of
    from gateway.main_job import run_main_job

    spec = demo_of(domain_folders()[domain.name]).get("correction")
    if spec is None:
        return
    say()
    say("A late correction, on a throw-away copy of this home")
    copy = copy_home(place, place.root / COPY)
    try:
        done = correct(copy, spec["dataset"], domain.datasets[spec["dataset"]], spec)
        say(f"  one value changed  {done.changed}")
        say(f"  one row gone       {done.removed}")
        say(f"  one row new        {done.added}")
        outcome = run_main_job(copy, domain, done.partition, say=note)
        events = _object_events(copy, domain, outcome.before)
        say(f"  the day runs again: {len(events)} events")
        for event in events:
            changed = ", ".join(event["data"].get("changed", []))
            told = f" ({changed})" if changed else ""
            say(f"      {event['event_type']} {event['aggregate_type']} {event['aggregate_id']}{told}")
        again = run_main_job(copy, domain, done.partition, say=note)
        say(f"  and once more: {again.events} events")
        if len(events) != 3 or again.events:
            raise SpiceError(
                "Correction failed", f"{len(events)} events and {again.events} where 3 and 0 are due.", status=500
            )
    finally:
        shutil.rmtree(copy.root)
    say(f"  the copy is removed; {place.root} was not touched")


def _object_events(home: Home, domain: Domain, after: int) -> list[dict[str, Any]]:
    from gateway.demo.summary import OBJECT_EVENTS
    from gateway.readers import open_readers
    from ontology_assets.queries.history import event_documents

    log = open_readers(home, [domain]).log(domain.name)
    return [
        event
        for batch in log.events(after_position=after)
        for event in event_documents(batch)
        if event["event_type"] in OBJECT_EVENTS
    ]
