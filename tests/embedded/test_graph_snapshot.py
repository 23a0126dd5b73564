"""The asset graph is the one in the repository: whoever changes it sees and commits the difference."""

import difflib

import dagster as dg
import pytest
import yaml

from tests.embedded.graph_snapshot import COMMAND, FOLDER, graphs, text_of

GRAPHS = ("location", "bakery")


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return {name: text_of(defs) for name, defs in graphs().items()}


def difference(kept: str, now: str, name: str) -> str:
    """What changed, as a diff, and the command that accepts it; empty if nothing did."""
    lines = difflib.unified_diff(
        kept.splitlines(), now.splitlines(), f"{name} in the repository", f"{name} now", "", ""
    )
    text = "\n".join(lines)
    return f"The graph changed. If it was meant to, run `{COMMAND}` and commit the files.\n{text}" if text else ""


def keys(text: str) -> list[str]:
    return list(yaml.safe_load(text)["keys"])


@pytest.mark.parametrize("name", GRAPHS)
def test_asset_keys_are_those_of_the_snapshot(found: dict[str, str], name: str) -> None:
    """First and alone: a renamed key is a new asset without history."""
    assert keys(found[name]) == keys((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_is_that_of_the_snapshot(found: dict[str, str], name: str) -> None:
    changed = difference((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), found[name], name)
    if changed:
        pytest.fail(changed, pytrace=False)


def test_every_graph_has_its_snapshot_and_no_other_lies_there() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(GRAPHS) == set(graphs())


def test_the_same_definitions_give_the_same_text(found: dict[str, str]) -> None:
    assert text_of(graphs()["bakery"]) == found["bakery"]


DAYS = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-02-01")


def small(**changes: object) -> str:
    """A graph of one edge, one check and one job, with something changed."""
    options = {"mapping": dg.TimeWindowPartitionMapping(), "blocking": True, "owner": "team:a", "cron": "0 3 * * *"}
    options |= changes
    first = dg.AssetSpec("first", partitions_def=DAYS)

    @dg.asset(
        deps=[dg.AssetDep("first", partition_mapping=options["mapping"])],
        partitions_def=DAYS,
        owners=[str(options["owner"])],
        check_specs=[dg.AssetCheckSpec("whole", asset="second", blocking=bool(options["blocking"]))],
    )
    def second() -> dg.MaterializeResult: ...

    job = dg.define_asset_job("both", "*")
    schedule = dg.ScheduleDefinition(name="nightly", job=job, cron_schedule=str(options["cron"]))
    return text_of(dg.Definitions(assets=[first, second], jobs=[job], schedules=[schedule]))


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"mapping": dg.TimeWindowPartitionMapping(start_offset=-1)}, "start_offset=-1"),
        ({"mapping": dg.AllPartitionMapping()}, "first by AllPartitionMapping()"),
        ({"blocking": False}, "+    blocking: false"),
        ({"owner": "team:b"}, "+    owners: team:b"),
        ({"cron": "0 4 * * *"}, "+    cron: 0 4 * * *"),
    ],
)
def test_a_change_of_the_graph_is_shown_as_a_diff_with_the_command(changes: dict[str, object], shown: str) -> None:
    text = difference(small(), small(**changes), "small")
    assert shown in text
    assert COMMAND in text
    assert difference(small(), small(), "small") == ""
