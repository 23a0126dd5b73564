"""The shape of the code location: keys, partitions, jobs, metadata, what importing it costs."""

import json
import re
import subprocess
import sys
import warnings

import dagster as dg
import pytest
from dagster_shared.utils.warnings import BetaWarning, PreviewWarning

from resources.home import PROJECT_ROOT

DAILY = {
    "raw/flights",
    "clean/flights",
    "transform/daily_punctuality",
    "ontology/flight/objects",
    "ontology/flight/links",
    "ontology/carrier_day/objects",
    "ontology/carrier_day/links",
}
UNPARTITIONED = {
    *(f"{layer}/{name}" for layer in ("raw", "clean") for name in ("airlines", "airports", "planes", "weather")),
    *(f"ontology/{name}/objects" for name in ("airline", "airport", "plane", "weather_observation")),
    "events/nyc_flights",
    "projection/search/live",
    "projection/graph/live",
}
FORBIDDEN_WORDS = re.compile(r"(^|[/_])(dev|prod|load|process)([/_]|$)")


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from orchestration.definitions import build_defs

    return build_defs()


def name(key: dg.AssetKey) -> str:
    return "/".join(key.path)


def test_the_assets_are_those_of_the_issue(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert {name(key) for key in graph.get_all_asset_keys()} == DAILY | UNPARTITIONED | {"topic"}
    assert {name(key) for key in graph.external_asset_keys} == {"topic"}


def test_all_partitioned_assets_share_their_days_and_run_as_one(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    partitioned = {name(key): graph.get(key) for key in graph.get_all_asset_keys() if graph.get(key).partitions_def}
    assert set(partitioned) == DAILY
    for node in partitioned.values():
        keys = node.partitions_def.get_partition_keys()
        assert (len(keys), keys[0], keys[-1]) == (365, "2013-01-01", "2013-12-31")
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_the_job_holds_all_of_them_and_runs_in_one_process(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("nyc_flights")
    assert {name(key) for key in job.asset_layer.executable_asset_keys} == DAILY | UNPARTITIONED
    assert job.executor_def is dg.in_process_executor
    assert len(job.partitions_def.get_partition_keys()) == 365
    assert job.backfill_policy == dg.BackfillPolicy.single_run()


def test_partitions_stay_within_the_budget_five_years_on(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    sizes = [
        len(graph.get(k).partitions_def.get_partition_keys())
        for k in graph.get_all_asset_keys()
        if graph.get(k).partitions_def
    ]
    assert max(sizes) + 5 * 366 <= 20_000


def test_every_asset_says_what_it_is(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.group_name != "default", key
        assert node.owners, key
        assert node.kinds, key
        assert node.is_external or node.code_version, key
        assert 1 <= len(key.path) <= 4
        assert re.fullmatch(r"[a-z0-9_/]+", name(key))
        assert not FORBIDDEN_WORDS.search(name(key)), key


def test_no_asset_depends_on_itself(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert not [key for key in graph.get_all_asset_keys() if key in graph.get(key).parent_keys]


def test_blocking_checks_stand_at_the_borders(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    blocking = {f"{name(k.asset_key)}:{k.name}" for k in graph.asset_check_keys if graph.get(k).blocking}
    for asset in ("raw/flights", "clean/flights"):
        assert f"{asset}:rows_accounted" in blocking
    assert any(check.startswith("transform/daily_punctuality:contract") for check in blocking)
    assert any(check.startswith("transform/daily_punctuality:conserves") for check in blocking)
    assert "ontology/flight/objects:gates_open" in blocking


def test_sensors_and_schedules_state_their_default_status(defs: dg.Definitions) -> None:
    for sensor in defs.sensors or []:
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING, sensor.name
    for schedule in defs.schedules or []:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING, schedule.name


def test_of_the_beta_and_preview_api_only_the_named_parameters_are_used() -> None:
    allowed = (
        "Parameter `backfill_policy` of function `asset`",
        # Dagster's own copying of definitions while it merges them:
        "Parameter `owners` of initializer `SensorDefinition.__init__`",
        "Parameter `execution_type` of function `AssetsDefinition.__init__`",
        "Parameter `partitions_def` of initializer `AssetCheckSpec.",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from orchestration.definitions import build_defs

        build_defs().resolve_asset_graph()
    dagster = [str(w.message) for w in caught if issubclass(w.category, (BetaWarning, PreviewWarning))]
    assert [message for message in dagster if not message.startswith(allowed)] == []


def test_importing_the_location_is_light() -> None:
    code = (
        "import time, sys, json; t = time.process_time(); import orchestration.definitions;"
        "print(json.dumps([time.process_time() - t, sorted(set(sys.modules) &"
        " {'pyspark', 'pysail', 'pandas', 'deltalake', 'pandera', 'great_expectations', 'duckdb'})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    seconds, heavy = json.loads(done.stdout.strip().splitlines()[-1])
    assert heavy == []
    assert seconds < 3.0  # CPU; under 2 s of wall clock on a quiet machine


def test_the_assembly_is_wiring_only() -> None:
    text = (PROJECT_ROOT / "orchestration" / "definitions.py").read_text()
    assert len(text.splitlines()) <= 60
    assert "@dg.asset" not in text
    assert "@dg.sensor" not in text


def test_no_word_of_the_sample_stands_in_the_product() -> None:
    packages = ["orchestration", "transforms", "ontology_assets", "resources", "gateway"]
    found = subprocess.run(
        ["grep", "-riE", "flight|airline|tailnum|nyc", *packages, "--include=*.py"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_our_packages_are_ours() -> None:
    import resources
    import transforms

    assert str(PROJECT_ROOT) in str(resources.__file__)
    assert str(PROJECT_ROOT) in str(transforms.__file__)
