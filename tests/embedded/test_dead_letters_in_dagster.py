"""Dead letters in Dagster: partitions that the sensor keeps, runs that try again, a backfill of several runs."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.test.utils import execute_dagster_graphql

from ontology_assets.projections.deadletters import names
from ontology_assets.projections.deadletters.letters import open_letters
from ontology_assets.projections.deadletters.names import object_name, partition_keys
from ontology_assets.projections.repair import verify
from orchestration.components.deadletter_assets import deadletter_definitions
from orchestration.runtime import Runtime
from orchestration.sensors.dead_letters import dead_letter_keeping
from resources.read_model.base import ParkedObject
from tests.contracts.library import AUTHORS, LIBRARY, Change
from tests.contracts.library_log import LibraryHome
from tests.dagster_ui import BACKFILL, LAUNCH
from tests.embedded.dead_letters import author, mended

ASSET = dg.AssetKey(["deadletters", "search"])
SYNCHRONOUS = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {
        "module": "dagster._core.run_coordinator.default_run_coordinator",
        "class": "DefaultRunCoordinator",
    },
}
DEPRECATED_IN_DAGSTER = pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
"""By Dagster itself, when it launches a backfill."""
BLOCKED = ("lem", "eco", "han")


def poison(key: str) -> Change:
    return author({"code": key, "living": "perhaps"}, key)


@pytest.fixture
def library(tmp_path: Path) -> LibraryHome:
    made = LibraryHome(tmp_path / "home")
    made.append(AUTHORS)
    made.append([poison(key) for key in BLOCKED])
    made.append([author({"code": key, "name": "Later"}, key) for key in BLOCKED])
    made.follow()
    made.follow("graph")
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(overrides=SYNCHRONOUS) as made:
        yield made


def definitions(library: LibraryHome) -> dg.Definitions:
    return dg.Definitions.merge(
        deadletter_definitions([LIBRARY]),
        dead_letter_keeping([LIBRARY], library.home),
        dg.Definitions(resources={"runtime": Runtime(home_dir=str(library.root))}, executor=dg.in_process_executor),
    )


class Keeper:
    """The sensor, ticked by hand as the daemon does."""

    def __init__(self, library: LibraryHome, instance: dg.DagsterInstance) -> None:
        self.instance, self.definitions = instance, definitions(library)
        self.cursor: str | None = None

    def tick(self) -> list[str]:
        """The keys of search afterwards."""
        sensor = self.definitions.resolve_sensor_def("dead_letter_keeper")
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.definitions)
        told = sensor.evaluate_tick(context)
        self.cursor = told.cursor
        assert not told.run_requests
        for request in told.dynamic_partitions_requests or ():
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            else:
                for key in request.partition_keys:
                    self.instance.delete_dynamic_partition(request.partitions_def_name, key)
        return sorted(self.instance.get_dynamic_partitions("dead_letters_search"))


def materialize(library: LibraryHome, instance: dg.DagsterInstance, key: str) -> dg.ExecuteInProcessResult:
    job = definitions(library).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, partition_key=key, asset_selection=[ASSET], raise_on_error=False)


def test_the_sensor_keeps_a_partition_for_each_blocked_object_and_never_shows_an_id(
    library: LibraryHome, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(library, instance)
    expected = sorted(object_name("Author", key) for key in BLOCKED)
    assert keeper.tick() == expected
    assert all(key not in name for key in BLOCKED for name in expected)
    assert keeper.tick() == expected

    mended(monkeypatch)
    done = materialize(library, instance, object_name("Author", "lem"))
    assert done.success
    told = done.asset_materializations_for_node("deadletters__search")[0].metadata
    assert (told["retried"].value, told["applied_events"].value, told["still_blocked"].value) == (1, 2, 0)
    assert told["blocked_elsewhere"].value == 2
    assert "| Author | lem | 5 | 2 |" in str(told["objects"].value)
    assert sorted(instance.get_dynamic_partitions("dead_letters_search")) == expected, "a run leaves its own key"
    assert keeper.tick() == sorted(object_name("Author", key) for key in ("eco", "han"))
    assert materialize(library, instance, object_name("Author", "eco")).success
    assert materialize(library, instance, object_name("Author", "eco")).success, "nothing waits any more"


def test_without_dead_letters_a_tick_does_not_open_the_instance(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    library = LibraryHome(tmp_path / "other")
    keeper = Keeper(library, instance)
    assert keeper.tick() == []
    assert not library.home.read_models.exists(), "nothing is made by asking"
    sensor = keeper.definitions.resolve_sensor_def("dead_letter_keeper")
    with dg.build_sensor_context(cursor=keeper.cursor, definitions=keeper.definitions) as context:
        assert sensor.evaluate_tick(context).skip_message == "graph: 0 open; search: 0 open"
        assert context._instance is None


def test_a_run_whose_object_is_still_blocked_is_red_and_says_where_and_why(
    library: LibraryHome, instance: dg.DagsterInstance
) -> None:
    keeper = Keeper(library, instance)
    keeper.tick()
    done = materialize(library, instance, object_name("Author", "lem"))
    assert not done.success
    (failed,) = [event for event in done.all_events if event.is_step_failure]
    failure = failed.step_failure_data
    told = failure.user_failure_data
    assert told is not None
    assert "Author lem at event 5 (property living is boolean" in (told.description or "")
    assert "spice deadletters skip Author-" in (told.description or "")
    assert "| Author | lem | 5 | 0 | event 5:" in str(told.metadata["objects"].value)
    assert len(keeper.tick()) == 3


def test_of_many_blocked_objects_a_partition_is_a_bucket_in_which_one_stops_no_other(
    library: LibraryHome, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST_OBJECTS", 2)
    library.append([author({"code": "eco", "name": 7}, "eco")])
    library.follow()
    keeper = Keeper(library, instance)
    buckets = {letter.id: letter.bucket for letter in open_letters(library.place())}
    keys = keeper.tick()
    assert keys == sorted({f"bucket-{bucket:x}" for bucket in buckets.values()})
    mended(monkeypatch)
    succeeded = {key: materialize(library, instance, key).success for key in keys}
    assert succeeded == {key: key != f"bucket-{buckets['eco']:x}" for key in keys}
    assert [(letter.id, letter.position) for letter in open_letters(library.place())] == [("eco", 11)]
    assert keeper.tick() == [object_name("Author", "eco")], "few again: a partition for each object"


def test_five_hundred_objects_have_partitions_of_their_own_and_five_hundred_and_one_do_not() -> None:
    parked = [ParkedObject("Author", str(number), number % 16, number, "why") for number in range(501)]
    assert partition_keys(parked[:500]) == {object_name("Author", str(number)) for number in range(500)}
    assert partition_keys(parked) == {f"bucket-{digit}" for digit in "0123456789abcdef"}


@DEPRECATED_IN_DAGSTER
def test_a_backfill_of_all_partitions_through_graphql_leaves_nothing_and_the_keys_go_when_it_is_over(
    library: LibraryHome, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(library, instance)
    keys = keeper.tick()
    mended(monkeypatch)
    statuses, seen = backfilled(library, instance, tmp_path, keys, meanwhile=keeper.tick)
    assert statuses == ["SUCCESS"] * 3
    assert all(set(one) == set(keys) for one in seen), "no key goes while the backfill is in progress"
    assert open_letters(library.place()) == []
    assert keeper.tick() == []
    assert [one.different for one in verify(library.place())] == [[]]
    with closing(library.live()) as sink:
        assert {row.sequence for _, row in sink.writer.documents("Author")} == {1, 3}


def backfilled(
    library: LibraryHome,
    instance: dg.DagsterInstance,
    folder: Path,
    keys: Sequence[str],
    meanwhile: Callable[[], Any],
) -> tuple[list[str], list[Any]]:
    """Statuses of the runs, and what `meanwhile` said between the daemon's looks."""
    file = folder / "location.py"
    file.write_text(
        "from pathlib import Path\n"
        "from tests.contracts.library_log import LibraryHome\n"
        "from tests.embedded.test_dead_letters_in_dagster import definitions\n"
        f"defs = definitions(LibraryHome(Path({str(library.root)!r})))\n"
    )
    target = PythonFileTarget(str(file), attribute="defs", working_directory=None, location_name="spice")
    seen = []
    with create_test_daemon_workspace_context(target, instance) as workspace:
        context = workspace.create_request_context()
        params = {"assetSelection": [{"path": ASSET.path}], "partitionNames": list(keys)}
        launched = execute_dagster_graphql(context, LAUNCH, variables={"params": params}).data[
            "launchPartitionBackfill"
        ]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        for _ in range(10):
            list(execute_backfill_iteration(workspace, logging.getLogger("test")))
            asked = execute_dagster_graphql(context, BACKFILL, variables={"id": launched["backfillId"]})
            found = asked.data["partitionBackfillOrError"]
            if found["status"] != "REQUESTED":
                break
            seen.append(meanwhile())
    assert found["status"] == "COMPLETED_SUCCESS", found
    return [run["status"] for run in found["runs"]], seen
