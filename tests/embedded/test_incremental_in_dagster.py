"""An incremental pipeline as an asset: the one job runs it, its materialization says what was computed again, a plan
knows what it was made of, and a build of it is promoted with what it keeps beside."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ontology_assets.model.table_columns import declared_columns
from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake
from tests.bakery import NAME, Kitchen, Ran, kitchen
from transforms.building.plan import plan

TABLE = "transform/product_sales"
PIPELINE = """pipelines:
  product_sales:
    inputs: {sales: clean/sales}
    nodes:
      totals: {group_by: [product], aggregate: {lines: count(*), pieces: sum(quantity), last_day: max(sold_on)}, from: sales}
      judged: {compute: {dead: lines > 1000}, from: totals}
    output: judged
    write: {mode: merge, key: [product], order: [last_day desc, lines desc], remove: dead}
    incremental: {by: [product], lateness: {sales: {column: sold_on, within: 900d}}}
"""
LINE = ["R9001", "1", "bread", "Lyon", "Rue Mercière", "2024-01-31", "7", "1.20", ""]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kitchen]:
    yield from kitchen(tmp_path / "kitchen", rules=False)


def metadata_of(home: Path) -> dict[str, Any]:
    """Of the newest materialization."""
    with open_instance(Home(home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(TABLE.split("/")))
        assert event is not None
        assert event.asset_materialization is not None
        return {name: one.value for name, one in event.asset_materialization.metadata.items()}


def expected(home: Path) -> dict[str, tuple[int, int]]:
    """Lines and pieces by product, from the source."""
    lines, pieces = Counter[str](), Counter[str]()
    with (home / "sources" / NAME / "sales.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["quantity"].isdigit():
                lines[row["product"]] += 1
                pieces[row["product"]] += int(row["quantity"])
    return {product: (lines[product], pieces[product]) for product in lines}


def held(home: Path, branch: str = "main") -> dict[str, tuple[int, int]]:
    rows = LocalLake(Home(home).lake).branches.at(branch).scan(TABLE).to_pylist()
    return {row["product"]: (row["lines"], row["pieces"]) for row in rows}


def sell(home: Path) -> None:
    with (home / "sources" / NAME / "sales.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(LINE)


def done(ran: Ran) -> Ran:
    assert ran.status == 0, ran.failures
    return ran


def test_an_incremental_pipeline_is_run_planned_built_and_promoted_as_all_are(own: Kitchen, tmp_path: Path) -> None:
    file = own.shop.folder / "domain.yaml"
    file.write_text(file.read_text("utf-8").replace("pipelines:\n", PIPELINE, 1), "utf-8")
    home = own.copy(tmp_path)
    done(own.server.run(home))
    assert held(home) == expected(home)
    said = metadata_of(home)
    assert said["computed"] == "all: the first run"
    assert "| sales | clean/sales |" in said["watermarks"]

    sell(home)
    done(own.server.run(home))
    assert held(home) == expected(home)
    said = metadata_of(home)
    assert said["computed"] == "1 values of product"
    figures = ("rows_arrived", "rows_left", "rows_new", "rows_changed", "rows_removed", "rows_late")
    assert [said[name] for name in figures] == [1, 0, 0, 1, 0, 0]

    def planned(branch: str = "main") -> list[str]:
        domain, lake = own.shop.domain, LocalLake(Home(home).lake).branches.at(branch)
        columns = declared_columns(domain)[TABLE]
        found = plan("product_sales", domain.pipelines["product_sales"], lake, columns, timezone=domain.timezone)
        return [one.reason for one in found.partitions]

    assert planned() == []
    done(own.server.run(home))
    assert metadata_of(home)["computed"] == "nothing: no input changed"

    file.write_text(file.read_text("utf-8").replace("dead: lines > 1000", "dead: product = 'bread'"), "utf-8")
    assert planned() == ["definition changed"]
    done(own.server.run(home, job="build_product_sales", config={f"{TABLE}/build": {"branch": "try"}}))
    assert (planned(), planned("try")) == (["definition changed"], [])
    assert ("bread" in held(home), "bread" in held(home, "try")) == (True, False)
    done(own.server.run(home, only=TABLE, config={TABLE: {"promote": "try"}}))
    assert (held(home), planned()) == (held(home, "try"), [])
    assert LocalLake(Home(home).lake).scan("removed/product_sales")["product"].to_pylist() == ["bread"]
