"""Any split of the inputs into arrivals, in any order, with repeated runs and deaths, gives the table of one full run.

For each mode and each kind of graph; DuckDB says what the table is, from all rows at once.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings

from tests.unit.tables.arrivals import Arrival, Row, Shop, arrivals, by_duckdb, in_order, pipeline, sales, shops
from transforms.definitions import Pipeline

PHASES = (Phase.explicit, Phase.generate)
EXAMPLES = 150 if os.environ.get("SPICE_LONG_TESTS") else 4
KEPT = {
    "kept": {"from": "sales", "filter": "amount >= 0"},
    "priced": {"from": "kept", "compute": {"twice": "amount * 2"}},
}
KEPT_SQL = "SELECT *, amount * 2 AS twice FROM sales WHERE amount >= 0"
OTHERS = "amount, id, item, shop, twice"
FIRST_SQL = (
    f"SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY sold_at DESC NULLS LAST, gone DESC NULLS LAST, "
    f"{', '.join(f'{name} NULLS FIRST' for name in OTHERS.split(', '))}) AS place FROM ({KEPT_SQL})) "
    "WHERE place = 1 AND NOT coalesce(gone, false)"
)
TOTALS = {
    "totals": {
        "from": "sales",
        "group_by": ["shop"],
        "aggregate": {"sold": "count(*)", "amount": "sum(amount)", "latest": "max(sold_at)"},
    }
}
TOTALS_SQL = "SELECT shop, count(*) AS sold, CAST(sum(amount) AS BIGINT) AS amount, max(sold_at) AS latest FROM sales GROUP BY shop"
PLACED = {
    "placed": {"from": "sales", "join": "shops", "on": ["shop"], "how": "left", "keep": {"city": "city"}},
}
PLACED_SQL = "SELECT sales.*, shops.city FROM sales LEFT JOIN shops USING (shop)"
SHARES = {
    "totals": {"from": "sales", "group_by": ["item"], "aggregate": {"total": "sum(amount)"}},
    "shares": {"from": "sales", "join": "totals", "on": ["item"], "how": "left", "keep": {"total": "total"}},
    "ranked": {"from": "shares", "window": {"place": "row_number()"}, "partition_by": ["item"], "order_by": ["id"]},
}
SHARES_SQL = """
    SELECT s.*, CAST(t.total AS BIGINT) AS total, row_number() OVER (PARTITION BY s.item ORDER BY s.id) AS place
    FROM sales s LEFT JOIN (SELECT item, sum(amount) AS total FROM sales GROUP BY item) t ON s.item = t.item
"""
WINNER = {"key": ["item"], "order": ["sold_at desc"], "remove": "gone"}
FOLDED = """
    SELECT * EXCLUDE (change, change_number) FROM log
    QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY change_number DESC) = 1 AND change <> 'gone'
"""


@dataclass(frozen=True)
class Case:
    """A pipeline and the SQL of its table. `held`: what arrives is added to the inputs, or takes their place; `folded`:
    the key by which a changelog is read."""

    pipeline: Pipeline
    sql: str
    held: Literal["pile", "batch"] = "pile"
    again: bool = False
    folded: str | None = None


def written(mode: str, **fields: Any) -> dict[str, Any]:
    return {"mode": mode, **fields}


CASES = {
    "replace, filter and compute": Case(pipeline(KEPT, "priced", incremental={"by": ["item"]}), KEPT_SQL),
    "replace, group by": Case(pipeline(TOTALS, "totals", incremental={"by": ["shop"]}), TOTALS_SQL),
    "replace, join, both sides arrive": Case(pipeline(PLACED, "placed", incremental={"by": ["id"]}), PLACED_SQL),
    "replace, join by what is joined on": Case(pipeline(PLACED, "placed", incremental={"by": ["shop"]}), PLACED_SQL),
    "replace, join with its own groups, window": Case(
        pipeline(SHARES, "ranked", incremental={"by": ["item"]}), SHARES_SQL
    ),
    "append, all that came": Case(
        pipeline(KEPT, "priced", write=written("append", key=["id"]), incremental={"by": ["id"]}),
        f"SELECT DISTINCT * FROM ({KEPT_SQL})",
        again=True,
    ),
    "append, the last file only": Case(
        pipeline(KEPT, "priced", write=written("append", key=["id"])),
        f"SELECT DISTINCT * FROM ({KEPT_SQL})",
        held="batch",
        again=True,
    ),
    "merge, all that came": Case(
        pipeline(KEPT, "priced", write=written("merge", **WINNER), incremental={"by": ["item"]}), FIRST_SQL, again=True
    ),
    "merge, the last file only": Case(
        pipeline(KEPT, "priced", write=written("merge", **WINNER)), FIRST_SQL, held="batch", again=True
    ),
    "snapshot": Case(
        pipeline(KEPT, "priced", write=written("snapshot", **WINNER), incremental={"by": ["item"]}), FIRST_SQL
    ),
    "snapshot of groups": Case(
        pipeline(TOTALS, "totals", write=written("snapshot", key=["shop"]), incremental={"by": ["shop"]}), TOTALS_SQL
    ),
    "changelog": Case(
        pipeline(KEPT, "priced", write=written("changelog", **WINNER), incremental={"by": ["item"]}),
        FIRST_SQL,
        again=True,
        folded="item",
    ),
    "changelog of groups": Case(
        pipeline(TOTALS, "totals", write=written("changelog", key=["shop"]), incremental={"by": ["shop"]}),
        TOTALS_SQL,
        folded="shop",
    ),
}


def arrive(shop: Shop, case: Case, pieces: Sequence[Arrival]) -> None:
    for piece in pieces:
        for name, rows in piece.rows.items():
            if case.held == "pile" or name == "shops":
                shop.add(name, rows)
            else:
                shop.put(name, rows)
        if not piece.quiet or case.held == "batch":
            shop.run_through(piece.fault)


def table(shop: Shop, case: Case) -> list[Row]:
    rows = shop.rows()
    if case.folded is None:
        return rows
    log = shop.lake.scan("transform/p")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("log", log)
        return in_order(connection.execute(FOLDED.format(key=case.folded)).to_arrow_table().to_pylist())


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=EXAMPLES, phases=PHASES)
@given(data=st.data())
def test_any_arrivals_give_the_table_of_one_full_run(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    rows = {"sales": data.draw(sales()), "shops": data.draw(shops())}
    pieces = data.draw(arrivals(rows, again=case.again))
    arrived = {local: [row for piece in pieces for row in piece.rows[local]] for local in rows}
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop.new(Path(folder), case.pipeline)
        arrive(shop, case, pieces)
        assert table(shop, case) == by_duckdb(case.sql, arrived)
        assert not shop.run().partitions[""].changed
        if case.held == "pile":
            full = Shop.new(Path(folder) / "full", case.pipeline)
            for local, several in arrived.items():
                full.put(local, several)
            full.run()
            assert table(full, case) == table(shop, case)
