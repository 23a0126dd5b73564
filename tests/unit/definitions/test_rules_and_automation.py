"""Faults in rules, look-back and automation are errors with their place and what is allowed; nothing is ignored."""

import re

import pytest

from resources.home import PROJECT_ROOT
from tests.unit.definitions.test_loading import Copy

RULES = "datasets/sales/expectations"
FK = {"rule": "fk_exists", "columns": ["city", "street"], "references": "clean/shops", "allow_nulls": True}
DISTRIBUTION = {"rule": "distribution", "column": "quantity", "measure": "mean", "max": 1, "against": "versions"}


@pytest.fixture
def bakery(tmp_path):
    return Copy(tmp_path)


@pytest.mark.parametrize(
    "rule",
    [
        FK,
        {**FK, "columns": ["city"], "key": ["street"]},
        {**FK, "references": "clean/sales", "columns": ["receipt"]},
        {"rule": "not_empty", "column": "city"},
        {"rule": "freshness", "within": "26h"},
        {"rule": "freshness", "within": "90m", "column": "sold_on"},
        {"rule": "volume", "against": "partitions", "min": 0.5, "last": 14},
        DISTRIBUTION,
        {**DISTRIBUTION, "column": "product", "measure": "new_values"},
    ],
)
def test_every_kind_of_rule_loads(bakery, rule):
    assert bakery.set(RULES, [rule]).faults() == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "row_count_min", "min": 1}, "'row_count_min' is not known here.*Allowed:.*row_count_between"),
        ({**FK, "allow_nulls": None}, "'fk_exists' needs the field 'allow_nulls'"),
        ({**FK, "references": "clean/stores"}, "there is no asset 'clean/stores'.*clean/shops"),
        ({**FK, "references": "transform/shop_months"}, "is made of clean/sales.*circle"),
        ({**FK, "key": ["city"]}, "`columns` has 2 columns, `key` has 1"),
        ({**FK, "columns": ["city"], "key": ["town"]}, "clean/shops has no column 'town'"),
        ({**FK, "columns": ["quantity"], "key": ["city"]}, "'quantity' is integer.*city of clean/shops is string"),
        ({"rule": "freshness"}, "needs the field 'within'"),
        ({"rule": "freshness", "within": "a day"}, "no length of time; write it as 90m"),
        ({"rule": "freshness", "within": "1d", "column": "city"}, "needs a date or a timestamp"),
        ({"rule": "volume", "against": "partitions"}, "min or max or both"),
        ({"rule": "volume", "against": "yesterday", "min": 1}, "'yesterday' is not known.*versions, partitions"),
        ({"rule": "volume", "against": "versions", "min": 1, "last": 99}, "50 approved versions are kept"),
        ({"rule": "volume", "against": "versions", "min": -1}, "never below 0"),
        ({**DISTRIBUTION, "column": "city"}, "bound numbers; column 'city' is string"),
        ({**DISTRIBUTION, "measure": "median"}, "'median' is not known.*quantiles"),
        ({**DISTRIBUTION, "min": 0}, "has no field 'min'"),
        ({"rule": "not_empty", "column": "town"}, "there is no column 'town'"),
    ],
)
def test_a_faulty_rule_is_an_error_with_its_place(bakery, rule, said):
    (fault,) = bakery.set(RULES, [{key: value for key, value in rule.items() if value is not None}]).faults()
    assert "datasets.sales.expectations" in fault
    assert re.search(said, fault), fault


@pytest.mark.parametrize(
    ("automation", "said"),
    [
        ({"arrivals": ["sale"]}, "automation.arrivals.*there is no dataset 'sale'.*sales"),
        ({"follow": ["raw"]}, "automation.follow.*'raw' is not known here.*clean"),
        ({"folow": ["clean"]}, "there is no field 'folow' here"),
        (
            {"schedules": {"x": {"cron": "61 * * * *"}}},
            "automation.schedules.x.cron.*'61' for the minute, which is 0 to 59",
        ),
        ({"schedules": {"x": {"cron": "@daily"}}}, "has 1 fields; five are needed"),
        ({"schedules": {"x": {"cron": "0 0 * * mon"}}}, "'mon' for the weekday"),
        ({"schedules": {"x": {"cron": "*/0 0 * * *"}}}, r"'\*/0' for the minute"),
        ({"schedules": {"x": {"cron": "0 0 * * *", "timezone": "Mars"}}}, "there is no time zone 'Mars'"),
        ({"schedules": {"x": {"cron": "0 0 * * *", "newest": 0}}}, "newest.*greater than or equal to 1"),
        ({"freshness": {"clean/sale": {"within": "1d"}}}, "there is no asset 'clean/sale'.*clean/sales"),
        ({"freshness": {"clean/sales": {"within": "1d", "warn": "25h"}}}, "25h comes after `within`"),
        (
            {"freshness": {"clean/sales": {"within": "1d", "warn": "1h", "by": "0 7 * * *"}}},
            "a deadline has no warning",
        ),
        ({"freshness": {"clean/sales": {"within": "1d", "timezone": "UTC"}}}, "only a deadline"),
    ],
)
def test_a_fault_in_automation_is_an_error_with_its_place(bakery, automation, said):
    (fault,) = bakery.set("automation", automation).faults()
    assert re.search(said, fault), fault


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("look_back", {"partitions": 0, "as": "day"}, "greater than or equal to 1"),
        ("look_back", {"partitions": 3}, "the field 'as' is missing"),
        ("look_back", {"partitions": 3, "as": "city"}, "'city' is a column of clean/sales already"),
    ],
)
def test_a_fault_in_look_back_is_an_error_with_its_place(bakery, path, value, said):
    faults = bakery.set(f"pipelines/shop_months/{path}", value).faults()
    assert any(re.search(said, fault) for fault in faults), faults


def test_the_day_of_a_look_back_is_a_date_that_expressions_know(bakery):
    bakery.set("pipelines/shop_months/look_back", {"partitions": 2, "as": "day"})
    bakery.set("pipelines/shop_months/nodes/sold/filter", "sold_on <= last_day(day) AND product <> 'tart'")
    assert bakery.faults() == []
    bakery.set("pipelines/shop_months/nodes/sold/filter", "day > 3")
    assert "date" in bakery.faults()[0]


def test_the_example_of_the_page_loads(bakery):
    from ruamel.yaml import YAML

    page = (PROJECT_ROOT / "docs" / "automation.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert bakery.set("automation", YAML(typ="safe").load(example)["automation"]).faults() == []
