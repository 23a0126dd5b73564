"""What every graph read model must do, whatever engine holds it. Adapters subclass and provide the fixtures."""

from typing import Any

import pytest

from ontology_assets.projections.sinks import ProjectionSink
from ontology_assets.queries.catalogue import Catalogue
from ontology_assets.queries.graph import run_graph
from ontology_assets.queries.graph_document import read_graph
from resources.read_model.base import GraphModel
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY, Writer, as_batch, folded_digest
from tests.contracts.replaced_objects import ReplacedObjectsContract

CATALOGUE = Catalogue([LIBRARY])


class GraphModelContract(ReplacedObjectsContract):
    """Fixtures to provide: `sink` (an empty, unclaimed sink of LIBRARY) and `model` (readers of the same store)."""

    @pytest.fixture
    def sink(self) -> ProjectionSink:
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> GraphModel:
        raise NotImplementedError

    @pytest.fixture
    def filled(self, sink: ProjectionSink) -> Writer:
        """Books come before their authors: links lead to objects that are not there yet."""
        writer = Writer()
        sink.claim(1)
        sink.apply(writer.batch(BOOKS), 1)
        sink.apply(writer.batch(AUTHORS), 1)
        return writer

    @pytest.fixture
    def ask(self, filled: Writer, model: GraphModel) -> Any:
        return lambda start, *hops, **rest: (
            run_graph(read_graph({"start": start, "hops": list(hops), **rest}, CATALOGUE), model).document
        )

    def test_one_hop_forwards_with_a_filter_on_it(self, ask: Any) -> None:
        found = ask(
            {"type": "Book", "where": [["pages", ">", 200]]},
            {"link": "written_by", "where": [["code", "=", "eco"]], "fields": ["code"]},
        )
        assert [(n["type"], n["id"], n["data_status"]) for n in found["nodes"]] == [
            ("Book", "rose/1", "FULL"),
            ("Book", "rose/2", "FULL"),
            ("Book", "solaris/1", "FULL"),
            ("Book", "veg/1", "FULL"),
            ("Author", "eco", "PARTIAL"),
        ]
        assert found["nodes"][4] == {
            "type": "Author",
            "id": "eco",
            "title": "Umberto Éco",
            "data_status": "PARTIAL",
            "properties": {"code": "eco"},
        }
        assert found["nodes"][0]["properties"] == BOOKS[0][2]
        assert found["edges"] == [
            {"from": "Book/rose/1", "link": "written_by", "to": "Author/eco"},
            {"from": "Book/rose/2", "link": "written_by", "to": "Author/eco"},
        ]
        assert found["truncated"] is False
        assert found["position"] == 10

    def test_a_target_that_does_not_exist_is_missing_and_satisfies_no_filter(self, ask: Any) -> None:
        start = {"type": "Book", "where": [["isbn", "=", "lost"]], "fields": []}
        found = ask(start, {"link": "written_by"})
        assert found["nodes"][1] == {
            "type": "Author",
            "id": "nobody",
            "title": "nobody",
            "data_status": "MISSING",
            "properties": {},
        }
        assert found["edges"] == [{"from": "Book/lost/1", "link": "written_by", "to": "Author/nobody"}]
        filtered = ask(start, {"link": "written_by", "where": [["code", "is_null", True]]})
        assert len(filtered["nodes"]) == 1
        assert filtered["edges"] == []

    def test_backwards_by_the_inverse_name_edges_still_lead_forwards(self, ask: Any) -> None:
        found = ask(
            {"type": "Author", "where": [["code", "=", "eco"]]},
            {"link": "books", "where": [["edition", "=", 2]], "fields": ["edition"]},
        )
        assert [(n["id"], n["properties"].get("edition")) for n in found["nodes"]][1:] == [("rose/2", 2)]
        assert found["edges"] == [{"from": "Book/rose/2", "link": "written_by", "to": "Author/eco"}]

    def test_an_object_that_does_not_exist_can_be_started_from(self, ask: Any) -> None:
        found = ask({"type": "Author", "id": "nobody"}, {"link": "books"})
        assert [(n["id"], n["data_status"]) for n in found["nodes"]] == [("nobody", "MISSING"), ("lost/1", "FULL")]

    def test_out_and_back_and_on_visits_everything_once(self, ask: Any) -> None:
        found = ask(
            {"type": "Book", "where": [["isbn", "=", "rose"], ["edition", "=", 2]], "fields": ["pages"]},
            {"link": "written_by", "fields": ["name"]},
            {"link": "books", "fields": ["price"]},
            {"link": "sequel_of"},
        )
        assert [(n["id"], n["data_status"], sorted(n["properties"])) for n in found["nodes"]] == [
            ("rose/2", "PARTIAL", ["pages", "price"]),
            ("eco", "PARTIAL", ["name"]),
            ("rose/1", "FULL", sorted(BOOKS[0][2] or {})),
        ]
        assert found["edges"] == [
            {"from": "Book/rose/2", "link": "written_by", "to": "Author/eco"},
            {"from": "Book/rose/1", "link": "written_by", "to": "Author/eco"},
            {"from": "Book/rose/2", "link": "sequel_of", "to": "Book/rose/1"},
        ]

    def test_several_targets_backwards_come_oldest_first(self, ask: Any) -> None:
        found = ask({"type": "Author"}, {"link": "books", "fields": []})
        assert [n["id"] for n in found["nodes"]][4:] == ["rose/1", "rose/2", "solaris/1", "veg/1"]
        filtered = ask({"type": "Author"}, {"link": "books", "where": [["pages", ">", 247]], "fields": []})
        assert [n["id"] for n in filtered["nodes"]][4:] == ["rose/1", "rose/2"]

    def test_each_limit_that_cuts_says_so(self, ask: Any) -> None:
        start = {"type": "Book"}
        assert ask(start, max_nodes=6)["truncated"] is False
        cut = ask(start, max_nodes=5)
        assert (len(cut["nodes"]), cut["truncated"]) == (5, True)
        hop = {"link": "written_by"}
        whole = ask(start, hop, max_nodes=10, max_edges=5)
        assert (len(whole["nodes"]), len(whole["edges"]), whole["truncated"]) == (10, 5, False)
        cut = ask(start, hop, max_nodes=8)
        assert (len(cut["nodes"]), len(cut["edges"]), cut["truncated"]) == (8, 3, True)
        cut = ask(start, hop, max_edges=2)
        assert (len(cut["edges"]), cut["truncated"]) == (2, True)
        cut = ask({"type": "Author"}, {"link": "books"}, max_edges=3)
        assert (len(cut["edges"]), cut["truncated"]) == (3, True)

    def test_an_update_moves_the_link_and_a_deletion_leaves_a_missing_node(
        self, filled: Writer, sink: ProjectionSink, ask: Any
    ) -> None:
        moved = {"isbn": "lost", "edition": 1, "title": "Found"}
        sink.apply(filled.batch([("Book", "lost/1", moved, {"written_by": "han"}), ("Author", "eco", None, None)]), 1)
        backwards = ask({"type": "Author", "id": "han"}, {"link": "books", "fields": []})
        assert [n["id"] for n in backwards["nodes"]] == ["han", "veg/1", "lost/1"]
        assert ask({"type": "Author", "id": "nobody"}, {"link": "books"})["edges"] == []
        orphan = ask({"type": "Book", "where": [["isbn", "=", "rose"]], "fields": []}, {"link": "written_by"})
        assert orphan["nodes"][-1]["data_status"] == "MISSING"
        assert len(orphan["edges"]) == 2

    def test_the_digest_is_the_log_s(self, sink: ProjectionSink) -> None:
        writer = Writer()
        changes = [*BOOKS, *AUTHORS, BOOKS[1], ("Book", "veg/1", None, None), ("Author", "lem", None, None), AUTHORS[2]]
        events = [writer.event(change) for change in changes]
        sink.claim(1)
        for event in events:
            sink.apply(as_batch([event]), 1)
        assert sink.digest() == folded_digest(events) == sink.recompute_digest()
