"""Decisions: created, updated, deleted, unchanged, by state hash and owner, again and again the same."""

import json
import uuid

import pytest

from ontology_assets.events.envelope import NAMESPACE
from ontology_assets.materializations import details_of, rows_of
from ontology_assets.objectify.changes import changed_fields
from ontology_assets.objectify.decide import decide
from ontology_assets.objectify.gates import GateFailed
from tests.unit.objectify.harbour import ASSET, Store, call, store

GENT, BRUGGE, OOSTENDE = "Gent/2013-01-01", "Brugge/2013-01-01", "Oostende/2013-01-01"


@pytest.fixture
def harbour(tmp_path) -> Store:
    return store(tmp_path)


def counts(harbour: Store, partition: str = "") -> dict[str, int]:
    rows = rows_of(harbour.heads.asset_versions(ASSET)[partition])
    return {name: count for name, count in rows.items() if count}


def test_a_first_load_creates_everything_and_says_so_in_one_envelope(harbour):
    commit = harbour.load({"": ("v1", [call("Gent", imo=7), call("Brugge")])})
    created, _ = harbour.events(commit)
    assert harbour.kinds(commit) == [("ObjectCreated", GENT, 1), ("ObjectCreated", BRUGGE, 1)]
    assert json.loads(created["data"]) == {
        "state": {
            "links": {"of_ship": ["7"]},
            "properties": {"day": "2013-01-01", "imo": 7, "port": "Gent", "state": "A"},
        }
    }
    assert created["event_id"] == str(uuid.uuid5(NAMESPACE, f"{ASSET}||v1|Call|{GENT}|0"))
    assert created["owner"] == ASSET
    assert created["metadata"] == (
        '{"asset":"ontology/call/objects","code_version":"code-1","line":2,"partition":"","row":1,"run_id":"run-1",'
        '"source_file":"calls.csv"}'
    )
    harbour.heads.catch_up()
    assert counts(harbour) == {"created": 2}
    assert details_of(harbour.heads.asset_versions(ASSET)[""])["data_version"] == "v1"
    assert commit is not None
    assert commit.events == 3


def test_a_known_data_version_is_not_decided_again(harbour):
    rows = [call("Gent")]
    harbour.load({"": ("v1", rows)})
    assert harbour.load({"": ("v1", [])}) is None


def test_change_removal_and_addition_are_one_event_each(harbour):
    harbour.load({"": ("v1", [call("Gent", imo=7), call("Brugge"), call("Kortrijk")])})
    commit = harbour.load({"": ("v2", [call("Gent", imo=8), call("Oostende"), call("Kortrijk")])})
    assert harbour.kinds(commit) == [
        ("ObjectUpdated", GENT, 2),
        ("ObjectCreated", OOSTENDE, 1),
        ("ObjectDeleted", BRUGGE, 2),
    ]
    updated, _, deleted = harbour.events(commit)
    assert json.loads(updated["data"])["changed"] == ["imo", "of_ship"]
    assert updated["data"].startswith('{"changed":["imo","of_ship"],"state":{"links":')
    assert deleted["data"] == '{"state":null}'
    assert deleted["owner"] == ASSET
    harbour.heads.catch_up()
    assert counts(harbour) == {"created": 1, "updated": 1, "deleted": 1, "unchanged": 1}


def test_going_back_to_an_old_version_is_new_events_with_new_ids(harbour):
    first = harbour.load({"": ("v1", [call("Gent", imo=7)])})
    harbour.load({"": ("v2", [call("Gent", imo=8)])})
    again = harbour.load({"": ("v1", [call("Gent", imo=7)])})
    assert harbour.kinds(again) == [("ObjectUpdated", GENT, 3)]
    assert harbour.events(again)[0]["event_id"] != harbour.events(first)[0]["event_id"]
    assert harbour.load({"": ("v1", [call("Gent", imo=7)])}) is None


def test_a_deleted_object_comes_back_with_the_next_sequence(harbour):
    harbour.load({"": ("v1", [call("Gent")])})
    gone = harbour.load({"": ("v2", [])})
    back = harbour.load({"": ("v3", [call("Gent")])})
    assert harbour.kinds(gone) == [("ObjectDeleted", GENT, 2)]
    assert harbour.kinds(back) == [("ObjectCreated", GENT, 3)]


def test_a_partition_deletes_only_what_it_owns(harbour):
    harbour.load({"a": ("v1", [call("Gent")]), "b": ("v1", [call("Brugge")])})
    commit = harbour.load({"a": ("v2", [])})
    assert harbour.kinds(commit) == [("ObjectDeleted", GENT, 2)]


