"""The 25 points that a Dagster engineer would criticise, each checked by a test where a test can do it.

1  wiring only                     test_point_01_the_assembly_is_wiring_only
2  light import                    test_point_02_*; tests/unit/test_architecture.py::test_no_module_reads_the_environment_when_it_is_imported
3  domain code without Dagster     tests/embedded/test_static_checks.py::test_layers_hold (contract "domain code does not know Dagster")
4  layers                          tests/embedded/test_static_checks.py::test_layers_hold, ::test_an_import_against_the_layers_is_found
5  keys                            test_point_05_*; tests/embedded/test_graph_snapshot.py::test_asset_keys_are_those_of_the_snapshot
6  description, group, owners ...  test_point_06_*
7  code version                    tests/unit/definitions/test_code_version.py::test_words_for_people_and_gates_change_no_version
                                   (a comment too), ::test_what_changes_data_changes_just_its_own_assets
8  data version                    tests/embedded/test_dagster_runs.py::test_point_08_*; by layer: docs/decisions/0003
9  a re-run is a no-op             tests/embedded/test_dagster_runs.py::test_point_09_*
10 crash at each point             tests/kills/test_crash_points.py::test_a_run_killed_at_every_point_leaves_what_an_unkilled_one_leaves
11 one place of emission           tests/unit/test_architecture.py::test_point_11_*
12 ranges                          tests/unit/test_architecture.py::test_point_12_*
13 explicit partition mappings     test_point_13_*
14 partition budget                test_point_14_*
15 no self-dependency              test_point_15_*
16 sensor: new home                tests/embedded/test_keeper.py::test_a_new_home_gets_one_run_of_each_follower_and_no_second_one
   at work, restart                tests/embedded/test_keeper.py::test_fresh_leases_are_left_alone
   corrupt cursor, bounded, skips  test_point_16_*
   of replays: cursor, restart     tests/embedded/test_replay_in_dagster.py::test_a_cursor_that_can_not_be_read_or_is_of_another_log_begins_anew,
                                   ::test_the_stream_is_read_record_by_record_where_time_is_short
17 attempts in run keys            tests/embedded/test_replay_in_dagster.py::test_a_failed_run_is_tried_again_under_the_next_key_*,
                                   tests/embedded/test_keeper.py::test_run_keys_are_never_used_twice,
                                   ::test_a_lost_lease_ends_the_run_as_failed_and_the_next_attempt_is_requested
18 default status                  test_point_18_*; tests/unit/test_architecture.py::test_point_18_*
19 blocking checks at the borders  test_point_19_*; tests/embedded/test_dagster_runs.py::test_point_19_*
20 checks: counts, always a result tests/embedded/test_dagster_runs.py::test_point_20_*; tests/unit/test_architecture.py::test_point_20_*;
                                   each made red: tests/embedded/test_red_checks.py::test_every_check_of_the_graph_was_red
21 one retry mechanism             test_point_21_*; tests/unit/test_architecture.py::test_point_21_*
22 slots and pools                 tests/embedded/test_instance.py::test_settings_hold (slots are freed); test_point_22_*: no pools,
                                   since the embedded adapters have no bottleneck outside the process
23 standard metadata               tests/embedded/test_dagster_runs.py::test_point_23_*
24 tests: fast, offline, unmocked  tests/unit/test_architecture.py::test_point_24_*; test_point_24_*; seconds by folder at the end of `make test`.
                                   Contracts on real services: no service adapter exists yet
25 no deprecated or preview API    test_point_25_*, and the warnings that pytest makes errors (pyproject.toml)

Also noticed at once: re-exports, `utils`, long files, SQL from parts, `Any` are tests/unit/test_architecture.py; naive
datetimes and commented-out code are ruff's DTZ and ERA (test_static_checks.py); claims of the README without a command
are tests/docs/. Not for a test: YAML where Python would be shorter.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import build_defs
from orchestration.sensors.keeper import follower_definitions
from resources.home import PROJECT_ROOT, Home
from resources.instance import open_instance
from tests.embedded.graph_snapshot import graphs

FORBIDDEN_WORDS = re.compile(r"(^|[/_])(dev|prod|load|process|test|staging)([/_]|$)")
OF_THE_LOCATION = {"topic"}
"""The one key of a single segment: the topic is no table and belongs to no domain."""
WATCHED_IMPORT = """
import sys
done = []
def watch(event, arguments):
    if event in ("socket.connect", "subprocess.Popen", "sqlite3.connect", "os.mkdir", "os.remove", "os.rename"):
        done.append(f"{event} {arguments[:1]}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        done.append(f"open {arguments[0]}")
import json, time
sys.addaudithook(watch)
began = time.process_time()
import orchestration.definitions
seconds = time.process_time() - began
heavy = {"pyspark", "pysail", "pandas", "deltalake", "pandera", "great_expectations", "duckdb", "kafka"}
print(json.dumps({"seconds": seconds, "heavy": sorted(heavy & set(sys.modules)), "done": done}))
"""
STRICT_LOADING = "from orchestration.definitions import build_defs; build_defs().resolve_asset_graph()"


@pytest.fixture(scope="module", params=["location", "bakery"])
def defs(request: pytest.FixtureRequest) -> dg.Definitions:
    """The location as it is, and the second domain alone."""
    return graphs()[request.param]


def nodes(defs: dg.Definitions) -> list[Any]:
    graph = defs.resolve_asset_graph()
    return [graph.get(key) for key in sorted(graph.get_all_asset_keys())]


def name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", *options, "-c", code]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)


def test_point_01_the_assembly_is_wiring_only() -> None:
    text = (PROJECT_ROOT / "orchestration" / "definitions.py").read_text()
    assert len(text.splitlines()) <= 60
    assert not re.search(r"@(dg\.)?(asset|multi_asset|sensor|schedule|op|job|asset_check)\b", text)


def test_point_02_importing_the_location_is_light_and_touches_nothing() -> None:
    done = python(WATCHED_IMPORT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["heavy"] == []
    assert found["done"] in ([], ["subprocess.Popen ('file',)"])  # Dagster's croniter asks of how many bits Python is
    assert found["seconds"] < 2.5  # CPU seconds; 1.4 on a quiet machine


def test_point_05_keys_are_nouns_of_two_to_four_segments_without_an_environment(defs: dg.Definitions) -> None:
    for node in nodes(defs):
        assert 2 <= len(node.key.path) <= 4 or name(node.key) in OF_THE_LOCATION
        assert re.fullmatch(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*", name(node.key))
        assert not FORBIDDEN_WORDS.search(name(node.key)), node.key
    assert FORBIDDEN_WORDS.search("raw/load_sales")
    assert not FORBIDDEN_WORDS.search("raw/workload")


def test_point_06_every_asset_says_what_it_is(defs: dg.Definitions) -> None:
    for node in nodes(defs):
        assert node.description, node.key
        assert node.group_name != "default", node.key
        assert node.owners, node.key
        assert node.kinds, node.key
        assert node.is_external or node.code_version, node.key  # nothing of ours makes an external one


def unmapped(graph: Any) -> list[str]:
    """Edges between different partitions without a mapping. Of an upstream without partitions there's nothing to map."""
    found = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        for parent in sorted(node.parent_keys):
            theirs = graph.get(parent).partitions_def
            if theirs is not None and theirs != node.partitions_def and parent not in node.partition_mappings:
                found.append(f"{name(parent)} -> {name(key)}")
    return found


def test_point_13_partitions_that_differ_are_mapped_by_name(defs: dg.Definitions) -> None:
    assert unmapped(defs.resolve_asset_graph()) == []

    days = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-02-01")
    first = dg.AssetSpec("first", partitions_def=days)
    bare = dg.Definitions(assets=[first, dg.AssetSpec("second", deps=["first"])])
    assert unmapped(bare.resolve_asset_graph()) == ["first -> second"]


def test_point_14_partitions_stay_within_the_budget_five_years_on(defs: dg.Definitions) -> None:
    """Of dynamic ones there are as many as objects have partitions of their own (MOST_OBJECTS), or a bucket each."""
    partitioned = [node.partitions_def for node in nodes(defs) if node.partitions_def is not None]
    dynamic = {one.name for one in partitioned if isinstance(one, dg.DynamicPartitionsDefinition)}
    assert dynamic == {"dead_letters_graph", "dead_letters_search"}
    fixed = [one for one in partitioned if not isinstance(one, dg.DynamicPartitionsDefinition)]
    then = datetime.now(UTC) + timedelta(days=5 * 366)
    assert max(len(one.get_partition_keys(current_time=then)) for one in fixed) + 5 * 366 <= 20_000


def test_point_15_no_asset_depends_on_itself(defs: dg.Definitions) -> None:
    assert [node.key for node in nodes(defs) if node.key in node.parent_keys] == []


@pytest.fixture
def keeper_at_a_new_home(tmp_path: Path) -> Iterator[tuple[dg.DagsterInstance, dg.Definitions]]:
    home = Home(tmp_path / "home")
    bakery = follower_definitions(declared("bakery"), home)
    with open_instance(home) as instance:
        yield instance, dg.Definitions.merge(bakery, dg.Definitions(resources={"runtime": None}))


def declared(domain: str) -> list[Any]:
    from ontology_assets.model.loading import load_domain

    return [load_domain(PROJECT_ROOT / "tests" / "domains" / domain)]


@pytest.mark.parametrize("cursor", [None, "", "{", "[]", "{}", '{"swept_at": "yesterday"}', '{"swept_at": 7}'])
def test_point_16_a_cursor_that_nobody_can_read_costs_one_sweep_and_no_tick(
    keeper_at_a_new_home: tuple[dg.DagsterInstance, dg.Definitions], cursor: str | None
) -> None:
    instance, definitions = keeper_at_a_new_home
    sensor = definitions.resolve_sensor_def("follower_keeper")
    first = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor, definitions=definitions))
    assert len(first.run_requests) == len(sensor.targets) == 3  # never more at once than there are followers
    again = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=first.cursor, definitions=definitions))
    assert not again.run_requests
    assert again.skip_message


