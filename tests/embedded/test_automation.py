"""What a domain does by itself: followers that are latched, arrivals that are ingested once, schedules on the days on
which the clock changes, freshness, look-back; and that nothing of it is there where nothing is declared.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from ontology_assets.model.automation import Automation, Freshness, Schedule
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from orchestration.automation.arrivals import arrival_sensor
from orchestration.components.domain import domain_definitions
from orchestration.components.partitions import RANGE_END, RANGE_START
from orchestration.definitions import build_defs
from orchestration.launch import QUIET
from orchestration.runtime import Runtime
from resources.home import Home
from tests.bakery import BAKERY, NAME, edit
from tests.embedded.test_approvals import FEBRUARY, JANUARY, MONTHS, Bakery
from tests.embedded.test_dead_letters_in_dagster import SYNCHRONOUS

pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`")
"""By Dagster's own evaluation of conditions."""
LAYERS = ["clean", "transform", "ontology", "events"]
SALES = "clean/sales"


@pytest.fixture(scope="module")
def domain() -> Domain:
    following = Automation(follow=LAYERS, arrivals=["sales", "shops"])
    return load_domain(BAKERY).model_copy(update={"automation": following})


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(overrides=SYNCHRONOUS) as made:
        yield made


@pytest.fixture(scope="module")
def finished(domain: Domain, instance: dg.DagsterInstance, tmp_path_factory: pytest.TempPathFactory) -> Bakery:
    made = Bakery(tmp_path_factory.mktemp("finished"), domain, instance)
    shutil.copytree(BAKERY / "sources", made.home.sources / NAME)
    assert made.run() == []
    return made


