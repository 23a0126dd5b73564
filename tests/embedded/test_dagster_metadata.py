"""What assets, checks, jobs and runs say of themselves in the Dagster UI: the figures against the source files, once a
run what is about the run, and tags that lead to the log."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from ontology_assets.model.loading import load_domain
from orchestration.components.columns import object_columns, raw_columns, table_columns
from orchestration.components.metadata import figures_table, sparkline
from orchestration.definitions import build_defs
from orchestration.run_log import joined, spans_of, text_of
from resources.home import Home
from resources.instance import open_instance
from tests.bakery import BAKERY, RunServer, Workshop, edit, workshop
from tests.dagster_ui import MONTHS, requantify

BY_MONTH = ("raw/sales", "clean/sales", "transform/shop_months", "ontology/sale/objects", "ontology/sale/links")
MOST_BYTES = 3_500
"""Of the event of a partition that is not the run's last: there are 365 of them in a year, for each asset."""


@dataclass(frozen=True)
class Told:
    """All materializations of one run by (asset, partition), their events' sizes, and the run's tags."""

    run_id: str
    metadata: Mapping[tuple[str, str | None], Mapping[str, Any]]
    sizes: Mapping[tuple[str, str | None], int]
    tags: Mapping[str, str]


def told_by(home: Path, run_id: str) -> Told:
    metadata, sizes = {}, {}
    with open_instance(Home(home)) as instance:
        for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records:
            made = record.event_log_entry.asset_materialization
            assert made is not None
            place = (made.asset_key.to_user_string(), made.partition)
            metadata[place] = {name: one.value for name, one in made.metadata.items()}
            sizes[place] = len(serialize_value(record.event_log_entry))
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return Told(run_id, metadata, sizes, run.tags)


@dataclass(frozen=True)
class Loaded:
    shop: Workshop
    server: RunServer
    home: Path
    first: Told


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """The small domain, run once with all its months."""
    folder = tmp_path_factory.mktemp("told")
    shop = workshop(folder / "project", rules=False)
    server, home = RunServer(shop.project, rules=False), folder / "home"
    shop.spice(home)
    ran = server.run(home)
    assert ran.status == 0, ran.failures
    yield Loaded(shop, server, home, told_by(home, ran.outcome["run_id"]))
    server.close()


def sold(home: Path) -> Counter[str]:
    """Lines of the file by month."""
    with (home / "sources" / "bakery" / "sales.csv").open() as file:
        return Counter(f"{row['sold_on'][:7]}-01" for row in csv.DictReader(file))


@pytest.mark.parametrize("asset", ["raw/sales", "clean/sales", "ontology/sale/objects"])
def test_each_partition_has_its_own_rows(loaded: Loaded, asset: str) -> None:
    rows = {month: loaded.first.metadata[asset, month]["dagster/partition_row_count"] for month in MONTHS}
    assert rows == sold(loaded.home)
    assert loaded.first.metadata[asset, MONTHS[-1]]["dagster/row_count"] == sum(rows.values())


def test_what_is_about_the_run_is_told_once(loaded: Loaded) -> None:
    for asset in BY_MONTH:
        assert {"by_partition", "dagster/column_schema", "seconds", "dagster/column_lineage"} <= set(
            loaded.first.metadata[asset, MONTHS[-1]]
        )
        for month in MONTHS[:-1]:
            assert not {"by_partition", "dagster/column_schema", "seconds"} & set(loaded.first.metadata[asset, month])
            assert loaded.first.sizes[asset, month] < MOST_BYTES
    tables = [place for place, told in loaded.first.metadata.items() if "stages_of_run" in told]
    assert tables == [("projection/search/live", None)]


def test_appended_positions_are_those_of_the_log_each_once(loaded: Loaded) -> None:
    spans = [
        (told["position_first"], told["position_last"])
        for told in loaded.first.metadata.values()
        if told.get("events_appended")
    ]
    end = loaded.shop.readers(loaded.home).log("bakery").end().position
    assert sorted(position for first, last in spans for position in range(first, last + 1)) == [*range(1, end + 1)]
    assert loaded.first.tags["spice/positions"] == f"1..{end}"
    assert loaded.first.tags["spice/domain"] == "bakery"


def test_what_appending_cost_is_told_where_something_was_appended(loaded: Loaded) -> None:
    told = {place[0]: one for place, one in loaded.first.metadata.items() if "append" in one}
    assert {*BY_MONTH, "events/bakery"} <= told.keys()
    for one in told.values():
        assert one["append"].startswith(f"1 append, {one['events_appended']:,} events, ")
        assert one["append"].endswith(" s; 0 repeated, 0 retries, 0 beaten, 0 decided again")


def test_every_event_says_which_run_appended_it(loaded: Loaded) -> None:
    batches = loaded.shop.readers(loaded.home).log("bakery").events()
    runs = {json.loads(row["metadata"])["run_id"] for batch in batches for row in batch.to_pylist()}
    assert runs == {loaded.first.run_id}


