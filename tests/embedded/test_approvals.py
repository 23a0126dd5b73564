"""A blocking rule holds its table's version back from every consumer, whichever way the consumer is run: in the same run
(tests/embedded/test_red_checks.py), in a run of its own, in another run of a backfill, by the command line, and by
automation (tests/embedded/test_automation.py). Partitions without a fault go on.
"""

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.test.utils import execute_dagster_graphql

from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from ontology_assets.model.table_rules import rules_of
from orchestration.components.partitions import RANGE_END, RANGE_START
from orchestration.definitions import build_defs
from orchestration.failures import failures
from orchestration.launch import QUIET
from orchestration.runtime import Runtime
from resources.approvals.sql import SqliteApprovals
from resources.home import Home
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, NAME, edit, workshop
from tests.dagster_ui import BACKFILL, LAUNCH
from tests.embedded.test_dead_letters_in_dagster import DEPRECATED_IN_DAGSTER, SYNCHRONOUS
from transforms.outcomes import contract_names, expectation_names

MONTHS = ["2024-01-01", "2024-02-01", "2024-03-01"]
JANUARY, FEBRUARY, _ = MONTHS
CONSUMERS = ["transform/shop_months", "ontology/sale/objects", "ontology/sale/links"]


@pytest.fixture(scope="module")
def domain() -> Domain:
    return load_domain(BAKERY)


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(overrides=SYNCHRONOUS) as made:
        yield made


class Bakery:
    """A home, and runs of parts of the domain's job on it."""

    def __init__(self, root: Path, domain: Domain, instance: dg.DagsterInstance) -> None:
        self.home, self.domain, self.instance = Home(root), domain, instance
        self._definitions: list[tuple[Domain, dg.Definitions]] = []

    def definitions(self, domain: Domain) -> dg.Definitions:
        """The location of one domain; making it takes half a second."""
        for known, made in self._definitions:
            if known is domain:
                return made
        runtime = Runtime(home_dir=str(self.home.root))
        self._definitions.append((domain, build_defs(runtime=runtime, domains=[domain])))
        return self._definitions[-1][1]

    def run(
        self, assets: Sequence[str] = (), months: Sequence[str] = MONTHS, *, domain: Domain | None = None
    ) -> list[str]:
        """What failed; [] where all went well."""
        job = self.definitions(domain or self.domain).resolve_job_def(NAME)
        done = job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(one.split("/")) for one in assets] or None,
            tags={RANGE_START: months[0], RANGE_END: months[-1]},
            run_config=QUIET,
            raise_on_error=False,
        )
        return failures(done.all_events)

    def verdicts(self, table: str) -> dict[str, tuple[str, ...]]:
        """The newest verdict on each partition, where it is one on the version that is there."""
        held = LocalLake(self.home.lake).versions(table)
        with closing(SqliteApprovals(self.home.registry)) as approvals:
            found = approvals.verdicts(table)
        return {key: several[0].failed for key, several in found.items() if several[0].version == held[key]}

    def spoil(self, quantity: int = 101) -> None:
        """A sale of February is of more pieces than the blocking rule allows."""
        file = self.home.sources / NAME / "sales.csv"
        lines = enumerate(file.read_text().splitlines(), 1)
        number, line = next((n, one) for n, one in lines if ",2024-02-" in one and '"' not in one)
        parts = line.split(",")
        parts[6] = str(quantity)
        edit(file, {number: ",".join(parts)})


@pytest.fixture(scope="module")
def finished(domain: Domain, instance: dg.DagsterInstance, tmp_path_factory: pytest.TempPathFactory) -> Bakery:
    made = Bakery(tmp_path_factory.mktemp("finished"), domain, instance)
    shutil.copytree(BAKERY / "sources", made.home.sources / NAME)
    assert made.run() == []
    return made