class Follower:
    """The daemon's ticks over all that follows, by hand; `requested`: asset -> partitions."""

    def __init__(self, domain: Domain, instance: dg.DagsterInstance, home: Path) -> None:
        self.instance, self.cursor = instance, None
        self.bakery = Bakery(home, domain, instance)
        self.domain = domain

    def tick(self, domain: Domain | None = None) -> dict[str, set[str]]:
        defs = self.bakery.definitions(domain or self.domain)
        result = dg.evaluate_automation_conditions(defs, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        requested: dict[str, set[str]] = {}
        for one in result.results:
            keys = {key.partition_key or "" for key in one.true_subset.expensively_compute_asset_partitions()}
            if keys and isinstance(one.key, dg.AssetKey):
                requested[one.key.to_user_string()] = keys
        return requested


@pytest.fixture
def follower(finished: Bakery, tmp_path: Path) -> Follower:
    """On a copy of the finished home; the instance remembers what other tests ran, before the first tick."""
    shutil.copytree(finished.home.root, tmp_path / "home")
    made = Follower(finished.domain, finished.instance, tmp_path / "home")
    assert made.bakery.run(["raw/sales", SALES]) == []
    return made


def test_what_was_there_before_is_not_made_again_and_history_is_not_filled(follower: Follower) -> None:
    assert follower.tick() == {}
    assert follower.tick() == {}


def test_a_change_is_followed_layer_by_layer_and_asked_for_once(follower: Follower) -> None:
    follower.tick()
    follower.bakery.spoil(7)
    assert follower.bakery.run(["raw/sales"], [FEBRUARY]) == []
    assert follower.tick()[SALES] == {FEBRUARY}
    assert follower.tick() == {}, "it is requested, and not again while nobody answers"
    assert follower.bakery.run([SALES], [FEBRUARY]) == []
    asked = follower.tick()
    assert asked["transform/shop_months"] == asked["ontology/sale/objects"] == {FEBRUARY}
    assert SALES not in asked


def test_the_same_data_again_ask_for_nothing(follower: Follower) -> None:
    follower.tick()
    assert follower.bakery.run([SALES]) == []
    follower.tick()
    assert follower.bakery.run([SALES]) == []
    assert follower.tick() == {}


def test_a_red_blocking_check_holds_back_and_what_it_held_back_comes_when_it_is_green(follower: Follower) -> None:
    follower.tick()
    follower.bakery.spoil()
    assert follower.bakery.run(["raw/sales", SALES], [FEBRUARY]) != []
    assert {"transform/shop_months", "ontology/sale/objects"} & set(follower.tick()) == set()
    assert follower.tick() == {}
    follower.bakery.spoil(9)
    assert follower.bakery.run(["raw/sales", SALES], [FEBRUARY]) == []
    asked = follower.tick()
    assert asked["transform/shop_months"] == asked["ontology/sale/objects"] == {FEBRUARY}


def test_a_run_that_fails_is_not_requested_in_a_loop(follower: Follower) -> None:
    follower.tick()
    file = follower.bakery.home.sources / NAME / "sales.csv"
    whole = file.read_text()
    follower.bakery.spoil(7)
    assert follower.bakery.run(["raw/sales"], [FEBRUARY]) == []
    assert follower.tick()[SALES] == {FEBRUARY}
    shutil.move(follower.bakery.home.lake / "raw", follower.bakery.home.lake / "away")
    assert follower.bakery.run([SALES], [FEBRUARY]) != []
    shutil.move(follower.bakery.home.lake / "away", follower.bakery.home.lake / "raw")
    assert [follower.tick() for _ in range(3)] == [{}, {}, {}]
    file.write_text(whole)
    assert follower.bakery.run(["raw/sales"], [FEBRUARY]) == []
    assert follower.tick()[SALES] == {FEBRUARY}, "a new change is"


def changed(domain: Domain, **update: Any) -> Domain:
    """The domain with another pipeline."""
    pipeline = domain.pipelines["shop_months"].model_copy(update=update)
    return domain.model_copy(update={"pipelines": {**domain.pipelines, "shop_months": pipeline}})


def test_a_changed_node_is_a_backfill_and_changed_words_and_rules_are_none(follower: Follower, domain: Domain) -> None:
    follower.tick()
    pipeline = domain.pipelines["shop_months"]
    words = changed(domain, description="Other words.", expectations=pipeline.expectations[:1])
    assert follower.tick(words) == {}
    sold = pipeline.nodes["sold"].model_copy(update={"filter": "product IN ('bread')"})
    other = changed(words, nodes={**pipeline.nodes, "sold": sold})
    asked = follower.tick(other)
    assert asked["transform/shop_months"] == set(MONTHS)
    assert {one for one in asked if "shop_month" not in one} == set(), "only that, and what is made of it"
    assert follower.tick(other) == {}


def test_what_a_corrected_partition_touches_is_asked_for_with_the_look_back(follower: Follower, domain: Domain) -> None:
    back = (
        type(domain.pipelines["shop_months"])
        .model_validate(
            {
                "partition": "sales",
                "look_back": {"partitions": 1, "as": "month_of_report"},
                "inputs": {"sales": "clean/sales"},
                "nodes": {
                    "sums": {
                        "from": "sales",
                        "group_by": ["month_of_report", "city"],
                        "aggregate": {"sold": "sum(quantity)"},
                    }
                },
                "output": "sums",
            }
        )
        .with_calendar(domain.datasets["sales"].partition)
    )
    follower.domain = follower.bakery.domain = domain.model_copy(
        update={"pipelines": {**domain.pipelines, "two_months": back}}
    )
    assert follower.bakery.run(["transform/two_months"]) == []
    follower.tick()
    follower.bakery.spoil(7)
    assert follower.bakery.run(["raw/sales", SALES], [FEBRUARY]) == []
    asked = follower.tick()
    assert asked["transform/two_months"] == {FEBRUARY, MONTHS[2]}
    assert asked["transform/shop_months"] == {FEBRUARY}
    assert follower.bakery.run(["transform/two_months"], [FEBRUARY, MONTHS[2]]) == []
    follower.bakery.spoil()
    assert follower.bakery.run(["raw/sales", SALES], [FEBRUARY]) != []
    (told,) = follower.bakery.run(["transform/two_months"], [MONTHS[2]])
    assert f"clean/sales, partition {FEBRUARY}, is held back" in told, "March reads February too"
    assert follower.bakery.run(["transform/two_months"], [JANUARY]) == []


def test_nothing_is_there_where_nothing_is_declared() -> None:
    defs = domain_definitions(load_domain(BAKERY))
    assert list(defs.sensors or ()) == list(defs.schedules or ()) == []
    graph = build_defs(domains=[load_domain(BAKERY)]).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        assert (graph.get(key).automation_condition, graph.get(key).freshness_policy) == (None, None)


def test_what_is_declared_is_there_and_running_with_its_place_in_the_file_named(domain: Domain) -> None:
    schedules = {"nightly": Schedule(cron="30 2 * * *", timezone="America/New_York")}
    declared = domain.automation.model_copy(update={"schedules": schedules})
    defs = domain_definitions(domain.model_copy(update={"automation": declared}))
    sensors = {one.name: one for one in defs.sensors or ()}
    assert set(sensors) == {f"{NAME}_arrivals", *(f"{NAME}_follow_{layer}" for layer in LAYERS)}
    (nightly,) = defs.schedules or ()
    assert {one.default_status.value for one in sensors.values()} == {"RUNNING"}
    assert nightly.default_status.value == "RUNNING"  # type: ignore[union-attr]
    assert all("Declared in domain.yaml" in (one.description or "") for one in [*sensors.values(), nightly])


def scheduled(domain: Domain, **declared: Any) -> Any:
    schedules = {"nightly": Schedule(**declared)}
    with_schedule = domain.model_copy(update={"automation": Automation(schedules=schedules)})
    defs = build_defs(domains=[with_schedule])
    return defs.resolve_schedule_def(f"{NAME}_nightly"), defs


@pytest.mark.parametrize(
    ("day", "cron"),
    [
        (datetime(2026, 3, 8), "30 2 * * *"),  # noqa: DTZ001 - 2:30 does not exist on that day
        (datetime(2026, 11, 1), "30 2 * * *"),  # noqa: DTZ001 - the day has 25 hours
        (datetime(2026, 11, 1), "30 1 * * *"),  # noqa: DTZ001 - 1:30 is there twice
        (datetime(2026, 7, 1), "30 2 * * *"),  # noqa: DTZ001 - any day
    ],
)
def test_a_daily_schedule_fires_exactly_once_on_the_days_on_which_the_clock_changes(
    domain: Domain, day: datetime, cron: str
) -> None:
    from dagster._utils.schedules import schedule_execution_time_iterator

    schedule, _ = scheduled(domain, cron=cron, timezone="America/New_York")
    zone = ZoneInfo("America/New_York")
    begin = day.replace(tzinfo=zone)
    times = schedule_execution_time_iterator(
        (begin.astimezone(UTC)).timestamp() - 86_400, schedule.cron_schedule, schedule.execution_timezone
    )
    fired = [next(times).astimezone(zone) for _ in range(6)]
    assert [one.date() for one in fired].count(day.date()) == 1, fired
    assert len({one.date() for one in fired}) == len(fired)


def test_a_schedule_runs_the_whole_calendar_or_the_newest_partitions_that_have_ended(domain: Domain) -> None:
    def tags_at(moment: datetime, **declared: Any) -> Any:
        schedule, defs = scheduled(domain, cron="0 6 * * *", **declared)
        context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=defs.get_repository_def())
        result = schedule.evaluate_tick(context)
        return [
            (request.run_key, request.tags[RANGE_START], request.tags[RANGE_END]) for request in result.run_requests
        ] or result.skip_message

    march = datetime(2024, 3, 15, 6, tzinfo=ZoneInfo("Europe/Paris"))
    key = "2024-03-15T05:00:00+00:00"
    assert tags_at(march) == [(key, MONTHS[0], MONTHS[2])]
    assert tags_at(march, newest=1) == [(key, FEBRUARY, FEBRUARY)]
    assert tags_at(march, newest=9) == [(key, JANUARY, FEBRUARY)]
    assert tags_at(datetime(2024, 1, 15, 6, tzinfo=UTC), newest=1) == "no partition has ended yet"


