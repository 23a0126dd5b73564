"""Another domain is files under `defs/` and no Python: it runs, answers, and its gates hold back what is downstream."""

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gateway.demo.correction import copy_home
from resources.home import Home
from tests.conftest import PreparedSpice, Spice, project_with

BAKERY = Path(__file__).parent.parent / "domains" / "bakery"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project_with(tmp_path_factory.mktemp("project"), BAKERY)


@pytest.fixture(scope="module")
def bakery(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spice]:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(BAKERY / "sources", home / "sources" / "bakery")
    spice = PreparedSpice(home, project)
    spice.run("run", "--domain", "bakery")
    yield spice
    spice.close()


@pytest.fixture(scope="module")
def oracle() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in ("sales", "shops"):
        path = BAKERY / "sources" / f"{name}.csv"
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM read_csv('{path}', header=true, nullstr='-', all_varchar=true)"
        )
    return connection


def rows(oracle: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return oracle.execute(sql).fetchall()


def good_sales(oracle: duckdb.DuckDBPyConnection) -> str:
    """Sales that fit their types, as DuckDB sees them."""
    del oracle
    return (
        "(SELECT receipt, CAST(line AS INT) line, product, city, street, CAST(sold_on AS DATE) sold_on,"
        " CAST(quantity AS INT) quantity, CAST(unit_price AS DECIMAL(8,2)) unit_price,"
        " coalesce(TRY_CAST(nullif(discount, '') AS DECIMAL(4,2)), 0) discount FROM sales"
        " WHERE TRY_CAST(quantity AS INT) IS NOT NULL AND TRY_CAST(unit_price AS DECIMAL(8,2)) IS NOT NULL"
        " AND TRY_CAST(sold_on AS DATE) BETWEEN DATE '2024-01-01' AND DATE '2024-03-31')"
    )


def test_its_objects_are_counted_as_duckdb_counts_them(bakery: Spice, oracle: duckdb.DuckDBPyConnection) -> None:
    counts = bakery.json("objects", "count")
    assert counts["Sale"] == rows(oracle, f"SELECT count(*) FROM {good_sales(oracle)}")[0][0]
    assert counts["Shop"] == rows(oracle, "SELECT count(*) FROM shops")[0][0]
    months = "SELECT count(DISTINCT (date_trunc('month', sold_on), city, street))"
    assert (
        counts["ShopMonth"]
        == rows(oracle, f"{months} FROM {good_sales(oracle)} WHERE product IN ('bread','cake')")[0][0]
    )


def test_its_pipeline_with_window_and_pivot_equals_duckdb(bakery: Spice, oracle: duckdb.DuckDBPyConnection) -> None:
    expected = rows(
        oracle,
        f"""WITH t AS (SELECT date_trunc('month', sold_on)::DATE m, city, street, product,
                              CAST(sum(quantity * unit_price * (1 - discount)) AS DECIMAL(12,2)) r
                       FROM {good_sales(oracle)} WHERE product IN ('bread','cake') GROUP BY ALL),
                 k AS (SELECT *, rank() OVER (PARTITION BY m, product ORDER BY r DESC) n FROM t)
            SELECT m, city, street, max(r) FILTER (product='bread'), max(n) FILTER (product='bread'),
                   max(r) FILTER (product='cake'), max(n) FILTER (product='cake') FROM k GROUP BY ALL""",
    )
    for month, city, street, bread, bread_rank, cake, cake_rank in expected:
        found = bakery.json("objects", "get", "ShopMonth", month.isoformat(), city, street)["properties"]
        assert [Decimal(found[n]) if n in found else None for n in ("revenue_bread", "revenue_cake")] == [bread, cake]
        assert [found.get(n) for n in ("rank_bread", "rank_cake")] == [bread_rank, cake_rank]


def test_a_link_by_a_key_of_two_parts_is_followed_both_ways(bakery: Spice, oracle: duckdb.DuckDBPyConnection) -> None:
    (city, street), *_ = rows(oracle, "SELECT city, street FROM shops ORDER BY 1, 2")
    document = {
        "start": {"type": "Shop", "where": [["city", "=", city], ["street", "=", street]]},
        "hops": [{"link": "sales", "fields": ["receipt"]}],
    }
    answer = bakery.json("graph", "-", stdin=json.dumps(document))
    expected = rows(oracle, f"SELECT count(*) FROM {good_sales(oracle)} WHERE city = '{city}' AND street = '{street}'")[
        0
    ][0]
    assert sum(node["type"] == "Sale" for node in answer["nodes"]) == expected


def test_a_second_run_appends_nothing(bakery: Spice) -> None:
    assert bakery.json("run", "--domain", "bakery")["events"] == 0


def test_a_failed_expectation_holds_back_what_is_downstream(bakery: Spice, tmp_path: Path) -> None:
    spice = Spice(copy_home(Home(bakery.home), tmp_path / "home").root, bakery.project)
    before = bakery.json("objects", "count")
    sales = spice.home / "sources" / "bakery" / "sales.csv"
    header, *lines = sales.read_text().splitlines()
    at = header.split(",").index("quantity")
    fields = lines[0].split(",")
    fields[at] = "101"  # the definition allows 1 to 100
    sales.write_text("\n".join([header, ",".join(fields), *lines[1:], lines[0].replace(fields[0], "R9999", 1)]) + "\n")
    done = spice.run("run", "--domain", "bakery", check=False)
    assert done.returncode == 1
    assert "quantity" in done.stderr
    assert spice.json("objects", "count") == before