@pytest.fixture
def bakery(finished: Bakery, tmp_path: Path) -> Bakery:
    shutil.copytree(finished.home.root, tmp_path / "home")
    return Bakery(tmp_path / "home", finished.domain, finished.instance)


def test_a_run_notes_a_verdict_on_each_partition_that_it_judged(finished: Bakery) -> None:
    assert finished.verdicts("clean/sales") == dict.fromkeys(MONTHS, ())
    assert finished.verdicts("transform/shop_months") == dict.fromkeys(MONTHS, ())
    assert finished.verdicts("clean/shops") == {"": ()}


def test_a_consumer_in_a_run_of_its_own_refuses_the_partition_that_failed_and_takes_the_others(bakery: Bakery) -> None:
    bakery.spoil()
    (told,) = bakery.run(["raw/sales", "clean/sales"])
    assert "values_between_quantity" in told
    assert bakery.verdicts("clean/sales") == dict.fromkeys(MONTHS, ()) | {FEBRUARY: ("values_between_quantity",)}
    for consumer in CONSUMERS:
        (told,) = bakery.run([consumer], [FEBRUARY])
        assert f"clean/sales, partition {FEBRUARY}, is held back: values_between_quantity failed" in told
        assert "correct the source (or the rule), and run the table with its checks" in told
        (told,) = bakery.run([consumer])
        assert FEBRUARY in told
        assert bakery.run([consumer], [JANUARY]) == []
    bakery.spoil(3)
    assert bakery.run(["raw/sales", "clean/sales"]) == []
    for consumer in CONSUMERS:
        assert bakery.run([consumer]) == []


def test_what_was_never_judged_is_not_read(bakery: Bakery) -> None:
    bakery.home.registry.unlink()  # a registry that is lost
    (told,) = bakery.run(["ontology/shop/objects"])
    assert "clean/shops is held back: no version of it was ever judged by its blocking rules" in told
    assert bakery.run(["clean/shops"]) == []
    assert bakery.run(["ontology/shop/objects"]) == []


def test_a_version_that_was_made_without_its_checks_is_not_read(bakery: Bakery) -> None:
    bakery.spoil(4)
    runtime = Runtime(home_dir=str(bakery.home.root))
    defs = build_defs(runtime=runtime, domains=[bakery.domain])
    sales, table = bakery.domain.datasets["sales"], dg.AssetKey(["clean", "sales"])
    names = [*contract_names(sales.contract), *expectation_names(sales.expectations)]
    made = dg.AssetSelection.assets("raw/sales", "clean/sales") - dg.AssetSelection.checks(
        *(dg.AssetCheckKey(table, one.name) for one in names)
    )
    job = dg.define_asset_job("without_checks", selection=made, executor_def=dg.in_process_executor)
    merged = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("without_checks")
    tags = {RANGE_START: MONTHS[0], RANGE_END: MONTHS[-1]}
    assert merged.execute_in_process(instance=bakery.instance, tags=tags, run_config=QUIET).success
    (told,) = bakery.run(["ontology/sale/objects"])
    assert f"clean/sales, partition {FEBRUARY}, is held back: version" in told
    assert "was never judged by its blocking rules" in told


def with_rules(domain: Domain, change: dict[str, object], at: int) -> Domain:
    """The domain with another field in one of the expectations of sales."""
    sales = domain.datasets["sales"]
    rules = [one.model_copy(update=change) if n == at else one for n, one in enumerate(sales.expectations)]
    datasets = {**domain.datasets, "sales": sales.model_copy(update={"expectations": rules})}
    return domain.model_copy(update={"datasets": datasets})


