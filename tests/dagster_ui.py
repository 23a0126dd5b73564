"""The real `spice dev` over a project with the small second domain, spoken to as the Dagster page speaks: by GraphQL.

The clicks of a browser are in `tests/browser/dagster_journeys.py`.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.dev_processes import MARK
from resources.home import PROJECT_ROOT
from tests.bakery import edit
from tests.conftest import Spice

BAKERY = PROJECT_ROOT / "tests" / "domains" / "bakery"
MONTHS = ["2024-01-01", "2024-02-01", "2024-03-01"]
REPOSITORY = {"repositoryLocationName": "spice", "repositoryName": "__repository__"}
OVER = ("SUCCESS", "FAILURE", "CANCELED")
LOADED = "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
LAUNCH = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status
  runs { id status tags { key value } } } } }"""
LAUNCH_ONE = """
mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { id } } ... on PythonError { message } } }"""
RETRY = """
mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
  __typename ... on LaunchRunSuccess { run { id } } ... on PythonError { message } } }"""
STEP_FAILURES = """
query($id: ID!) { logsForRun(runId: $id, limit: 500) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { error { message causes { message } } } } } } }"""
RUNS = """
query($filter: RunsFilter) { runsOrError(filter: $filter, limit: 20) { ... on Runs { results {
  id status tags { key value } } } } }"""
METADATA = """
metadataEntries { label description
  ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } ... on TextMetadataEntry { text }
  ... on MarkdownMetadataEntry { mdStr } ... on UrlMetadataEntry { url } ... on PathMetadataEntry { path }
  ... on TableMetadataEntry { table { records schema { columns { name } } } } }"""
MATERIALIZATION = f"""
query($key: AssetKeyInput!, $partitions: [String!]) {{ assetNodeOrError(assetKey: $key) {{ ... on AssetNode {{
  assetMaterializations(limit: 1, partitions: $partitions) {{ runId partition {METADATA} }} }} }} }}"""
CHECKS = f"""
query($key: AssetKeyInput!) {{ assetNodeOrError(assetKey: $key) {{ ... on AssetNode {{ assetChecksOrError {{
  ... on AssetChecks {{ checks {{ name description blocking executionForLatestMaterialization {{ status runId
    evaluation {{ success severity description {METADATA} }} }} }} }} }} }} }} }}"""
