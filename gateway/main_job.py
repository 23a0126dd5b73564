"""The main job from outside Dagster's UI: run it, then follow the log to its end in this process.

The followers are the same code that the sensors keep alive under `spice dev`; where one is at work already, its work is
waited for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.readers import Readers, open_readers
from gateway.runs import run_job
from ontology_assets.followers.follow import Progress, catch_up
from ontology_assets.model.definitions import Domain
from resources.home import Home


@dataclass(frozen=True)
class Outcome:
    """What a run changed: events appended (all, and by type), where the log ends now, seconds of each part."""

    run_id: str
    events: int
    by_type: dict[str, int]
    position: int
    before: int
    lag: int
    seconds: float
    follow_seconds: dict[str, float]
    followed: dict[str, int]


def run_main_job(home: Home, domain: Domain, partitions: str | None, *, say: Callable[[str], None]) -> Outcome:
    """Run the job named after the domain and follow until no read model lags."""
    started = time.monotonic()
    before = open_readers(home, [domain]).stats(domain.name)
    outcome = run_job(home, domain.name, partitions, bars=True)
    readers = open_readers(home, [domain])
    seconds, followed = follow_all(readers, domain, say=say)
    after = readers.stats(domain.name)
    lag = max(entry["lag"] for entry in readers.status(domain.name).values())
    by_type = {
        name: count - before["by_type"].get(name, 0)
        for name, count in after["by_type"].items()
        if count != before["by_type"].get(name, 0)
    }
    return Outcome(
        str(outcome["run_id"]),
        after["position"] - before["position"],
        by_type,
        after["position"],
        before["position"],
        lag,
        time.monotonic() - started,
        seconds,
        followed,
    )


def follow_all(
    readers: Readers, domain: Domain, *, say: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, int]]:
    """Bring topic, search and graph to the end of the domain's log; seconds and events by follower."""
    seconds: dict[str, float] = {}
    events: dict[str, int] = {}
    for sink in readers.sinks(domain.name):
        told: set[str] = set()

        def report(progress: Progress, told: set[str] = told, name: str = sink.name) -> None:
            if progress.waiting_for and progress.waiting_for not in told:
                told.add(progress.waiting_for)
                say(f"{name}: {progress.waiting_for} follows already; waiting for it.")

        begun = time.monotonic()
        done = catch_up(readers.log(domain.name), sink, readers.registry, owner="spice run", on_progress=report)
        seconds[sink.name], events[sink.name] = time.monotonic() - begun, done.events
    return seconds, events
