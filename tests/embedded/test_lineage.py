"""Lineage is what happens: one column of a source file is changed, the job runs, and exactly what lineage names may
differ from the run over the files as they are; what it calls a value does differ.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from ontology_assets.model.loading import load_domain
from tests.perturbed import Bench, Change, Observed, Tried, by_table, differing, faults, read_file, to, without_rules

BAKERY = Path(__file__).parent.parent / "domains" / "bakery"


def whole(text: str) -> str:
    return str(int(text) + 1) if text.isdigit() else text


def scattered(text: str) -> str:
    """Another number of 1 to 41, in another order: ranks change too."""
    return str(int(text) * 26 % 41 + 1) if text.isdigit() else text


def cents(text: str) -> str:
    return str(Decimal(text) + Decimal("0.01")) if text.replace(".", "").isdigit() else text


def days(number: int) -> Callable[[str], str]:
    def moved(text: str) -> str:
        try:
            return (date.fromisoformat(text) + timedelta(days=number)).isoformat()
        except ValueError:
            return text

    return moved


NEXT = {"bread": "cake", "cake": "tart", "tart": "bread"}
CHANGES: Mapping[tuple[str, str], list[Change]] = {
    ("sales", "receipt"): [to("receipt", lambda text: f"X{text[1:]}")],
    ("sales", "line"): [to("line", whole)],
    ("sales", "product"): [to("product", lambda text: NEXT.get(text, text))],
    ("sales", "city"): [to("city", lambda text: f"{text}-sur-Mer")],
    ("sales", "street"): [to("street", lambda text: f"{text} bis")],
    ("sales", "sold_on"): [to("sold_on", days(20)), to("sold_on", days(-80))],
    ("sales", "quantity"): [to("quantity", scattered)],
    ("sales", "unit_price"): [to("unit_price", cents)],
    ("sales", "discount"): [to("discount", cents)],
    ("shops", "city"): [to("city", lambda text: f"{text}-sur-Mer")],
    ("shops", "street"): [to("street", lambda text: f"{text} bis")],
    ("shops", "name"): [to("name", lambda text: f"{text} et fils")],
    ("shops", "opened"): [to("opened", days(1))],
    ("shops", "lat"): [to("lat", lambda text: str(float(text) + 0.5))],
    ("shops", "lon"): [to("lon", lambda text: str(float(text) + 0.5))],
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    domain = load_domain(BAKERY)
    files = {name: read_file(BAKERY / "sources" / dataset.file) for name, dataset in domain.datasets.items()}
    return Bench(without_rules(domain), files, tmp_path_factory.mktemp("bakery"))


@pytest.fixture(scope="module")
def graph(bench: Bench) -> ColumnGraph:
    return column_graph(bench.domain)


@pytest.fixture(scope="module")
def unchanged(bench: Bench) -> Observed:
    return bench.observe(bench.files)


@pytest.fixture(scope="module")
def tried(bench: Bench, unchanged: Observed) -> list[Tried]:
    return bench.try_out(CHANGES, unchanged)


def test_every_column_of_every_file_is_changed(bench: Bench) -> None:
    assert {(name, column) for name, rows in bench.files.items() for column in rows[0]} == set(CHANGES)


def test_lineage_has_every_column_that_is_stored_and_no_other(graph: ColumnGraph, unchanged: Observed) -> None:
    known = {column for column, node in graph.nodes.items() if node.layer != "file" and not node.inner}
    assert by_table(unchanged.keys() - known) == {}
    assert by_table(known - unchanged.keys()) == {}


def not_in_these_files(column: Column, rows: Column) -> bool:
    """There is one shop for each city and street: the join adds no row, its name makes no other group."""
    return column.table == "file/shops" and ("shop_month" in rows.table or rows.scope == "ShopMonth")


def test_exactly_what_lineage_names_differs(graph: ColumnGraph, tried: list[Tried]) -> None:
    assert faults(graph, tried, excused=not_in_these_files) == []


def test_an_edge_that_is_missing_is_found(graph: ColumnGraph, tried: list[Tried]) -> None:
    """Each edge in turn without which less is named of what is stored."""
    stored = {column for column, node in graph.nodes.items() if not node.inner}
    named = {one.column: graph.affected_by([one.column]) for one in tried}
    missing = 0
    for edge in graph.edges.values():
        without = graph.without(edge)
        concerned = [one for one in tried if edge.source in named[one.column]]
        if any((named[one.column] - without.affected_by([one.column])) & stored for one in concerned):
            missing += 1
            assert faults(without, concerned, excused=not_in_these_files), f"{edge.source.id} -> {edge.target.id}"
    assert missing > 100


def test_an_edge_too_many_is_found(graph: ColumnGraph, tried: list[Tried]) -> None:
    """From each column of a file to a value and to the rows of a table that it has nothing to do with."""
    added = 0
    for one in tried:
        others = [c for c in graph.nodes if c not in graph.affected_by([one.column]) and not graph.nodes[c].inner]
        visible = [c for c in others if c.rows not in one.empty and not not_in_these_files(one.column, c)]
        for target in [c for c in visible if graph.nodes[c].layer != "file"]:
            more = ColumnGraph(dict(graph.nodes), dict(graph.edges))
            more.link(one.column, target, "nothing", "rows" if target.is_rows else "value")
            added += 1
            assert faults(more, [one], excused=not_in_these_files), f"{one.column.id} -> {target.id}"
    assert added > 100


def test_a_spoilt_value_takes_its_row_out_which_is_a_matter_of_rows(
    bench: Bench, graph: ColumnGraph, unchanged: Observed
) -> None:
    spoilt = bench.changed("sales", to("quantity", lambda text: "many" if text == "1" else text))
    differs = differing(unchanged, bench.observe(spoilt))
    quantity = Column("file/sales", "quantity")
    assert Column("clean/sales", ROWS) in differs
    assert differs <= graph.affected_by([quantity, Column("clean/sales", ROWS)])
    assert Column("ontology/sale/objects", "city") in differs - graph.affected_by([quantity])


def test_a_row_more_changes_what_is_behind_the_rows_of_the_file(
    bench: Bench, graph: ColumnGraph, unchanged: Observed
) -> None:
    new = {"city": "Brest", "street": "Rue de Siam", "name": "Kouign", "opened": "", "lat": "", "lon": ""}
    differs = differing(unchanged, bench.observe({**bench.files, "shops": [*bench.files["shops"], new]}))
    named = graph.affected_by([Column("file/shops", ROWS)])
    assert {Column("ontology/shop/objects", name) for name in ("city", "street", "name")} <= differs <= named