class Arrivals:
    """The sensor's ticks by hand, and the runs that it requests."""

    def __init__(self, domain: Domain, instance: dg.DagsterInstance, home: Path) -> None:
        self.instance, self.home, self.cursor = instance, Home(home), None
        self.defs = build_defs(runtime=Runtime(home_dir=str(home)), domains=[domain])
        self.job = self.defs.resolve_job_def(NAME)
        self.domain = domain

    def tick(self) -> list[dg.RunRequest]:
        sensor = arrival_sensor(self.domain, self.job, self.home)  # type: ignore[arg-type]
        assert sensor is not None
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.defs)
        result = sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return list(result.run_requests or ())

    def execute(self, request: dg.RunRequest) -> bool:
        done = self.job.execute_in_process(
            instance=self.instance,
            asset_selection=list(request.asset_selection or ()),
            tags=dict(request.tags),
            run_config=QUIET,
            raise_on_error=False,
        )
        return done.success


@pytest.fixture
def arrivals(domain: Domain, tmp_path: Path) -> Iterator[Arrivals]:
    shutil.copytree(BAKERY / "sources", tmp_path / "home" / "sources" / NAME)
    with dg.instance_for_test(overrides=SYNCHRONOUS) as instance:
        yield Arrivals(domain, instance, tmp_path / "home")


