"""Lineage is what happens: one column of a source file is changed, the job runs, and exactly what lineage names may
differ from the run over the files as they are; what it calls a value does differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import Column, ColumnGraph
from ontology_assets.model.loading import load_domain
from tests.perturbed import Bench, Observed, by_table, differing, read_file, without_rules

BAKERY = Path(__file__).parent.parent / "domains" / "bakery"
Change = Callable[[dict[str, str]], None]


def to(column: str, value: Callable[[str], str]) -> Change:
    """Change every value that there is."""

    def change(row: dict[str, str]) -> None:
        if row[column] not in ("", "-"):
            row[column] = value(row[column])

    return change


def absent_to(column: str, value: str) -> Change:
    def change(row: dict[str, str]) -> None:
        if row[column] in ("", "-"):
            row[column] = value

    return change


def whole(text: str) -> str:
    return str(int(text) + 1) if text.isdigit() else text


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
    ("sales", "sold_on"): [to("sold_on", days(20))],
    ("sales", "quantity"): [to("quantity", whole)],
    ("sales", "unit_price"): [to("unit_price", cents)],
    ("sales", "discount"): [to("discount", cents)],
    ("shops", "city"): [to("city", lambda text: f"{text}-sur-Mer")],
    ("shops", "street"): [to("street", lambda text: f"{text} bis")],
    ("shops", "name"): [to("name", lambda text: f"{text} et fils")],
    ("shops", "opened"): [to("opened", days(1))],
    ("shops", "lat"): [to("lat", lambda text: str(float(text) + 0.5))],
    ("shops", "lon"): [to("lon", lambda text: str(float(text) + 0.5))],
}


@dataclass(frozen=True)
class Tried:
    """What differed when one column of a file was changed."""

    column: Column
    differs: frozenset[Column]


def faults(graph: ColumnGraph, tried: list[Tried]) -> list[str]:
    """Where lineage and what happened do not agree: what differs and is not named, what is named and never differs."""
    found = []
    for one in tried:
        named = graph.affected_by([one.column])
        missed = one.differs - named
        if missed:
            found.append(f"{one.column.id} changes what lineage does not name: {by_table(missed)}")
        values = graph.ahead([one.column], values_only=True) - {one.column}
        same = {column for column in values if not graph.nodes[column].inner} - one.differs
        if same:
            found.append(f"{one.column.id} changes nothing in what it is said to be the value of: {by_table(same)}")
    return found


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
    found = []
    for (dataset, column), changes in CHANGES.items():
        differs: set[Column] = set()
        for change in changes:
            differs |= differing(unchanged, bench.observe(bench.changed(dataset, change)))
        found.append(Tried(Column(f"file/{dataset}", column), frozenset(differs)))
    return found


def test_every_column_of_every_file_is_changed(bench: Bench) -> None:
    assert {(name, column) for name, rows in bench.files.items() for column in rows[0]} == set(CHANGES)


def test_lineage_has_every_column_that_is_stored_and_no_other(graph: ColumnGraph, unchanged: Observed) -> None:
    known = {column for column, node in graph.nodes.items() if node.layer != "file" and not node.inner}
    assert by_table(unchanged.keys() - known) == {}
    assert by_table(known - unchanged.keys()) == {}


def test_exactly_what_lineage_names_differs(graph: ColumnGraph, tried: list[Tried]) -> None:
    assert faults(graph, tried) == []
