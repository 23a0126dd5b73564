"""Lineage from asset to asset: the nodes of a pipeline are no assets, and what they do is told in the rules."""

from pathlib import Path

import pytest

from ontology_assets.lineage.assets import AssetLineage, asset_lineages, types_made_of
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import asset_names
from ontology_assets.model.loading import load_domain

BAKERY = Path(__file__).parents[2] / "domains" / "bakery"


@pytest.fixture(scope="module")
def bakery() -> Domain:
    return load_domain(BAKERY)


@pytest.fixture(scope="module")
def lineages(bakery: Domain) -> dict[str, AssetLineage]:
    return asset_lineages([bakery])


def test_every_asset_has_its_lineage(bakery: Domain, lineages: dict[str, AssetLineage]) -> None:
    shared = {"events/bakery", "topic", "projection/search/live", "projection/graph/live"}
    without_links = {"ontology/shop/links"}
    assert set(lineages) == (set(asset_names(bakery)) | shared) - without_links


def test_a_pipeline_is_one_step_from_its_inputs(lineages: dict[str, AssetLineage]) -> None:
    deps = lineages["transform/shop_months"].deps()
    assert deps["month"] == [("clean/sales", "sold_on")]
    assert deps["shop_name"] == [("clean/shops", "name")]
    assert deps["revenue_bread"] == [
        ("clean/sales", "discount"),
        ("clean/sales", "quantity"),
        ("clean/sales", "unit_price"),
        ("clean/sales", "product"),
    ]
    assert ("clean/sales", "product") in deps["*"]
    assert ("clean/shops", "street") in deps["*"]
    row = next(row for row in lineages["transform/shop_months"].table() if row[0] == "revenue_bread")
    assert row == (
        "revenue_bread",
        "clean/sales.discount, clean/sales.quantity, clean/sales.unit_price, clean/sales.product (rows)",
        "quantity * unit_price * (1 - coalesce(discount, 0)); cast(sum(amount) AS decimal(12,2)); "
        "revenue where product is bread",
    )


def test_a_count_names_the_rows_that_it_counts(lineages: dict[str, AssetLineage]) -> None:
    deps = lineages["transform/shop_months"].deps()["lines_cake"]
    assert deps == [("clean/sales", "*"), ("clean/sales", "product"), ("clean/shops", "*")]


def test_no_column_depends_on_a_column_of_its_own_asset_or_on_one_that_is_not_there(
    lineages: dict[str, AssetLineage],
) -> None:
    envelope = {"event_id", "event_type", "domain", "branch", "aggregate_type", "position", "sequence_number"}
    envelope |= {"schema_version", "state_hash"}
    for asset, lineage in lineages.items():
        for column, deps in lineage.deps().items():
            for upstream, name in deps:
                if upstream.startswith("file/") or (upstream.startswith("events/") and name in envelope):
                    continue
                assert upstream != asset, column
                assert name in lineages[upstream].columns, (asset, column, upstream, name)


def test_the_page_of_an_asset_is_that_of_the_type_next_to_it(bakery: Domain) -> None:
    assert types_made_of(bakery, "clean/shops") == ["Shop", "ShopMonth"]
    assert types_made_of(bakery, "transform/shop_months") == ["ShopMonth"]
    assert types_made_of(bakery, "raw/sales") == ["Sale", "ShopMonth"]
    assert types_made_of(bakery, "ontology/sale/links") == ["Sale"]
    assert types_made_of(bakery, "events/bakery") == []
