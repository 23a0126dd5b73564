"""The SQLite search model keeps the contract, and what is SQLite's own: the file, its loss, its layout."""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ontology_assets.projections import json_columns
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.sinks import ProjectionSink, search_sink
from resources.fencing import Fenced
from resources.home import Home
from resources.read_model.base import NotReady
from resources.read_model.sqlite_search import SqliteSearchModel
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY, Writer, as_batch, folded_digest
from tests.contracts.search_model import SearchModelContract


class TestSqliteSearchModel(SearchModelContract):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> Iterator[ProjectionSink]:
        sink = search_sink(Home(tmp_path), LIBRARY)
        yield sink
        sink.close()

    @pytest.fixture
    def model(self, tmp_path: Path) -> Iterator[SqliteSearchModel]:
        model = SqliteSearchModel(tmp_path / "read" / "search.sqlite", [domain_layout(LIBRARY)])
        yield model
        model.close()

    def test_a_deleted_file_is_noticed_fenced_and_built_again(
        self, filled: Writer, sink: ProjectionSink, model: SqliteSearchModel, tmp_path: Path
    ) -> None:
        with model.snapshot("library"):
            pass
        before = sink.digest()
        for file in (tmp_path / "read").iterdir():
            file.unlink()
        with pytest.raises(NotReady), model.snapshot("library"):
            pass
        with pytest.raises(Fenced):
            sink.apply(filled.batch(AUTHORS), 1)
        assert (sink.position(), sink.epoch()) == (0, 0)
        sink.claim(2)
        sink.apply(Writer().batch(AUTHORS + BOOKS), 2)
        assert sink.digest() == before
        with model.snapshot("library") as snapshot:
            assert snapshot.state.position == 10

    @pytest.mark.parametrize("damage", [b"no database at all", b""])
    def test_a_damaged_file_is_replaced(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink.close()
        path = tmp_path / "read" / "search.sqlite"
        path.write_bytes(damage)
        again = search_sink(Home(tmp_path), LIBRARY)
        with caplog.at_level(logging.WARNING):
            assert again.position() == 0
        assert not damage or "built again from the log" in caplog.text
        again.claim(1)
        again.apply(Writer().batch(AUTHORS), 1)
        assert again.position() == 4
        again.close()

    def test_another_ontology_builds_the_domain_again_and_keeps_the_epoch(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink.close()
        types = dict(LIBRARY.object_types)
        shelf = types["Shelf"]
        changed = shelf.model_copy(update={"properties": {**shelf.properties, "width": shelf.properties["height"]}})
        other = LIBRARY.model_copy(update={"object_types": {**types, "Shelf": changed}})
        again = search_sink(Home(tmp_path), other)
        assert (again.position(), again.epoch()) == (0, 1)
        old_reader = SqliteSearchModel(tmp_path / "read" / "search.sqlite", [domain_layout(LIBRARY)])
        with old_reader.snapshot("library") as snapshot:
            assert snapshot.state.position == 10, "looking at it with other definitions drops nothing"
        with caplog.at_level(logging.WARNING):
            again.claim(2)
        assert "the ontology changed, it is built again from the log" in caplog.text
        with pytest.raises(NotReady, match="another ontology"), old_reader.snapshot("library"):
            pass
        with pytest.raises(Fenced):
            sink.apply(filled.batch(AUTHORS), 1)
        again.apply(Writer().batch(AUTHORS), 2)
        assert again.proof().kept == again.proof().recomputed
        sink.claim(3)
        assert sink.position() == 0
        sink.apply(Writer().batch(AUTHORS), 3)
        again.close()

    def test_a_label_or_an_enum_code_does_not_build_anything_again(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path
    ) -> None:
        sink.close()
        types = dict(LIBRARY.object_types)
        genre = types["Book"].properties["genre"].model_copy(update={"values": {"f": "x", "n": "y", "z": "z"}})
        book = types["Book"].model_copy(update={"properties": {**types["Book"].properties, "genre": genre}})
        again = search_sink(Home(tmp_path), LIBRARY.model_copy(update={"object_types": {**types, "Book": book}}))
        assert again.position() == 10
        again.close()

    def test_damage_that_shows_while_writing_drops_the_file_and_fences_the_writer(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path
    ) -> None:
        sink.close()
        path = tmp_path / "read" / "search.sqlite"
        content = bytearray(path.read_bytes())
        for page in range(2, len(content) // 4096):  # the schema on the first pages stays whole
            content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
        path.write_bytes(content)
        again = search_sink(Home(tmp_path), LIBRARY)
        with pytest.raises(Fenced):
            again.apply(filled.batch(BOOKS), 1)
        assert (again.position(), again.epoch()) == (0, 0)
        again.claim(2)
        again.apply(Writer().batch(AUTHORS), 2)
        assert again.position() == 4
        again.close()

    def test_two_domains_share_the_file_and_nothing_else(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path
    ) -> None:
        museum = LIBRARY.model_copy(update={"name": "museum"})
        other = search_sink(Home(tmp_path), museum)
        assert (other.position(), other.epoch()) == (0, 0)
        other.claim(9)
        other.apply(Writer().batch(AUTHORS), 9)
        assert (sink.position(), sink.epoch(), other.position()) == (10, 1, 4)
        assert sink.digest() == sink.recompute_digest()
        assert other.digest() == other.recompute_digest() != sink.digest()
        other.close()

    def test_a_spoilt_row_shows_in_the_recomputed_digest(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path
    ) -> None:
        assert sink.digest() == sink.recompute_digest()
        with sqlite3.connect(tmp_path / "read" / "search.sqlite") as connection:
            connection.execute("UPDATE t2 SET p_pages = 503 WHERE id = 'rose/1'")
        assert sink.digest() != sink.recompute_digest()

    def test_a_first_load_in_many_batches_ends_with_indexes_and_words(
        self, sink: ProjectionSink, model: SqliteSearchModel, tmp_path: Path
    ) -> None:
        class Log:
            domain = "library"
            position = 1_000_000

            def end(self) -> "Log":
                return self

        log = Log()
        far = search_sink(Home(tmp_path), LIBRARY, log)  # type: ignore[arg-type]
        writer = Writer()
        events = [writer.event(c) for c in AUTHORS + BOOKS]
        events.append(writer.event(("Book", "rose/1", {"isbn": "rose", "edition": 1, "title": "Changed"}, None)))
        events.append(writer.event(("Book", "veg/1", None, None)))
        far.claim(1)
        far.apply(as_batch(events[:8]), 1)
        far.apply(as_batch(events[8:11]), 1)
        with model.snapshot("library") as snapshot:
            assert not snapshot.ready_for_words(domain_layout(LIBRARY).types[1])
        log.position = 12
        far.apply(as_batch(events[11:]), 1)
        with model.snapshot("library") as snapshot:
            assert snapshot.ready_for_words(domain_layout(LIBRARY).types[1])
        assert far.digest() == folded_digest(events) == far.recompute_digest()
        far.close()


class TestSqliteSearchModelReadAtOnce(SearchModelContract):
    """The same with every batch, however small, read by Arrow."""

    sink = TestSqliteSearchModel.sink
    model = TestSqliteSearchModel.model

    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_columns, "WORTH_IT", 1)
