"""Runs as the Dagster UI launches them, through its own GraphQL, under the real `spice dev`: the whole domain from the
job's page is one run; a backfill of the same selection from the asset graph gives the same result."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.dev_processes import MARK
from tests.conftest import Spice, project_with
from tests.kills.test_followers_dagster import free_port

BAKERY = Path(__file__).parent.parent / "domains" / "bakery"
MONTHS = ["2024-01-01", "2024-02-01", "2024-03-01"]
REPOSITORY = {"repositoryLocationName": "spice", "repositoryName": "__repository__"}
LAUNCH = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status
  runs { id status tags { key value } } } } }"""


class Ui:
    """`spice dev` over a project with the bakery, spoken to as its page does."""

    def __init__(self, project: Path, home: Path) -> None:
        self.spice, self.port = Spice(home, project), free_port()
        env = {k: v for k, v in os.environ.items() if k != MARK} | {"SPICE_HOME": str(home), "PYTHONPATH": str(project)}
        command = [sys.executable, "-m", "gateway.cli.main", "dev", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=project, env=env, start_new_session=True)

    def graphql(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def ready(self) -> None:
        deadline = time.monotonic() + 90
        while True:
            try:
                found = self.graphql("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
                if [entry["loadStatus"] for entry in found["workspaceOrError"]["locationEntries"]] == ["LOADED"]:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, "the UI does not answer"
            time.sleep(0.5)

    def finished(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Launch a backfill, wait for its end, give its runs."""
        launched = self.graphql(LAUNCH, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        deadline = time.monotonic() + 240
        while True:
            found = self.graphql(BACKFILL, id=launched["backfillId"])["partitionBackfillOrError"]
            if found["status"] in ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"):
                assert found["status"] == "COMPLETED_SUCCESS", found
                return list(found["runs"])
            assert time.monotonic() < deadline, found
            time.sleep(1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project_with(tmp_path_factory.mktemp("ui-project"), BAKERY)


def open_ui(project: Path, home: Path) -> Iterator[Ui]:
    shutil.copytree(BAKERY / "sources", home / "sources" / "bakery")
    ui = Ui(project, home)
    try:
        ui.ready()
        yield ui
    finally:
        ui.stop()


@pytest.fixture(scope="module")
def by_job(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    yield from open_ui(project, tmp_path_factory.mktemp("by-job"))


@pytest.fixture(scope="module")
def expected(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Objects after the same work by the command line."""
    home = tmp_path_factory.mktemp("by-cli")
    shutil.copytree(BAKERY / "sources", home / "sources" / "bakery")
    spice = Spice(home, project)
    spice.run("run", "--domain", "bakery")
    return dict(spice.json("objects", "count"))


def settled_counts(ui: Ui) -> Any:
    """Objects once the followers stand at the log's end."""
    deadline = time.monotonic() + 60
    while any(one["lag"] for one in ui.spice.json("projection", "status", "--domain", "bakery").values()):
        assert time.monotonic() < deadline, "the followers lag"
        time.sleep(0.5)
    return ui.spice.json("objects", "count")


def test_the_whole_domain_from_the_page_of_its_job_is_one_run(by_job: Ui, expected: dict[str, int]) -> None:
    selector = {"partitionSetName": "bakery_partition_set", "repositorySelector": REPOSITORY}
    runs = by_job.finished({"selector": selector, "partitionNames": MONTHS})
    assert [run["status"] for run in runs] == ["SUCCESS"]
    tags = {tag["key"]: tag["value"] for tag in runs[0]["tags"]}
    assert tags["dagster/asset_partition_range_start"] == MONTHS[0]
    assert tags["dagster/asset_partition_range_end"] == MONTHS[-1]
    assert settled_counts(by_job) == expected
    assert by_job.spice.run("events", "verify", "--domain", "bakery").returncode == 0


def test_one_month_run_again_the_same_way_appends_nothing(by_job: Ui) -> None:
    before = by_job.spice.json("events", "stats", "--domain", "bakery")["position"]
    selector = {"partitionSetName": "bakery_partition_set", "repositorySelector": REPOSITORY}
    runs = by_job.finished({"selector": selector, "partitionNames": MONTHS[1:2]})
    assert [run["status"] for run in runs] == ["SUCCESS"]
    assert by_job.spice.json("events", "stats", "--domain", "bakery")["position"] == before


def test_a_backfill_from_the_asset_graph_gives_the_same(
    project: Path, expected: dict[str, int], tmp_path: Path
) -> None:
    for ui in open_ui(project, tmp_path):
        nodes = ui.graphql("{ assetNodes { assetKey { path } isMaterializable jobNames } }")["assetNodes"]
        selection = [
            {"path": node["assetKey"]["path"]}
            for node in nodes
            if node["isMaterializable"] and "bakery" in node["jobNames"]
        ]
        runs = ui.finished({"assetSelection": selection, "partitionNames": MONTHS})
        assert {run["status"] for run in runs} == {"SUCCESS"}
        assert settled_counts(ui) == expected
