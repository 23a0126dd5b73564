"""What every read model must do when given objects are made of their histories again. Part of both contracts."""

from typing import Any

import pytest

from ontology_assets.projections.documents import fold
from ontology_assets.projections.sinks import ProjectionSink
from resources.read_model.base import Changes, NothingYet, ParkedObject
from tests.contracts.library import AUTHORS, BOOKS, Change, Writer, as_batch, folded_digest

OTHERWISE = {"code": "lem", "name": "Lem, Stanisław"}


def content(sink: ProjectionSink, events: list[dict[str, Any]]) -> Changes:
    """What the projection makes of whole histories."""
    return fold(as_batch(events), sink.layout, set(), sink.words_of)


class ReplacedObjectsContract:
    """`sink` as in the contract that this is a part of."""

    @pytest.fixture(params=[True, False], ids=["intact", "perhaps damaged"])
    def intact(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def events(self, sink: ProjectionSink) -> list[dict[str, Any]]:
        """Applied: authors and books, one of each deleted."""
        writer = Writer()
        changes: list[Change] = [*AUTHORS, *BOOKS, ("Author", "anon", None, None), ("Book", "rose/2", None, None)]
        made = [writer.event(change) for change in changes]
        sink.claim(1)
        sink.apply(as_batch(made), 1)
        return made

    def test_objects_that_are_as_their_histories_say_are_not_touched(
        self, sink: ProjectionSink, events: list[dict[str, Any]], intact: bool
    ) -> None:
        before, all_of_them = sink.digest(), content(sink, events)
        objects = {"Author": ["lem", "eco", "anon", "nobody"], "Book": ["rose/1", "rose/2"]}
        assert sink.writer.different(objects, all_of_them) == []
        replaced = sink.writer.replace_objects(objects, lambda _: all_of_them, intact=intact)
        assert (replaced.objects, replaced.position) == ([], len(events))
        assert (sink.digest(), sink.recompute_digest()) == (before, before)

    def test_what_differs_is_replaced_with_digest_words_and_parked_and_the_follower_goes_on(
        self, sink: ProjectionSink, events: list[dict[str, Any]], intact: bool
    ) -> None:
        history = {(one["aggregate_type"], one["aggregate_id"]): one for one in events}
        writer = Writer()
        for one in events:  # the log as it is now said to be: other content at the same positions
            writer.event((one["aggregate_type"], one["aggregate_id"], {}, None))
        other = [dict(one) for one in events]
        lem = next(one for one in other if one["aggregate_id"] == "lem")
        lem["data"] = Writer().event(("Author", "lem", OTHERWISE, None))["data"]
        anon, rose, eco = (
            next(k for k, one in enumerate(other) if one["position"] == history[named]["position"])
            for named in (("Author", "anon"), ("Book", "rose/2"), ("Author", "eco"))
        )
        back = Writer().event(("Author", "anon", {"code": "anon", "name": "Anonymous"}, None))
        other[anon] |= {"event_type": "ObjectUpdated", "data": back["data"]}  # never deleted
        other[eco] |= {"event_type": "ObjectDeleted", "data": '{"state":null}'}  # deleted
        other[rose] |= {"event_type": "ObjectUpdated", "data": '{"state":{"links":{},"properties":{"pages":"many"}}}'}
        objects = {"Author": ["lem", "eco", "anon", "han"], "Book": ["rose/2"]}
        now = content(sink, other)
        expected = [("Author", "lem"), ("Author", "eco"), ("Author", "anon"), ("Book", "rose/2")]
        assert sink.writer.different(objects, now) == expected
        assert sink.writer.replace_objects(objects, lambda _: now, intact=intact).objects == expected
        assert sink.writer.different(objects, now) == []
        broken = frozenset({other[rose]["position"]})
        assert sink.digest() == sink.recompute_digest() == folded_digest(other, broken)
        assert [(one.type, one.id, one.position, one.waiting) for one in sink.writer.parked()] == [
            ("Book", "rose/2", other[rose]["position"], 1)
        ]
        more = [writer.event(("Author", "lem", None, None)), writer.event(("Author", "anon", {"code": "anon"}, None))]
        sink.apply(as_batch(more), 1)
        assert sink.digest() == sink.recompute_digest() == folded_digest([*other, *more], broken)

        sink.writer.replace_objects({"Book": ["rose/2"]}, lambda _: content(sink, [*events, *more]), intact=intact)
        assert sink.writer.parked() == []

    def test_an_object_without_a_history_has_nothing_stored_afterwards(
        self, sink: ProjectionSink, events: list[dict[str, Any]], intact: bool
    ) -> None:
        gone = {("Author", "lem"), ("Book", "rose/2")}
        rest = [one for one in events if (one["aggregate_type"], one["aggregate_id"]) not in gone]
        objects = {"Author": ["lem"], "Book": ["rose/2"]}
        replaced = sink.writer.replace_objects(objects, lambda _: content(sink, rest), intact=intact)
        assert set(replaced.objects) == gone
        assert sink.digest() == sink.recompute_digest() == folded_digest(rest)

    def test_parked_or_not_is_a_difference(
        self, sink: ProjectionSink, events: list[dict[str, Any]], intact: bool
    ) -> None:
        now = content(sink, events)
        now.parked.append(ParkedObject("Author", "lem", 3, 3, "why"))
        replaced = sink.writer.replace_objects({"Author": ["lem", "han"]}, lambda _: now, intact=intact)
        assert replaced.objects == [("Author", "lem")]
        assert [one.reason for one in sink.writer.parked()] == ["why"]

    def test_before_the_first_event_there_is_nothing_to_replace(self, sink: ProjectionSink) -> None:
        with pytest.raises(NothingYet):
            sink.writer.replace_objects({"Author": ["lem"]}, lambda _: Changes(0), intact=True)
