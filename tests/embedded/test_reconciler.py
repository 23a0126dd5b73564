"""The reconciler: each difference is made by a kill or by hand on a copy of a small home, and is found, named, and mended
or left red with what to do. What a run is at work on is none.
"""

import json
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from gateway.reconciling import compare, mend
from ontology_assets.reconciling.difference import Difference, Kind, lines
from ontology_assets.reconciling.reconcile import Look
from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake
from resources.locks import exclusive
from resources.run_records import VERSION_SHOWN
from tests.bakery import NAME, Kitchen, assert_same, contents
from tests.dagster_ui import MONTHS, requantify
from tests.embedded.test_red_checks import alter, sales_file

Seen = set[tuple[Kind, str, str]]
NOTHING: Seen = set()


def look(kitchen: Kitchen, home: Path) -> Look:
    (found,) = compare(Home(home), [kitchen.shop.domain])
    return found


def seen(differences: list[Difference]) -> Seen:
    return {(one.kind, one.asset, one.partition) for one in differences}


def latest(home: Path, asset: str, partition: str | None = None) -> Mapping[str, Any]:
    key = dg.AssetKey(asset.split("/"))
    with open_instance(Home(home)) as instance:
        chosen = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
        (record,) = instance.fetch_materializations(chosen, limit=1).records
    assert record.asset_materialization is not None
    return {name: one.value for name, one in record.asset_materialization.metadata.items()}


def of_a_later_run(kitchen: Kitchen, home: Path) -> None:
    """A sale of February is corrected, and the job has run."""
    requantify(sales_file(home), MONTHS[1], 4)
    assert kitchen.server.run(home).status == 0


def test_a_healthy_home_agrees(bare: Kitchen, tmp_path: Path) -> None:
    found = look(bare, bare.copy(tmp_path))
    assert (found.differences, found.at_work) == ([], set())
    # Sales by month: raw, clean, months of shops, objects and links of both. Shops, once: raw, clean, objects. History.
    said = 7 * len(MONTHS) + 3 + 1
    assert found.compared == {"tables": 8, "envelopes": said, "materializations": said}


def test_what_a_killed_run_left_undone_is_done_for_it(bare: Kitchen, tmp_path: Path) -> None:
    """Each run is killed once, right after a commit or right after its envelope, and takes up what was mended."""
    home, whole = bare.copy(tmp_path / "killed"), bare.copy(tmp_path / "whole")
    for one in (home, whole):
        requantify(sales_file(one), MONTHS[1], 4)
    assert bare.server.run(whole).status == 0
    february = MONTHS[1]
    for point, expected in {
        "table raw/sales": {(Kind.NO_ENVELOPE, "raw/sales", february)},
        "after clean/sales": {(Kind.NOT_TOLD, "clean/sales", february)},
        "after ontology/sale/objects": {(Kind.NOT_TOLD, "ontology/sale/objects", february)},
        "table transform/shop_months": {(Kind.NO_ENVELOPE, "transform/shop_months", february)},
        "table events/bakery": {(Kind.NO_ENVELOPE, "events/bakery", "")},
    }.items():
        assert bare.server.run(home, point=point).status == -9
        found = look(bare, home)
        assert seen(found.differences) == expected, point
        assert all(one.can_be_mended for one in found.differences)
        (done,) = mend(Home(home), [bare.shop.domain])
        assert (seen(done.mended), done.after.differences) == (expected, []), point
    assert latest(home, "events/bakery")["envelope_run"] == "none"
    assert bare.server.run(home).status == 0
    assert look(bare, home).differences == []
    assert_same(contents(bare.shop.follow(home)), contents(bare.shop.follow(whole)))


def test_links_that_were_written_and_not_said_wait_for_the_next_run(bare: Kitchen, tmp_path: Path) -> None:
    """How many of them resolve is not in their table."""
    home = bare.copy(tmp_path)
    requantify(sales_file(home), MONTHS[1], 4)
    assert bare.server.run(home, point="table ontology/sale/dangling").status == -9
    expected = {(Kind.NO_ENVELOPE, "ontology/sale/links", MONTHS[1])}
    (done,) = mend(Home(home), [bare.shop.domain])
    assert (done.mended, seen(done.after.differences)) == ([], expected)
    assert "Run the job bakery for 2024-02-01" in done.after.differences[0].advice
    assert bare.server.run(home).status == 0
    assert look(bare, home).differences == []


