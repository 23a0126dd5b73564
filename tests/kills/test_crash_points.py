"""Runs of Dagster killed exactly between the Delta commit and the envelope, between the envelope and the
materialization, and at points of append, sealing and projection that test_every_point.py kills bare processes at.

Each run of a chain is killed at the next point, so that each takes up what the one before left; the last one is let
through. What is there then must be what a run that was never killed leaves.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake
from tests.bakery import NAME, RunServer, Workshop, assert_same, assert_whole, contents, edit, workshop
from tests.kills.evidence import assert_topic, log_of
from tests.kills.points import POINTS as POINTS_OF_ALL

POINTS = (
    "table raw/sales",
    "after raw/sales",
    "table quarantine/sales/clean",
    "table clean/sales",
    "after clean/sales",
    "before ontology/sale/objects",
    "after ontology/sale/objects",
    "table transform/shop_months",
    "after transform/shop_months",
    "table ontology/sale/dangling",
    "after ontology/sale/links",
    "table events/bakery",
    "after events/bakery",
    "before projection/search/live",
    "after projection/search/live",
)
"""In the order in which a run comes to them."""
OF_A_CORRECTION = tuple(
    point for point in POINTS if not point.startswith(("after t", "after e", "before", "after raw"))
)


BELOW_THE_PORTS = ("append: linked put record", "seal: before commit lake", "search: in transaction search")
"""The relay is followed beside the runs: see test_followers_dagster.py."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop(tmp_path_factory.mktemp("project"), rules=False)


@pytest.fixture(scope="module")
def server(shop: Workshop) -> Iterator[RunServer]:
    server = RunServer(shop.project, rules=False)
    yield server
    server.close()


def correct(home: Path) -> None:
    """One value changed, one row gone, one row new, one row spoilt, in one month."""
    changed = "R0001,1,cake,Paris,Rue Mercière,2024-01-01,2,24.50,"
    spoilt = 'R0003,1,bread,Nantes,"Allée Flesselles, 3",2024-01-07,four,1.20,'
    new = "R0099,1,bread,Lyon,Rue Mercière,2024-01-30,1,1.20,\n"
    edit(home / "sources" / NAME / "sales.csv", {2: changed, 4: None, 5: spoilt}, add=new)


def assert_at(point: str, shop: Workshop, home: Path, known: dict[str, set[str]]) -> None:
    """The process ended where it was to: the table has a version that the log does not know, or the log knows it."""
    kind, _, name = point.partition(" ")
    readers = shop.readers(home)
    heads = readers.heads(NAME)
    heads.catch_up()
    asset = {"ontology/sale/dangling": "ontology/sale/links"}.get(name, name)
    published = {one.event_id for one in heads.asset_versions(asset).values()}
    if kind == "after":
        assert published - known.get(asset, set()), point
        known[asset] = published
    else:
        assert published == known.get(asset, set()), point
    if kind == "table":
        written = LocalLake(home / "lake").versions(name)
        assert set(written.values()) - {one.data_version for one in heads.asset_versions(asset).values()} or not written
    assert readers.verify(NAME).ok


def killed_at(
    points: tuple[str, ...], shop: Workshop, server: RunServer, home: Path, known: dict[str, set[str]]
) -> None:
    for point in points:
        assert server.run(home, point=point).status == -signal.SIGKILL, point
        assert_at(point, shop, home, known)
    done = server.run(home)
    assert done.status == 0, done.failures


def test_a_run_killed_at_every_point_leaves_what_an_unkilled_one_leaves(
    shop: Workshop, server: RunServer, tmp_path: Path
) -> None:
    plain, killed = tmp_path / "plain", tmp_path / "killed"
    for home in (plain, killed):
        shop.spice(home)
    known: dict[str, set[str]] = {}
    assert server.run(plain).status == 0
    killed_at(POINTS, shop, server, killed, known)
    assert_same(contents(shop.follow(killed)), contents(shop.follow(plain)))
    assert_whole(shop.readers(killed), tmp_path / "scratch")

    # A late correction: an update, a deletion, a creation and a row that goes to quarantine.
    for home in (plain, killed):
        correct(home)
    assert server.run(plain).status == 0
    before = shop.readers(killed).log(NAME).end().position
    killed_at(OF_A_CORRECTION, shop, server, killed, known)
    after = shop.follow(killed)
    assert_same(contents(after), contents(shop.follow(plain)))
    assert_whole(after, tmp_path / "scratch")
    changes = [
        (row["event_type"], row["aggregate_type"], row["aggregate_id"])
        for batch in after.log(NAME).events(after_position=before)
        for row in batch.to_pylist()
        if row["aggregate_type"] == "Sale"
    ]
    assert sorted(changes) == [
        ("ObjectCreated", "Sale", "R0099/1"),
        ("ObjectDeleted", "Sale", "R0002/2"),
        ("ObjectUpdated", "Sale", "R0001/1"),
    ]

    # And the runs that were killed have an end, which says so.
    with open_instance(Home(killed)) as instance:
        runs = instance.get_runs()
        ended = [run for run in runs if run.status == DagsterRunStatus.FAILURE]
        kills = len(POINTS) + len(OF_A_CORRECTION)
        assert (len(runs), len(ended)) == (kills + 2, kills)
    position = after.log(NAME).end().position
    assert server.run(killed).status == 0
    assert shop.readers(killed).log(NAME).end().position == position


def test_a_run_killed_in_an_adapter_leaves_what_an_unkilled_one_leaves(
    shop: Workshop, server: RunServer, tmp_path: Path
) -> None:
    plain, killed = tmp_path / "plain", tmp_path / "killed"
    for home in (plain, killed):
        shop.spice(home)
    for point in BELOW_THE_PORTS:
        assert point in POINTS_OF_ALL
        assert server.run(killed, point=point).status == -signal.SIGKILL, point
        log_of(killed, domain=NAME)  # raises Violation
    assert server.run(plain).status == server.run(killed).status == 0
    after = shop.follow(killed)
    assert_same(contents(after), contents(shop.follow(plain)))
    assert_whole(after, tmp_path / "scratch")
    assert_topic(killed, log_of(killed, domain=NAME), ended=True)
