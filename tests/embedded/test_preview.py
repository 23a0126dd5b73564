"""Previews of any node on a sample: the engine and the code of a run, rows in and out, and where a row is dropped.

The tables are small enough to work out by hand; the sales of shops are those of the documents on joins: one shop has no
entry, one line has no quantity.
"""

import json
import socket
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from gateway.previews import IDLE_VARIABLE, Asked, end
from gateway.previews import preview as ask
from resources.errors import SpiceError
from resources.home import Home
from resources.lake.base import Lake
from resources.lake.local import LocalLake
from resources.spark import session, to_arrow
from transforms.definitions import Pipeline
from transforms.pipeline import PipelineTables
from transforms.preview.document import preview

NAMES = ("_partition", "_row", "id", "shop", "product", "quantity")
SALES = [
    ("a", 1, "s1", "x", "bread", 2),
    ("a", 2, "s2", "x", "cake", 1),
    ("a", 3, "s3", "gone", "bread", 5),
    ("a", 4, "s4", "x", "bread", None),
    ("a", 5, "s5", "y", "bread", 3),
    ("b", 6, "s6", "y", "tart", 4),
    ("b", 7, "s7", "y", "bread", 4),
]
PIPELINE = {
    "partition": "sales",
    "inputs": {"sales": "clean/sales", "shops": "clean/shops"},
    "nodes": {
        "many": {"from": "sales", "filter": "quantity > 1"},
        "named": {"from": "many", "join": "shops", "on": ["shop"], "how": "inner"},
        "doubled": {"from": "named", "compute": {"twice": "quantity * 2"}},
        "totals": {"from": "doubled", "group_by": ["shop", "product"], "aggregate": {"sold": "sum(twice)"}},
        "ranked": {"from": "totals", "window": {"place": "rank()"}, "order_by": ["sold desc"]},
        "wide": {
            "from": "ranked",
            "pivot": "product",
            "values": {"bread": "bread"},
            "index": ["shop"],
            "columns": ["sold"],
        },
    },
    "output": "wide",
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = LocalLake(tmp_path / "lake")
    columns = {name: [row[place] for row in SALES] for place, name in enumerate(NAMES)}
    sales = pa.table(
        columns, schema=pa.schema([(n, pa.int64() if n in ("_row", "quantity") else pa.string()) for n in NAMES])
    )
    made.replace("clean/sales", sales, versions={"a": "1" * 64, "b": "2" * 64}, partition_column="_partition")
    shops = pa.table({"shop": ["x", "y"], "town": ["Lyon", None], "opened": [date(2020, 1, 2), None]})
    made.replace("clean/shops", shops, versions={"": "3" * 64}, partition_column=None)
    return made


@pytest.fixture
def tables(lake: Lake) -> PipelineTables:
    return PipelineTables("sold", Pipeline.model_validate(PIPELINE), lake, session)


def counts(found: dict[str, Any]) -> dict[str, tuple[dict[str, int | None], int | None]]:
    return {one["node"]: (one["rows_in"], one["rows_out"]) for one in found["nodes"]}


def fates(found: dict[str, Any]) -> list[tuple[str, int, int, str | None]]:
    return [(one["node"], one["rows_in"], one["rows_out"], one["why"]) for one in found["trace"]]


def test_each_node_says_how_many_rows_come_and_go(tables: PipelineTables) -> None:
    found = preview(tables, partition="a")
    assert counts(found) == {
        "many": ({"sales": 5}, 3),
        "named": ({"many": 3, "shops": 2}, 2),
        "doubled": ({"named": 2}, 2),
        "totals": ({"doubled": 2}, 2),
        "ranked": ({"totals": 2}, 2),
        "wide": ({"ranked": 2}, 2),
    }
    assert found["sample"] == {
        "input": "sales", "table": "clean/sales", "rows": 5, "of": 5, "partition": "a", "whole": True,
    }  # fmt: skip
    assert [column["name"] for column in found["columns"]] == ["shop", "sold_bread"]
    assert sorted(found["rows"]) == [["x", 4], ["y", 6]]
    assert found["trace"] is None
    json.dumps(found)


def test_what_is_shown_of_a_whole_partition_is_what_a_run_makes(tables: PipelineTables) -> None:
    made = to_arrow(tables.output(["a"]).data).to_pylist()
    assert sorted(preview(tables, partition="a")["rows"]) == sorted([row["shop"], row["sold_bread"]] for row in made)


def test_any_node_and_any_input_can_be_asked_for(tables: PipelineTables) -> None:
    found = preview(tables, node="named", partition="a", rows=1)
    assert list(counts(found)) == ["many", "named"]
    assert found["rows"] == [["s1", "x", "bread", 2, "Lyon", "2020-01-02"]]
    assert preview(tables, node="shops")["rows"] == [["x", "Lyon", "2020-01-02"], ["y", None, None]]
    assert [row[0] for row in preview(tables, node="sales", partition="b")["rows"]] == ["s6", "s7"]
    with pytest.raises(SpiceError, match=r"no node 'namde'\. Did you mean 'named'"):
        preview(tables, node="namde")


def test_without_a_partition_the_last_with_rows_is_taken(tables: PipelineTables) -> None:
    assert preview(tables)["sample"]["partition"] == "b"
    with pytest.raises(SpiceError, match=r"has no partition 'c'.*a \.\. b"):
        preview(tables, partition="c")


def test_a_large_partition_is_thinned_evenly_and_always_the_same(tables: PipelineTables) -> None:
    found = preview(tables, node="sales", partition="a", sample_rows=3)
    assert [row[0] for row in found["rows"]] == ["s1", "s3", "s5"]
    assert (found["sample"]["rows"], found["sample"]["of"], found["sample"]["whole"]) == (3, 5, False)
    assert preview(tables, node="sales", partition="a", sample_rows=3)["rows"] == found["rows"]


@pytest.mark.parametrize(
    ("row", "last", "why"),
    [
        ("s2", "many", "the condition is false: quantity 1"),
        ("s4", "many", "the condition is unknown (null): quantity missing"),
        ("s3", "named", "no row of shops has the same shop: shop gone"),
    ],
)
def test_a_row_is_followed_to_the_node_that_drops_it(tables: PipelineTables, row: str, last: str, why: str) -> None:
    found = preview(tables, wanted=[("id", row)])
    assert fates(found)[-1] == (last, 1, 0, why)
    assert found["sample"]["partition"] == "a"


def test_a_row_that_is_kept_is_followed_to_the_end(tables: PipelineTables) -> None:
    found = preview(tables, wanted=[("_row", "5")], sample_rows=1)
    assert fates(found) == [
        ("sales", 1, 1, None),
        ("many", 1, 1, None),
        ("named", 1, 1, None),
        ("doubled", 1, 1, None),
        ("totals", 1, 1, "they are in 1 group: shop y, product bread"),
        ("ranked", 1, 1, None),
        ("wide", 1, 1, None),
    ]
    assert found["trace"][3]["rows"][0]["twice"] == 6
    assert found["trace"][-1]["rows"] == [{"shop": "y", "sold_bread": 6}]


def test_a_value_that_a_pivot_has_no_column_for_is_said(tables: PipelineTables) -> None:
    found = preview(tables, wanted=[("id", "s6")])
    assert fates(found)[-1] == ("wide", 1, 1, "product tart is none of bread, so it makes no cell")


def test_the_row_that_a_dedupe_kept_instead_is_shown(tables: PipelineTables) -> None:
    nodes = {"latest": {"from": "sales", "dedupe": ["shop"], "order_by": ["id desc"]}}
    pipeline = Pipeline.model_validate({**PIPELINE, "nodes": nodes, "output": "latest"})
    deduped = PipelineTables("latest", pipeline, tables.lake, session)
    assert fates(preview(deduped, wanted=[("id", "s1")]))[-1] == (
        "latest", 1, 0, "another row of the same shop stayed: shop x, id s4, product bread, quantity missing",
    )  # fmt: skip
    assert fates(preview(deduped, wanted=[("id", "s4")]))[-1] == ("latest", 1, 1, None)


def test_several_rows_are_followed_together(tables: PipelineTables) -> None:
    found = preview(tables, wanted=[("shop", "x"), ("product", "bread")])
    assert fates(found)[:2] == [
        ("sales", 2, 2, None),
        ("many", 2, 1, "the condition is unknown (null): quantity missing"),
    ]


def test_a_row_that_is_not_there_is_an_error(tables: PipelineTables) -> None:
    with pytest.raises(SpiceError, match="clean/sales has no row with id = s9"):
        preview(tables, wanted=[("id", "s9")])
    with pytest.raises(SpiceError, match="no column nothing"):
        preview(tables, wanted=[("nothing", "1")])


def test_a_branch_is_previewed_like_main(lake: Lake, tables: PipelineTables) -> None:
    lake.branches.create("try")
    there = lake.branches.at("try")
    shops = pa.table({"shop": ["x", "y", "gone"], "town": ["Lyon", None, "Nice"]})
    there.replace("clean/shops", shops, versions={"": "4" * 64}, partition_column=None)
    on_branch = PipelineTables("sold", tables.pipeline, there, session)
    assert counts(preview(on_branch, partition="a"))["named"] == ({"many": 3, "shops": 3}, 3)
    assert counts(preview(tables, partition="a"))["named"] == ({"many": 3, "shops": 2}, 2)


def test_the_process_that_answers_stays_until_it_is_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the definitions of this project."""
    monkeypatch.setenv(IDLE_VARIABLE, "60")
    home, told = Home(tmp_path), list[str]()
    for _ in range(2):
        with pytest.raises(SpiceError, match="no pipeline 'sold'"):
            ask(home, Asked("sold"), told.append)
    assert len(told) == 1
    file = tmp_path / "logs" / "preview.json"
    assert file.stat().st_mode & 0o077 == 0
    port = json.loads(file.read_text())["port"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b'{"secret": "wrong", "end": true}\n')
        assert connection.recv(10) == b""
    socket.create_connection(("127.0.0.1", port), timeout=20).close()
    end(home)
    assert not file.exists()
    with pytest.raises(OSError):
        while True:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(b"{}\n")
                connection.recv(10)
