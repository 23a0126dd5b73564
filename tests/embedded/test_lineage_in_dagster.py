"""Lineage as Dagster has it: asked for through its GraphQL API after a run of a small domain."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_graphql.test.utils import execute_dagster_graphql

from gateway.main_job import follow_all
from gateway.readers import open_readers
from ontology_assets.lineage.assets import asset_lineages
from ontology_assets.lineage.document import lineage_document
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from orchestration.definitions import build_defs
from orchestration.launch import QUIET, run_tags
from orchestration.runtime import Runtime
from orchestration.sensors.topic_observation import topic_observation
from resources.home import Home
from resources.instance import open_instance

pytestmark = pytest.mark.filterwarnings(  # asked for by Dagster itself, of every schedule that it loads in process
    "ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning"
)
BAKERY = Path(__file__).parent.parent / "domains" / "bakery"
ENTRIES = """
  __typename label
  ... on TableColumnLineageMetadataEntry { lineage { columnName columnDeps { assetKey { path } columnName } } }
  ... on UrlMetadataEntry { url }
  ... on MarkdownMetadataEntry { mdStr }
  ... on IntMetadataEntry { intValue }
"""
QUERY = f"""{{ assetNodes {{
  assetKey {{ path }}
  metadataEntries {{ {ENTRIES} }}
  assetMaterializations {{ partition metadataEntries {{ {ENTRIES} }} }}
  assetObservations {{ metadataEntries {{ {ENTRIES} }} }}
}} }}"""
Entries = dict[str, dict[str, Any]]


class Seen:
    """One asset as the API gives it: entries of the definition, of materializations (newest first), observations."""

    def __init__(self, node: dict[str, Any]) -> None:
        self.definition = _by_label(node)
        self.materializations = [_by_label(one) for one in node["assetMaterializations"]]
        self.partitions = [one["partition"] for one in node["assetMaterializations"]]
        self.observations = [_by_label(one) for one in node["assetObservations"]]


def _by_label(node: dict[str, Any]) -> Entries:
    return {entry["label"]: entry for entry in node["metadataEntries"]}


def deps(entries: Entries) -> dict[str, set[tuple[str, str]]]:
    """Column lineage as `{column: {(asset, column)}}`."""
    return {
        one["columnName"]: {("/".join(dep["assetKey"]["path"]), dep["columnName"]) for dep in one["columnDeps"]}
        for one in entries["dagster/column_lineage"]["lineage"]
    }


@pytest.fixture(scope="module")
def bakery() -> Domain:
    return load_domain(BAKERY)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    shutil.copytree(BAKERY / "sources", home.sources / "bakery")
    return home


@pytest.fixture(scope="module")
def instance(home: Home, bakery: Domain) -> Iterator[dg.DagsterInstance]:
    """After a run of the job, and two looks at the topic."""
    with open_instance(home) as instance:
        job = build_defs(runtime=Runtime(home_dir=str(home.root)), domains=[bakery]).resolve_job_def("bakery")
        assert job.execute_in_process(instance=instance, tags=run_tags(job, None), run_config=QUIET).success
        with open_readers(home, [bakery]) as readers:
            follow_all(readers, bakery, say=lambda _: None)
        yield instance


SAID_ELSEWHERE = re.compile(r"projection/\w+/(?!live)|deadletters/|transform/.+/build$")
"""Assets that make or mend all columns of a read model again, which `live` tells of, or of a table on a branch."""


@pytest.fixture(scope="module")
def assets(instance: dg.DagsterInstance, home: Home, bakery: Domain, tmp_path_factory: Any) -> dict[str, Seen]:
    for event in Observer(instance, home, bakery).tick():
        instance.report_runless_asset_event(event)
    file = tmp_path_factory.mktemp("location") / "location.py"
    file.write_text(
        "from pathlib import Path\n"
        "from ontology_assets.model.loading import load_domain\n"
        "from orchestration.definitions import build_defs\n"
        f"defs = build_defs(domains=[load_domain(Path({str(BAKERY)!r}))])\n"
    )
    with in_process_test_workspace(instance, LoadableTargetOrigin(python_file=str(file), attribute="defs")) as context:
        assert context.code_location_errors() == []
        answer = execute_dagster_graphql(context, QUERY)
    assert not answer.errors
    seen = {"/".join(node["assetKey"]["path"]): Seen(node) for node in answer.data["assetNodes"]}
    return {asset: one for asset, one in seen.items() if not SAID_ELSEWHERE.match(asset)}


class Observer:
    """The sensor of the topic, ticked by hand."""

    def __init__(self, instance: dg.DagsterInstance, home: Home, domain: Domain) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.definitions = topic_observation([domain], home)
        self.sensor = self.definitions.resolve_sensor_def("topic_observer")

    def tick(self) -> list[dg.AssetObservation]:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.definitions)
        result = self.sensor.evaluate_tick(context)
        self.cursor = result.cursor
        assert not result.run_requests
        return [one for one in result.asset_events if isinstance(one, dg.AssetObservation)]


def test_every_asset_says_where_its_columns_come_from(assets: dict[str, Seen], bakery: Domain) -> None:
    assert set(assets) == set(asset_lineages([bakery]))
    for asset, seen in assets.items():
        assert deps(seen.definition), asset
        assert "| column | comes from | by |" in seen.definition["lineage"]["mdStr"], asset
        latest = seen.observations if asset == "topic" else seen.materializations
        assert deps(latest[0]) == deps(seen.definition), asset


def test_a_column_leads_to_the_columns_it_is_made_of(assets: dict[str, Seen]) -> None:
    assert deps(assets["ontology/sale/objects"].definition)["amount"] == {
        ("clean/sales", "quantity"),
        ("clean/sales", "unit_price"),
        ("clean/sales", "discount"),
    }
    assert deps(assets["raw/sales"].definition)["quantity"] == {("file/sales", "quantity")}
    field = "Sale.data.state.properties.amount"
    assert deps(assets["events/bakery"].definition)[field] == {("ontology/sale/objects", "amount")}
    assert deps(assets["topic"].definition)[field] == {("events/bakery", field)}
    assert deps(assets["projection/search/live"].definition)["Sale.amount"] == {("events/bakery", field)}


def test_columns_of_the_files_reach_the_indexes_and_no_step_leads_nowhere(
    assets: dict[str, Seen], bakery: Domain
) -> None:
    """Followed through Dagster's own metadata, asset by asset, values and rows: the same origins as the document."""
    known = {asset: deps(seen.definition) for asset, seen in assets.items()}
    for type_name, property_name in (("Sale", "amount"), ("ShopMonth", "rank_bread"), ("Shop", "name")):
        waiting, seen = [("projection/search/live", f"{type_name}.{property_name}")], set()
        while waiting:
            asset, column = waiting.pop()
            rows = "*" if "." not in column else f"{column.split('.')[0]}.*"
            for dep in known.get(asset, {}).get(column, set()) | known.get(asset, {}).get(rows, set()):
                if dep not in seen:
                    seen.add(dep)
                    waiting.append(dep)
        document = lineage_document([bakery], type_name, property_name)
        files = {(one["table"], one["column"]) for one in document["nodes"] if one["layer"] == "file"}
        assert {one for one in seen if one[0].startswith("file/")} == files


