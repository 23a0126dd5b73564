"""What an operation does not know is an error at its place, with what is allowed; it never passes through."""

from pathlib import Path

import pytest

from ontology_assets.model.loading import load_domain
from transforms.yaml_source import DefinitionError

DOMAIN = """\
spice: 1
domain: shop
datasets:
  sales: {file: sales.csv}
  shops: {file: shops.csv}
pipelines:
  p:
    inputs: {sales: clean/sales, shops: clean/shops}
    nodes:
      n: NODE
    output: n
"""
LOCK = """\
spice: 1
datasets:
  sales: {item: string, amount: integer?, price: "decimal(6,2)", at: timestamp}
  shops: {item: string, name: string, since: timestamp}
"""


def refused(folder: Path, node: str) -> str:
    """What loading a domain with this node says."""
    (folder / "domain.yaml").write_text(DOMAIN.replace("NODE", node))
    (folder / "types.lock").write_text(LOCK)
    with pytest.raises(DefinitionError) as caught:
        load_domain(folder)
    return caught.value.text()


REFUSED = {
    # defects of systems of this kind: each was taken silently
    "{explod: item, from: sales}": "has no operation. Did you mean 'explode'? Allowed: filter, split,",
    "{filter: amount > 1, sort: [item], from: sales}": "this one has 2 operations (filter, sort)",
    "{aggregate: {x: median(amount)}, from: sales}": "there is no function 'median'",
    "{group_by: [item], aggregate: {}, from: sales}": "aggregate: is empty",
    "{drop: [colour], from: sales}": "drop[0]: there is no column 'colour'. Allowed: item, amount, price, at",
    "{rename: {colour: c}, from: sales}": "there is no column 'colour'",
    "{rename: {item: amount}, from: sales}": "there is a column 'amount' already",
    "{rename: {item: Amount}, from: sales}": "there is a column 'amount' already",
    "{dedupe: [item], from: sales}": "say in `order_by` which row stays, or write `dedupe: all`",
    "{union: [shops], mode: strict, from: sales}": "'sales' has no column 'name', 'since'. Allowed: common, pad",
    "{union: [shops], mode: merge, from: sales}": "'merge' is not known here. Allowed: strict, common, pad",
    "{join: shops, how: inner, from: sales}": "needs the field 'on' (or `how: cross`)",
    "{join: shops, how: cross, on: [item], from: sales}": "a cross join has no `on`",
    "{join: shops, how: outer, on: [item], from: sales}": "Allowed: inner, left, right, full, semi, anti, cross",
    "{join: shops, how: left, on: {amount: name}, from: sales}": "'amount' and 'name' are integer? and string",
    "{join: shops, how: left, on: [item], keep: {name: price}, from: sales}": "there is a column 'price' already",
    # fields that are not the operation's
    "{sort: [item], by: desc, from: sales}": "the operation 'sort' has no field 'by'. Allowed: from, sort, limit",
    "{sort: [item], limit: 0, from: sales}": "greater than or equal to 1",
    "{sort: [colour desc nulls last], from: sales}": "there is no column 'colour'",
    "{pivot: item, index: [at], columns: [amount], from: sales}": "the operation 'pivot' needs the field 'values'",
    "{pivot: amount, values: {ten: x}, index: [at], columns: [item], from: sales}": "'ten' is no integer",
    "{window: {r: rank()}, from: sales}": "a window needs `partition_by` or `order_by` or both",
    "{window: {s: sum(amount)}, partition_by: [item], rows: {before: 1}, from: sales}": "need `order_by`",
    "{window: {s: sum(amount)}, order_by: [at], rows: {befor: 1}, from: sales}": "there is no field 'befor' here",
    "{compute: {_row: amount}, from: sales}": "'_row' is a name of ours",
    "{cast: {item: integer?}, from: sales}": "a missing value stays missing: write integer",
    "{cast: {at: boolean}, from: sales}": "can't be converted",
    "{cast: {item: integer}, misfits: lost, from: sales}": "only `mode: lenient` makes values null",
    "{cast: {item: number}, from: sales}": "there is no type 'number'",
    "{fill: {price: 'amount'}, from: sales}": "'price' is decimal(6,2) and this is integer",
    "{fill: {item: '1'}, from: sales}": "'item' is string and this is integer",
    "{fill: [amount], from: sales}": "the rows before and after need `order_by`",
    "{fill: {amount: '1'}, order_by: [at], from: sales}": "this is for a list of columns",
    "{normalize: [amount], from: sales}": "column 'amount' is integer?, not text",
    "{normalize: [item], case: title, from: sales}": "Allowed: lower, upper",
    "{regex_replace: [{column: item, pattern: '(a+)+', by: x}], from: sales}": "repeats a group",
    "{regex_replace: [{column: item, pattern: 'a*', by: x}], from: sales}": "matches where nothing is",
    "{pattern_mining: item, pattern: '(', mode: count, to: n, from: sales}": "is no regular expression",
    "{sample: 1.5, key: [item], from: sales}": "less than or equal to 1",
    "{sample: 0.5, key: [colour], from: sales}": "there is no column 'colour'",
    "{geospatial: distance, lat: amount, lon: amount, to: km, from: sales}": "needs `other_lat` and `other_lon`",
    "{geospatial: point, lat: amount, lon: amount, precision: 3, to: p, from: sales}": "only a geohash",
    "{geospatial: point, lat: item, lon: amount, to: p, from: sales}": "column 'item' is string, not a number",
    "{geospatial: polygon, lat: amount, lon: amount, to: p, from: sales}": "Allowed: point, geohash, distance",
    "{explode: amount, separator: ';', from: sales}": "column 'amount' is integer?, not text",
    "{unpivot: [item, amount], name_to: n, value_to: v, from: sales}": "don't go together",
    "{lookup: shops, on: [item], other_time: since, from: sales}": "`other_time` needs `time`",
    "{lookup: shops, on: [item], time: at, from: sales}": "there is no column 'at' in 'shops'",
    "{lookup: shops, on: [item], time: price, other_time: since, from: sales}": "Allowed: timestamp, date, integer",
    "{stream_join: shops, strategy: static, on: [item], time: at, from: sales}": "`static` has no times",
    "{stream_join: shops, strategy: dynamic, on: [item], from: sales}": "`dynamic` needs `time`",
    "{split: amount > 1, rest: sales, from: sales}": "'sales' is an input already",
    "{lookup: shop, on: [item], from: sales}": "there is no node or input 'shop'. Did you mean 'shops'?",
}  # fmt: skip


@pytest.mark.parametrize("node", REFUSED)
def test_it_is_refused_with_its_place_and_what_is_allowed(tmp_path: Path, node: str) -> None:
    said = refused(tmp_path, node)
    assert REFUSED[node] in said
    assert "domain.yaml:10:" in said
    assert "pipelines.p.nodes.n" in said
