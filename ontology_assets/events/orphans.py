"""Data files that no record names: left by a writer that was killed or beaten. Removed when old, never when named."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ontology_assets.events.log import EventLog, now_utc

OLD = timedelta(days=1)
"""A younger file may belong to a writer that is about to commit."""


@dataclass(frozen=True)
class Orphan:
    key: str
    bytes: int
    modified: datetime


def orphans(log: EventLog, older_than: timedelta = OLD, now: datetime | None = None) -> list[Orphan]:
    """Data files older than `older_than` that no record names."""
    limit = (now or now_utc()) - older_than
    # Listed before the records are read: a file that is named meanwhile is found to be named.
    keys = list(log.store.list(f"log-data/{log.domain}/"))
    named = {file.key for record in log.records() for file in record.files}
    found = []
    for key in keys:
        info = log.store.head(key) if key not in named else None
        if info is not None and info.modified < limit:
            found.append(Orphan(key, info.size, info.modified))
    return found


def remove_orphans(log: EventLog, older_than: timedelta = OLD, now: datetime | None = None) -> list[Orphan]:
    """Remove them; returns what was removed."""
    found = orphans(log, older_than, now)
    for orphan in found:
        log.store.delete(orphan.key)
    return found
