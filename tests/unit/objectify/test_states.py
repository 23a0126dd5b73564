"""States: one canonical text per row, with its key, its links and its hash."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa

from ontology_assets.objectify.states import STATES_SCHEMA, link_rows, states_of
from tests.unit.objectify.harbour import CALL, TYPES, call, mapped


def test_a_row_becomes_a_state():
    row = call("Hoek van Holland", imo=9, tons=Decimal("1.5"), depth=-0.0, place={"lat": 51.97, "lon": 4.13})
    (state,) = states_of(CALL, TYPES, mapped([row])).to_pylist()
    text = (
        '{"links":{"of_ship":["9"]},"properties":{"day":"2013-01-01","depth":0.0,"imo":9,'
        '"place":{"lat":51.97,"lon":4.13},"port":"Hoek van Holland","state":"A","tons":"1.50"}}'
    )
    assert state == {
        "partition": "",
        "id": "Hoek%20van%20Holland/2013-01-01",
        "state": text,
        "state_hash": hashlib.sha256(text.encode()).hexdigest(),
        "bucket": hashlib.sha256(b"Hoek%20van%20Holland/2013-01-01").hexdigest()[:2],
        "occurred_at": datetime(2013, 1, 2, tzinfo=UTC),
        "row": 1,
        "line": 2,
        "source_file": "calls.csv",
        "link:of_ship": "9",
    }


def test_absent_values_and_links_are_left_out():
    (state,) = states_of(CALL, TYPES, mapped([call("Gent", place={"lat": None, "lon": None})])).to_pylist()
    assert json.loads(state["state"]) == {
        "links": {},
        "properties": {"day": "2013-01-01", "port": "Gent", "state": "A"},
    }
    assert state["link:of_ship"] is None


def test_a_pipelines_result_has_no_row_numbers():
    table = mapped([call("Gent")]).drop_columns(["_row", "_line", "_source_file", "_occurred_at", "_partition"])
    (state,) = states_of(CALL, TYPES, table).to_pylist()
    assert [state[name] for name in ("row", "line", "source_file", "occurred_at", "partition")] == [None] * 4 + [""]


def test_no_rows_are_no_states():
    states = states_of(CALL, TYPES, mapped([]))
    assert states.num_rows == 0
    assert states.schema == STATES_SCHEMA.append(pa.field("link:of_ship", pa.string()))


def test_links_need_only_their_own_properties():
    table = mapped([call("Gent", imo=7), call("Brugge")])
    rows = link_rows(CALL, TYPES, table.select(["port", "day", "imo"]))
    assert rows.to_pylist() == [
        {"partition": "", "id": "Gent/2013-01-01", "link:of_ship": "7"},
        {"partition": "", "id": "Brugge/2013-01-01", "link:of_ship": None},
    ]
