"""Links: every one is counted as none, resolved or dangling; policies stop a run."""

from dataclasses import replace

import pytest

from ontology_assets.canonical import state_hash
from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.objectify.gates import GateFailed
from ontology_assets.objectify.links import check_links
from ontology_assets.objectify.states import link_rows
from tests.unit.objectify.harbour import CALL, SHIP, TYPES, Store, call, mapped, store

STATE = '{"links":{},"properties":{}}'


@pytest.fixture
def harbour(tmp_path) -> Store:
    """A harbour that knows the ships 1 and 2, and that ship 3 was deleted."""
    harbour = store(tmp_path)
    events = [ship("1", 1), ship("2", 1), ship("3", 1)]
    harbour.log.append(harbour.heads, lambda _heads: Draft("ships", inline=events))
    gone = replace(ship("3", 2), event_type="ObjectDeleted", data='{"state":null}', state_hash=state_hash("null"))
    harbour.log.append(harbour.heads, lambda _heads: Draft("gone", inline=[gone]))
    harbour.heads.catch_up()
    return harbour


def ship(key: str, sequence: int) -> NewEvent:
    data = f'{{"state":{STATE}}}'
    return NewEvent(f"{SHIP.name}-{key}-{sequence}", "ObjectCreated", SHIP.name, key, sequence, data, state_hash(STATE))


def rows(*calls: dict, object_type=CALL):
    return link_rows(object_type, TYPES, mapped(list(calls)))


def with_link(**changes: str):
    link = CALL.links["of_ship"].model_copy(update=changes)
    return CALL.model_copy(update={"links": {"of_ship": link}})


CALLS = [
    call("Gent", imo=1, _partition="a"),
    call("Brugge", _partition="a"),
    call("Oostende", imo=3, _partition="a"),
    call("Antwerp", imo=9, _partition="b"),
    call("Zeebrugge", imo=9, _partition="b"),
    call("Kortrijk", imo=2, _partition="b"),
]


def test_links_are_counted_by_partition(harbour):
    report = check_links(CALL, rows(*CALLS), ["a", "b", "c"], harbour.heads)
    assert [(one.partition, one.total, one.none, one.resolved, one.dangling, one.sample) for one in report.counts] == [
        ("a", 3, 1, 1, 1, ("3",)),
        ("b", 3, 0, 1, 2, ("9",)),
        ("c", 0, 0, 0, 0, ()),
    ]
    assert report.rows("a") == {"links": 2, "none": 1, "resolved": 1, "dangling": 1}
    assert report.by_link("b") == {"of_ship": {"total": 3, "none": 0, "resolved": 1, "dangling": 2}}


def test_dangling_links_are_listed(harbour):
    report = check_links(CALL, rows(*CALLS), ["a", "b"], harbour.heads)
    assert [tuple(row.values()) for row in report.dangling.to_pylist()] == [
        ("a", "of_ship", "Oostende/2013-01-01", "Ship", "3"),
        ("b", "of_ship", "Antwerp/2013-01-01", "Ship", "9"),
        ("b", "of_ship", "Zeebrugge/2013-01-01", "Ship", "9"),
    ]
    report.check(CALL)


def test_a_policy_of_fail_stops_at_a_dangling_link(harbour):
    strict = with_link(dangling="fail")
    report = check_links(strict, rows(*CALLS), ["a", "b"], harbour.heads)
    with pytest.raises(GateFailed, match=r"LINK_DANGLING, 3 found.*leads to no Ship"):
        report.check(strict)


def test_a_one_to_one_link_has_one_object_a_target(harbour):
    single = with_link(cardinality="one_to_one")
    report = check_links(single, rows(*CALLS), ["a", "b"], harbour.heads)
    with pytest.raises(GateFailed, match="LINK_SHARED, 2 found"):
        report.check(single)


def test_a_type_without_rows_has_no_dangling_links(harbour):
    report = check_links(CALL, rows(), [""], harbour.heads)
    assert [(one.total, one.dangling) for one in report.counts] == [(0, 0)]
    assert report.dangling.num_rows == 0
