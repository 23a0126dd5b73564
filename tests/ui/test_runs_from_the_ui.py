"""Runs as the Dagster UI launches them, through its own GraphQL, under the real `spice dev`: the whole domain from the
job's page is one run; one partition again; a failed check leads to its rows; a backfill of the same selection from the
asset graph gives the same result; a damaged bucket is swapped in by no way that there is. The same by clicks:
tests/browser/test_dagster_ui.py."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Spice, project_with
from tests.dagster_ui import BAKERY, MONTHS, REPOSITORY, Ui, open_ui, requantify, tags_of, values_of
from tests.ui.spoiling import Spoiler

FILL, SWAP, REBUILD = "projection/search/fill", "projection/search/swap", "rebuild_search"
BUCKETS = list("0123456789abcdef")
OF_THE_REBUILD = {
    "selector": {"partitionSetName": f"{REBUILD}_partition_set", "repositorySelector": REPOSITORY},
    "partitionNames": BUCKETS,
}
"""What "Materialize all" on the page of the job launches."""
UNDO_SECONDS = 2.0


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


def generations_of(ui: Ui) -> dict[str, Any]:
    """What the gateway tells of the search model's."""
    return dict(httpx.get(f"{ui.gateway}/v1/projections").json()["projections"]["search"])


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


def test_a_backfill_of_a_replay_is_one_run_for_each_bucket_where_these_are_fewer(by_job: Ui) -> None:
    months = ["2024-01", "2024-02", "2024-03"]
    keys = [f"{bucket}|{month}" for bucket in "3b" for month in months]
    runs = by_job.finished({"assetSelection": [{"path": ["projection", "search", "replay"]}], "partitionNames": keys})
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS"]
    ranges = [
        (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"])
        for tags in map(tags_of, runs)
    ]
    assert sorted(ranges) == [("3|2024-01", "3|2024-03"), ("b|2024-01", "b|2024-03")]
    told = by_job.materialization("projection/search/replay", "b|2024-02")
    assert told["selected"] == told["compared"] > 0
    assert (told["differing"], told["buckets"], told["partitions"]) == (0, "b", 3)


def test_a_bucket_that_is_damaged_after_its_fill_is_swapped_in_by_no_way_that_there_is(by_job: Ui) -> None:
    spoiler = Spoiler.of(by_job.spice.home)
    asked = spoiler.generations.current()
    assert by_job.over(by_job.launched(REBUILD, FILL, **{"dagster/partition": "0"}))["status"] == "SUCCESS"
    rebuild = generations_of(by_job)["rebuild"]
    generation = rebuild["generation"]

    def assert_refused(run_id: str) -> None:
        assert by_job.over(run_id)["status"] == "FAILURE"
        told = by_job.failures(run_id)
        assert f"bucket {spoiler.bucket}" in told, told
        assert "The alias has not moved" in told
        assert spoiler.generations.current() == asked

    # A backfill of both assets: runs of its own for each.
    spoiler.at_the_next_swap(generation)
    both = [{"path": asset.split("/")} for asset in (FILL, SWAP)]
    runs = by_job.finished({"assetSelection": both, "partitionNames": BUCKETS}, "COMPLETED_FAILED")
    assert sorted(run["status"] for run in runs) == ["FAILURE", "SUCCESS"]
    (failed,) = [run["id"] for run in runs if run["status"] == "FAILURE"]
    assert_refused(failed)
    execution = by_job.checks(SWAP)["equal_to_the_log"]["executionForLatestMaterialization"]
    assert (execution["status"], execution["runId"]) == ("FAILED", failed)
    # That run retried from its failure.
    assert_refused(by_job.retried(failed))
    # The fill alone, of the one bucket that does not count any more; then the swap by hand, twice at once.
    mine = by_job.launched(REBUILD, FILL, **{"dagster/partition": spoiler.bucket})
    assert by_job.over(mine)["status"] == "SUCCESS"
    spoiler.now(generation)
    for run_id in [by_job.launched(REBUILD, SWAP) for _ in range(2)]:
        assert_refused(run_id)
    # Fill and swap launched for that one bucket.
    spoiler.at_the_next_swap(generation)
    assert_refused(by_job.launched(REBUILD, FILL, SWAP, **{"dagster/partition": spoiler.bucket}))
    # The job, from its page.
    spoiler.at_the_next_swap(generation)
    (run,) = by_job.finished(OF_THE_REBUILD, "COMPLETED_FAILED")
    assert_refused(run["id"])
    # The command line.
    spoiler.at_the_next_swap(generation)
    told = by_job.spice.run("projection", "rebuild", "search", check=False)
    assert told.returncode != 0
    assert f"differs from the log in bakery: bucket {spoiler.bucket}" in told.stderr
    assert spoiler.generations.current() == asked

    # The same rebuild, undamaged.
    spoiler.no_more(generation)
    (run,) = by_job.finished(OF_THE_REBUILD)
    assert spoiler.generations.current() == generation
    assert by_job.materialization(SWAP)["generation"] == generation
    assert generations_of(by_job)["rebuild"]["id"] == rebuild["id"]


def test_the_former_generation_follows_and_an_undo_by_http_shows_todays_data(by_job: Ui) -> None:
    """Under `spice dev` nobody does anything for it."""
    with httpx.Client(base_url=by_job.gateway) as gateway:
        now = generations_of(by_job)
        requantify(by_job.spice.home / "sources" / "bakery" / "sales.csv", MONTHS[0], 77)
        assert by_job.one_partition(MONTHS[0])["status"] == "SUCCESS"
        by_job.settled_counts()
        deadline = time.monotonic() + 20
        while any(generations_of(by_job)["undo"]["behind"].values()):
            assert time.monotonic() < deadline, "the former generation does not follow"
            time.sleep(0.5)
        began = time.monotonic()
        undone = gateway.post("/v1/projections/search/undo", json={"asked": now["generation"]})
        assert time.monotonic() - began <= UNDO_SECONDS
        assert undone.json()["generation"] == now["undo"]["generation"]
        found = gateway.post("/v1/search", json={"type": "Sale", "where": [["quantity", "=", 77]]}).json()
        assert found["total"] == 1
    deadline = time.monotonic() + 30
    while by_job.materialization(SWAP)["generation"] != now["undo"]["generation"]:
        assert time.monotonic() < deadline, "Dagster was not told of the undo"
        time.sleep(0.5)


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