VALUES = ("intValue", "floatValue", "text", "mdStr", "url", "path")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def values_of(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Metadata as {label: value}; a table as its records, each a dict."""
    found: dict[str, Any] = {}
    for entry in entries:
        if "table" in entry:
            found[entry["label"]] = [json.loads(record) for record in entry["table"]["records"]]
        else:
            found[entry["label"]] = next((entry[name] for name in VALUES if name in entry), None)
    return found


class Ui:
    """`spice dev` over one project and home."""

    def __init__(self, project: Path, home: Path, job: str = "bakery") -> None:
        self.spice, self.port, self.job = Spice(home, project), free_port(), job
        self.gateway_port = free_port()
        env = {k: v for k, v in os.environ.items() if k != MARK} | {"SPICE_HOME": str(home), "PYTHONPATH": str(project)}
        command = [sys.executable, "-m", "gateway.cli.main", "dev"]
        command += ["--port", str(self.port), "--gateway-port", str(self.gateway_port)]
        self.process = subprocess.Popen(command, cwd=project, env=env, start_new_session=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    def graphql(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def ready(self) -> None:
        deadline = time.monotonic() + 90
        while True:
            try:
                found = self.graphql(LOADED)
                if [entry["loadStatus"] for entry in found["workspaceOrError"]["locationEntries"]] == ["LOADED"]:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, "the UI does not answer"
            time.sleep(0.5)

    def finished(self, params: dict[str, Any], status: str = "COMPLETED_SUCCESS") -> list[dict[str, Any]]:
        """Launch a backfill, wait for its end, give its runs."""
        launched = self.graphql(LAUNCH, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        deadline = time.monotonic() + 240
        while True:
            found = self.graphql(BACKFILL, id=launched["backfillId"])["partitionBackfillOrError"]
            if found["status"] in ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"):
                assert found["status"] == status, found
                return list(found["runs"])
            assert time.monotonic() < deadline, found
            time.sleep(1)

    def all_of_the_job(self, partitions: list[str]) -> list[dict[str, Any]]:
        """What "Materialize all" on the page of the job does for several partitions."""
        selector = {"partitionSetName": f"{self.job}_partition_set", "repositorySelector": REPOSITORY}
        return self.finished({"selector": selector, "partitionNames": partitions})

    def one_partition(self, partition: str) -> dict[str, Any]:
        """What it does for one: a run at once, without a backfill; waits for its end."""
        tags = {"dagster/partition": partition, "dagster/partition_set": f"{self.job}_partition_set"}
        params = {
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            "runConfigData": "{}",
            "selector": {**REPOSITORY, "pipelineName": self.job},
        }
        launched = self.graphql(LAUNCH_ONE, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return self.over(launched["run"]["id"])

    def launched(self, job: str, *assets: str, **tags: str) -> str:
        """What "Materialize" does for assets of a job without a backfill; the run's id."""
        params = {
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            "runConfigData": "{}",
            "selector": {
                **REPOSITORY,
                "pipelineName": job,
                "assetSelection": [{"path": asset.split("/")} for asset in assets],
            },
        }
        launched = self.graphql(LAUNCH_ONE, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["id"])

    def retried(self, run_id: str) -> str:
        """What "Re-execute from failure" does; the new run's id."""
        params = {"parentRunId": run_id, "strategy": "FROM_FAILURE"}
        launched = self.graphql(RETRY, params=params)["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["id"])

    def failures(self, run_id: str) -> str:
        """What the run's failed steps say."""
        events = self.graphql(STEP_FAILURES, id=run_id)["logsForRun"]["events"]
        return "\n".join(_causes(event["error"]) for event in events if event.get("error"))

    def runs(self) -> list[dict[str, Any]]:
        """The job's runs, newest first."""
        return list(self.graphql(RUNS, filter={"pipelineName": self.job})["runsOrError"]["results"])

    def over(self, run_id: str) -> dict[str, Any]:
        """The run when it has ended."""
        deadline = time.monotonic() + 180
        while True:
            found = self.graphql(RUNS, filter={"runIds": [run_id]})["runsOrError"]["results"]
            run = next(iter(found), None)
            if run is not None and run["status"] in OVER:
                return dict(run)
            assert time.monotonic() < deadline, run
            time.sleep(0.5)

    def next_run(self, known: set[str]) -> dict[str, Any]:
        """The run that is none of the known ones, when it has ended; a backfill begins it within half a minute."""
        deadline = time.monotonic() + 90
        while True:
            new = [run["id"] for run in self.runs() if run["id"] not in known]
            if new:
                return self.over(new[-1])
            assert time.monotonic() < deadline, "no run was begun"
            time.sleep(0.5)

    def materialization(self, asset: str, partition: str | None = None) -> dict[str, Any]:
        """Metadata of the latest materialization (of a partition), as {label: value}."""
        partitions = [partition] if partition else None
        found = self.graphql(MATERIALIZATION, key={"path": asset.split("/")}, partitions=partitions)
        return values_of(found["assetNodeOrError"]["assetMaterializations"][0]["metadataEntries"])

    def checks(self, asset: str) -> dict[str, dict[str, Any]]:
        """The asset's checks by name, each with its latest evaluation."""
        found = self.graphql(CHECKS, key={"path": asset.split("/")})
        return {one["name"]: one for one in found["assetNodeOrError"]["assetChecksOrError"]["checks"]}

    def settled_counts(self) -> Any:
        """Objects once the followers stand at the log's end."""
        deadline = time.monotonic() + 60
        while any(one["lag"] for one in self.spice.json("projection", "status", "--domain", self.job).values()):
            assert time.monotonic() < deadline, "the followers lag"
            time.sleep(0.5)
        return self.spice.json("objects", "count")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def _causes(error: dict[str, Any]) -> str:
    return "\n".join([error["message"], *(cause["message"] for cause in error["causes"])])


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["tags"]}


def requantify(sales: Path, month: str, quantity: int) -> int:
    """Give the first sale of a month another quantity in the file; returns its line."""
    rows = enumerate(sales.read_text().splitlines(), 1)
    line, text = next((line, row) for line, row in rows if f",{month[:7]}-" in row and '"' not in row)
    fields = text.split(",")
    edit(sales, {line: ",".join([*fields[:6], str(quantity), *fields[7:]])})
    return line


@contextmanager
def open_ui(project: Path, home: Path, job: str = "bakery") -> Iterator[Ui]:
    """The UI over a home; one without sources gets the small domain's."""
    if not (home / "sources").exists():
        shutil.copytree(BAKERY / "sources", home / "sources" / "bakery")
    ui = Ui(project, home, job)
    try:
        ui.ready()
        yield ui
    finally:
        ui.stop()
