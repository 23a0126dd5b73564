"""The document of a property: what it names, in what order, what it leaves out, and what it says of unknown names."""

import json
from pathlib import Path
from typing import Any

import pytest

from ontology_assets.lineage.document import lineage_document
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from resources.errors import SpiceError

BAKERY = Path(__file__).parents[2] / "domains" / "bakery"
LAYERS = ["file", "raw", "clean", "transform", "object", "event", "topic", "index"]


@pytest.fixture(scope="module")
def bakery() -> Domain:
    return load_domain(BAKERY)


def edges(document: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    return {(edge["from"], edge["to"]) for edge in document["edges"] if edge["kind"] == kind}


def test_a_computed_property_is_followed_from_the_file_to_the_indexes(bakery: Domain) -> None:
    document = lineage_document([bakery], "Sale", "amount")
    assert document["of"] == {"type": "Sale", "property": "amount"}
    steps = {("ontology/sale/objects#amount", "events/bakery#Sale.data.state.properties.amount")}
    for column in ("quantity", "unit_price", "discount"):
        steps |= {
            (f"file/sales#{column}", f"raw/sales#{column}"),
            (f"raw/sales#{column}", f"clean/sales#{column}"),
            (f"clean/sales#{column}", "ontology/sale/objects#amount"),
        }
    event = "events/bakery#Sale.data.state.properties.amount"
    steps |= {(event, "topic#Sale.data.state.properties.amount")}
    steps |= {(event, f"projection/{name}/live#Sale.amount") for name in ("search", "graph")}
    assert edges(document, "value") - {e for e in edges(document, "value") if _of_key(e)} == steps
    by = {edge["by"] for edge in document["edges"] if edge["to"] == "ontology/sale/objects#amount"}
    assert by == {bakery.mappings["Sale"].set["amount"]}


def _of_key(edge: tuple[str, str]) -> bool:
    """What leads to the key's parts and to the partition, which decide about the rows."""
    return any(edge[1].endswith(f"#{name}") for name in ("receipt", "line", "sold_on", "_partition"))


def test_what_decides_about_rows_is_told_from_what_values_are_made_of(bakery: Domain) -> None:
    rows = edges(lineage_document([bakery], "ShopMonth", "revenue_bread"), "rows")
    node = "transform/shop_months"
    assert {
        ("file/sales#sold_on", "raw/sales#*"),
        ("clean/sales#product", f"{node}/sold#*"),
        ("clean/shops#city", f"{node}/named#*"),
        ("clean/sales#city", f"{node}/totals#*"),
        (f"{node}/priced#month", f"{node}/totals#*"),
        ("clean/sales#product", f"{node}#revenue_bread"),
        (f"{node}#month", "ontology/shop_month/objects#*"),
    } <= rows
    ranks = edges(lineage_document([bakery], "ShopMonth", "rank_bread"), "rows")
    assert (f"{node}/totals#revenue", f"{node}/ranked#rank") in ranks


def test_a_link_is_made_of_its_properties_and_leads_on_to_both_ways_of_the_graph(bakery: Domain) -> None:
    values = edges(lineage_document([bakery], "Sale", "sold_in"), "value")
    event = "events/bakery#Sale.data.state.links.sold_in"
    assert {
        ("ontology/sale/objects#city", "ontology/sale/links#sold_in"),
        ("ontology/sale/objects#street", "ontology/sale/links#sold_in"),
        ("ontology/sale/links#sold_in", event),
        (event, "projection/graph/live#Sale.sold_in"),
        (event, "projection/graph/live#Shop.sales"),
    } <= values


@pytest.mark.parametrize("type_name", ["Sale", "Shop", "ShopMonth"])
def test_every_document_is_whole(bakery: Domain, type_name: str) -> None:
    object_type = bakery.object_types[type_name]
    for name in [None, *object_type.properties, *object_type.links]:
        document = json.loads(json.dumps(lineage_document([bakery], type_name, name)))
        ids = [node["id"] for node in document["nodes"]]
        assert len(ids) == len(set(ids))
        tables = {node["id"]: node["table"] for node in document["nodes"]}
        order = [LAYERS.index(node["layer"]) for node in document["nodes"]]
        assert order == sorted(order)
        for edge in document["edges"]:
            assert tables[edge["from"]] != tables[edge["to"]]
            assert edge["by"]
            assert edge["kind"] in ("value", "rows")
        assert {place for edge in document["edges"] for place in (edge["from"], edge["to"])} == set(ids)


def test_a_node_of_a_pipeline_that_only_passes_a_column_on_is_left_out(bakery: Domain) -> None:
    ids = {node["id"] for node in lineage_document([bakery], "ShopMonth", "revenue_cake")["nodes"]}
    assert "transform/shop_months/sold#city" not in ids
    assert "transform/shop_months/sold#*" in ids
    assert "transform/shop_months/priced#amount" in ids


def test_unknown_names_are_answered_with_those_there_are(bakery: Domain) -> None:
    with pytest.raises(SpiceError) as unknown_type:
        lineage_document([bakery], "Sales", "amount")
    assert unknown_type.value.status == 404
    assert unknown_type.value.allowed == ["Sale", "Shop", "ShopMonth"]
    with pytest.raises(SpiceError) as unknown_property:
        lineage_document([bakery], "Shop", "sold_in")
    assert unknown_property.value.status == 404
    assert unknown_property.value.allowed == ["city", "street", "name", "opened", "place"]


def test_without_types_of_the_files_it_says_what_to_do(bakery: Domain) -> None:
    with pytest.raises(SpiceError, match="spice defs infer") as unknown:
        lineage_document([bakery.model_copy(update={"locked_types": {}})], "Sale", "amount")
    assert unknown.value.status == 409
