"""Every operation on Sail and on real Spark: results worked out by hand, types as they were promised.

All cases of an engine are one query (`operation_cases.py`); a test compares what it gave. The examples of docs/transforms.md
are cases too.
"""

from typing import TYPE_CHECKING

import pytest

from resources.spark import EngineError, session, to_arrow
from tests.embedded.operation_cases import Case, Outcome, frame_of, outcomes, wanted_types
from tests.embedded.operation_tables import CASES
from transforms.nodes.example import sorted_rows, table
from transforms.nodes.table import OPERATIONS
from transforms.pipeline import placed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXAMPLES = [
    Case(f"example of {name}{f' ({output})' if output else ''}", shown.tables, shown.nodes, result, output)
    for name, node in OPERATIONS.items()
    if (shown := getattr(node, "example", None)) is not None
    for output, result in {"": shown.result, **(shown.others or {})}.items()
]
EVERY = {case.name: case for case in (*EXAMPLES, *CASES)}


@pytest.fixture(scope="module")
def on_sail() -> dict[str, Outcome]:
    return outcomes(list(EVERY.values()), session())


@pytest.fixture(scope="module")
def on_spark(spark_session: "SparkSession") -> dict[str, Outcome]:
    return outcomes(list(EVERY.values()), spark_session)


def test_names_of_cases_are_unique_and_each_operation_has_some() -> None:
    assert len(EVERY) == len(EXAMPLES) + len(CASES)
    used = {node.operation for case in CASES for node in case.pipeline().nodes.values()}
    assert used == OPERATIONS.keys() - {"udf"}  # tests/unit/tables/test_udf.py


@pytest.mark.parametrize("name", EVERY)
def test_both_engines_give_what_was_worked_out_by_hand(
    name: str, on_sail: dict[str, Outcome], on_spark: dict[str, Outcome]
) -> None:
    wanted = EVERY[name].result
    for engine, found in (("sail", on_sail[name]), ("spark", on_spark[name])):
        assert found.rows == sorted_rows(wanted.rows()), engine
        assert list(found.promised.items()) == list(wanted.columns.items()), engine
        assert list(found.engine_types.items()) == list(wanted_types(wanted.columns).items()), engine


T = table("| k: string? | s: string | n: integer |", "| a | x | 1 |", "| a | x | 1 |", "| | 12 | 1 |", "| | 7 | 1 |")
RAISED = {
    "{cast: {s: integer}, from: t}": "cast: s: x is no integer",
    "{pivot: s, values: {x: x}, index: [k], columns: [n], from: t}": "pivot: more than one row for s 'x'",
    "{lookup: t, on: [k], keep: {n: m}, from: t}": "lookup: more than one row of t for the key a",
    "{lookup: t, on: [k], time: n, keep: {n: m}, from: t}": "lookup: more than one row of t for the key and time a, 1",
    "{stream_join: t, strategy: static, on: [k], keep: {n: m}, from: t}": "stream_join: more than one row of t",
}


@pytest.mark.parametrize("node", RAISED)
def test_what_has_no_right_answer_ends_the_run_at_its_node(node: str, spark_session: "SparkSession") -> None:
    for engine in (session(), spark_session):
        with pytest.raises(EngineError) as caught:
            to_arrow(frame_of(Case("raising", {"t": T}, f"o: {node}", T), engine).data)
        error = placed(caught.value, "p")
        assert error.where == "pipelines.p.nodes.o"
        assert error.detail.startswith(RAISED[node])


ORDERED = {
    "sort: [n desc nulls first, s]": [(None, "b"), (3, "a"), (1, "a"), (1, "z")],
    "sort: [n nulls last, s desc]": [(1, "z"), (1, "a"), (3, "a"), (None, "b")],
    "sort: [n]": [(None, "b"), (1, "a"), (1, "z"), (3, "a")],
    "sort: [n desc], limit: 2": [(3, "a"), (1, "a")],
}


@pytest.mark.parametrize("node", ORDERED)
def test_sorted_rows_come_in_their_order(node: str, spark_session: "SparkSession") -> None:
    rows = table("| n: integer? | s: string |", "| 1 | z |", "| | b |", "| 3 | a |", "| 1 | a |")
    case = Case("sorted", {"t": rows}, f"out: {{{node}, from: t}}", rows)
    for engine in (session(), spark_session):
        assert [tuple(row) for row in frame_of(case, engine).data.collect()] == ORDERED[node]
