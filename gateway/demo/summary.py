"""The summary that ends `spice demo`: what is there now, what was found wrong, what it cost."""

import json
from typing import Any

from gateway.cli.common import table
from gateway.main_job import Outcome
from gateway.readers import Readers
from gateway.runs import stages_file
from ontology_assets.materializations import details_of
from ontology_assets.model.definitions import Domain
from resources.lake.local import LocalLake
from transforms.quarantine import quarantined_counts

OBJECT_EVENTS = ("ObjectCreated", "ObjectUpdated", "ObjectDeleted")


def summary(readers: Readers, domain: Domain, outcome: Outcome) -> list[str]:
    """Lines for a person: objects, links, quarantine, events, lag, seconds of each stage."""
    lines = [
        "",
        "Objects and links",
        table(["type", "objects"], [[k, v] for k, v in readers.queries.counts().items()], right={1}),
    ]
    lines += [table(["link", "to", "resolved", "dangling", "without"], _links(readers, domain), right={2, 3, 4})]
    lines += ["", "Quarantine", *_quarantine(readers, domain)]
    lines += ["", "Events", *_events(outcome)]
    lines += ["", "Time", table(["stage", "rows", "seconds", "rows/s"], _stages(readers, outcome), right={1, 2, 3})]
    return lines


def _links(readers: Readers, domain: Domain) -> list[list[Any]]:
    heads = readers.heads(domain.name)
    rows = []
    for object_type in domain.object_types.values():
        totals: dict[str, dict[str, int]] = {}
        for version in heads.asset_versions(f"ontology/{object_type.snake}/links").values():
            for link, counts in details_of(version)["by_link"].items():
                mine = totals.setdefault(link, dict.fromkeys(counts, 0))
                for name, number in counts.items():
                    mine[name] += number
        rows += [
            [f"{object_type.name}.{link}", object_type.links[link].to, one["resolved"], one["dangling"], one["none"]]
            for link, one in totals.items()
        ]
    return rows


def _quarantine(readers: Readers, domain: Domain) -> list[str]:
    lake = LocalLake(readers.home.lake)
    lines = [
        f"  {name}: {', '.join(f'{number:,} {code}' for code, number in counts.items())}"
        for name in domain.datasets
        if (counts := quarantined_counts(lake, name))
    ]
    return lines or ["  no row is in quarantine"]


def _events(outcome: Outcome) -> list[str]:
    if not outcome.events:
        return [f"  0 events: nothing changed; the log stands at {outcome.position:,}, lag {outcome.lag}"]
    objects = {name: outcome.by_type[name] for name in OBJECT_EVENTS if name in outcome.by_type}
    others = sum(number for name, number in outcome.by_type.items() if name not in OBJECT_EVENTS)
    return [
        f"  {outcome.events:,} appended: "
        + ", ".join(f"{number:,} {name}" for name, number in objects.items())
        + f", {others:,} envelopes of materializations",
        f"  the log stands at {outcome.position:,}; lag {outcome.lag}",
    ]


def _stages(readers: Readers, outcome: Outcome) -> list[list[Any]]:
    rows: list[tuple[str, int, float]] = []
    path = stages_file(readers.home)
    if path.exists():
        rows += [(one["name"], one["rows"], one["seconds"]) for one in json.loads(path.read_text())]
    rows += [(f"follow {name}", outcome.followed[name], seconds) for name, seconds in outcome.follow_seconds.items()]
    listed = [[name, number, f"{seconds:.2f}", _rate(number, seconds)] for name, number, seconds in rows]
    bookkeeping = outcome.job_seconds - sum(seconds for name, _, seconds in rows if not name.startswith("follow "))
    listed.append(["Dagster: start and bookkeeping", "", f"{bookkeeping:.2f}", ""])
    listed.append(["all", "", f"{outcome.seconds:.2f}", ""])
    return listed


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f}" if seconds > 0 and rows else ""
