"""Runs as the Dagster UI launches them, through its own GraphQL, under the real `spice dev`: the whole domain from the
job's page is one run; one partition again; a failed check leads to its rows; a backfill of the same selection from the
asset graph gives the same result. The same by clicks: tests/browser/test_dagster_ui.py."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Spice, project_with
from tests.dagster_ui import BAKERY, MONTHS, Ui, open_ui, requantify, tags_of, values_of


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project_with(tmp_path_factory.mktemp("ui-project"), BAKERY)


@pytest.fixture(scope="module")
def by_job(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    with open_ui(project, tmp_path_factory.mktemp("by-job")) as ui:
        yield ui


@pytest.fixture(scope="module")
def expected(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Objects after the same work by the command line."""
    home = tmp_path_factory.mktemp("by-cli")
    shutil.copytree(BAKERY / "sources", home / "sources" / "bakery")
    spice = Spice(home, project)
    spice.run("run", "--domain", "bakery")
    return dict(spice.json("objects", "count"))


def positions(ui: Ui, *options: str) -> list[int]:
    """Positions of the events that `spice events tail` shows."""
    options = options or ("--domain", "bakery")
    lines = ui.spice.run("events", "tail", "--limit", "0", *options).stdout.splitlines()
    return [json.loads(line)["position"] for line in lines]


def test_the_whole_domain_from_the_page_of_its_job_is_one_run(by_job: Ui, expected: dict[str, int]) -> None:
    runs = by_job.all_of_the_job(MONTHS)
    assert [run["status"] for run in runs] == ["SUCCESS"]
    tags = tags_of(runs[0])
    assert tags["dagster/asset_partition_range_start"] == MONTHS[0]
    assert tags["dagster/asset_partition_range_end"] == MONTHS[-1]
    assert by_job.settled_counts() == expected
    assert by_job.spice.run("events", "verify", "--domain", "bakery").returncode == 0


def test_a_runs_tags_lead_to_its_events_and_they_lead_back(by_job: Ui) -> None:
    run = by_job.runs()[0]
    first, _, last = tags_of(run)["spice/positions"].partition("..")
    assert tags_of(run)["spice/domain"] == "bakery"
    assert positions(by_job, "--run", run["id"][:8]) == list(range(int(first), int(last) + 1)) == positions(by_job)


def test_one_month_run_again_the_same_way_appends_nothing(by_job: Ui) -> None:
    before = by_job.spice.json("events", "stats", "--domain", "bakery")["position"]
    run = by_job.one_partition(MONTHS[1])
    assert run["status"] == "SUCCESS"
    assert tags_of(run)["spice/positions"] == "none"
    assert by_job.materialization("ontology/sale/objects")["change"] == "unchanged: nothing appended"
    assert by_job.spice.json("events", "stats", "--domain", "bakery")["position"] == before


def test_one_month_run_again_takes_over_what_changed_in_it(by_job: Ui) -> None:
    sales = by_job.spice.home / "sources" / "bakery" / "sales.csv"
    requantify(sales, MONTHS[1], 42)
    run = by_job.one_partition(MONTHS[1])
    assert run["status"] == "SUCCESS"
    told = by_job.materialization("ontology/sale/objects", MONTHS[1])
    assert (told["objects_created"], told["objects_updated"], told["objects_deleted"]) == (0, 1, 0)
    assert told["dagster/row_count"] == 53
    appended = positions(by_job, "--run", run["id"])
    assert {told["position_first"], told["position_last"]} <= set(appended)
    assert tags_of(run)["spice/positions"] == f"{appended[0]}..{appended[-1]}"
    assert appended[-1] == positions(by_job)[-1]


def test_a_failed_check_leads_to_its_rows(by_job: Ui) -> None:
    sales = by_job.spice.home / "sources" / "bakery" / "sales.csv"
    good = sales.read_text()
    line = requantify(sales, MONTHS[2], 500)
    run = by_job.one_partition(MONTHS[2])
    assert run["status"] == "FAILURE"
    check = by_job.checks("clean/sales")["values_between_quantity"]
    execution = check["executionForLatestMaterialization"]
    assert (execution["status"], execution["runId"], check["blocking"]) == ("FAILED", run["id"], True)
    told = values_of(execution["evaluation"]["metadataEntries"])
    assert told["failing"] == 1
    assert [(row["source file"], row["source line"], row["quantity"]) for row in told["sample"]] == [
        ("sales.csv", line, 500)
    ]
    assert f"sales.csv, line {line}" in execution["evaluation"]["description"]
    sales.write_text(good)
    assert by_job.one_partition(MONTHS[2])["status"] == "SUCCESS"


def test_a_backfill_from_the_asset_graph_gives_the_same(
    project: Path, expected: dict[str, int], tmp_path: Path
) -> None:
    with open_ui(project, tmp_path) as ui:
        nodes = ui.graphql("{ assetNodes { assetKey { path } isMaterializable jobNames } }")["assetNodes"]
        selection = [
            {"path": node["assetKey"]["path"]}
            for node in nodes
            if node["isMaterializable"] and "bakery" in node["jobNames"]
        ]
        runs = ui.finished({"assetSelection": selection, "partitionNames": MONTHS})
        assert {run["status"] for run in runs} == {"SUCCESS"}
        assert ui.settled_counts() == expected
