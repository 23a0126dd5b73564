"""What may be left as it is when an input changes: every case of every operation, arriving in pieces, gives the table
that was worked out by hand, by each column that the definitions allow; what mixes rows is refused at its node."""

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from resources.lake.local import LocalLake
from resources.spark import session
from tests.embedded.operation_cases import PARTITION, Case
from tests.embedded.test_operations import EVERY
from transforms.definitions import Pipeline
from transforms.incremental.locality import check_locality
from transforms.nodes.example import Table, sorted_rows
from transforms.outputs.definition import Incremental
from transforms.pipeline import run_pipeline
from transforms.schemas import pipeline_columns
from transforms.types import parse_type
from transforms.yaml_source import FieldPath

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
WHOLE = {
    name: case for name, case in EVERY.items() if all(PARTITION not in one.columns for one in case.tables.values())
}


def refusals(case: Case, by: Sequence[str]) -> list[tuple[FieldPath, str]]:
    found: list[tuple[FieldPath, str]] = []

    def report(path: FieldPath, detail: str, allowed: Iterable[str], column: int | None) -> None:
        found.append((path, detail))

    pipeline = case.pipeline()
    known = pipeline_columns(
        pipeline, {name: one.columns for name, one in case.tables.items()}, report=report, timezone=case.timezone
    )
    check_locality(pipeline, by, known, report)
    return found


def allowed(case: Case) -> list[str]:
    """Columns that the case can be incremental by."""
    usable = [name for name, kind in case.result.columns.items() if parse_type(kind).usable_in_key]
    return [name for name in usable if not refusals(case, [name])]


BY = [(name, column) for name, case in WHOLE.items() for column in allowed(case)[: None if LONG else 1]]


def put(lake: LocalLake, name: str, table: Table, *, every: int) -> None:
    """Each `every`th row of a table, as an input."""
    rows = table.arrow()
    rows = rows.take(pa.array(range(0, rows.num_rows, every), pa.int64()))
    version = sha256(repr(rows.to_pylist()).encode()).hexdigest()
    lake.replace(f"clean/{name}", rows, versions={"": version}, partition_column=None)


@pytest.mark.parametrize(("name", "column"), BY)
def test_arrivals_give_what_was_worked_out_by_hand(name: str, column: str, tmp_path: Path) -> None:
    case = WHOLE[name]
    incremental = {"incremental": Incremental(by=[column])}
    pipeline: Pipeline = case.pipeline().model_copy(update=incremental)
    lake = LocalLake(tmp_path)
    scopes = []
    for every in (2, 1):
        for local, table in case.tables.items():
            put(lake, local, table, every=every)
        report = run_pipeline("p", pipeline, lake, [""], engine=session, timezone=case.timezone)
        assert report.run is not None
        scopes.append(report.run.scope)
    assert not any(scope.startswith("all") for scope in scopes[1:]), scopes
    rows = [tuple(row.values()) for row in lake.scan("transform/p").to_pylist()]
    assert sorted_rows(rows) == sorted_rows(case.result.rows())


T = Table("| k: string | s: string | n: integer |\n| a | x | 1 |")
MIXED = {
    "{group_by: [k], aggregate: {n: sum(n)}, from: t}": ("n", "group_by", "brings rows of different 'n' together"),
    "{window: {n2: sum(n)}, order_by: [k], from: t}": ("k", "window", "brings rows of different 'k' together"),
    "{sort: [k], limit: 1, from: t}": ("k", "sort", "brings rows of different 'k' together"),
    "{aggregate: {n: sum(n)}, from: t}": ("n", "aggregate", "brings rows of different 'n' together"),
    "{compute: {k: upper(k)}, from: t}": ("k", "compute", "makes new values of 'k'"),
    "{join: u, how: cross, keep: {s: s2}, from: t}": ("k", "how", "brings every row of 'u' to every other"),
    "{join: u, on: [k], how: left, keep: {s: s2}, from: t}": ("s2", "join", "'s2' comes from the joined side, 'u'"),
    "{join: u, on: [k], how: full, keep: {s: s2}, from: t}": ("n", "join", "have no 'n' of their own"),
    "{union: [u], mode: pad, from: t}": ("m", "union", "rows of 't' have no 'm'"),
}


@pytest.mark.parametrize("node", MIXED)
def test_what_mixes_rows_is_refused_at_its_node_with_the_reason(node: str) -> None:
    column, field, reason = MIXED[node]
    other = Table("| k: string | s: string | m: integer |\n| a | x | 1 |")
    case = Case("", {"t": T, "u": other}, f"made: {node}", T)
    ((path, said),) = refusals(case, [column])
    assert path == ("nodes", "made", field)
    assert reason in said
    assert "Name other columns in `incremental.by`, or leave `incremental` out." in said


def test_a_node_that_mixes_rows_is_found_behind_others() -> None:
    nodes = """
    ranked: {window: {place: row_number()}, order_by: [n], from: t}
    best: {filter: place = 1, from: ranked}
    beside: {join: best, on: [k], how: left, keep: {place: place}, from: t}
    """
    (refusal,) = refusals(Case("", {"t": T}, nodes, T, output="beside"), ["k"])
    assert refusal[0] == ("nodes", "ranked", "window")
