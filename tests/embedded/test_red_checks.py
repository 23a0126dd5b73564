"""Each check of the second domain's graph is made red by a prepared input: the message says where and what to do.

What a blocking check holds back is not appended in that run; a gate closes before anything is. Checks that compare
what was stored with what was read go red by altering a stored table, since a run that is left alone keeps it right.
"""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ontology_assets.events.envelope import Draft
from ontology_assets.model.loading import load_domain
from orchestration.definitions import build_defs
from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, NAME, Kitchen, Ran, RunServer, edit, workshop
from tests.unit.events.making import event

METZ = "R9001,1,bread,Metz,Rue Serpenoise,2024-02-03,1,1.20,\n"
"""There is no shop there."""


@dataclass(frozen=True)
class Seen:
    """The checks that a run evaluated, by `asset:check`, and the aggregates that it appended events of."""

    ran: Ran
    checks: dict[str, dg.AssetCheckEvaluation]
    appended: set[str]

    def red(self) -> dict[str, str]:
        return {name: one.description or "" for name, one in self.checks.items() if not one.passed}


def run(kitchen: Kitchen, home: Path) -> Seen:
    before = kitchen.shop.readers(home).log(NAME).end().position
    ran = kitchen.server.run(home)
    with open_instance(Home(home)) as instance:
        events = instance.all_logs(ran.outcome["run_id"], of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [one.get_dagster_event().asset_check_evaluation_data for one in events]
    appended = {
        f"{row['aggregate_type']} {row['aggregate_id']}"
        for batch in kitchen.shop.readers(home).log(NAME).events(after_position=before)
        for row in batch.to_pylist()
    }
    return Seen(ran, {f"{one.asset_key.to_user_string()}:{one.check_name}": one for one in found}, appended)


OF_A_REBUILD = {
    f"projection/{model}/{check}"
    for model in ("graph", "search")
    for check in ("live:digest", "live:kept_digest", "fill:proved", "swap:equal_to_the_log")
}
"""Each of `search` is red in test_rebuild_in_dagster.py; those of `graph` are the same code."""
OF_RECORDS = {f"events/{NAME}:reconciled"}
"""Red in test_reconciler.py."""
RED: set[str] = set()
"""The checks that were red in this module; the last test compares them with those that there are."""


def told(seen: Seen, expected: dict[str, tuple[str, ...]], *, blocked: bool) -> None:
    """Exactly these checks are red, and each says these things; the run fails if one of them blocks, and then says so."""
    red = seen.red()
    assert set(red) == set(expected)
    for name, words in expected.items():
        for word in words:
            assert word in red[name], (name, red[name])
        if seen.checks[name].severity == dg.AssetCheckSeverity.ERROR and seen.checks[name].blocking:
            assert red[name] in seen.ran.failures
    assert seen.ran.status == (1 if blocked else 0), seen.ran.failures
    RED.update(red)


def objects(seen: Seen) -> set[str]:
    return {one for one in seen.appended if not one.startswith("Asset ")}


def sales_file(home: Path) -> Path:
    return home / "sources" / NAME / "sales.csv"


def shops_file(home: Path) -> Path:
    return home / "sources" / NAME / "shops.csv"


def test_rules_over_clean_tables_hold_back_what_is_downstream(full: Kitchen, tmp_path: Path) -> None:
    home = full.copy(tmp_path)
    edit(
        sales_file(home),
        {2: "R0001,1,pie,Paris,Rue Mercière,2024-01-01,101,24.50,"},
        add="X1,1,tart,Lyon,Rue Mercière,2024-01-30,1,3.80,\n"
        "R0002,1,tart,Lyon,Rue Mercière,2024-01-30,1,3.80,\n"
        "R9000,1,tart,Lyon,Rue Mercière,2024-01-31,many,3.80,\n",
    )
    edit(shops_file(home), {}, add="Lyon,Rue Mercière,Chez Paul,,,\nLyon,Rue Neuve\n")
    seen = run(full, home)
    told(
        seen,
        {
            "clean/sales:values_between_quantity": ("1 of 55 rows: 101", "1 to 100", "sales.csv, line 2", "held back"),
            "clean/sales:contract_product": ("pie", "bread, cake, tart", "sales.csv, line 2", "held back"),
            "clean/sales:contract_unique_receipt_line": ("receipt R0002, line 1", "held back"),
            "clean/sales:matches_receipt": ("X1", "sales.csv, line 55", "Nothing is held back"),
            "clean/sales:quarantine_empty": ("1 WRONG_TYPE", "sales.csv, line 57", "'many'", "run again"),
            "clean/shops:contract_unique_city_street": ("city Lyon, street Rue Mercière", "held back"),
            "clean/shops:quarantine_empty": ("1 RAGGED_ROW", "shops.csv, line 7", "run again"),
        },
        blocked=True,
    )
    assert objects(seen) == set()
    assert {one.partition("@")[0] for one in seen.appended} == {
        *("Asset raw/sales", "Asset raw/shops", "Asset clean/sales", "Asset clean/shops")
    }


def test_rules_over_a_pipeline_hold_back_what_is_downstream(full: Kitchen, tmp_path: Path) -> None:
    home = full.copy(tmp_path)
    edit(sales_file(home), {2: "R0001,1,bread,Paris,Rue Mercière,2024-01-01,3,99000.00,"})
    seen = run(full, home)
    told(
        seen,
        {
            "transform/shop_months:values_between_revenue_bread": (
                "297000.00",
                "0 to 100000",
                "city Paris",
                "held back",
            ),
            "ontology/sale/links:no_dangling_links": (
                "1 of sold_in lead to no Shop",
                "ontology/sale/dangling",
                "MISSING",
            ),
        },
        blocked=True,
    )
    assert objects(seen) == {"Sale R0001/1"}  # beside the pipeline, not behind it


def test_a_sale_in_no_shop_is_warned_of_and_holds_back_nothing(full: Kitchen, tmp_path: Path) -> None:
    home = full.copy(tmp_path)
    edit(sales_file(home), {}, add=METZ)
    seen = run(full, home)
    told(
        seen,
        {
            "transform/shop_months:not_null_shop_name": ("1 of 13 rows", "city Metz", "Nothing is held back"),
            "ontology/sale/links:no_dangling_links": ("2 of sold_in lead to no Shop",),
            "ontology/shop_month/links:no_dangling_links": ("1 of month_of lead to no Shop", "bring in the objects"),
        },
        blocked=False,
    )
    assert objects(seen) == {"Sale R9001/1", "ShopMonth 2024-02-01/Metz/Rue%20Serpenoise"}

    # The lists of dangling links are altered behind the run's back.
    alter(home, "ontology/sale/dangling")
    for file in (home / "lake" / "ontology" / "shop_month" / "dangling").rglob("*.parquet"):
        file.unlink()
    before = set(seen.red())
    seen = run(full, home)
    red = seen.red()
    assert set(red) - before == {"ontology/sale/links:links_accounted", "ontology/shop_month/links:links_accounted"}
    assert "ontology/sale/dangling lists 1 links, 2 dangle" in red["ontology/sale/links:links_accounted"]
    assert "Remove the folder" in red["ontology/sale/links:links_accounted"]
    assert "remove its folder" in red["ontology/shop_month/links:links_accounted"]
    assert seen.ran.status == 1
    RED.update(red)
    for name in ("sale", "shop_month"):
        shutil.rmtree(home / "lake" / "ontology" / name / "dangling")
    seen = run(full, home)  # as it was advised
    assert set(seen.red()) == before
    assert objects(seen) == set()


def alter(home: Path, table: str) -> None:
    """Take the last row out of a table's first file that has one."""
    for file in sorted((home / "lake" / table).rglob("*.parquet")):
        with pq.ParquetFile(file) as opened:
            rows = opened.read()
        if rows.num_rows:
            file.unlink()  # it may be shared with another home by a hard link
            pq.write_table(rows.slice(0, rows.num_rows - 1), file)
            return
    raise AssertionError(f"{table} has no row")


@pytest.mark.parametrize("layer", ["raw", "clean"])
def test_an_altered_table_is_noticed_and_made_again_as_advised(full: Kitchen, tmp_path: Path, layer: str) -> None:
    home = full.copy(tmp_path)
    alter(home, f"{layer}/sales")
    for file in (home / "lake" / layer / "shops").glob("*.parquet"):
        file.unlink()
    seen = run(full, home)
    told(
        seen,
        {
            f"{layer}/sales:rows_accounted": (f"lake/{layer}/sales", "52 rows where 53 are due", "Remove that folder"),
            f"{layer}/shops:rows_accounted": (f"lake/{layer}/shops", "can't be trusted", "remove its folder"),
        },
        blocked=True,
    )
    assert seen.appended == set()
    for name in ("sales", "shops"):
        shutil.rmtree(home / "lake" / layer / name)
    seen = run(full, home)
    assert set(seen.red()) == {"ontology/sale/links:no_dangling_links"}
    assert seen.appended == set()


def test_columns_that_are_not_as_declared_hold_back_what_is_downstream(full: Kitchen, tmp_path: Path) -> None:
    home, lake = tmp_path / "home", LocalLake(tmp_path / "home" / "lake")
    full.shop.spice(home)
    assert full.server.run(home, point="after clean/shops").status == -9
    for table, column in (("clean/sales", "quantity"), ("clean/shops", "name")):
        rows = lake.scan(table)
        spoilt = rows.set_column(
            rows.column_names.index(column), column, pc.binary_length(rows["city"]).cast(pa.int32())
        )
        put(lake, table, spoilt)
    seen = run(full, home)
    told(
        seen,
        {
            "clean/sales:contract_columns": ("quantity", "integer", "held back"),
            "clean/shops:contract_columns": ("name", "string", "held back"),
            **{name: () for name in seen.red() if "contract_columns" not in name},
        },
        blocked=True,
    )
    assert objects(seen) == set()


def put(lake: LocalLake, table: str, rows: pa.Table) -> None:
    """Rewrite a table under the data versions that it has: what no run of ours does."""
    partitioned = "_partition" in rows.column_names
    versions = lake.versions(table)
    lake.remove(table)
    lake.replace(table, rows, versions=versions, partition_column="_partition" if partitioned else None)


def test_a_pipelines_contract_holds_back_what_is_downstream(full: Kitchen, tmp_path: Path) -> None:
    home, lake = tmp_path / "home", LocalLake(tmp_path / "home" / "lake")
    full.shop.spice(home)
    assert full.server.run(home, point="after transform/shop_months").status == -9
    rows = lake.scan("transform/shop_months")
    rows = pa.concat_tables([rows, rows.slice(0, 1)])
    rows = rows.set_column(
        rows.column_names.index("city"),
        "city",
        pa.array([None if i == 1 else one for i, one in enumerate(rows["city"].to_pylist())], pa.string()),
    )
    rows = rows.set_column(rows.column_names.index("rank_cake"), "rank_cake", rows["rank_cake"].cast(pa.string()))
    put(lake, "transform/shop_months", rows)
    seen = run(full, home)
    told(
        seen,
        {
            "transform/shop_months:contract_columns": ("rank_cake", "held back"),
            "transform/shop_months:contract_unique_month_city_street": ("2 rows", "month 2024-01-01", "held back"),
            "transform/shop_months:contract_city": ("(missing)", "held back"),
            "transform/shop_months:conserves_lines_bread_lines_cake": (
                "rows of sold",
                "differ",
                "Nothing is held back",
            ),
            "ontology/sale/links:no_dangling_links": (),
        },
        blocked=True,
    )
    assert not [one for one in objects(seen) if one.startswith("ShopMonth")]


def test_gates_close_before_anything_is_appended(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    edit(
        sales_file(home),
        {3: "R0002,1,tart,Lyon,Rue Mercière,2024-01-04,2,3.80,0.25"},  # a change that must not be appended either
        add="R0001,1,cake,Paris,Rue Mercière,2024-03-01,1,24.50,\n",
    )
    edit(shops_file(home), {}, add="Paris,Rue Mercière,Chez Paul,,,\n")
    seen = run(bare, home)
    told(
        seen,
        {
            "ontology/sale/objects:gates_open": ("KEY_DUPLICATE, 2 found", "sales.csv, line 2", "sales.csv, line 55"),
            "ontology/shop/objects:gates_open": ("KEY_DUPLICATE, 2 found", "shops.csv, line 4", "shops.csv, line 6"),
            "ontology/shop_month/objects:gates_open": ("KEY_DUPLICATE", "Paris/Rue%20Merci%C3%A8re", "run again"),
        },
        blocked=True,
    )
    assert objects(seen) == set()
    shutil.copy2(BAKERY / "sources" / "shops.csv", shops_file(home))
    edit(sales_file(home), {55: None})
    seen = run(bare, home)
    assert seen.ran.status == 0
    assert objects(seen) == {"Sale R0002/1"}  # a tart: no month of a shop changes


def test_a_link_that_may_not_dangle_stops_the_run(bare: Kitchen, tmp_path: Path) -> None:
    shop = workshop(tmp_path / "project", rules=False)
    file = shop.folder / "domain.yaml"
    file.write_text(file.read_text().replace("inverse: sales\n", "inverse: sales\n        dangling: fail\n"))
    server = RunServer(shop.project, rules=False)
    seen = run(Kitchen(shop, bare.home, server), bare.copy(tmp_path))
    server.close()
    said = seen.red()["ontology/sale/links:no_dangling_links"]
    assert "LINK_DANGLING, 1 found" in said
    assert "Metz" in said
    assert said in seen.ran.failures
    assert seen.ran.status == 1
    assert not {one for one in seen.appended if "sale/links" in one or "events/" in one}


def test_an_altered_history_is_noticed_and_sealed_again_as_advised(full: Kitchen, tmp_path: Path) -> None:
    home = full.copy(tmp_path)
    alter(home, f"events/{NAME}")
    seen = run(full, home)
    told(
        seen,
        {
            f"events/{NAME}:sealed_equals_log": (f"lake/events/{NAME}", "rows where", "Remove that folder"),
            "ontology/sale/links:no_dangling_links": (),
        },
        blocked=True,
    )
    assert not {one for one in seen.appended if "projection" in one}
    shutil.rmtree(home / "lake" / "events" / NAME)
    assert run(full, home).ran.status == 0
    assert full.shop.readers(home).verify(NAME).ok


def test_an_event_that_does_not_fit_is_parked_and_named(full: Kitchen, tmp_path: Path) -> None:
    home = full.copy(tmp_path)
    readers = full.shop.readers(home)
    state = '{"properties":{"city":"Nice","opened":"never","street":"Promenade"}}'
    good = event("Nice/Promenade", 1, kind="Shop")
    poison = replace(good, data=f'{{"state":{state}}}', state_hash=hashlib.sha256(state.encode()).hexdigest())
    readers.log(NAME).append(readers.heads(NAME), lambda _: Draft("poison", inline=[poison]))
    seen = run(full, home)
    told(
        seen,
        {
            f"projection/{name}/live:caught_up": ("1 parked", "Shop Nice/Promenade since event", f"deadletters/{name}")
            for name in ("search", "graph")
        }
        | {"ontology/sale/links:no_dangling_links": ()},
        blocked=False,
    )


def test_every_check_of_the_graph_was_red() -> None:
    domain = load_domain(BAKERY)
    graph = build_defs(domains=[domain]).resolve_asset_graph()
    every = {f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys}
    # A build on a branch is judged by the code and the rules of its table: red in test_pipeline_builds.py.
    of_builds = {one for one in every if "/build:" in one}
    assert {one.replace("/build:", ":") for one in of_builds} <= RED
    assert every - RED == OF_A_REBUILD | OF_RECORDS | of_builds
