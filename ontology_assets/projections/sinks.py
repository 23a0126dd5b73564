"""The followers' sinks of both projections: a batch of events in, one transaction in a read model out."""

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.histories import WholeHistories, are_of
from ontology_assets.events.opening import open_histories
from ontology_assets.followers.history import history_of
from ontology_assets.followers.sink import FollowedLog, Parked
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.digest import digest_text
from ontology_assets.projections.documents import COLUMNS, WordsOf, fold
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.proof import recompute
from ontology_assets.projections.search import words_of
from ontology_assets.projections.skips import fold_whole, skipped_objects
from resources.errors import SpiceError
from resources.home import Home
from resources.read_model.base import (
    Changes,
    ParkedMeanwhile,
    ReadModelWriter,
    Renewed,
    Replaced,
)
from resources.read_model.generations import Generations
from resources.read_model.object_names import ObjectName, by_type
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
        *,
        histories: Callable[[], WholeHistories] | None = None,
    ) -> None:
        """`histories`: where whole histories are read, opened with the first event that is skipped."""
        self.writer, self.layout, self.words_of = writer, layout, words_of
        self._name, self._log, self._open_histories = name, log, histories

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
        with collector_paused():
            while True:
                changes = replace(self._folded(batch), history=history_of(batch))
                settle = not self.writer.settled() and self._close_to_end(changes.position, batch.num_rows)
                try:
                    self.writer.write(changes, epoch, settle=settle)
                except ParkedMeanwhile:
                    continue
                break

    def renew(self, objects: Collection[ObjectName], *, intact: bool = True) -> Replaced:
        """Make these objects of their whole histories again, at the position of the model.

        One transaction; whoever follows the log goes on after it. `intact`: as of `ReadModelWriter.replace_objects`.
        """
        histories, before = self._histories, self.position()
        known = histories.of_objects(objects, before)

        def content(position: int) -> Changes:
            # Most is read before the model is held; what was written meanwhile is little. Where another generation is
            # asked since, it may stand earlier.
            more = [histories.of_objects(objects, position, after=before)] if position > before else []
            return self._folded_whole(position, [known.filter(pc.less_equal(known["position"], position)), *more])

        return self.writer.replace_objects(by_type(sorted(objects)), content, intact=intact)

    def _folded(self, batch: pa.RecordBatch) -> Changes:
        """Objects of which an event is skipped in the batch are made of their whole histories."""
        parked = {(p.type, p.id) for p in self.writer.parked()}
        position, skipped = batch.column("position")[-1].as_py(), skipped_objects(batch, self.layout)
        if not skipped:
            return fold(batch, self.layout, parked, self.words_of)
        rest = batch.filter(pc.invert(are_of(batch, skipped)))
        changes = fold(rest, self.layout, parked, self.words_of) if rest.num_rows else Changes(position)
        again = self._folded_whole(position, [self._histories.of_objects(skipped, position)])
        return replace(
            changes, position=position, set_aside=frozenset(parked), renewed=Renewed(by_type(sorted(skipped)), again)
        )

    def _folded_whole(self, position: int, parts: Sequence[pa.Table]) -> Changes:
        """What whole histories make up to a position."""
        rows = pa.concat_tables(parts)
        rows = rows.filter(pc.less_equal(rows["position"], position)).combine_chunks()
        (changes,) = [fold_whole(batch, self.layout, self.words_of) for batch in rows.to_batches()] or [
            Changes(position)
        ]
        return replace(changes, position=position)

    @cached_property
    def _histories(self) -> WholeHistories:
        if self._open_histories is None:
            raise SpiceError(
                "No histories",
                "an object has to be made of its whole history, and this reader of the log was opened without a way "
                "to read one",
                where=f"{self.name} of {self.layout.domain}",
                status=500,
            )
        return self._open_histories()

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
    histories = partial(open_histories, home, domain.name, COLUMNS)
    return ProjectionSink(projection, writer, layout, words, log, histories=histories)


def generation_sink(
    home: Home, projection: str, generation: str, domain: Domain, log: FollowedLog | None = None
) -> ProjectionSink:
    """The sink of one generation, asked or not. It has a lease of its own: its name is `search@1f2e3d4c`."""
    options, words = OPTIONS[projection]
    layout = domain_layout(domain)
    writer = SqliteWriter(generations_of(home, projection).file(generation), layout, options)
    histories = partial(open_histories, home, domain.name, COLUMNS)
    return ProjectionSink(f"{projection}@{generation}", writer, layout, words, log, histories=histories)


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