def test_a_table_that_was_put_back_or_removed_is_made_again_by_the_job(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    shutil.copytree(home / "lake" / "clean" / "sales", tmp_path / "older")
    of_a_later_run(bare, home)
    shutil.rmtree(home / "lake" / "clean" / "sales")
    shutil.copytree(tmp_path / "older", home / "lake" / "clean" / "sales")
    shutil.rmtree(home / "lake" / "raw" / "shops")
    expected = {(Kind.OLD_TABLE, "clean/sales", MONTHS[1]), (Kind.OLD_TABLE, "raw/shops", "")}
    (done,) = mend(Home(home), [bare.shop.domain])
    assert (done.mended, seen(done.after.differences)) == ([], expected)
    assert "Run the job bakery for 2024-02-01" in "\n".join(lines(done.after.differences))
    assert bare.server.run(home).status == 0
    assert look(bare, home).differences == []


def test_a_table_whose_rows_are_not_those_of_its_commit_is_named(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    alter(home, "clean/sales")
    lake = LocalLake(home / "lake")
    rows = lake.scan("clean/shops")
    lake.replace("clean/shops", rows.slice(0, 3), versions=lake.versions("clean/shops"), partition_column=None)
    (next((home / "lake" / "raw" / "shops").glob("*.parquet"))).unlink()
    found = look(bare, home)
    assert seen(found.differences) == {
        (Kind.TABLE_ROWS, "clean/sales", ""),
        (Kind.TABLE_ROWS, "clean/shops", ""),
        (Kind.TABLE_BROKEN, "raw/shops", ""),
    }
    told = "\n".join(lines(found.differences))
    assert "files of 52 rows, its newest commit says 53" in told
    assert "its commit has 3 rows, the envelope" in told
    assert "remove its folder" in told


def test_a_table_that_another_tool_wrote_to_is_named(bare: Kitchen, tmp_path: Path) -> None:
    from deltalake import write_deltalake

    home = bare.copy(tmp_path)
    folder = home / "lake" / "clean" / "shops"
    write_deltalake(str(folder), LocalLake(home / "lake").scan("clean/shops").slice(0, 1), mode="append")
    assert {(one.kind, one.asset) for one in look(bare, home).differences} == {
        (Kind.TABLE_ROWS, "clean/shops"),
        (Kind.OLD_TABLE, "clean/shops"),
    }


def test_dagster_records_that_were_put_back_are_told_what_they_miss(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    shutil.copytree(home / "dagster", tmp_path / "older")
    of_a_later_run(bare, home)
    shutil.rmtree(home / "dagster")
    shutil.copytree(tmp_path / "older", home / "dagster")
    (done,) = mend(Home(home), [bare.shop.domain])
    changed = {"raw/sales", "clean/sales", "transform/shop_months"}
    changed |= {f"ontology/{name}/{part}" for name in ("sale", "shop_month") for part in ("objects", "links")}
    assert {(kind, asset) for kind, asset, _ in seen(done.mended)} == {
        (Kind.NOT_TOLD, asset) for asset in (*changed, "events/bakery")
    }
    assert done.after.differences == []
    told = latest(home, "clean/sales", MONTHS[1])
    version = LocalLake(home / "lake").versions("clean/sales")[MONTHS[1]]
    assert told["data_version"] == version[:VERSION_SHOWN]
    assert told["dagster/partition_row_count"] == LocalLake(home / "lake").rows("clean/sales")[MONTHS[1]]


def test_a_count_that_dagster_shows_otherwise_is_told_again(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    before = latest(home, "raw/sales", MONTHS[0])
    with open_instance(Home(home)) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                dg.AssetKey(["raw", "sales"]),
                partition=MONTHS[0],
                metadata={"data_version": before["data_version"], "dagster/partition_row_count": 7},
                tags={DATA_VERSION_TAG: "x"},
            )
        )
    (done,) = mend(Home(home), [bare.shop.domain])
    assert seen(done.mended) == {(Kind.TOLD_ROWS, "raw/sales", MONTHS[0])}
    assert "it shows 7 rows" in done.mended[0].detail
    assert latest(home, "raw/sales", MONTHS[0])["dagster/partition_row_count"] == before["dagster/partition_row_count"]
    assert done.after.differences == []


def test_a_log_that_was_put_back_stays_red_until_the_job_has_decided_anew(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    shutil.copytree(home / "objects", tmp_path / "older")
    of_a_later_run(bare, home)
    shutil.rmtree(home / "objects")
    shutil.copytree(tmp_path / "older", home / "objects")
    (done,) = mend(Home(home), [bare.shop.domain])
    kinds = {one.kind for one in done.after.differences}
    assert {Kind.UNKNOWN_TO_THE_LOG, Kind.TABLE_BROKEN} <= kinds
    assert done.mended == [], "of a log that was put back nobody knows which table belongs to it"
    told = "\n".join(lines(done.after.differences))
    assert "the log ends at" in told
    assert "run the job bakery" in told
    assert "the log was restored from another copy. Remove the table's folder and seal again" in told

    shutil.rmtree(home / "lake" / "events")
    for follower in ("read", "topic.sqlite"):  # they are of another history, and say so
        place = home / follower
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert bare.server.run(home).status == 0
    assert look(bare, home).differences == []


def test_positions_that_are_another_runs_are_not_believed(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    told = latest(home, "raw/shops")
    with open_instance(Home(home)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["raw", "shops"]))
        assert event is not None
        assert event.asset_materialization is not None
        instance.report_runless_asset_event(event.asset_materialization)
    found = look(bare, home)
    assert seen(found.differences) == {(Kind.UNKNOWN_TO_THE_LOG, "raw/shops", "")}
    assert f"positions {told['position_first']} to {told['position_last']}" in found.differences[0].detail


def test_what_a_run_is_at_work_on_is_no_difference(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    requantify(sales_file(home), MONTHS[1], 4)
    assert bare.server.run(home, point="table raw/sales").status == -9
    with exclusive(home / "locks", "raw/sales", holder="a run"):
        found = look(bare, home)
    assert (found.differences, found.at_work) == ([], {"raw/sales"})
    assert seen(look(bare, home).differences) == {(Kind.NO_ENVELOPE, "raw/sales", MONTHS[1])}


def test_no_look_beside_a_run_finds_anything(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    requantify(sales_file(home), MONTHS[1], 4)
    ended: list[int] = []
    run = threading.Thread(target=lambda: ended.append(bare.server.run(home).status))
    run.start()
    looks = 0
    while run.is_alive():
        assert look(bare, home).differences == []
        looks += 1
    run.join()
    assert ended == [0]
    assert looks > 1
    assert (look(bare, home).differences, look(bare, home).at_work) == ([], set())


def test_check_and_job_in_dagster_and_the_command_say_the_same(bare: Kitchen, tmp_path: Path) -> None:
    home = bare.copy(tmp_path)
    requantify(sales_file(home), MONTHS[1], 4)
    assert bare.server.run(home, point="after raw/sales").status == -9
    shutil.rmtree(home / "lake" / "clean" / "shops")

    def job(name: str) -> dict[str, Any]:
        answer = bare.server.ask({"home": str(home), "job": name, "point": "", "partitions": None})
        return {"status": answer["status"], **answer["outcome"]}

    assert job("compare_records")["status"] == 0, "a check that is not blocking fails no run"
    with open_instance(Home(home)) as instance:
        key = dg.AssetCheckKey(dg.AssetKey(["events", NAME]), "reconciled")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    checked: Any = record.event.dagster_event.event_specific_data  # type: ignore[union-attr]
    assert (checked.passed, checked.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (checked.metadata["differences"].value, checked.metadata["mended_by_the_job"].value) == (2, 1)
    spice = bare.shop.spice(home)
    told = spice.run("reconcile", check=False)
    assert (told.returncode, told.stdout.splitlines()[1:]) == (1, checked.description.splitlines())
    assert told.stdout.startswith("bakery: 8 tables, 25 envelopes, 25 materializations differ")

    mended = job("reconcile")
    assert mended["status"] == 1
    assert "Not reconciled: clean/shops: table older than its envelope" in mended["failures"][0]
    (left,) = json.loads(spice.run("reconcile", "--repair", "--json", check=False).stdout)
    assert [one["kind"] for one in left["differences"]] == [Kind.OLD_TABLE]
    assert left["mended"] == [], "the job has done that"
