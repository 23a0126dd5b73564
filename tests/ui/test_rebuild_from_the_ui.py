"""Replays and rebuilds as the Dagster UI launches them, through its own GraphQL, under the real `spice dev`: a damaged
bucket is swapped in by no way that there is, and an undo shows today's data.
"""

import shutil
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Spice, project_with
from tests.dagster_ui import BAKERY, MONTHS, REPOSITORY, Ui, open_ui, requantify, tags_of
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
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """Over a home that the command line has filled."""
    project, home = project_with(tmp_path_factory.mktemp("ui-project"), BAKERY), tmp_path_factory.mktemp("by-cli")
    shutil.copytree(BAKERY / "sources", home / "sources" / "bakery")
    Spice(home, project).run("run", "--domain", "bakery")
    with open_ui(project, home) as opened:
        yield opened


def generations_of(ui: Ui) -> dict[str, Any]:
    """What the gateway tells of the search model's."""
    return dict(httpx.get(f"{ui.gateway}/v1/projections").json()["projections"]["search"])


def test_a_backfill_of_a_replay_is_one_run_for_each_bucket_where_these_are_fewer(ui: Ui) -> None:
    months = ["2024-01", "2024-02", "2024-03"]
    keys = [f"{bucket}|{month}" for bucket in "3b" for month in months]
    runs = ui.finished({"assetSelection": [{"path": ["projection", "search", "replay"]}], "partitionNames": keys})
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS"]
    ranges = [
        (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"])
        for tags in map(tags_of, runs)
    ]
    assert sorted(ranges) == [("3|2024-01", "3|2024-03"), ("b|2024-01", "b|2024-03")]
    told = ui.materialization("projection/search/replay", "b|2024-02")
    assert told["selected"] == told["compared"] > 0
    assert (told["differing"], told["buckets"], told["partitions"]) == (0, "b", 3)


def test_a_bucket_that_is_damaged_after_its_fill_is_swapped_in_by_no_way_that_there_is(ui: Ui) -> None:
    spoiler = Spoiler.of(ui.spice.home)
    asked = spoiler.generations.current()
    assert ui.over(ui.launched(REBUILD, FILL, **{"dagster/partition": "0"}))["status"] == "SUCCESS"
    rebuild = generations_of(ui)["rebuild"]
    generation = rebuild["generation"]

    def assert_refused(run_id: str) -> None:
        assert ui.over(run_id)["status"] == "FAILURE"
        told = ui.failures(run_id)
        assert f"bucket {spoiler.bucket}" in told, told
        assert "The alias has not moved" in told
        assert spoiler.generations.current() == asked

    # A backfill of both assets: runs of its own for each.
    spoiler.at_the_next_swap(generation)
    both = [{"path": asset.split("/")} for asset in (FILL, SWAP)]
    runs = ui.finished({"assetSelection": both, "partitionNames": BUCKETS}, "COMPLETED_FAILED")
    assert sorted(run["status"] for run in runs) == ["FAILURE", "SUCCESS"]
    (failed,) = [run["id"] for run in runs if run["status"] == "FAILURE"]
    assert_refused(failed)
    execution = ui.checks(SWAP)["equal_to_the_log"]["executionForLatestMaterialization"]
    assert (execution["status"], execution["runId"]) == ("FAILED", failed)
    # That run retried from its failure.
    assert_refused(ui.retried(failed))
    # The fill alone, of the one bucket that does not count any more; then the swap by hand, twice at once.
    mine = ui.launched(REBUILD, FILL, **{"dagster/partition": spoiler.bucket})
    assert ui.over(mine)["status"] == "SUCCESS"
    spoiler.now(generation)
    for run_id in [ui.launched(REBUILD, SWAP) for _ in range(2)]:
        assert_refused(run_id)
    # Fill and swap launched for that one bucket.
    spoiler.at_the_next_swap(generation)
    assert_refused(ui.launched(REBUILD, FILL, SWAP, **{"dagster/partition": spoiler.bucket}))
    # The job, from its page.
    spoiler.at_the_next_swap(generation)
    (run,) = ui.finished(OF_THE_REBUILD, "COMPLETED_FAILED")
    assert_refused(run["id"])
    # The command line.
    spoiler.at_the_next_swap(generation)
    told = ui.spice.run("projection", "rebuild", "search", check=False)
    assert told.returncode != 0
    assert f"differs from the log in bakery: bucket {spoiler.bucket}" in told.stderr
    assert spoiler.generations.current() == asked

    # The same rebuild, undamaged.
    spoiler.no_more(generation)
    (run,) = ui.finished(OF_THE_REBUILD)
    assert spoiler.generations.current() == generation
    assert ui.materialization(SWAP)["generation"] == generation
    assert generations_of(ui)["rebuild"]["id"] == rebuild["id"]


def test_the_former_generation_follows_and_an_undo_by_http_shows_todays_data(ui: Ui) -> None:
    """Under `spice dev` nobody does anything for it."""
    with httpx.Client(base_url=ui.gateway) as gateway:
        now = generations_of(ui)
        requantify(ui.spice.home / "sources" / "bakery" / "sales.csv", MONTHS[0], 77)
        assert ui.one_partition(MONTHS[0])["status"] == "SUCCESS"
        ui.settled_counts()
        deadline = time.monotonic() + 20
        while any(generations_of(ui)["undo"]["behind"].values()):
            assert time.monotonic() < deadline, "the former generation does not follow"
            time.sleep(0.5)
        began = time.monotonic()
        undone = gateway.post("/v1/projections/search/undo", json={"asked": now["generation"]})
        assert time.monotonic() - began <= UNDO_SECONDS
        assert undone.json()["generation"] == now["undo"]["generation"]
        found = gateway.post("/v1/search", json={"type": "Sale", "where": [["quantity", "=", 77]]}).json()
        assert found["total"] == 1
    deadline = time.monotonic() + 30
    while ui.materialization(SWAP)["generation"] != now["undo"]["generation"]:
        assert time.monotonic() < deadline, "Dagster was not told of the undo"
        time.sleep(0.5)
