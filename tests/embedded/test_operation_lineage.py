"""Lineage of every operation against the engine: a column of an input is changed, and what differs then must be named.

The tables are those of the worked cases; a column's values come in the other order, so that no key is there twice.
"""

from dataclasses import replace

import pytest

from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from ontology_assets.lineage.pipelines import add_pipeline
from resources.spark import session
from tests.embedded.operation_cases import PARTITION, Case, Outcome, outcomes
from tests.embedded.operation_tables import CASES
from transforms.nodes.example import Table
from transforms.nodes.table import OPERATIONS

EXAMPLES = [
    Case(f"example of {name}", shown.tables, shown.nodes, shown.result)
    for name, node in OPERATIONS.items()
    if (shown := getattr(node, "example", None)) is not None
]
EVERY = [*EXAMPLES, *CASES]


def changed(table: Table, column: str) -> Table | None:
    """The table with the values of one column in the other order; None where that is the same."""
    lines = table.lines
    index = list(table.columns).index(column)
    values = [line[index] for line in lines[1:]]
    if values == values[::-1]:
        return None
    rows = [[*line[:index], value, *line[index + 1 :]] for line, value in zip(lines[1:], values[::-1], strict=True)]
    return Table("\n".join("| " + " | ".join(line) + " |" for line in (lines[0], *rows)))


VARIED = {
    (case.name, name, column): replace(
        case, name=f"{case.name} with another {column} of {name}", tables={**case.tables, name: other}
    )
    for case in EVERY
    for name, table in case.tables.items()
    for column in table.columns
    if column != PARTITION and (other := changed(table, column)) is not None
}


@pytest.fixture(scope="module")
def ran() -> dict[str, Outcome]:
    return outcomes([*EVERY, *VARIED.values()], session())


def graph_of(case: Case) -> ColumnGraph:
    graph = ColumnGraph()
    tables = {
        f"clean/{name}": {column: kind for column, kind in one.columns.items() if column != PARTITION}
        for name, one in case.tables.items()
    }
    assert add_pipeline(graph, "p", case.pipeline(), tables, case.timezone) is not None
    return graph


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_what_is_said_is_of_columns_that_there_are(case: Case) -> None:
    graph = graph_of(case)
    for edge in graph.edges.values():
        assert edge.target in graph.nodes
        local = edge.source.table.removeprefix("clean/")
        if local in case.tables and edge.source.name != ROWS:
            assert edge.source.name in case.tables[local].columns


def test_what_differs_when_a_column_changes_is_named(ran: dict[str, Outcome]) -> None:
    by_name = {case.name: case for case in EVERY}
    seen = 0
    for (case, table, column), other in VARIED.items():
        before, after = ran[case], ran[other.name]
        if before.rows == after.rows:
            continue
        seen += 1
        affected = graph_of(by_name[case]).affected_by([Column(f"clean/{table}", column)])
        named = {one.name for one in affected if one.table == "transform/p"}
        for index, name in enumerate(before.promised):
            if sorted(map(str, (row[index] for row in before.rows))) != sorted(
                map(str, (r[index] for r in after.rows))
            ):
                assert {name, ROWS} & named, (case, table, column, name)
        assert named, (case, table, column)
    assert seen > 60
