"""Gates: what can't become an object stops the load, with code, count and the rows' places."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.gates import GateFailed
from ontology_assets.objectify.states import states_of
from tests.unit.objectify.harbour import CALL, SHIP, TYPES, call, mapped


def failed(rows, object_type=CALL):
    with pytest.raises(GateFailed) as stopped:
        states_of(object_type, TYPES, mapped(rows, object_type))
    return {gate.code: gate for gate in stopped.value.gates}, stopped.value


def test_a_missing_part_of_the_key_is_named_with_its_place():
    gates, error = failed([call("Rotterdam"), call(None)])
    assert list(gates) == ["KEY_MISSING"]
    (sample,) = gates["KEY_MISSING"].samples
    assert (sample.file, sample.line, sample.row, sample.column, sample.value) == ("calls.csv", 3, 2, "port", None)
    assert "KEY_MISSING, 1 found, e.g. calls.csv, line 3: port = None is part of the key" in error.text()
    assert "Nothing of these partitions was appended" in error.text()


def test_rows_with_one_key_are_all_counted():
    gates, _ = failed([call("Rotterdam"), call("Antwerp"), call("Rotterdam", imo=7), call("Antwerp"), call("Gent")])
    gate = gates["KEY_DUPLICATE"]
    assert gate.count == 4
    assert [(one.key, one.line) for one in gate.samples] == [
        ("Antwerp/2013-01-01", 3),
        ("Antwerp/2013-01-01", 5),
        ("Rotterdam/2013-01-01", 2),
        ("Rotterdam/2013-01-01", 4),
    ]


@pytest.mark.parametrize(
    ("values", "column", "reason"),
    [
        ({"state": None}, "state", "may not be missing"),
        ({"state": "X"}, "state", "is not one of A, P"),
        ({"depth": float("nan")}, "depth", "is no finite number"),
        ({"depth": float("-inf")}, "depth", "is no finite number"),
        ({"place": {"lat": 1.0, "lon": None}}, "place", "has no lon"),
        ({"place": {"lat": -90.5, "lon": 0.0}}, "place", "has a lat that is not between -90 and 90"),
        ({"place": {"lat": 0.0, "lon": float("nan")}}, "place", "has a lon that is not between -180 and 180"),
        ({"tons": None, "_failed_tons": "1234567.89"}, "tons", "is no decimal(8,2)"),
        ({"imo": None, "_failed_imo": "12a"}, "imo", "is no integer"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_named(values, column, reason):
    gates, _ = failed([call("Rotterdam"), call("Antwerp", **values)])
    gate = gates["TYPE_FAILED"]
    assert (gate.count, gate.samples[0].column, gate.samples[0].reason) == (1, column, reason)
    assert gate.samples[0].line == 3
    if "_failed_" in str(values):
        assert gate.samples[0].value == next(value for name, value in values.items() if name.startswith("_failed_"))


def test_a_refused_key_is_a_wrong_type_and_not_a_missing_one():
    gates, _ = failed([{"imo": None, "name": "Ever", "_failed_imo": "IMO9"}], SHIP)
    assert list(gates) == ["TYPE_FAILED"]


def test_a_row_with_two_faults_counts_once_and_all_codes_come_together():
    gates, _ = failed([call(None, state="X", depth=float("inf")), call("Gent", state="Y")])
    assert {code: gate.count for code, gate in gates.items()} == {"KEY_MISSING": 1, "TYPE_FAILED": 2}


def test_moments_outside_the_calendar_are_refused():
    event = ObjectType.model_validate(
        {
            "name": "Event",
            "key": ["at"],
            "title": "at",
            "properties": {"at": {"type": "timestamp"}, "on": {"type": "date"}},
        }
    )
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    table = mapped([{"at": last, "on": date(1, 1, 1)}], event)
    assert states_of(event, {}, table).num_rows == 1
    late = pc.add(table["at"].cast(pa.int64()), 1).cast(pa.timestamp("us", "UTC"))
    with pytest.raises(GateFailed, match=r"at = '10000-01-01 00:00:00.000000Z' is not in the years 1 to 9999"):
        states_of(event, {}, table.set_column(0, "at", late))


def test_a_gate_is_a_value_for_an_asset_check():
    gates, _ = failed([call("Rotterdam", state="X")])
    value = gates["TYPE_FAILED"].value()
    assert (value["code"], value["count"], value["samples"][0]["value"]) == ("TYPE_FAILED", 1, "X")
