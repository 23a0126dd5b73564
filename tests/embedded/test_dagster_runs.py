"""What Dagster holds after runs of the second domain: the points of the critic's list that only a run can show.

Four runs: a new home, the same again, another new home, and one whose file lost a column. Which point is checked where
is in the docstring of test_dagster_points.py.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ontology_assets.model.loading import load_domain
from orchestration.definitions import build_defs
from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, NAME, Kitchen, Ran, RunServer, Workshop, contents

TABLES = ("raw/", "clean/", "transform/", "events/")
HOME_MADE = re.compile(r"^(num_?rows|n_?rows|row_?count|rows|schema|columns|table|table_name)$")
"""What a standard key of Dagster's says."""


@dataclass(frozen=True)
class Run:
    """One run and what Dagster stored of it, by asset."""

    ran: Ran
    materialized: dict[str, dg.AssetMaterialization]
    checks: dict[str, dg.AssetCheckEvaluation]

    @property
    def data_versions(self) -> dict[str, str]:
        return {name: (one.tags or {})["dagster/data_version"] for name, one in self.materialized.items()}


@dataclass(frozen=True)
class Kept:
    """What a home holds: events of the log, versions and rows of each table."""

    position: int
    versions: dict[str, dict[str, str]]
    contents: dict[str, Any]


@dataclass(frozen=True)
class Runs:
    """The four runs, and what was there before and after the second."""

    first: Run
    again: Run
    elsewhere: Run
    without_a_column: Run
    kept: tuple[Kept, Kept]


def run(server: RunServer, home: Path) -> Run:
    ran = server.run(home)
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    materialized, checks = {}, {}
    with open_instance(Home(home)) as instance:
        for entry in instance.all_logs(ran.outcome["run_id"], of_type=kinds):
            event = entry.get_dagster_event()
            if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
                made = event.step_materialization_data.materialization
                materialized[made.asset_key.to_user_string()] = made
            else:
                check = event.asset_check_evaluation_data
                checks[f"{check.asset_key.to_user_string()}:{check.check_name}"] = check
    return Run(ran, materialized, checks)


def kept(shop: Workshop, home: Path) -> Kept:
    lake, readers = LocalLake(home / "lake"), shop.follow(home)
    versions = {table: dict(lake.versions(table)) for table in lake.tables()}
    return Kept(readers.log(NAME).end().position, versions, contents(readers))


@pytest.fixture(scope="module")
def runs(full: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder, shop, server = tmp_path_factory.mktemp("runs"), full.shop, full.server
    home, other, spoilt = folder / "home", folder / "other", folder / "spoilt"
    for one in (home, other, spoilt):
        shop.spice(one)
    first, before = run(server, home), kept(shop, home)
    again, after = run(server, home), kept(shop, home)
    file = spoilt / "sources" / NAME / "sales.csv"
    file.write_text("\n".join(line.rpartition(",")[0] for line in file.read_text().splitlines()) + "\n")
    return Runs(first, again, run(server, other), run(server, spoilt), (before, after))


@pytest.fixture(scope="module")
def graph() -> Any:
    """What the main job runs: not the jobs that rebuild, replay or mend what it made."""
    return build_defs(domains=[load_domain(BAKERY)]).resolve_job_def(NAME).asset_layer.asset_graph


def name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def test_point_08_the_same_input_has_the_same_data_versions_wherever_it_runs(runs: Runs, graph: Any) -> None:
    assert runs.first.ran.status == runs.elsewhere.ran.status == 0
    assert set(runs.first.data_versions) == {name(key) for key in graph.executable_asset_keys}
    assert runs.elsewhere.data_versions == runs.again.data_versions == runs.first.data_versions


def test_point_09_a_second_run_adds_no_event_no_version_and_no_row(runs: Runs) -> None:
    assert runs.again.ran.status == 0
    assert set(runs.again.materialized) == set(runs.first.materialized)
    before, after = runs.kept
    assert before.position > 0
    assert after == before


def test_point_19_a_column_that_is_gone_stops_all_that_is_made_of_it(runs: Runs, graph: Any) -> None:
    spoilt = runs.without_a_column
    assert spoilt.ran.status == 1
    assert "discount" in spoilt.ran.failures
    below, todo = set(), [dg.AssetKey(["clean", "sales"])]
    while todo:
        key = todo.pop()
        below.add(name(key))
        todo += graph.get(key).child_keys
    assert len(below) > 5
    assert below & set(spoilt.materialized) == set()
    # The texts are kept as they came, and what is beside it is made.
    assert {"raw/sales", "clean/shops"} <= set(spoilt.materialized)


def test_point_20_every_check_gives_a_result_with_a_count(runs: Runs, graph: Any) -> None:
    every = {f"{name(key.asset_key)}:{key.name}" for key in graph.asset_check_keys}
    for run in (runs.first, runs.again):
        assert set(run.checks) == every
        uncounted = [
            check
            for check, result in run.checks.items()
            if not any(
                isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue) for value in result.metadata.values()
            )
        ]
        assert uncounted == []
    red = [one for one in runs.first.checks.values() if not one.passed]
    assert red
    assert all("sample" in one.metadata for one in red)


def test_point_23_metadata_stands_in_dagsters_standard_keys(runs: Runs, graph: Any) -> None:
    """On the definition what no run changes, on the materialization the rest."""
    for asset, made in runs.first.materialized.items():
        given = {*made.metadata, *graph.get(made.asset_key).metadata}
        assert not [key for key in given if HOME_MADE.match(key)], asset
        if asset.startswith(TABLES):
            wanted = ("row_count", "column_schema", "column_lineage", "table_name", "uri")
            assert {f"dagster/{key}" for key in wanted} <= given, asset
            assert made.metadata["dagster/table_name"].value == asset
        elif asset.endswith("/objects"):
            assert {"dagster/row_count", "dagster/column_schema"} <= given, asset
