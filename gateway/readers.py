"""One home, opened for reading and following: the logs, the read models, the registry. Opening touches no file."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any

import pyarrow as pa

from ontology_assets.events.archiving import ArchiveReport, archive
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.opening import open_log
from ontology_assets.events.verify import VerifyReport, verify
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.sink import Sink
from ontology_assets.followers.status import FollowerStatus, status
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.sinks import graph_sink, search_sink
from ontology_assets.queries.service import Queries, open_queries
from resources.home import Home
from resources.registry.base import Registry
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic


@dataclass
class Readers:
    """What the command line needs of one home. Values are opened on first use and kept."""

    home: Home
    domains: Sequence[Domain]
    _logs: dict[str, EventLog] = field(default_factory=dict)
    _heads: dict[str, Heads] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Readers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def log(self, domain: str) -> EventLog:
        if domain not in self._logs:
            self._logs[domain] = open_log(self.home, domain)
        return self._logs[domain]

    def heads(self, domain: str) -> Heads:
        if domain not in self._heads:
            self._heads[domain] = Heads(self.home.heads / f"{domain}.sqlite", self.log(domain))
            self._open.callback(self._heads[domain].close)
        return self._heads[domain]

    @cached_property
    def registry(self) -> Registry:
        self.home.root.mkdir(parents=True, exist_ok=True)
        registry = SqliteRegistry(self.home.registry)
        self._open.callback(registry.close)
        return registry

    @cached_property
    def queries(self) -> Queries:
        return open_queries(self.home, self.domains, self._events_of, lambda domain: self.log(domain).end().n >= 0)

    def stats(self, domain: str) -> dict[str, Any]:
        """Position, events by type and by branch."""
        heads = self.heads(domain)
        heads.catch_up()
        return heads.stats()

    def sinks(self, domain: str) -> list[Sink]:
        """The followers of a domain's log: topic, search, graph. For one thread, like all that is opened here."""
        definition = next(one for one in self.domains if one.name == domain)
        log = self.log(domain)
        topic = SqliteTopic(self.home.topic)
        search, graph = search_sink(self.home, definition, log), graph_sink(self.home, definition, log)
        for opened in (topic, search, graph):
            self._open.callback(opened.close)
        return [Relay(topic, domain), search, graph]

    def status(self, domain: str) -> dict[str, FollowerStatus]:
        return status(self.log(domain), self.sinks(domain), self.registry)

    def verify(self, domain: str) -> VerifyReport:
        from resources.lake.local import LocalLake

        return verify(self.log(domain), self.heads(domain), LocalLake(self.home.lake))

    def archive(self, domain: str, through: int | None) -> ArchiveReport:
        """Keep the bulk rows that are sealed in the lake's table alone."""
        from resources.lake.local import LocalLake

        return archive(self.log(domain), LocalLake(self.home.lake), domain, through)

    def _events_of(self, domain: str, type_name: str, object_id: str) -> pa.Table:
        return self.log(domain).aggregate(type_name, object_id, heads=self.heads(domain))


def open_readers(home: Home, domains: Sequence[Domain]) -> Readers:
    return Readers(home, domains)
