"""Publishing the topic again from the log's first event, into a new topic.

The old topic is kept, for what consumers were told may be nowhere else once another history of the log was restored.
Who follows meanwhile notices by itself that the file is gone.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from gateway.readers import open_readers
from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.progress import CaughtUp, Progress
from ontology_assets.model.definitions import Domain
from resources.clock import utc_now
from resources.home import Home

OWNER = "spice projection rebuild"


def republish(
    home: Home, domains: Sequence[Domain], *, say: Callable[[str], None], now: datetime | None = None
) -> dict[str, CaughtUp]:
    """Put the topic aside and relay each domain's log from its beginning; by domain, how far that came."""
    if home.topic.exists():
        say(f"the old topic is {_kept(home, home.topic, now or utc_now())}")
    done: dict[str, CaughtUp] = {}
    for domain in domains:

        def told(progress: Progress, domain: Domain = domain) -> None:
            waits = f", waiting for {progress.waiting_for}" if progress.waiting_for else ""
            say(f"{domain.name} topic: {progress.position:,} of {progress.target:,}{waits}")

        with open_readers(home, [domain]) as readers:
            relay = next(sink for sink in readers.sinks(domain.name) if sink.name == "topic")
            done[domain.name] = catch_up(
                readers.log(domain.name), relay, readers.registry, owner=OWNER, on_progress=told
            )
    return done


def _kept(home: Home, path: Path, now: datetime) -> Path:
    """Move the topic aside, whole: what is in its write-ahead log is brought into the file first."""
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    kept = home.root / "backups" / f"{path.stem}-{now:%Y%m%dT%H%M%S}{path.suffix}"
    kept.parent.mkdir(exist_ok=True)
    path.rename(kept)
    return kept
