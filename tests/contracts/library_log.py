"""The library's events in a real log, sealed or not, with a place to rebuild its read models."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealing import seal
from ontology_assets.followers.follow import catch_up
from ontology_assets.projections.rebuild.fill import fill_bucket, open_rebuild
from ontology_assets.projections.rebuild.place import Place, open_place
from ontology_assets.projections.sinks import ProjectionSink, live_sink
from resources.home import Home
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore
from resources.registry.sql import SqliteRegistry
from tests.contracts.library import LIBRARY, Change, Writer, compact


@dataclass
class LibraryHome:
    """A home with the library's log. `written` numbers the events as the log does."""

    root: Path
    written: Writer = field(default_factory=Writer)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = Home(self.root)
        self.log = EventLog(LocalObjectStore(self.home.objects), LIBRARY.name)
        self.heads = Heads(self.home.heads / "library.sqlite", self.log)
        self.registry = SqliteRegistry(self.home.registry)
        self.lake = LocalLake(self.home.lake)

    def append(self, changes: Iterable[Change], occurred_at: datetime | None = None) -> None:
        """One commit; its events occurred when they are recorded, or at a given moment."""
        rows = [self.written.event(change) for change in changes]
        self.rows += rows
        events = [
            NewEvent(
                event_id=str(uuid.uuid4()),
                event_type=row["event_type"],
                aggregate_type=row["aggregate_type"],
                aggregate_id=row["aggregate_id"],
                sequence_number=row["sequence_number"],
                data=row["data"],
                state_hash=hashlib.sha256(compact(json.loads(row["data"])["state"]).encode()).hexdigest(),
                occurred_at=occurred_at,
            )
            for row in rows
        ]
        self.log.append(self.heads, lambda _: Draft(str(uuid.uuid4()), inline=events))

    def seal(self) -> None:
        seal(self.log, self.lake, LIBRARY.name)

    def follow(self, projection: str = "search") -> None:
        sink = self.live(projection)
        catch_up(self.log, sink, self.registry, owner="test")
        sink.close()

    def live(self, projection: str = "search") -> ProjectionSink:
        return live_sink(self.home, projection, LIBRARY, self.log)

    def place(self, projection: str = "search", **more: Any) -> Place:
        return open_place(self.home, projection, [LIBRARY], self.registry, owner="test", **more)


def fill_all(place: Place) -> str:
    """Open a rebuild and fill its sixteen buckets; its generation."""
    rebuild = open_rebuild(place)
    for bucket in range(16):
        fill_bucket(place, rebuild, bucket)
    return rebuild.generation