def test_a_key_that_moves_within_a_load_changes_owner_and_is_not_deleted(harbour):
    harbour.load({"a": ("v1", [call("Gent")]), "b": ("v1", [call("Brugge")])})
    commit = harbour.load({"a": ("v2", []), "b": ("v2", [call("Brugge"), call("Gent")])})
    (moved,) = harbour.events(commit)
    assert (moved["event_type"], moved["owner"], json.loads(moved["data"])["changed"]) == (
        "ObjectUpdated",
        f"{ASSET}@b",
        [],
    )
    harbour.heads.catch_up()
    assert counts(harbour, "b") == {"updated": 1, "moved": 1, "unchanged": 1}
    assert harbour.kinds(harbour.load({"a": ("v3", [])})) == []
    assert harbour.kinds(harbour.load({"b": ("v3", [call("Brugge")])})) == [("ObjectDeleted", GENT, 3)]


def test_a_key_that_arrives_in_a_later_chunk_is_left_for_it(harbour):
    harbour.load({"a": ("v1", [call("Gent"), call("Oostende")])})
    commit = harbour.load({"a": ("v2", [])}, elsewhere=lambda _ids, _partitions: {GENT: "b"})
    assert harbour.kinds(commit) == [("ObjectDeleted", OOSTENDE, 2)]


def test_a_key_that_its_old_partition_still_has_is_a_duplicate(harbour):
    harbour.load({"a": ("v1", [call("Gent")])})
    end = harbour.log.end()
    with pytest.raises(GateFailed, match=r"KEY_DUPLICATE.*in partition b and in partition a"):
        harbour.load(
            {"b": ("v1", [call("Gent")])}, elsewhere=lambda _ids, partitions: dict.fromkeys([GENT], partitions[0])
        )
    assert harbour.log.end() == end


def test_quarantined_objects_are_kept_and_an_unreadable_key_holds_all_deletions(harbour):
    harbour.load({"": ("v1", [call("Gent"), call("Brugge")])})
    held = harbour.load({"": ("v2", [])}, quarantined=2, protected=frozenset([GENT]), unreadable=1)
    assert harbour.kinds(held) == []
    harbour.heads.catch_up()
    assert counts(harbour) == {"deletions_held": 2, "quarantined": 2}
    rest = harbour.load({"": ("v3", [])}, quarantined=1, protected=frozenset([GENT]))
    assert harbour.kinds(rest) == [("ObjectDeleted", BRUGGE, 2)]
    harbour.heads.catch_up()
    assert counts(harbour) == {"deleted": 1, "protected": 1, "quarantined": 1}


def test_a_decision_is_the_same_each_time_it_is_asked(harbour):
    harbour.load({"": ("v1", [call("Gent"), call("Brugge", imo=1)])})
    load = harbour.prepared({"": ("v2", [call("Brugge", imo=2), call("Oostende")])})
    harbour.heads.catch_up()
    first = decide(load, harbour.heads, harbour.log.states)
    second = decide(load, harbour.heads, harbour.log.states)
    assert first is not None
    assert second is not None
    assert first.events.equals(second.events)
    assert (first.batch, first.inline) == (second.batch, second.inline)


def test_events_of_a_load_stand_by_partition_and_row(harbour):
    commit = harbour.load(
        {"b": ("v1", [call("Gent"), call("Brugge")]), "a": ("v1", [call("Zeebrugge"), call("Antwerp")])}
    )
    ports = [one["aggregate_id"].split("/")[0] for one in harbour.events(commit)]
    assert ports == ["Zeebrugge", "Antwerp", "Gent", "Brugge"]


def test_a_draft_that_was_beaten_is_decided_again(harbour, tmp_path):
    rival = store(tmp_path)
    load = harbour.prepared({"": ("v1", [call("Gent", imo=1)])})
    asked = []

    def deciding(heads):
        if not asked:
            rival.load({"": ("v0", [call("Gent", imo=2)])})
        asked.append(heads.position)
        return decide(load, heads, harbour.log.states)

    commit = harbour.log.append(harbour.heads, deciding)
    assert len(asked) == 2
    assert harbour.kinds(commit) == [("ObjectUpdated", GENT, 2)]


def test_changed_fields_are_those_that_came_went_or_differ():
    before = '{"links":{"a":["1"],"b":["2"]},"properties":{"p":1,"q":2,"r":3}}'
    after = '{"links":{"a":["1"],"c":["2"]},"properties":{"p":1,"q":4,"s":3}}'
    assert changed_fields(before, after) == ["b", "c", "q", "r", "s"]