def test_the_uri_is_a_link_to_the_page_that_draws_it(assets: dict[str, Seen]) -> None:
    uris = {asset: seen.definition["dagster/uri"]["url"] for asset, seen in assets.items()}
    assert uris["clean/shops"] == "http://127.0.0.1:3100/lineage/Shop"
    assert uris["transform/shop_months"] == "http://127.0.0.1:3100/lineage/ShopMonth"
    assert all(uri.startswith("http://127.0.0.1:3100/lineage/") for uri in uris.values())
    table = assets["ontology/sale/objects"].definition["lineage"]["mdStr"]
    assert "[amount](http://127.0.0.1:3100/lineage/Sale/amount)" in table


def test_of_a_ranged_run_one_partition_carries_it(assets: dict[str, Seen]) -> None:
    for asset in ("raw/sales", "clean/sales", "transform/shop_months", "ontology/sale/objects", "ontology/sale/links"):
        seen = assets[asset]
        carrying = ["dagster/column_lineage" in entries for entries in seen.materializations]
        assert (seen.partitions[0], carrying) == ("2024-03-01", [True, False, False]), asset


def test_the_topic_is_observed_when_it_moved_and_only_then(
    instance: dg.DagsterInstance, home: Home, bakery: Domain
) -> None:
    observer = Observer(instance, home, bakery)
    (first,) = observer.tick()
    with open_readers(home, [bakery]) as readers:
        end = readers.log("bakery").end().position
    numbers = {name: first.metadata[name].value for name in ("bakery/position", "bakery/lag", "lag")}
    assert numbers == {"bakery/position": end, "bakery/lag": 0, "lag": 0}
    assert first.metadata["dagster/row_count"].value == end
    assert observer.tick() == []
    assert json.loads(observer.cursor or "{}") == {"bakery": {"published": end, "end": end, "fault": None}}
    observer.cursor = "not a cursor"
    assert len(observer.tick()) == 1


def test_a_home_without_a_topic_is_left_as_it_is(instance: dg.DagsterInstance, tmp_path: Path, bakery: Domain) -> None:
    assert Observer(instance, Home(tmp_path / "new"), bakery).tick() == []
    assert not (tmp_path / "new").exists()