def test_another_blocking_rule_asks_for_another_judgement_and_another_warning_does_not(bakery: Bakery) -> None:
    blocking, warning = with_rules(bakery.domain, {"max": 90}, 0), with_rules(bakery.domain, {"pattern": "^R"}, 1)
    assert [one.severity for one in bakery.domain.datasets["sales"].expectations] == ["block", "warn"]
    (told,) = bakery.run(["ontology/sale/objects"], domain=blocking)
    assert "its blocking rules are others than those it was judged by" in told
    assert bakery.run(["ontology/sale/objects"], domain=warning) == []
    assert bakery.run(["clean/sales"], domain=blocking) == []  # no data are made anew; its checks judge it
    assert bakery.run(["ontology/sale/objects"], domain=blocking) == []
    assert bakery.run(["ontology/sale/objects"]) == [], "what was judged by the rules of before stays approved"


def test_a_words_only_change_is_no_other_rule(domain: Domain) -> None:
    other = domain.model_copy(update={"description": "Sweet.", "owners": ["team:ovens"]})
    for table in ("clean/sales", "clean/shops", "transform/shop_months"):
        assert rules_of(domain, table).gate() == rules_of(other, table).gate()


@DEPRECATED_IN_DAGSTER
def test_in_a_backfill_of_several_runs_the_consumer_refuses_what_another_run_found_bad(bakery: Bakery) -> None:
    """Dagster itself goes on: the table counts as materialized, though its blocking check failed."""
    file = bakery.home.sources / NAME / "shops.csv"
    edit(file, {}, add=file.read_text().splitlines()[1] + "\n")
    assets = ["raw/shops", "clean/shops", "raw/sales", "clean/sales", "transform/shop_months"]
    runs = backfilled(bakery, assets)
    assert len(runs) > 1
    by_assets = {one["assets"]: one["status"] for one in runs}
    assert by_assets["transform/shop_months"] == "FAILURE"
    assert {status for name, status in by_assets.items() if "clean/sales" in name} == {"SUCCESS"}
    assert bakery.verdicts("clean/shops") == {"": ("contract_unique_city_street",)}


def backfilled(bakery: Bakery, assets: Sequence[str]) -> list[dict[str, str]]:
    """The runs of a backfill of all partitions, by the daemon's own code."""
    location = bakery.home.root / "location.py"
    location.write_text(
        "from pathlib import Path\n"
        "from ontology_assets.model.loading import load_domain\n"
        "from orchestration.definitions import build_defs\n"
        "from orchestration.runtime import Runtime\n"
        f"runtime = Runtime(home_dir={str(bakery.home.root)!r})\n"
        f"defs = build_defs(runtime=runtime, domains=[load_domain(Path({str(BAKERY)!r}))])\n"
    )
    target = PythonFileTarget(str(location), attribute="defs", working_directory=None, location_name="spice")
    with create_test_daemon_workspace_context(target, bakery.instance) as workspace:
        context = workspace.create_request_context()
        params = {"assetSelection": [{"path": one.split("/")} for one in assets], "partitionNames": MONTHS}
        launched = execute_dagster_graphql(context, LAUNCH, variables={"params": params}).data[
            "launchPartitionBackfill"
        ]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        for _ in range(10):
            list(execute_backfill_iteration(workspace, logging.getLogger("test")))
            asked = execute_dagster_graphql(context, BACKFILL, variables={"id": launched["backfillId"]})
            if asked.data["partitionBackfillOrError"]["status"] != "REQUESTED":
                break
    runs = bakery.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": launched["backfillId"]}))
    return [
        {
            "assets": " ".join(sorted(one.to_user_string() for one in run.asset_selection or ())),
            "status": run.status.value,
        }
        for run in runs
    ]


def test_the_command_line_refuses_it_too(bakery: Bakery, tmp_path: Path) -> None:
    bakery.spoil()
    assert bakery.run(["raw/sales", "clean/sales"]) != []
    shop = workshop(tmp_path / "project")
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", NAME, "--home", str(bakery.home.root), "--only", CONSUMERS[1]],
        cwd=shop.project,
        env={"PYTHONPATH": str(shop.project), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (told,) = json.loads(done.stdout.splitlines()[-1])["failures"]
    assert "values_between_quantity failed" in told
