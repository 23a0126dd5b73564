"""What every search read model must do, whatever engine holds it. Adapters subclass and provide the fixtures."""

from typing import Any

import pyarrow as pa
import pytest

from ontology_assets.projections.sinks import ProjectionSink
from ontology_assets.queries.catalogue import Catalogue
from ontology_assets.queries.refusal import QueryRefused
from ontology_assets.queries.search import read_search, run_search
from resources.fencing import Fenced
from resources.read_model.base import NotReady, SearchModel
from resources.read_model.query import Selection
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY, Writer, as_batch, folded_digest
from tests.contracts.replaced_objects import ReplacedObjectsContract

CATALOGUE = Catalogue([LIBRARY])


class SearchModelContract(ReplacedObjectsContract):
    """Fixtures to provide: `sink` (an empty, unclaimed sink of LIBRARY) and `model` (readers of the same store)."""

    @pytest.fixture
    def sink(self) -> ProjectionSink:
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> SearchModel:
        raise NotImplementedError

    @pytest.fixture
    def filled(self, sink: ProjectionSink) -> Writer:
        writer = Writer()
        sink.claim(1)
        sink.apply(writer.batch(AUTHORS + BOOKS), 1)
        return writer

    @pytest.fixture
    def ask(self, filled: Writer, model: SearchModel) -> Any:
        return lambda **document: run_search(read_search(document, CATALOGUE), model).document

    @pytest.fixture
    def ids(self, ask: Any) -> Any:
        return lambda *where, **rest: [
            o["id"] for o in ask(**{"type": "Book", "where": [list(w) for w in where]} | rest)["objects"]
        ]

    def test_an_object_comes_back_as_its_events_said(self, ask: Any) -> None:
        found = ask(type="Book", where=[["isbn", "=", "solaris"]])
        assert found["total"] == 1
        assert found["objects"] == [
            {
                "type": "Book",
                "id": "solaris/1",
                "title": "Solaris",
                "data_status": "FULL",
                "properties": BOOKS[2][2],
                "links": {"written_by": ["lem"]},
                "sequence": 1,
                "position": 7,
            }
        ]

    def test_without_a_sort_objects_come_oldest_first(self, ids: Any) -> None:
        assert ids() == ["rose/1", "rose/2", "solaris/1", "veg/1", "lost/1", "plain/1"]

    def test_every_operator_of_every_kind(self, ids: Any) -> None:
        assert ids(("title", "=", "Solaris")) == ["solaris/1"]
        assert ids(("title", "!=", "Solaris")) == ["rose/1", "rose/2", "veg/1", "lost/1"], "absent is not unequal"
        assert ids(("title", ">=", "T")) == ["rose/1", "rose/2", "veg/1"], "by code point"
        assert ids(("pages", "<", 247)) == ["solaris/1"]
        assert ids(("pages", "<=", 247)) == ["solaris/1", "veg/1"]
        assert ids(("pages", ">", 247), ("pages", "<", 530)) == ["rose/1"]
        assert ids(("pages", "in", [204, 247, 1])) == ["solaris/1", "veg/1"]
        assert ids(("pages", "in", [])) == []
        assert ids(("pages", "is_null")) == ["lost/1", "plain/1"]
        assert ids(("pages", "is_null", False), ("genre", "is_null", True)) == ["solaris/1"]
        assert ids(("weight", "=", 0.5)) == ["rose/1"]
        assert ids(("genre", "!=", "f")) == ["veg/1"]
        assert ids(("published", "<", "1980-09-01T01:00:00+01:30")) == ["solaris/1"]
        assert ids(("published", "=", "1961-06-01T10:30:00.25Z")) == ["solaris/1"]
        assert ids(("published", ">=", "1980-09-01")) == ["rose/1"]

    def test_decimals_compare_as_numbers_exactly(self, ids: Any) -> None:
        assert ids(("price", "<", 10)) == ["rose/2", "solaris/1"], "not as text, where 9.99 > 12.50"
        assert ids(("price", "=", "12.5")) == ["rose/1", "lost/1"]
        assert ids(("price", "=", 12.5)) == ["rose/1", "lost/1"]
        assert ids(("price", ">", "9.985")) == ["rose/1", "rose/2", "lost/1"]
        assert ids(("price", ">", "9.99")) == ["rose/1", "lost/1"]
        assert ids(("price", "<=", "9.995")) == ["rose/2", "solaris/1"]
        assert ids(("price", "<", "-0.995")) == ["solaris/1"]
        assert ids(("price", "<", "-1.005")) == []
        assert ids(("price", "=", "9.995")) == []
        assert ids(("price", "!=", "9.995")) == ["rose/1", "rose/2", "solaris/1", "lost/1"]
        assert ids(("price", "in", ["9.990", "12.505"])) == ["rose/2"]
        assert ids(("price", "<", 10**30)) == ["rose/1", "rose/2", "solaris/1", "lost/1"]
        assert ids(("price", ">=", "-1e30")) == ["rose/1", "rose/2", "solaris/1", "lost/1"]
        assert ids(("mass", ">", "-123456789012345678901234.500001")) == ["solaris/1", "veg/1"]
        assert ids(("mass", ">", "-123456789012345678901234.5")) == ["veg/1"]
        assert ids(sort=[["mass", "desc"]], limit=2) == ["veg/1", "solaris/1"]

    def test_circles_are_of_kilometres_on_the_sphere(self, ids: Any) -> None:
        # Milan to Kraków: 956 km; the poles of a circle that passes the date line.
        near_milan = {"type": "Author"}
        assert ids(("home", "within", {"lat": 45.46, "lon": 9.19, "km": 1}), **near_milan) == ["eco"]
        assert ids(("home", "within", {"lat": 45.4642, "lon": 9.19, "km": 940}), **near_milan) == ["eco"]
        assert ids(("home", "within", [{"lat": 45.4642, "lon": 9.19}, 970]), **near_milan) == ["eco", "lem"]
        assert ids(("home", "within", {"lat": 0, "lon": 0, "km": 20037}), **near_milan) == ["eco", "lem"]

    def test_sorts_put_absent_values_last_and_break_ties_by_age(self, ids: Any) -> None:
        assert ids(sort=[["pages", "asc"]]) == ["solaris/1", "veg/1", "rose/1", "rose/2", "lost/1", "plain/1"]
        assert ids(sort=[["pages", "desc"]]) == ["rose/2", "rose/1", "veg/1", "solaris/1", "plain/1", "lost/1"]
        assert ids(sort=[["genre", "asc"], ["price", "asc"]]) == [
            "rose/2",
            "rose/1",
            "veg/1",
            "solaris/1",
            "lost/1",
            "plain/1",
        ]
        assert ids(sort=[["price", "desc"], ["pages", "asc"]])[:3] == ["rose/1", "lost/1", "rose/2"]

    @pytest.mark.parametrize(
        "sort",
        [
            [],
            [["pages", "asc"]],
            [["pages", "desc"]],
            [["mass", "desc"]],
            [["genre", "desc"], ["price", "asc"]],
            [["genre", "asc"], ["price", "desc"], ["published", "asc"]],
        ],
    )
    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_pages_follow_each_other_without_gap_or_repeat(self, ask: Any, sort: list[list[str]], limit: int) -> None:
        whole = [o["id"] for o in ask(type="Book", sort=sort)["objects"]]
        assert len(whole) == 6
        paged: list[str] = []
        after = None
        while True:
            page = ask(type="Book", sort=sort, limit=limit, after=after)
            assert page["total"] == 6
            paged += [o["id"] for o in page["objects"]]
            after = page.get("after")
            if after is None:
                break
        assert paged == whole

    def test_pages_over_all_types_follow_each_other(self, ask: Any) -> None:
        whole = [(o["type"], o["id"]) for o in ask()["objects"]]
        assert len(whole) == 10
        for limit in (1, 2, 4, 5):
            paged, after = [], None
            while True:
                page = ask(limit=limit, after=after)
                paged += [(o["type"], o["id"]) for o in page["objects"]]
                if (after := page.get("after")) is None:
                    break
            assert paged == whole

    def test_words_are_found_whole_as_beginnings_and_in_korean(self, ids: Any, ask: Any) -> None:
        assert ids(text="rose") == ["rose/1", "rose/2"]
        assert ids(text="ROSE name") == ["rose/1", "rose/2"]
        assert ids(text="ros") == []
        assert ids(text="ros*") == ["rose/1", "rose/2"]
        assert ids(text="ocean") == ["solaris/1"], "in a property that is searched, not only in the title"
        assert ids(text="채식주의자") == ["veg/1"]
        assert ids(text="채식") == ["veg/1"]
        assert ids(text="주의자") == ["veg/1"], "a part of a word, as compounds and endings ask for"
        assert ids(text="바다 solaris") == ["solaris/1"]
        assert [o["id"] for o in ask(type="Author", text="eco")["objects"]] == ["eco"], "accents are folded"
        assert [(o["type"], o["id"]) for o in ask(text="한강")["objects"]] == [("Author", "han")]
        assert ids(text="rose", where=[["edition", "=", 2]]) == ["rose/2"]
        assert ids(text="rose", sort=[["pages", "desc"]]) == ["rose/2", "rose/1"]
        assert ask(text="rose", type="Book", limit=1)["total"] == 2

    def test_fields_make_a_partial_object(self, ask: Any) -> None:
        found = ask(type="Book", where=[["isbn", "=", "solaris"]], fields=["pages", "price"])["objects"][0]
        assert found["data_status"] == "PARTIAL"
        assert found["properties"] == {"pages": 204, "price": "-1.00"}
        assert found["links"] == {}
        assert found["title"] == "Solaris"

    def test_a_forged_or_foreign_token_is_refused(self, ask: Any) -> None:
        token = ask(type="Book", limit=1)["after"]
        flipped = token[:30] + ("A" if token[30] != "A" else "B") + token[31:]
        for bad in (flipped, token[:-4], "", "x", "!!", 7, token + "AAAA"):
            with pytest.raises(QueryRefused) as refused:
                ask(type="Book", limit=1, after=bad)
            assert refused.value.where == "after"
            assert refused.value.status == 400
        with pytest.raises(QueryRefused):
            ask(type="Book", limit=1, after=token, where=[["pages", ">", 1]])
        with pytest.raises(QueryRefused):
            ask(type="Author", limit=1, after=token)

    def test_an_update_and_a_deletion_show_in_filters_words_and_totals(
        self, filled: Writer, sink: ProjectionSink, ids: Any, ask: Any
    ) -> None:
        renamed = {"isbn": "rose", "edition": 1, "title": "Postscript", "pages": 1}
        sink.apply(filled.batch([("Book", "rose/1", renamed, None), ("Book", "veg/1", None, None)]), 1)
        assert ids(text="rose") == ["rose/2"]
        assert ids(text="postscript") == ["rose/1"]
        assert ids(text="채식주의자") == []
        assert ids(("pages", "<", 100)) == ["rose/1"]
        assert ids() == ["rose/1", "rose/2", "solaris/1", "lost/1", "plain/1"], "its age is its first event's"
        assert ask(type="Book")["total"] == 5
        assert ask(type="Book", where=[["isbn", "=", "rose"], ["edition", "=", 1]])["objects"][0]["sequence"] == 2
        sink.apply(filled.batch([("Book", "veg/1", {"isbn": "veg", "edition": 1, "title": "again"}, None)]), 1)
        assert ids(text="again") == ["veg/1"]
        assert ids()[3] == "veg/1"
        assert sink.digest() == sink.recompute_digest()

    def test_what_was_applied_already_changes_nothing(self, sink: ProjectionSink) -> None:
        writer = Writer()
        events = [writer.event(change) for change in AUTHORS + BOOKS]
        sink.claim(1)
        sink.apply(as_batch(events[:6]), 1)
        before = sink.digest()
        sink.apply(as_batch(events[:6]), 1)
        assert (sink.position(), sink.digest()) == (6, before)
        sink.apply(as_batch(events[3:]), 1)
        assert sink.position() == 10
        assert sink.digest() == folded_digest(events) == sink.recompute_digest()

    def test_events_of_other_kinds_types_and_branches_move_only_the_position(self, sink: ProjectionSink) -> None:
        writer = Writer()
        events = [writer.event(change) for change in [*AUTHORS, *AUTHORS]]
        events[4] |= {"aggregate_type": "Asset", "event_type": "DatasetVersionPublished", "data": '{"state":{}}'}
        events[5] |= {"branch": "what-if"}
        events[6] |= {"aggregate_type": "Ghost"}
        events[7] |= {"event_type": "ObjectBlessed"}
        sink.claim(1)
        sink.apply(as_batch(events), 1)
        assert sink.position() == 8
        assert sink.digest() == folded_digest(events[:4])

    def test_a_poison_event_parks_its_object_and_nothing_else(
        self, filled: Writer, sink: ProjectionSink, ids: Any
    ) -> None:
        good = [("Book", "new/1", {"isbn": "new", "edition": 1, "title": "New"}, None)]
        bad = [("Book", "rose/1", {"isbn": "rose", "edition": 1, "pages": "many"}, None)]
        later = [("Book", "rose/1", {"isbn": "rose", "edition": 1, "pages": 3}, None), ("Book", "rose/1", None, None)]
        sink.apply(filled.batch(bad + good), 1)
        assert sink.position() == 12
        [parked] = sink.parked()
        assert (parked.aggregate_type, parked.aggregate_id, parked.position) == ("Book", "rose/1", 11)
        assert "pages" in parked.reason
        sink.apply(filled.batch(later), 1)
        assert sink.position() == 14
        assert [p.position for p in sink.parked()] == [11], "later events wait; the first one is why"
        assert ids(("isbn", "in", ["rose", "new"])) == ["rose/1", "rose/2", "new/1"]
        assert ids(("pages", "=", 502)) == ["rose/1"], "as it was before the poison"
        assert sink.digest() == sink.recompute_digest()

    @pytest.mark.parametrize(
        "data",
        [
            "",
            "{",
            "[]",
            '{"state":null}',
            '{"state":7}',
            '{"state":{"links":{},"properties":{"isbn":"x","edition":true}}}',
            '{"state":{"links":{},"properties":{"isbn":"x","edition":9223372036854775808}}}',
            '{"state":{"links":{},"properties":{"isbn":"x","edition":1,"price":"1.5"}}}',
            '{"state":{"links":{},"properties":{"isbn":"x","edition":1,"price":1.50}}}',
            '{"state":{"links":{},"properties":{"isbn":"x","edition":1,"price":"123456789.00"}}}',
            '{"state":{"links":{},"properties":{"isbn":"x","edition":1,"published":"yesterday"}}}',
            '{"state":{"links":{"written_by":["a","b"]},"properties":{"isbn":"x","edition":1}}}',
            '{"state":{"links":{"written_by":"a"},"properties":{"isbn":"x","edition":1}}}',
            '{"state":{"links":{"written_by":[7]},"properties":{"isbn":"x","edition":1}}}',
        ],
    )
    def test_whatever_is_wrong_with_an_event_it_is_parked(self, sink: ProjectionSink, data: str) -> None:
        writer = Writer()
        events = [writer.event(change) for change in BOOKS]
        events[3]["data"] = data
        sink.claim(1)
        sink.apply(as_batch(events), 1)
        assert sink.position() == 6
        assert [(p.aggregate_id, p.position) for p in sink.parked()] == [("veg/1", 4)]
        assert sink.digest() == folded_digest(events, frozenset({4})) == sink.recompute_digest()

    def test_members_that_the_ontology_does_not_have_are_left_out(
        self, sink: ProjectionSink, model: SearchModel
    ) -> None:
        writer = Writer()
        event = writer.event(("Shelf", "1", {"no": 1, "height": 9}, None))
        event["data"] = '{"state":{"links":{"old":["x"]},"properties":{"colour":"red","height":9,"no":1}}}'
        clean = dict(event, data='{"state":{"links":{},"properties":{"height":9,"no":1}}}')
        sink.claim(1)
        sink.apply(as_batch([event]), 1)
        assert sink.digest() == folded_digest([clean]) == sink.recompute_digest()

    def test_a_writer_of_another_epoch_is_fenced_and_changes_nothing(self, sink: ProjectionSink) -> None:
        writer = Writer()
        first, second = writer.batch(AUTHORS), writer.batch(BOOKS)
        sink.claim(3)
        sink.apply(first, 3)
        sink.claim(5)
        for epoch in (3, 4, 6):
            with pytest.raises(Fenced):
                sink.apply(second, epoch)
        with pytest.raises(Fenced):
            sink.claim(5)
        assert (sink.position(), sink.epoch()) == (4, 5)

    def test_a_gap_is_refused(self, sink: ProjectionSink) -> None:
        writer = Writer()
        sink.claim(1)
        writer.batch(AUTHORS)
        with pytest.raises(Exception, match="Events missing"):
            sink.apply(writer.batch(BOOKS), 1)
        assert sink.position() == 0

    def test_nothing_is_ready_before_the_first_event_store_exists(self, model: SearchModel) -> None:
        with pytest.raises(NotReady), model.snapshot("library"):
            pass

    def test_counts_are_of_the_snapshot(self, filled: Writer, sink: ProjectionSink, model: SearchModel) -> None:
        book = CATALOGUE.types["Book"].layout
        with model.snapshot("library") as before:
            assert before.count(Selection(book)) == 6
            sink.apply(filled.batch([("Book", "veg/1", None, None)]), 1)
            assert before.count(Selection(book)) == 6
            assert before.state.position == 10
        with model.snapshot("library") as now:
            assert now.count(Selection(book)) == 5

    def test_an_empty_batch_is_no_news(self, filled: Writer, sink: ProjectionSink) -> None:
        sink.apply(pa.RecordBatch.from_pylist([], schema=filled.batch([]).schema), 1)
        assert sink.position() == 10
