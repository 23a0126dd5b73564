"""The SQLite graph model keeps the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ontology_assets.projections.layouts import domain_layout
from ontology_assets.projections.sinks import ProjectionSink, graph_sink, search_sink
from resources.home import Home
from resources.read_model.sqlite_graph import SqliteGraphModel
from tests.contracts.graph_model import GraphModelContract
from tests.contracts.library import AUTHORS, BOOKS, LIBRARY, Writer


class TestSqliteGraphModel(GraphModelContract):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> Iterator[ProjectionSink]:
        sink = graph_sink(Home(tmp_path), LIBRARY)
        yield sink
        sink.close()

    @pytest.fixture
    def model(self, tmp_path: Path) -> Iterator[SqliteGraphModel]:
        model = SqliteGraphModel(tmp_path / "read" / "graph.sqlite", [domain_layout(LIBRARY)])
        yield model
        model.close()

    def test_it_has_its_own_file_and_position_and_the_digest_of_the_search_model(
        self, filled: Writer, sink: ProjectionSink, tmp_path: Path
    ) -> None:
        search = search_sink(Home(tmp_path), LIBRARY)
        assert search.position() == 0
        search.claim(1)
        search.apply(Writer().batch(BOOKS + AUTHORS), 1)
        assert search.digest() == sink.digest()
        search.close()
