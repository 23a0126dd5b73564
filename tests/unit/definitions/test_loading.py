"""A domain file as a whole: defaults, short forms, and every cross reference at its place."""

import copy
import io
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ontology_assets.model.layout import asset_names, partitioning_of, pipelines_in_order, upstream_of
from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT
from transforms.yaml_source import DefinitionError

BAKERY = PROJECT_ROOT / "tests" / "domains" / "bakery"
SHIPPED = sorted((PROJECT_ROOT / "orchestration" / "defs").glob("*/domain.yaml"))


@pytest.fixture
def bakery(tmp_path: Path) -> "Copy":
    return Copy(tmp_path)


class Copy:
    """The bakery in a temporary folder, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data: dict[str, Any] = YAML(typ="safe").load((BAKERY / "domain.yaml").read_text("utf-8"))
        (folder / "types.lock").write_bytes((BAKERY / "types.lock").read_bytes())

    def set(self, path: str, value: Any) -> "Copy":
        *parents, last = path.split("/")
        here = self.data
        for parent in parents:
            here = here[int(parent) if isinstance(here, list) else parent]
        if value is None:
            del here[last]
        else:
            here[int(last) if isinstance(here, list) else last] = copy.deepcopy(value)
        return self

    def faults(self) -> list[str]:
        stream = io.StringIO()
        yaml = YAML()
        yaml.default_flow_style = None
        yaml.width = 4000
        yaml.dump(self.data, stream)
        (self.folder / "domain.yaml").write_text(stream.getvalue(), "utf-8")
        try:
            load_domain(self.folder)
        except DefinitionError as error:
            return [fault.text().partition("domain.yaml:")[2] for fault in error.faults]
        return []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.parent.name)
def test_the_domains_that_are_shipped_load_and_are_typed_throughout(file):
    domain = load_domain(file.parent)
    assert domain == load_domain(file)
    assert set(domain.locked_types) == set(domain.datasets)
    for object_type in domain.object_types.values():
        for labelled in (object_type, *object_type.properties.values(), *object_type.links.values()):
            assert set(labelled.label) >= {"en", "ko"}
        for link in object_type.links.values():
            assert set(link.inverse_label) >= {"en", "ko"}


def test_defaults_and_short_forms_are_written_out():
    domain = load_domain(BAKERY)
    assert domain.datasets["shops"].nulls == ["", "-"]
    assert domain.datasets["shops"].source.folder == "bakery"
    assert domain.object_types["Sale"].links["sold_in"].cardinality == "many_to_one"
    assert domain.object_types["ShopMonth"].snake == "shop_month"
    assert domain.locked_types["sales"]["sold_on"] == "date"


def test_a_property_may_be_its_type_alone(bakery):
    bakery.set("object_types/Shop/properties/name", "string")
    assert bakery.faults() == []


def test_a_dataset_without_source_lies_in_a_folder_named_like_the_domain(bakery):
    bakery.set("dataset_defaults/source", None)
    assert bakery.faults() == []
    assert load_domain(bakery.folder).datasets["sales"].source.folder == "bakery"


def test_layout_follows_the_partitioned_input():
    domain = load_domain(BAKERY)
    by_month = {name for name in asset_names(domain) if partitioning_of(domain, name) is not None}
    assert by_month == {
        "raw/sales", "clean/sales", "transform/shop_months", "ontology/sale/objects", "ontology/sale/links",
        "ontology/shop_month/objects", "ontology/shop_month/links",
    }  # fmt: skip
    assert upstream_of(domain, "transform/shop_months") == ["clean/sales", "clean/shops"]
    assert upstream_of(domain, "ontology/shop_month/links") == ["ontology/shop_month/objects"]
    assert upstream_of(domain, "ontology/sale/objects") == ["clean/sales"]
    assert pipelines_in_order(domain) == ["shop_months"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("spice", 2, "spice: version 2 of the format is not known: this program is older than the file; upgrade it. Allowed: 1."),
        ("spice", None, "the field 'spice' is missing."),
        ("domain", "Bakery", "domain: 'Bakery' is not allowed here; it takes lower-case letters"),
        ("timezone", "Europe/Pariss", "Did you mean 'Europe/Paris'?"),
        ("owners/0", "bakery", "owners[0]: 'bakery' is not allowed here; it takes team:<name>."),
        ("datasets/sales/fiel", "x", "datasets.sales.fiel: there is no field 'fiel' here. Did you mean 'file'? Allowed: file,"),
        ("dataset_defaults/nul", ["x"], "dataset_defaults.nul: there is no field 'nul' here. Did you mean 'nulls'?"),
        ("dataset_defaults/format", "xls", "dataset_defaults.format: 'xls' is not known here. Allowed: csv."),
        ("datasets/sales/file", "../sales.csv", "it takes the name of a file, without folders."),
        ("datasets/sales/file", None, "datasets.sales: the field 'file' is missing."),
        ("datasets/sales/partition/by", "year", "'year' is not known here. Allowed: day, month."),
        ("datasets/sales/partition/end", "2023-12-31", "2023-12-31 is before start (2024-01-01)."),
        ("datasets/sales/partition/end", "2024-02-30", "'2024-02-30' is not a date of the calendar"),
        ("datasets/sales/partition/start", 2024, "'2024' is not a date of the calendar; write it as 2013-01-31."),
        ("datasets/sales/partition/of", "to_date(sold)", "there is no column 'sold'. Did you mean 'sold_on'?"),
        ("datasets/shops/replace", "partition", "has no partitions to replace. Allowed: whole, nothing."),
        ("datasets/sales/types/unit_price", "money", "there is no type 'money'. Allowed: string,"),
        ("datasets/sales/types/unit_price", "decimal(40,2)", "1 <= precision <= 38"),
        ("datasets/sales/types/unit_prise", "double", "'unit_prise' is no column of sales.csv. Did you mean 'unit_price'?"),
        ("datasets/sales/expectations/0/rule", "value_between", "Did you mean 'values_between'?"),
        ("datasets/sales/expectations/0/pattern", "x", "the rule 'values_between' has no field 'pattern'. Allowed: rule, severity,"),
        ("datasets/sales/expectations/0/column", None, "the rule 'values_between' needs the field 'column'."),
        ("datasets/sales/expectations/0/column", "quantty", "there is no column 'quantty'. Did you mean 'quantity'?"),
        ("datasets/sales/expectations/0/column", "product", "min and max bound numbers; column 'product' is string."),
        ("datasets/sales/expectations/0/max", 0, "max (0) is below min (1)."),
        ("datasets/sales/expectations/0/min", "1", "should be a number, not the text '1'."),
        ("datasets/sales/expectations/1/pattern", "(a+)+", "the pattern repeats a group"),
        ("datasets/sales/contract/unique/0", "recipt", "Did you mean 'receipt'?"),
        ("object_types/Sale/key/1", "lin", "there is no property 'lin'. Did you mean 'line'?"),
        ("object_types/Sale/title", "name", "object_types.Sale.title: there is no property 'name'."),
        ("object_types/Sale/name", "Sale", "there is no field 'name' here: the type's name is its key."),
        ("object_types/Replay", {"key": ["no"], "title": "no", "properties": {"no": "integer"}}, "Replay is what the log calls"),
        ("first_day", "2024-02-30", "is not a date"),
        ("object_types/Sale/properties/line/type", "integer?", "is in the key, so it can't be absent"),
        ("object_types/Sale/properties/line/type", "double", "which has no key text"),
        ("object_types/Sale/properties/line/type", "int", "there is no type 'int'."),
        ("object_types/Sale/properties/product/values", None, "an enum needs `values`"),
        ("object_types/Sale/properties/quantity/search", "text", "only text is searched by words; the type is integer."),
        ("object_types/Sale/properties/city/label/en", 5, 'should be text, not the number 5. Put it in quotes: "5".'),
        ("object_types/Sale/links/sold_in/to", "Shopp", "there is no object type 'Shopp'. Did you mean 'Shop'? Allowed: Sale, Shop, ShopMonth."),
        ("object_types/Sale/links/sold_in/by", ["city"], "the key of Shop has 2 parts (city, street), `by` has 1."),
        ("object_types/Sale/links/sold_in/by", ["city", "line"], "'line' is integer, but Shop.street is string."),
        ("object_types/Sale/links/sold_in/by", ["city", "stret"], "there is no property 'stret'. Did you mean 'street'?"),
        ("object_types/Sale/links/sold_in/inverse", "months", "'months' is the way back of Sale.sold_in of Shop already"),
        ("object_types/Sale/links/sold_in/inverse", "name", "'name' is a property of Shop already"),
        ("object_types/Sale/links/city", {"to": "Shop", "by": ["city", "street"], "inverse": "x"}, "'city' is a property already"),
        ("mappings/Shop", None, "type 'Shop' has no mapping"),
        ("mappings/Shopp", {"from": "clean/shops"}, "there is no object type 'Shopp'."),
        ("mappings/Shop/from", "clean/shop", "there is no asset 'clean/shop'. Did you mean 'clean/shops'? Allowed: clean/sales,"),
        ("mappings/Shop/from", "clean/sales", "property 'name' has no column of its name in clean/sales; name one in `set`."),
        ("mappings/Shop/set/plce", "geopoint(lat, lon)", "there is no property 'plce'. Did you mean 'place'?"),
        ("mappings/Shop/set/place", "lat", "the expression is double?, geopoint? is needed."),
        ("mappings/Shop/set/place", "geopoint(lat, long)", "there is no column 'long'."),
        ("mappings/Sale/set/amount", "quantity * unit_price / 3", "decimal(12,2) is needed; write cast(... AS decimal(12,2)), which rounds."),
        ("mappings/Sale/occurred_at", "sold_on", "the expression is date, timestamp is needed; write cast(... AS timestamp)."),
        ("pipelines/shop_months/partition", "sale", "there is no input 'sale'. Did you mean 'sales'?"),
        ("pipelines/shop_months/partition", "shops", "clean/shops has no partitions to follow; leave the field out."),
        ("datasets/shops/partition", {"by": "day", "of": "opened", "start": "2024-01-01", "end": "2024-03-31"}, "'sales' has month."),
        ("pipelines/shop_months/inputs/shops", "clean/shop", "there is no asset 'clean/shop'."),
        ("pipelines/shop_months/output", "shop_mont", "there is no node 'shop_mont'."),
        ("pipelines/shop_months/nodes/sold/from", "priced", "nodes go round in a circle: named, priced, ranked, shop_month, sold, totals."),
        ("pipelines/shop_months/nodes/sold/from", "sails", "there is no node or input 'sails'."),
        ("pipelines/shop_months/nodes/sold/filter", "product", "is string, not a condition"),
        ("pipelines/shop_months/nodes/sold/select", ["city"], "a node is one operation; this one has 2 operations (filter, select)."),
        ("pipelines/shop_months/nodes/sold/filter", None, "a node is one operation; this one has no operation."),
        ("pipelines/shop_months/nodes/named/how", None, "the operation 'join' needs the field 'how'."),
        ("pipelines/shop_months/nodes/named/how", "outer", "'outer' is not known here. Allowed: inner, left, right, full, semi, anti, cross."),
        ("pipelines/shop_months/nodes/named/keep", {"name": "city"}, "there is a column 'city' already"),
        ("pipelines/shop_months/nodes/named/on", ["city", "steet"], "there is no column 'steet'. Did you mean 'street'?"),
        ("pipelines/shop_months/nodes/totals/index", ["city"], "the operation 'group_by' has no field 'index'."),
        ("pipelines/shop_months/nodes/totals/aggregate/lines", "line", "must stand inside an aggregate function"),
        ("pipelines/shop_months/nodes/ranked/order_by", ["revenu desc"], "there is no column 'revenu'. Did you mean 'revenue'?"),
        ("pipelines/shop_months/nodes/ranked/order_by", None, "rank() needs `order_by` of its node"),
        ("pipelines/shop_months/nodes/shop_month/pivot", "produkt", "there is no column 'produkt'. Did you mean 'product'?"),
        ("pipelines/shop_months/expectations/1/of", "solt", "there is no node or input 'solt'. Did you mean 'sold'?"),
        ("pipelines/shop_months/expectations/0/column", "revenue_tart", "there is no column 'revenue_tart'."),
        ("object_types/ShopMonth/properties/rank_bread/type", "date?", "property 'rank_bread' is date?, its column is integer?"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_what_is_allowed(bakery, path, value, expected):
    assert any(expected in fault for fault in bakery.set(path, value).faults()), bakery.faults()


def test_faults_of_all_parts_are_told_together_each_at_its_line(tmp_path):
    text = (BAKERY / "domain.yaml").read_text("utf-8")
    text = (
        text.replace("by: month", "by: week")
        .replace("to: Shop\n", "to: Shoop\n", 1)
        .replace("sum(amount)", "summ(amount)")
    )
    (tmp_path / "domain.yaml").write_text(text, "utf-8")
    (tmp_path / "types.lock").write_bytes((BAKERY / "types.lock").read_bytes())
    with pytest.raises(DefinitionError) as caught:
        load_domain(tmp_path)
    lines = text.splitlines()
    assert len(caught.value.faults) == 3
    for fault, wrong in zip(caught.value.faults, ("week", "Shoop", "summ"), strict=True):
        line, column = (int(part) for part in fault.where.split(":")[-2:])
        assert lines[line - 1][column - 1 :].startswith(wrong)


def test_without_locked_types_names_and_syntax_are_still_checked(bakery):
    (bakery.folder / "types.lock").unlink()
    assert bakery.faults() == []
    faults = (
        bakery.set("mappings/Shop/set/place", "geopint(lat, lon)")
        .set("pipelines/shop_months/nodes/sold/filter", "a =")
        .faults()
    )
    assert len(faults) == 2
    assert "Did you mean 'geopoint'?" in faults[0]


def test_a_comma_outside_quotes_is_explained(tmp_path):
    text = (BAKERY / "domain.yaml").read_text("utf-8").replace("of: to_date(sold_on)", "of: make_date(2024, 1, 1)")
    (tmp_path / "domain.yaml").write_text(text, "utf-8")
    with pytest.raises(DefinitionError, match="a text with a comma stands in quotes"):
        load_domain(tmp_path)


def test_pipelines_in_a_circle_are_a_fault(bakery):
    other = {"inputs": {"x": "transform/shop_months"}, "nodes": {"y": {"select": ["city"], "from": "x"}}, "output": "y"}
    faults = bakery.set("pipelines/other", other).set("pipelines/shop_months/inputs/shops", "transform/other").faults()
    assert any("pipelines read each other in a circle: 'shop_months', 'other'." in fault for fault in faults)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "5",
        "spice: 1",
        "spice: 1\ndomain: x\ndatasets: []\nobject_types: 5\nmappings: {A: }\npipelines: {x: {nodes: 3}}",
    ],
)
def test_files_of_the_wrong_shape_are_faults_not_crashes(tmp_path, text):
    (tmp_path / "domain.yaml").write_text(text)
    with pytest.raises(DefinitionError):
        load_domain(tmp_path)
