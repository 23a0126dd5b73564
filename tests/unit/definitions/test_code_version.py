"""A code version changes with what changes data, and with nothing else."""

import pytest

from ontology_assets.model import code_version as module
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import asset_names
from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT

BAKERY = PROJECT_ROOT / "tests" / "domains" / "bakery"


def versions(folder, text: str) -> dict[str, str]:
    (folder / "domain.yaml").write_text(text, "utf-8")
    (folder / "types.lock").write_bytes((BAKERY / "types.lock").read_bytes())
    domain = load_domain(folder)
    return {name: code_version(domain, name) for name in asset_names(domain)}


def changed(folder, old: str, new: str) -> set[str]:
    text = (BAKERY / "domain.yaml").read_text("utf-8")
    assert old in text
    before, after = versions(folder, text), versions(folder, text.replace(old, new, 1))
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ko: 빵집", "ko: 제과점"),
        ("unit: EUR", "unit: CHF"),
        ("# A second domain", "# Another remark"),
        ("label: {en: Sale, ko: 판매}", "label: {en: Sale}\n    description: What was sold."),
        ("title: receipt", "title: line"),
        ("max: 100}", "max: 90}"),
        ("values: [bread, cake, tart]", "values: [bread, cake, tart, pie]"),
        ("search: text, label: {en: Receipt", "label: {en: Receipt"),
        ("end: 2024-03-31", "end: 2024-04-30"),
        ("team:bakery", "team:ovens"),
        ("{bread: Bread, cake: Cake", "{cake: Cakes, bread: Bread"),
    ],
)
def test_words_for_people_and_gates_change_no_version(tmp_path, old, new):
    assert changed(tmp_path, old, new) == set()


@pytest.mark.parametrize(
    ("old", "new", "assets"),
    [
        ("of: to_date(sold_on)", 'of: "date_add(to_date(sold_on), 0)"', {"raw/sales"}),
        ("decimal(8,2)", "decimal(9,2)", {"clean/sales"}),
        ('nulls: ["", "-"]', 'nulls: ["", "-", "?"]', {"clean/sales", "clean/shops"}),
        ("IN ('bread', 'cake')", "IN ('bread')", {"transform/shop_months"}),
        ("order_by: [revenue desc]", "order_by: [revenue]", {"transform/shop_months"}),
        ("1 - coalesce(discount, 0)) AS decimal", "1 - discount) AS decimal", {"ontology/sale/objects"}),
        ("occurred_at: timestamp(sold_on)", "occurred_at: timestamp(date_add(sold_on, 1))", {"ontology/sale/objects"}),
        ("key: [receipt, line]", "key: [line, receipt]", {"ontology/sale/objects", "ontology/sale/links"}),
        ("tart: Tart}", "tart: Tart, pie: Pie}", {"ontology/sale/objects"}),
        ("inverse: sales\n", "inverse: sold\n", {"ontology/sale/links"}),
    ],
)
def test_what_changes_data_changes_just_its_own_assets(tmp_path, old, new, assets):
    assert changed(tmp_path, old, new) == assets


def test_the_time_zone_concerns_all_that_reads_a_clock(tmp_path):
    named = changed(tmp_path, "Europe/Paris", "Asia/Seoul")
    assert {"raw/sales", "clean/sales", "clean/shops", "transform/shop_months", "ontology/sale/objects"} <= named
    assert not {"raw/shops", "ontology/sale/links"} & named


def test_locked_types_are_part_of_clean():
    domain = load_domain(BAKERY)
    locked = {**domain.locked_types, "shops": {**domain.locked_types["shops"], "lat": "string?"}}
    other = Domain.model_validate({**dict(domain), "locked_types": locked})
    different = {name for name in asset_names(domain) if code_version(domain, name) != code_version(other, name)}
    assert different == {"clean/shops"}


def test_our_own_code_counts_by_layer(monkeypatch):
    domain = load_domain(BAKERY)
    before = {name: code_version(domain, name) for name in asset_names(domain)}
    monkeypatch.setitem(module.LAYER_VERSIONS, "clean", module.LAYER_VERSIONS["clean"] + 1)
    assert {name for name in before if before[name] != code_version(domain, name)} == {"clean/sales", "clean/shops"}


def test_assets_outside_the_definitions_have_versions_too():
    domain = load_domain(BAKERY)
    assert len({code_version(domain, "events/bakery"), code_version(domain, "projection/search/live")}) == 2