def test_a_run_over_one_month_tells_of_that_month_and_of_the_whole_table(loaded: Loaded, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(loaded.home, home, symlinks=True)
    sales = home / "sources" / "bakery" / "sales.csv"
    changed = requantify(sales, MONTHS[1], 77)
    rows = enumerate(sales.read_text().splitlines(), 1)
    edit(sales, {next(line for line, text in rows if ",2024-02-" in text and line != changed): None})
    ran = loaded.server.run(home, partitions=MONTHS[1])
    told = told_by(home, ran.outcome["run_id"])
    objects = told.metadata["ontology/sale/objects", MONTHS[1]]
    assert [objects[f"objects_{name}"] for name in ("created", "updated", "deleted")] == [0, 1, 1]
    assert objects["dagster/partition_row_count"] == sold(home)[MONTHS[1]]
    assert objects["dagster/row_count"] == sum(sold(home).values())
    again = told_by(home, loaded.server.run(home, partitions=MONTHS[1]).outcome["run_id"])
    assert again.metadata["ontology/sale/objects", MONTHS[1]]["change"] == "unchanged: nothing appended"
    assert again.metadata["ontology/sale/objects", MONTHS[1]]["objects_unchanged"] == sold(home)[MONTHS[1]]
    assert again.tags["spice/positions"] == "none"


def test_a_closed_gate_shows_its_rows_with_file_and_line(loaded: Loaded, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(loaded.home, home, symlinks=True)
    sales = home / "sources" / "bakery" / "sales.csv"
    lines = sales.read_text().splitlines()
    edit(sales, {}, add=f"{lines[1]}\n")
    ran = loaded.server.run(home)
    assert ran.status == 1
    with open_instance(Home(home)) as instance:
        key = dg.AssetCheckKey(dg.AssetKey(["ontology", "sale", "objects"]), "gates_open")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert record.event is not None
        assert record.event.dagster_event is not None
        metadata = record.event.dagster_event.asset_check_evaluation_data.metadata
    sample = metadata["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    rows = [(row.data["code"], row.data["file"], row.data["line"]) for row in sample.records]
    assert rows == [("KEY_DUPLICATE", "sales.csv", 2), ("KEY_DUPLICATE", "sales.csv", len(lines) + 1)]


def test_columns_say_what_they_are() -> None:
    domain = load_domain(BAKERY)
    texts = object_columns(domain.object_types["Sale"])
    assert texts["receipt"] == "Receipt · 영수증. Key, part 1 of 2. Title."
    assert texts["product"] == "Product · 제품. One of bread (Bread), cake (Cake), tart (Tart)."
    assert texts["amount"] == "Amount · 금액 [EUR]."
    assert texts["city"] == "City · 도시. Links: `sold_in` → Shop."
    clean = table_columns(domain, "clean/sales")
    assert clean["product"] == "Product · 제품 of Sale. Contract: product is one of bread, cake, tart."
    assert "amount" not in clean  # it is an expression over other columns
    assert raw_columns(domain, "sales")["discount"] == "As text; decimal(4,2) in `clean/sales`. `-` is no value."


def test_columns_are_known_before_the_first_run() -> None:
    graph = build_defs(domains=[load_domain(BAKERY)]).resolve_asset_graph()
    for asset in ("raw/sales", "clean/sales", "ontology/sale/objects", "ontology/sale/links", "events/bakery"):
        schema = graph.get(dg.AssetKey(asset.split("/"))).metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert schema.columns


def test_whatever_has_a_page_says_what_it_is_for() -> None:
    defs = build_defs(domains=[load_domain(BAKERY)])
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert "**Comes from**" in (node.description or ""), key
        assert "**When it is red:**" in (node.description or ""), key
        assert {"domain", "tier"} <= set(node.tags), key
    for check in graph.asset_check_keys:
        assert len(graph.get(check).description or "") > 40, check
    for job in defs.resolve_all_job_defs():
        assert job.description or job.name.startswith("__"), job.name
    for one in [*(defs.sensors or []), *(defs.schedules or [])]:
        assert getattr(one, "description", None), one.name


def test_a_table_of_figures_has_totals_extremes_and_a_plot() -> None:
    figures = {"rows": {"a": 2, "b": 9, "c": 2}, "rows_quarantined": {"a": 0, "b": 0, "c": 0}}
    lines = figures_table(figures).value.splitlines()
    assert lines[0] == "| total | a … c | least | most |"
    assert lines[2:] == ["| 13 rows | `▁█▁` | 2 (a) | 9 (b) |", "| 0 quarantined |  |  |  |"]
    assert len(sparkline(range(365))) == 24


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], ""),
        ([(3, 3)], "3..3"),
        ([(5, 9), (1, 4)], "1..9"),
        ([(1, 4), (3, 6), (10, 12)], "1..6, 10..12"),
    ],
)
def test_positions_are_joined_and_read_back(given: list[tuple[int, int]], text: str) -> None:
    assert text_of(given) == text
    assert spans_of(text) == joined(given)


def test_a_run_beside_many_others_is_told_by_its_ends() -> None:
    assert text_of([(n, n) for n in range(1, 101, 2)]) == "1..99"
