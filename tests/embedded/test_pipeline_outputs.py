"""A pipeline with two outputs in the real job: two tables, two assets, each with its own rows, checks and lineage."""

import duckdb
import pytest

from resources.home import Home
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, RunServer, workshop

SPLIT = """
  sizes:
    partition: sales
    inputs: {sales: clean/sales}
    nodes:
      large: {split: quantity * unit_price >= 10, rest: small, from: sales}
      per_product:
        group_by: [product]
        from: small
        aggregate: {lines: count(*), pieces: sum(quantity)}
    outputs:
      large: {node: large, contract: {unique: [receipt, line]}}
      per_product: {node: per_product, description: What is sold in small lots.}
"""
GOOD = f"""
    (SELECT receipt, TRY_CAST(line AS INT) AS line, product, TRY_CAST(quantity AS INT) AS quantity,
        TRY_CAST(unit_price AS DECIMAL(8,2)) AS unit_price, TRY_CAST(sold_on AS DATE) AS sold_on
    FROM read_csv('{BAKERY / "sources" / "sales.csv"}', header = true, nullstr = '-', all_varchar = true)
    WHERE TRY_CAST(quantity AS INT) IS NOT NULL AND TRY_CAST(unit_price AS DECIMAL(8,2)) IS NOT NULL
        AND TRY_CAST(sold_on AS DATE) BETWEEN DATE '2024-01-01' AND DATE '2024-03-31')
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LocalLake:
    """Of a home after one run of the job."""
    folder = tmp_path_factory.mktemp("outputs")
    shop = workshop(folder / "project", rules=False)
    file = shop.folder / "domain.yaml"
    text = file.read_text()
    assert text.count("\npipelines:\n") == 1
    file.write_text(text.replace("\npipelines:\n", f"\npipelines:{SPLIT}"))
    home = folder / "home"
    shop.spice(home)
    server = RunServer(shop.project, rules=False)
    ran = server.run(home)
    server.close()
    assert ran.status == 0, ran.failures
    return LocalLake(Home(home).lake)


def test_each_output_is_a_table_of_its_own_rows(lake: LocalLake) -> None:
    large = lake.scan("transform/sizes/large").select(["receipt", "line"]).to_pylist()
    wanted = duckdb.sql(f"SELECT receipt, line FROM {GOOD} WHERE quantity * unit_price >= 10").fetchall()
    assert sorted((row["receipt"], row["line"]) for row in large) == sorted(wanted)
    assert wanted
    rows = lake.scan("transform/sizes/per_product").to_pylist()
    wanted = duckdb.sql(
        f"SELECT strftime(sold_on, '%Y-%m-01'), product, count(*), sum(quantity) FROM {GOOD} "
        "WHERE quantity * unit_price < 10 GROUP BY ALL"
    ).fetchall()
    assert sorted((row["_partition"], row["product"], row["lines"], row["pieces"]) for row in rows) == sorted(wanted)


def test_no_row_is_in_both_and_none_is_lost(lake: LocalLake) -> None:
    sales, large = lake.scan("clean/sales"), lake.scan("transform/sizes/large")
    small = sum(row["lines"] for row in lake.scan("transform/sizes/per_product").to_pylist())
    assert large.num_rows + small == sales.num_rows
    assert lake.versions("transform/sizes/large").keys() == lake.versions("clean/sales").keys()
