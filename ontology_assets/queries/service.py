"""Every question the product answers, over one home: what the command line, the HTTP API and Python programs call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ontology_assets.keys import decode_key, parse_key
from ontology_assets.model.definitions import Domain
from ontology_assets.queries.catalogue import Catalogue
from ontology_assets.queries.graph import run_graph
from ontology_assets.queries.graph_document import read_graph
from ontology_assets.queries.history import event_documents
from ontology_assets.queries.objects import Answer, Document, renderer
from ontology_assets.queries.refusal import NotFound
from ontology_assets.queries.search import read_search, run_search
from ontology_assets.queries.where_text import parse_where
from resources.home import Home
from resources.read_model.base import GraphModel, NothingYet, NotReady, SearchModel
from resources.read_model.query import Selection
from resources.read_model.sqlite_graph import SqliteGraphModel
from resources.read_model.sqlite_search import SqliteSearchModel
from resources.read_model.time_limit import TimeLimit

AggregateEvents = Callable[[str, str, str], pa.Table]
"""(domain, type, id) -> its events, oldest first."""


MODELS: Mapping[str, type[SqliteSearchModel] | type[SqliteGraphModel]] = {
    "graph": SqliteGraphModel,
    "search": SqliteSearchModel,
}
"""The embedded read models by name of their projection."""


@dataclass(frozen=True)
class Counts:
    """Objects by type; None where the read model can't tell. `versions`: what it was counted in, a domain each."""

    by_type: dict[str, int | None]
    versions: tuple[str, ...]


class Queries:
    """Safe to use from many threads. Raises SpiceError: QueryRefused (400), NotFound (404), NotReady (503), and TooSlow
    (503) where a question was given a time limit.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        search: SearchModel,
        graph: GraphModel,
        events_of: AggregateEvents,
        begun: Callable[[str], bool] = lambda _domain: True,
    ) -> None:
        self.catalogue, self._search, self._graph = catalogue, search, graph
        self._events_of, self._begun = events_of, begun

    def key_text(self, type_name: str, parts: Sequence[str]) -> str:
        """The id of key parts as people type them."""
        return parse_key(self.catalogue.addressed(type_name).object_type, parts)

    def get(self, type_name: str, object_id: str, limit: TimeLimit | None = None) -> Answer:
        """One object, whole."""
        known = self.catalogue.addressed(type_name)
        with self._search.snapshot(known.domain.domain, limit) as snapshot:
            rows = snapshot.rows(known.layout, [object_id])
            state = snapshot.state
        if not rows:
            decode_key(known.object_type, object_id)  # a text that is no key can't be found either, and says why
            raise NotFound(f"there is no {type_name} with the id {object_id}", where=f"{type_name}/{object_id}")
        return Answer(renderer(known.layout).object(rows[0]), state.position, state.generation)

    def search(self, document: Any, limit: TimeLimit | None = None) -> Answer:
        """`{"type"?, "text"?, "where", "sort", "fields"?, "limit", "after"?}` -> `{"objects", "total", "after"?}`."""
        return run_search(read_search(document, self.catalogue), self._search, limit, self._begun)

    def graph(self, document: Any, limit: TimeLimit | None = None) -> Answer:
        """`{"start", "hops", "max_nodes", "max_edges"}` -> `{"nodes", "edges", "truncated", "position"}`."""
        return run_graph(read_graph(document, self.catalogue), self._graph, limit)

    def models(self) -> dict[str, SearchModel | GraphModel]:
        """The read models by name, for what asks how far they are."""
        return {"search": self._search, "graph": self._graph}

    def history(self, type_name: str, object_id: str) -> list[Document]:
        """The object's events, oldest first; also those of one that was deleted."""
        known = self.catalogue.addressed(type_name)
        decode_key(known.object_type, object_id)
        events = list(event_documents(self._events_of(known.domain.domain, type_name, object_id)))
        if not events:
            raise NotFound(f"there was never a {type_name} with the id {object_id}", where=f"{type_name}/{object_id}")
        return events

    def counts(self, type_name: str | None = None) -> dict[str, int]:
        """How many objects there are, by type."""
        known = [self.catalogue.addressed(type_name)] if type_name else list(self.catalogue.types.values())
        counts: dict[str, int] = {}
        for layout in self.catalogue.layouts:
            names = [k for k in known if k.domain.domain == layout.domain]
            if names:
                with self._search.snapshot(layout.domain) as snapshot:
                    counts |= {k.name: snapshot.count(Selection(k.layout)) for k in names}
        return dict(sorted(counts.items()))

    def counts_so_far(self, limit: TimeLimit | None = None) -> Counts:
        """How many objects there are, also where some can't be counted now; none of a domain that was never run."""
        by_type: dict[str, int | None] = {}
        versions: list[str] = []
        for layout in self.catalogue.layouts:
            try:
                with self._search.snapshot(layout.domain, limit) as snapshot:
                    by_type |= {kind.name: snapshot.count(Selection(kind)) for kind in layout.types}
                    versions.append(f"{snapshot.state.generation}.{snapshot.state.position}")
            except NotReady as fault:
                never_run = isinstance(fault, NothingYet) and not self._begun(layout.domain)
                by_type |= dict.fromkeys((kind.name for kind in layout.types), 0 if never_run else None)
                versions.append("0" if never_run else "?")
        return Counts(by_type, tuple(versions))

    def examples(self, limit: TimeLimit | None = None) -> tuple[tuple[str, str], ...]:
        """(type, id) of the oldest object of each type, as far as there are any and they can be read now."""
        found = []
        for layout in self.catalogue.layouts:
            try:
                with self._search.snapshot(layout.domain, limit) as snapshot:
                    rows = [(kind.name, snapshot.select(Selection(kind, limit=1))) for kind in layout.types]
            except NotReady:
                continue
            found += [(name, of_one[0].id) for name, of_one in rows if of_one]
        return tuple(found)

    def where(self, type_name: str, texts: Sequence[str]) -> list[list[Any]]:
        """Conditions that a person typed, as a document's `where`."""
        layout = self.catalogue.named(type_name, "type").layout
        return [parse_where(text, layout, f"where[{k}]") for k, text in enumerate(texts)]


def open_queries(
    home: Home,
    domains: Sequence[Domain],
    events_of: AggregateEvents,
    begun: Callable[[str], bool] = lambda _domain: True,
) -> Queries:
    """Queries over the embedded read models; `events_of` reads histories (`EventLog.aggregate` of the domain's log),
    `begun` tells whether a domain's log has any event.
    """
    catalogue = Catalogue(domains)
    return Queries(
        catalogue,
        SqliteSearchModel(home.read_models / "search.sqlite", catalogue.layouts),
        SqliteGraphModel(home.read_models / "graph.sqlite", catalogue.layouts),
        events_of,
        begun,
    )
