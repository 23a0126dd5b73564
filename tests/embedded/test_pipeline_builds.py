"""A pipeline that changes: planned, built and checked on a branch, promoted or refused, killed on the way.

The definition's filter drops the sales of one piece; what that does to a shop's month is worked out by hand below.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.reconciling import compare
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import downstream_of
from ontology_assets.model.table_columns import declared_columns
from resources.home import Home
from resources.lake.local import LocalLake
from tests.bakery import NAME, Kitchen, Ran, kitchen
from transforms.building.plan import Plan, plan

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
PIPELINE, TABLE = "shop_months", "transform/shop_months"
FEWER = ("product IN ('bread', 'cake')", "product IN ('bread', 'cake') AND quantity > 1")
NARROWER = ("columns: [lines, revenue, rank]", "columns: [revenue, rank]")
WITHOUT_LINES = ("      - {rule: conserves, sum: [lines_bread, lines_cake], of: sold, severity: warn}\n", "")
TOO_STRICT = ("min: 0, max: 100000", "min: 0, max: 10")
LYON = {"city": "Lyon", "street": "Rue Mercière"}
APPROVALS = ["removed:lines_bread", "removed:lines_cake"]


@dataclass(frozen=True)
class Shop:
    """A finished home of its own, whose definition may be changed, and a process that runs its jobs."""

    kitchen: Kitchen
    home: Path

    def define(self, *changes: tuple[str, str]) -> None:
        file = self.kitchen.shop.folder / "domain.yaml"
        text = file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)

    @property
    def domain(self) -> Domain:
        return self.kitchen.shop.domain

    @property
    def lake(self) -> LocalLake:
        return LocalLake(Home(self.home).lake)

    def plan(self, branch: str = "main") -> Plan:
        domain = self.domain
        columns = declared_columns(domain)[TABLE]
        lake = self.lake.branches.at(branch)
        return plan(PIPELINE, domain.pipelines[PIPELINE], lake, columns, timezone=domain.timezone)

    def build(self, branch: str = "try", *, partitions: str | None = None, **config: Any) -> Ran:
        job = f"build_{PIPELINE}"
        given = {f"{TABLE}/build": {"branch": branch, **config}}
        return self.kitchen.server.run(self.home, job=job, partitions=partitions, config=given)

    def promote(self, branch: str = "try", *, point: str = "", **config: Any) -> Ran:
        given = {TABLE: {"promote": branch, **config}}
        return self.kitchen.server.run(self.home, only=TABLE, config=given, point=point)

    def run(self) -> Ran:
        return self.kitchen.server.run(self.home)

    def lines(self, branch: str = "main") -> int | None:
        """Lines of bread sold in January in Lyon's Rue Mercière."""
        rows = self.lake.branches.at(branch).scan(TABLE, partitions=["2024-01-01"]).to_pylist()
        (found,) = [row["lines_bread"] for row in rows if {name: row[name] for name in LYON} == LYON]
        return found

    def built_events(self) -> int:
        events = self.kitchen.shop.readers(self.home).log(NAME).events()
        return sum(row["event_type"] == "TransformBuilt" for batch in events for row in batch.to_pylist())


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    yield from kitchen(tmp_path_factory.mktemp("builds"), rules=True)


@pytest.fixture
def shop(own: Kitchen, tmp_path: Path) -> Iterator[Shop]:
    file = own.shop.folder / "domain.yaml"
    before = file.read_text()
    yield Shop(own, own.copy(tmp_path))
    file.write_text(before)


def assert_agrees(shop: Shop) -> None:
    (found,) = compare(Home(shop.home), [shop.domain])
    assert found.differences == []