def test_point_18_sensors_and_schedules_run_by_default(defs: dg.Definitions) -> None:
    """Which there are is in the snapshot."""
    statuses = {one.name: one.default_status.value for one in [*(defs.sensors or []), *(defs.schedules or [])]}
    assert {"follower_keeper", "hourly_housekeeping"} <= set(statuses)
    off = {one for one, status in statuses.items() if status != "RUNNING"}
    assert off == {"nightly_archiving"}, "it makes the sealed tables the only copy of what they hold"


def is_of_a_rebuild(node: Any) -> bool:
    """Its gate is inside the swap, since no check holds back another run (docs/decisions/0012)."""
    return bool(node.tags.get("tier") == "rebuild")


def test_point_19_blocking_checks_stand_at_every_border(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    blocked = {name(key.asset_key) for key in graph.asset_check_keys if graph.get(key).blocking}
    at_the_end = {"topic", "projection/search/live", "projection/graph/live"}
    assert {name(node.key) for node in nodes(defs) if not is_of_a_rebuild(node)} - blocked == at_the_end
    # There is no declarative automation that would have to wait for checks of another run.
    assert [node.key for node in nodes(defs) if node.automation_condition is not None] == []


def test_point_21_no_step_and_no_run_is_tried_again_by_dagster(defs: dg.Definitions) -> None:
    """A run that failed is repeated by whoever launched it, a follower by its keeper; the instance retries nothing
    (test_instance.py::test_settings_hold)."""
    for job in defs.resolve_all_job_defs():
        for node in job.nodes_in_topological_order:
            assert node.retry_policy is None, (job.name, node.name)
            assert getattr(node.definition, "retry_policy", None) is None, (job.name, node.name)


def test_point_22_no_pool_is_named_that_nobody_limits(defs: dg.Definitions) -> None:
    """Everything outside the process is embedded; what must not run twice at once is locked by table, and backfills
    are limited by tag (test_instance.py::test_two_backfill_runs_at_a_time_and_a_follower_beside_them)."""
    assert {pool for node in nodes(defs) for pool in node.pools or ()} == set()


def test_point_24_a_test_cannot_reach_beyond_this_machine() -> None:
    with pytest.raises(AssertionError, match="not of this machine"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(AssertionError, match="not of this machine"):
        socket.getaddrinfo("example.org", 80)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        socket.create_connection(listener.getsockname(), timeout=5).close()


def test_point_25_the_definitions_load_without_any_warning() -> None:
    """Any warning is an error, except those that orchestration/components/common.py and docs/decisions/0006 name."""
    done = python(STRICT_LOADING, "-W", "error")
    assert done.returncode == 0, done.stderr
    old = "import dagster as dg; dg.SourceAsset('old')"
    assert "Deprecat" in python(old, "-W", "error").stderr


def test_the_table_above_names_tests_that_exist() -> None:
    table, file, named = (__doc__ or "").partition("Also noticed")[0], "", []
    for path, inside, test, more in re.findall(r"(tests/[\w/]+\.py)?(::)?(test_\w+)(\*?)(?!\w*\.py)", table):
        file = path or file
        text = (PROJECT_ROOT / file if inside else Path(__file__)).read_text(encoding="utf-8")
        assert re.search(rf"def {test}" + ("" if more else r"\b"), text), f"{file}{inside}{test}"
        named.append(test)
    assert len(named) > 35
    assert {int(number) for number in re.findall(r"^(\d+) ", table, re.MULTILINE)} == set(range(1, 26))


def test_the_job_holds_all_assets_of_its_domain_and_runs_in_one_process() -> None:
    defs = build_defs()
    job = defs.resolve_job_def("nyc_flights")
    beside = {"rebuild", "build"}  # they have jobs of their own
    own = {name(node.key) for node in nodes(defs) if node.is_executable and node.tags.get("tier") not in beside}
    assert {name(key) for key in job.asset_layer.executable_asset_keys} == own
    assert job.executor_def is dg.in_process_executor
    assert job.backfill_policy == dg.BackfillPolicy.single_run()
    assert len(job.partitions_def.get_partition_keys()) == 365


def test_partitioned_assets_share_the_partitions_of_their_job_and_are_made_by_single_runs(defs: dg.Definitions) -> None:
    """So the whole range is one run, in which blocking checks block. Of dead letters each is a run, and no other's."""
    (job,) = (job for job in defs.resolve_all_job_defs() if "spice/domain" in job.run_tags | job.tags)
    partitioned = [node for node in nodes(defs) if node.partitions_def is not None]
    assert len(partitioned) > 4
    of_the_job = [node for node in partitioned if not is_of_a_rebuild(node)]
    assert {node.partitions_def for node in of_the_job} == {job.partitions_def}
    own = {node for node in partitioned if isinstance(node.partitions_def, dg.DynamicPartitionsDefinition)}
    assert {node.backfill_policy for node in partitioned if node not in own} == {dg.BackfillPolicy.single_run()}
    assert {node.backfill_policy for node in own} == {None}
    assert job.backfill_policy == dg.BackfillPolicy.single_run()
