"""Building a read model or the topic again from the log: the old file goes, the followers' code fills a new one.

Who follows meanwhile notices by itself that the file is gone. The old topic is kept, for what consumers were told may
be nowhere else once another history of the log was restored.
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
from resources.errors import SpiceError
from resources.home import Home

OWNER = "spice projection rebuild"
TOPIC = "topic"


def file_of(home: Home, name: str) -> Path:
    """The file behind a follower's name."""
    files = {TOPIC: home.topic, **{model: home.read_models / f"{model}.sqlite" for model in ("search", "graph")}}
    if name not in files:
        raise SpiceError("Unknown follower", f"there is no {name!r}", where="NAME", allowed=list(files))
    return files[name]


def rebuild(
    home: Home, domains: Sequence[Domain], name: str, *, say: Callable[[str], None], now: datetime | None = None
) -> dict[str, CaughtUp]:
    """Remove the file and follow each domain's log from its beginning; by domain, how far that came."""
    path = file_of(home, name)
    if path.exists():
        if name == TOPIC:
            say(f"the old topic is {_kept(home, path, now or utc_now())}")
        else:
            path.unlink()
    done: dict[str, CaughtUp] = {}
    for domain in domains:

        def told(progress: Progress, domain: Domain = domain) -> None:
            waits = f", waiting for {progress.waiting_for}" if progress.waiting_for else ""
            say(f"{domain.name} {name}: {progress.position:,} of {progress.target:,}{waits}")

        with open_readers(home, [domain]) as readers:
            sink = next(sink for sink in readers.sinks(domain.name) if sink.name == name)
            done[domain.name] = catch_up(
                readers.log(domain.name), sink, readers.registry, owner=OWNER, on_progress=told
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