def test_a_changed_pipeline_is_planned_built_beside_main_and_promoted(shop: Shop) -> None:
    assert shop.plan().partitions == []
    shop.define(FEWER)
    planned = shop.plan()
    months = ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert [(one.partition, one.reason) for one in planned.partitions] == [(m, "definition changed") for m in months]
    assert planned.rows == sum(one.rows for one in planned.partitions) == 53
    assert planned.seconds is not None
    assert planned.changes == []
    assert downstream_of(shop.domain, TABLE) == ["ontology/shop_month/objects", "ontology/shop_month/links"]

    events = shop.built_events()
    built = shop.build()
    assert built.status == 0, built.failures
    report = built.outcome["reports"][f"{TABLE}/build"]
    assert (report["partitions_changed"], report["rows_in"]) == (3, 53)
    assert set(report["checks"].values()) <= {"passed", "warned"}
    # January, Rue Mercière: R0003 has one line of 1 bread, R0008 one of 4: of two lines one stays.
    assert (shop.lines(), shop.lines("try")) == (2, 1)
    assert shop.built_events() == events
    assert shop.plan("try").partitions == []
    assert len(shop.plan().partitions) == 3
    assert_agrees(shop)

    promoted = shop.promote()
    assert promoted.status == 0, promoted.failures
    assert promoted.outcome["reports"][TABLE]["already"] is False
    assert shop.lines() == 1
    assert shop.built_events() == events + 3
    assert shop.plan().partitions == []
    assert_agrees(shop)

    again = shop.promote()
    assert again.status == 0, again.failures
    assert again.outcome["reports"][TABLE]["already"] is True
    assert shop.built_events() == events + 3


def test_what_a_blocking_check_failed_for_is_built_and_not_promoted(shop: Shop) -> None:
    shop.define(FEWER, TOO_STRICT)
    built = shop.build()
    assert built.status == 1
    assert "revenue_bread is 0 to 10" in built.failures
    assert shop.lines("try") == 1
    refused = shop.promote()
    assert refused.status == 1
    assert "values_between_revenue_bread failed" in refused.failures
    assert shop.lines() == 2
    assert_agrees(shop)


def test_a_breaking_change_is_refused_everywhere_until_it_is_approved_by_name(shop: Shop) -> None:
    shop.define(NARROWER, WITHOUT_LINES)
    assert [(one.name, one.breaking) for one in shop.plan().changes] == [(name, True) for name in APPROVALS]
    for ran in (shop.build(approve=APPROVALS[:1]), shop.run()):
        assert ran.status == 1
        assert "lines_cake (integer?) is gone (removed:lines_cake)" in ran.failures
    wrong = shop.build(approve=[*APPROVALS, "key"])
    assert "Nothing to approve: key is no breaking change" in wrong.failures
    assert shop.lines() == 2

    built = shop.build(approve=APPROVALS)
    assert built.status == 0, built.failures
    assert "Breaking change" in shop.promote().failures
    promoted = shop.promote(approve=APPROVALS)
    assert promoted.status == 0, promoted.failures
    assert "lines_bread" not in shop.lake.schema(TABLE).names
    assert shop.run().status == 0
    assert_agrees(shop)


def test_a_build_of_another_definition_or_of_a_part_is_not_promoted(shop: Shop) -> None:
    shop.define(FEWER)
    assert shop.build(partitions="2024-01-01").status == 0
    assert "partitions 2024-02-01, 2024-03-01 is not what the definition" in shop.promote().failures
    assert shop.build().status == 0
    shop.define(("quantity > 1", "quantity > 2"))
    assert "is not what the definition" in shop.promote().failures
    assert shop.lines() == 2


def test_a_build_is_not_promoted_when_main_has_moved_on_what_it_read(shop: Shop) -> None:
    shop.define(FEWER)
    assert shop.build().status == 0
    lake = shop.lake
    rows = lake.scan("clean/sales", partitions=["2024-01-01"])
    lake.replace("clean/sales", rows, versions={"2024-01-01": "f" * 64}, partition_column="_partition")
    refused = shop.promote()
    assert "clean/sales changed on main since the branch try was made" in refused.failures
    assert shop.lines() == 2


@pytest.mark.parametrize(
    "point", [f"table {TABLE}", f"before {TABLE}", f"after {TABLE}"] if LONG else [f"table {TABLE}"]
)
def test_a_promotion_that_is_killed_is_completed_by_the_next_run(shop: Shop, point: str) -> None:
    shop.define(FEWER)
    events = shop.built_events()
    assert shop.build().status == 0
    assert shop.promote(point=point).status == -9
    ran = shop.promote()
    assert ran.status == 0, ran.failures
    assert (shop.lines(), shop.built_events()) == (1, events + 3)
    assert_agrees(shop)