def test_a_file_that_arrives_is_ingested_once_and_one_that_changes_again(arrivals: Arrivals) -> None:
    assert arrivals.tick() == [], "a file is waited for until it looks the same twice"
    first = arrivals.tick()
    assert [[key.to_user_string() for key in one.asset_selection or ()] for one in first] == [
        ["raw/sales"],
        ["raw/shops"],
    ]
    assert (first[0].tags[RANGE_START], first[0].tags[RANGE_END]) == (MONTHS[0], MONTHS[2])
    assert RANGE_START not in first[1].tags
    assert all(arrivals.execute(one) for one in first)
    assert [arrivals.tick() for _ in range(3)] == [[], [], []]
    shops = arrivals.home.sources / NAME / "shops.csv"
    before = shops.read_text()
    edit(shops, {}, add="Metz,Rue Serpenoise,Le Pain,,,\n")
    assert arrivals.tick() == []
    (second,) = arrivals.tick()
    assert arrivals.execute(second)
    shops.write_text(before)
    arrivals.tick()
    (third,) = arrivals.tick()
    assert arrivals.execute(third), "the first file again is another arrival"
    assert len({one.run_key for one in (*first, second, third)}) == 4
    assert [arrivals.tick() for _ in range(2)] == [[], []]


def test_a_file_that_was_only_touched_or_ingested_by_hand_is_no_arrival(arrivals: Arrivals) -> None:
    bakery = Bakery(arrivals.home.root, arrivals.domain, arrivals.instance)
    assert bakery.run(["raw/sales", "raw/shops"]) == []
    assert [arrivals.tick() for _ in range(3)] == [[], [], []]
    for file in (arrivals.home.sources / NAME).iterdir():
        file.touch()
    assert [arrivals.tick() for _ in range(3)] == [[], [], []]


def test_a_file_that_can_not_be_ingested_is_tried_three_times_and_then_has_to_change(arrivals: Arrivals) -> None:
    sales = arrivals.home.sources / NAME / "sales.csv"
    good = sales.read_text()
    sales.write_bytes(b"\x00\x00 no table")
    arrivals.tick()
    keys = []
    for _ in range(5):
        for request in arrivals.tick():
            arrivals.execute(request)
            keys += [request.run_key] if "sales" in str(request.run_key) else []
    assert len(keys) == len(set(keys)) == 3
    sales.write_text(good)
    arrivals.tick()
    (again,) = arrivals.tick()
    assert arrivals.execute(again)
    assert arrivals.tick() == []


def test_a_cursor_that_is_lost_or_unreadable_requests_nothing_twice(arrivals: Arrivals) -> None:
    arrivals.tick()
    for request in arrivals.tick():
        assert arrivals.execute(request)
    for cursor in (None, "nonsense", "[1]", '{"sales": {"other": 1}}'):
        arrivals.cursor = cursor
        assert [arrivals.tick() for _ in range(2)] == [[], []]


def test_freshness_is_a_policy_of_the_asset(domain: Domain) -> None:
    declared = {
        "clean/sales": Freshness(within="26h", warn="24h"),
        "ontology/sale/objects": Freshness(within="3h", by="0 7 * * *"),
    }
    watched = domain.model_copy(update={"automation": Automation(freshness=declared)})
    graph = build_defs(domains=[watched]).resolve_asset_graph()
    window = graph.get(dg.AssetKey(["clean", "sales"])).freshness_policy
    assert window == dg.FreshnessPolicy.time_window(timedelta(hours=26), timedelta(hours=24))
    deadline = graph.get(dg.AssetKey(["ontology", "sale", "objects"])).freshness_policy
    assert deadline == dg.FreshnessPolicy.cron("0 7 * * *", timedelta(hours=3), "Europe/Paris")
