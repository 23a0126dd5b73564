"""A pipeline with several results is as many assets, each with what it is made of and nothing else."""

from pathlib import Path

import dagster as dg
import pytest

from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import Column
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import asset_names
from ontology_assets.model.loading import load_domain
from orchestration.components.domain import domain_definitions
from transforms.yaml_source import DefinitionError

DOMAIN = """\
spice: 1
domain: shop
datasets:
  sales:
    file: sales.csv
    partition: {by: day, of: to_date(day), start: 2024-01-01, end: 2024-01-31}
  shops: {file: shops.csv}
pipelines:
  p:
    partition: sales
    inputs: {sales: clean/sales, shops: clean/shops}
    nodes:
      large: {split: amount > 5, rest: small, from: sales}
      named: {join: shops, on: [shop], how: left, from: large}
      known: {filter: name IS NOT NULL, from: shops}
    outputs:
      named: {node: named, contract: {columns: {shop: {null: false}}}}
      rest: {node: small}
      shops: {node: known, expectations: [{rule: not_null, column: name}]}
  q:
    inputs: {rest: transform/p/rest}
    nodes: {n: {aggregate: {rows: count(*)}, from: rest}}
    output: n
"""
LOCK = """\
spice: 1
datasets:
  sales: {shop: string, amount: integer?, day: string}
  shops: {shop: string, name: string?}
"""


def loaded(folder: Path, old: str = "", new: str = "") -> Domain:
    assert old in DOMAIN
    (folder / "domain.yaml").write_text(DOMAIN.replace(old, new, 1) if old else DOMAIN)
    (folder / "types.lock").write_text(LOCK)
    return load_domain(folder)


def test_each_result_is_an_asset_that_reads_what_it_is_made_of(tmp_path: Path) -> None:
    domain = loaded(tmp_path)
    assert [one for one in asset_names(domain) if one.startswith("transform/")] == [
        "transform/p/named", "transform/p/rest", "transform/p/shops", "transform/q",
    ]  # fmt: skip
    definitions = domain_definitions(domain)
    found = {key.to_user_string(): asset for asset in definitions.assets or () for key in asset.keys}  # type: ignore[union-attr]
    deps = {
        name: {one.asset_key.to_user_string() for spec in asset.specs for one in spec.deps}
        for name, asset in found.items()
        if name.startswith("transform/") and not name.endswith("/build")
    }
    assert deps == {
        "transform/p/named": {"clean/sales", "clean/shops"},
        "transform/p/rest": {"clean/sales"},
        "transform/p/shops": {"clean/shops"},
        "transform/q": {"transform/p/rest"},
    }
    assert found["transform/p/shops"].partitions_def is None
    assert isinstance(found["transform/p/rest"].partitions_def, dg.TimeWindowPartitionsDefinition)


def test_a_change_of_one_result_moves_no_version_of_the_others(tmp_path: Path) -> None:
    before, after = loaded(tmp_path), loaded(tmp_path, "how: left", "how: inner")
    changed = {one for one in asset_names(before) if code_version(before, one) != code_version(after, one)}
    assert changed == {"transform/p/named"}


def test_columns_are_traced_through_each(tmp_path: Path) -> None:
    graph = column_graph(loaded(tmp_path))
    amount = graph.affected_by([Column("clean/sales", "amount")])
    assert {Column("transform/p/rest", "*"), Column("transform/p/named", "*"), Column("transform/q", "rows")} <= amount
    assert Column("transform/p/shops", "name") not in amount


REFUSED = {
    ("node: small", "node: smal"): "domain.yaml:18:20: pipelines.p.outputs.rest.node: there is no node 'smal'.",
    ("column: name", "column: nam"): "pipelines.p.outputs.shops.expectations[0].column: there is no column 'nam'.",
    ("shop: {null: false}", "shp: {null: false}"): "pipelines.p.outputs.named.contract.columns.shp: there is no column",
    ("amount > 5", "amont > 5"): "domain.yaml:13:22: pipelines.p.nodes.large.split: there is no column 'amont'.",
    ("transform/p/rest", "transform/p"): "there is no asset 'transform/p'.",
    ("    output: n\n", "    output: n\n    outputs: {a: {node: n}}\n"): "with `outputs` leave it out",
    ("    output: n\n", ""): "the field 'output' is missing (or `outputs`, for several results)",
}


@pytest.mark.parametrize("change", REFUSED)
def test_faults_are_told_once_at_their_place(tmp_path: Path, change: tuple[str, str]) -> None:
    with pytest.raises(DefinitionError) as caught:
        loaded(tmp_path, *change)
    assert REFUSED[change] in caught.value.text()
    assert caught.value.text().count(REFUSED[change].rpartition(":")[2]) == 1
