"""A rebuild as people do it: the job of the Dagster UI by `spice projection rebuild`, the gate, the digest check, undo."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gateway.demo.correction import copy_home
from resources.home import Home
from resources.instance import open_instance
from tests.conftest import Spice
from tests.embedded.conftest import Bakery


@pytest.fixture
def spice(bakery_run: Bakery, tmp_path: Path) -> Spice:
    return Spice(copy_home(Home(bakery_run.home), tmp_path / "home").root, bakery_run.shop.project)


def alias(spice: Spice, model: str = "search") -> str:
    return (spice.home / "read" / f"{model}.sqlite").resolve().name


def spoil(file: Path, statement: str) -> None:
    """Run a statement on the table of shops."""
    with sqlite3.connect(file) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Shop'").fetchone()
        assert connection.execute(statement.format(table=f"t{no}")).rowcount > 0


def run_of(spice: Spice, job: str, *options: str) -> dict[str, Any]:
    """A run as the UI starts it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", job, "--home", str(spice.home), *options],
        cwd=spice.project,
        env={**os.environ, "PYTHONPATH": str(spice.project), "SPICE_HOME": str(spice.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def latest(spice: Spice, asset: str) -> dg.AssetMaterialization:
    with open_instance(Home(spice.home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(asset.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def last_check(spice: Spice, asset: str, name: str) -> Any:
    """The newest result of a check of `projection/search/<asset>`."""
    with open_instance(Home(spice.home)) as instance:
        check = dg.AssetCheckKey(dg.AssetKey(["projection", "search", asset]), name)
        (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    return record.event.dagster_event.event_specific_data


def test_a_rebuild_is_one_run_and_an_undo_is_told_to_dagster(spice: Spice) -> None:
    before, asked = alias(spice), spice.json("search", "fournil", "--type", "Shop")
    told = spice.json("projection", "rebuild", "search")
    assert told["success"] is True
    assert (told["rebuild"]["stage"], len(told["rebuild"]["filled"])) == ("swapped", 16)
    assert alias(spice) == f"search.{told['rebuild']['generation']}.sqlite" != before
    after = spice.json("search", "fournil", "--type", "Shop")
    assert [one["id"] for one in after["objects"]] == [one["id"] for one in asked["objects"]] != []
    compared = spice.json("projection", "verify", "search")
    assert [one["different"] for one in compared] == [[]]

    swapped = latest(spice, "projection/search/swap").metadata
    assert swapped["generation"].value == told["rebuild"]["generation"]
    undone = spice.json("projection", "undo", "search")
    assert (undone["former"], undone["behind"]) == (told["rebuild"]["generation"], {"bakery": 0})
    assert alias(spice) == before
    assert latest(spice, "projection/search/swap").metadata["former_generation"].value == undone["former"]


def test_a_bucket_that_is_not_stored_as_the_events_say_is_red_and_does_not_count(spice: Spice) -> None:
    first = spice.json("projection", "rebuild", "search", "--buckets", "0")["rebuild"]
    with sqlite3.connect(spice.home / "read" / f"search.{first['generation']}.sqlite") as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Shop'").fetchone()
        connection.execute(
            f"CREATE TRIGGER spoilt AFTER INSERT ON t{no} BEGIN UPDATE t{no} SET p_city = 'Nowhere' "
            "WHERE rid = new.rid; END"
        )
    run = run_of(spice, "rebuild_search", "--partitions", "1..f", "--only", "projection/search/fill")
    assert run["success"] is False
    check = last_check(spice, "fill", "proved")
    assert not check.passed
    assert f"generation {first['generation']}, bucket" in check.description
    assert "Fill the bucket again" in check.description
    asked = alias(spice)
    assert spice.run("projection", "rebuild", "search", "--abort").returncode == 0
    assert alias(spice) == asked
    assert not (spice.home / "read" / f"search.{first['generation']}.sqlite").exists()


def test_the_digest_check_names_the_bucket_and_the_repair_mends_it_alone(spice: Spice) -> None:
    live = spice.home / "read" / "search.sqlite"
    with sqlite3.connect(live) as connection:
        (no,) = connection.execute("SELECT no FROM types WHERE type = 'Shop'").fetchone()
        key, bucket = connection.execute(f"SELECT id, bucket FROM t{no} ORDER BY rid LIMIT 1").fetchone()
    spoil(live, f"UPDATE {{table}} SET p_city = 'Nowhere' WHERE id = '{key}'")
    nightly = run_of(spice, "compare_projections")
    assert nightly["success"] is True, "a check that is not blocking fails no run"
    found = last_check(spice, "live", "digest")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"bakery: {bucket:x}" in found.description
    verified = spice.run("projection", "verify", "search", check=False)
    assert (verified.returncode, verified.stdout.count("differs")) == (1, 1)

    assert spice.json("projection", "repair", "search") == {"bakery": [f"{bucket:x}"]}
    assert spice.run("projection", "verify", "search").returncode == 0
    assert spice.json("projection", "repair", "search") == {"bakery": []}
