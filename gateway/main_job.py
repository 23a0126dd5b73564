"""The main job from outside Dagster's UI: run it, then follow the log to its end in this process.

The followers are the same code that the sensors keep alive under `spice dev`; where one is at work already, its work is
waited for. The relay begins while the job still runs, on the core that the job leaves free.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.readers import Readers, open_readers
from gateway.runs import run_job
from ontology_assets.followers.follow import catch_up, follow
from ontology_assets.followers.progress import Progress, StopReason
from ontology_assets.model.definitions import Domain
from resources.home import Home

OWNER = "spice run"


@dataclass(frozen=True)
class Outcome:
    """What a run changed: events appended (all, and by type), where the log ends now, seconds of its parts."""

    run_id: str
    events: int
    by_type: dict[str, int]
    position: int
    before: int
    lag: int
    seconds: float
    job_seconds: float
    follow_seconds: dict[str, float]
    followed: dict[str, int]


def run_main_job(home: Home, domain: Domain, partitions: str | None, *, say: Callable[[str], None]) -> Outcome:
    """Run the job named after the domain and follow until no read model lags."""
    started = time.monotonic()
    with open_readers(home, [domain]) as readers:
        before = readers.stats(domain.name)
    with relaying(home, domain) as relayed:
        outcome = run_job(home, domain.name, partitions, bars=True)
        job_seconds = time.monotonic() - started
    with open_readers(home, [domain]) as readers:
        seconds, followed = follow_all(readers, domain, say=say)
        after = readers.stats(domain.name)
        lag = max(entry["lag"] for entry in readers.status(domain.name).values())
    followed["topic"] += relayed()
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
        job_seconds,
        seconds,
        followed,
    )


@contextmanager
def relaying(home: Home, domain: Domain) -> Iterator[Callable[[], int]]:
    """Relay to the topic in a thread while the block runs; gives how many events that were, once it is over.

    A fault of the relay is raised when the block is over, unless the block itself failed.
    """
    ended = threading.Event()
    outcome: list[int | BaseException] = []

    def relay() -> None:
        try:
            with open_readers(home, [domain]) as readers:
                sink = readers.sinks(domain.name)[0]
                done = follow(
                    readers.log(domain.name),
                    sink,
                    readers.registry,
                    owner=OWNER,
                    until=float("inf"),
                    stop=lambda: StopReason.REQUESTED if ended.is_set() else None,
                )
                outcome.append(done.events)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for this one
            outcome.append(error)

    thread = threading.Thread(target=relay, name="relay", daemon=True)
    thread.start()
    try:
        yield lambda: outcome[0] if isinstance(outcome[0], int) else 0
    finally:
        ended.set()
        thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]


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
        done = catch_up(readers.log(domain.name), sink, readers.registry, owner=OWNER, on_progress=report)
        seconds[sink.name], events[sink.name] = time.monotonic() - begun, done.events
    return seconds, events
