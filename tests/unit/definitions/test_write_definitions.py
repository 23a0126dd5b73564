"""`write` and `incremental` in a domain file: every fault at its place, with what is allowed."""

from pathlib import Path
from typing import Any

import pytest

from ontology_assets.model.code_version import code_version
from ontology_assets.model.loading import load_domain
from ontology_assets.model.write_checks import FIELDS
from tests.unit.definitions.test_loading import Copy
from transforms.outputs.definition import MODES, Incremental, Write

LINES = {
    "inputs": {"sales": "clean/sales", "shops": "clean/shops"},
    "nodes": {
        "lines": {"select": ["receipt", "line", "product", "city", "sold_on", "unit_price"], "from": "sales"},
        "late": {"compute": {"big": "unit_price > 5", "rate": "cast(unit_price AS double)"}, "from": "lines"},
    },
    "output": "late",
    "write": {"mode": "merge", "key": ["receipt", "line"], "order": ["sold_on desc"], "remove": "big"},
    "incremental": {"by": ["receipt"], "lateness": {"sales": {"column": "sold_on", "within": "3d"}}},
}


@pytest.fixture
def shop(tmp_path: Path) -> Copy:
    return Copy(tmp_path).set("pipelines/lines", LINES)


def test_what_fits_has_no_fault(shop: Copy) -> None:
    assert shop.faults() == []


FAULTS: list[tuple[str, Any, str]] = [
    ("write/mode", "upsert", "Allowed: replace, append, merge, snapshot, changelog."),
    ("write/mode", "overwrite", "Allowed: replace, append, merge, snapshot, changelog."),
    ("write/mode", "append", "the mode 'append' has no field 'remove'. Allowed: mode, key, duplicates, order."),
    ("write/key", None, "the mode 'merge' needs the field 'key'."),
    ("write/order", None, "the mode 'merge' needs the field 'order'."),
    ("write/duplicates", "skip", "the mode 'merge' has no field 'duplicates'."),
    ("write/keys", ["line"], "keys"),
    ("write/key", ["receipt", "lin"], "there is no column 'lin'. Did you mean 'line'?"),
    ("write/key", ["receipt", "rate"], "'rate' is double, which identifies nothing."),
    ("write/order", ["sold_onn desc"], "there is no column 'sold_onn'. Did you mean 'sold_on'?"),
    ("write/remove", "city", "'city' is string; a boolean column is needed."),
    ("write/remove", "gone", "there is no column 'gone'."),
    ("write", {"mode": "append", "key": ["receipt"], "duplicates": "skip"}, "it is needed"),
    ("write", {"mode": "append", "key": ["receipt"], "order": ["line"]}, "`order` says which"),
    ("incremental/by", ["city"], "'city' is not in the key"),
    ("incremental/by", ["recept"], "there is no column 'recept'. Did you mean 'receipt'?"),
    ("incremental/by", None, "by"),
    ("incremental/lateness/sale", {"column": "sold_on", "within": "3d"}, "there is no input 'sale'. Did you mean 'sales'?"),
    ("incremental/lateness/sales/column", "city", "'city' is string; a date or timestamp is needed."),
    ("incremental/lateness/sales/column", "sold", "there is no column 'sold'. Did you mean 'sold_on'?"),
    ("incremental/lateness/sales/within", "3 days", "within"),
    ("nodes/late", {"window": {"big": "count(*) > 1"}, "order_by": ["line"], "from": "lines"}, "can't be incremental by receipt"),
    ("nodes/lines", {"compute": {"receipt": "upper(receipt)"}, "from": "sales"}, "it makes new values of 'receipt'"),
    ("nodes/late", {"join": "shops", "on": ["city"], "how": "cross", "from": "lines"}, "cross"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), FAULTS)
def test_a_fault_is_named_with_what_is_allowed(shop: Copy, path: str, value: Any, expected: str) -> None:
    faults = shop.set(f"pipelines/lines/{path}", value).faults()
    assert any(expected in fault for fault in faults), faults
    assert all("pipelines.lines" in fault for fault in faults if expected in fault)


@pytest.mark.parametrize(
    ("field", "value"),
    [("write", {"mode": "merge", "key": ["city"], "order": ["month"]}), ("incremental", {"by": ["city"]})],
)
def test_a_pipeline_that_follows_partitions_replaces_them(tmp_path: Path, field: str, value: Any) -> None:
    faults = Copy(tmp_path).set(f"pipelines/shop_months/{field}", value).faults()
    assert any("replaces them one by one; leave `partition` out" in fault for fault in faults), faults


def test_a_changelog_has_columns_of_its_own(shop: Copy) -> None:
    shop.set("pipelines/lines/write", {"mode": "changelog", "key": ["receipt", "line"]})
    shop.set("pipelines/lines/expectations", [{"rule": "values_in", "column": "change", "values": ["new"]}])
    assert shop.faults() == []
    shop.set("pipelines/lines/nodes/late/compute/change", "1")
    assert any("a changelog has a column 'change' of its own" in fault for fault in shop.faults())


def test_outputs_say_each_how_they_are_written(shop: Copy) -> None:
    del shop.data["pipelines"]["lines"]["output"]
    shop.set("pipelines/lines/outputs", {"all": {"node": "late"}})
    assert any("each of the `outputs` has its own" in fault for fault in shop.faults())
    parts = {name: shop.data["pipelines"]["lines"].pop(name) for name in ("write", "incremental")}
    shop.set("pipelines/lines/outputs", {"all": {"node": "late", **parts}})
    assert shop.faults() == []
    shop.set("pipelines/lines/outputs/all/write/key", ["receipt", "lin"])
    assert any("outputs.all.write.key" in fault and "Did you mean 'line'?" in fault for fault in shop.faults())


def test_how_a_table_is_written_is_part_of_its_version_and_replace_is_what_was(tmp_path: Path) -> None:
    def version(**parts: Any) -> str:
        (tmp_path / "domain.yaml").unlink(missing_ok=True)
        copy = Copy(tmp_path).set("pipelines/lines", {**LINES, **parts})
        for name in ("write", "incremental"):
            if copy.data["pipelines"]["lines"][name] is None:
                del copy.data["pipelines"]["lines"][name]
        assert copy.faults() == []
        return code_version(load_domain(tmp_path), "transform/lines")

    plain = version(write=None, incremental=None)
    assert plain == version(write={"mode": "replace"}, incremental=None)
    others = {version(), version(incremental=None), version(write=None), plain}
    assert len(others) == 4


def test_every_field_of_a_mode_is_one_of_the_models() -> None:
    assert {"mode", *FIELDS} == Write.model_fields.keys()
    assert {field for fields in MODES.values() for some in fields for field in some} == set(FIELDS)
    assert set(MODES) == set(Write.model_fields["mode"].annotation.__args__)  # type: ignore[union-attr]
    assert Incremental.model_fields.keys() == {"by", "lateness"}
