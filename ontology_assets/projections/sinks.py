"""The followers' sinks of both projections: a batch of events in, one transaction in a read model out."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.followers.history import history_of
from ontology_assets.followers.sink import FollowedLog, Parked
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.digest import digest_text
from ontology_assets.projections.documents import WordsOf, fold
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.proof import recompute
from ontology_assets.projections.search import words_of
from resources.errors import SpiceError
from resources.home import Home
from resources.read_model.base import ReadModelWriter
from resources.read_model.generations import Generations
from resources.read_model.query import DomainLayout
from resources.read_model.sqlite_graph import GRAPH
from resources.read_model.sqlite_layout import ModelOptions
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter

CLOSE_EVENTS = 10_000
"""A model so close to the log's end gets its indexes, in the transaction that brings it there."""


@dataclass(frozen=True)
class Proof:
    """The digest kept with each transaction, and the one of the rows that queries read."""

    position: int
    kept: str
    recomputed: str


class ProjectionSink:
    """The `Sink` of one projection of one domain (`ontology_assets.followers.sink`)."""

    def __init__(
        self,
        name: str,
        writer: ReadModelWriter,
        layout: DomainLayout,
        words_of: WordsOf | None,
        log: FollowedLog | None,
    ) -> None:
        self.writer, self.layout, self.words_of = writer, layout, words_of
        self._name, self._log = name, log

    @property
    def name(self) -> str:
        return self._name

    def position(self) -> int:
        return self.writer.state().position

    def history(self) -> str | None:
        return self.writer.history()

    def epoch(self) -> int:
        return self.writer.state().epoch

    def claim(self, epoch: int) -> None:
        self.writer.claim(epoch)

    def apply(self, batch: pa.RecordBatch, epoch: int) -> None:
        """Apply events in position order; rows at or below `position()` change nothing. Raises Fenced."""
        position = self.position()
        # Positions ascend, so what is done already is a prefix: a slice copies nothing.
        batch = batch.slice(pc.sum(pc.less_equal(batch.column("position"), position)).as_py() or 0)
        if batch.num_rows == 0:
            return
        first = batch.column("position")[0].as_py()
        if first != position + 1 and self.epoch() == epoch:
            raise SpiceError(
                "Events missing",
                f"the model stands at event {position}, the batch begins with event {first}; nothing was applied",
                where=f"{self.name} of {self.layout.domain}",
                status=500,
            )
        parked = {(p.type, p.id) for p in self.writer.parked()}
        with collector_paused():
            changes = replace(fold(batch, self.layout, parked, self.words_of), history=history_of(batch))
            settle = not self.writer.settled() and self._close_to_end(changes.position, batch.num_rows)
            self.writer.write(changes, epoch, settle=settle)

    def parked(self) -> list[Parked]:
        return [Parked(p.type, p.id, p.position, p.reason) for p in self.writer.parked()]

    def digest(self) -> str:
        return digest_text(self.writer.digest())

    def objects(self) -> int:
        """Objects that the store holds; its digest counts the deleted ones too."""
        with self.writer.reading():
            documents = sum(one.documents for one in self.writer.digest().values())
            return documents - sum(1 for _ in self.writer.tombstones())

    def recompute_digest(self) -> str:
        """The digest computed from the fields that queries read."""
        return self.proof().recomputed

    def proof(self) -> Proof:
        """Both digests at one position, also while a follower goes on: the store is right where they are equal."""
        with self.writer.reading():
            position = self.writer.state().position
            kept, recomputed = self.writer.digest(), recompute(self.writer, self.layout)
        return Proof(position, digest_text(kept), digest_text(recomputed))

    def updated_at(self) -> datetime | None:
        return self.writer.state().updated_at

    def close(self) -> None:
        self.writer.close()

    def _close_to_end(self, position: int, applied: int) -> bool:
        if self._log is None:
            return applied < CLOSE_EVENTS
        return self._log.end().position - position <= CLOSE_EVENTS


OPTIONS: Mapping[str, tuple[ModelOptions, WordsOf | None]] = {"graph": (GRAPH, None), "search": (SEARCH, words_of)}
"""The projections by name: what a model keeps beside rows, and the words that it is searched by."""


def generations_of(home: Home, projection: str) -> Generations:
    return Generations(home.read_models / f"{projection}.sqlite")


def live_sink(home: Home, projection: str, domain: Domain, log: FollowedLog | None = None) -> ProjectionSink:
    """The sink of the generation that is asked. `log` tells how far behind it is, which decides when to index."""
    options, words = OPTIONS[projection]
    layout, generations = domain_layout(domain), generations_of(home, projection)
    writer = SqliteWriter(generations.alias, layout, options, make_path=generations.ensure)
    return ProjectionSink(projection, writer, layout, words, log)


def generation_sink(
    home: Home, projection: str, generation: str, domain: Domain, log: FollowedLog | None = None
) -> ProjectionSink:
    """The sink of one generation, asked or not. It has a lease of its own: its name is `search@1f2e3d4c`."""
    options, words = OPTIONS[projection]
    layout = domain_layout(domain)
    writer = SqliteWriter(generations_of(home, projection).file(generation), layout, options)
    return ProjectionSink(f"{projection}@{generation}", writer, layout, words, log)


def search_sink(home: Home, domain: Domain, log: FollowedLog | None = None) -> ProjectionSink:
    return live_sink(home, "search", domain, log)


def graph_sink(home: Home, domain: Domain, log: FollowedLog | None = None) -> ProjectionSink:
    return live_sink(home, "graph", domain, log)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Decoding makes many small containers and no cycle: the collector would take two thirds of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
