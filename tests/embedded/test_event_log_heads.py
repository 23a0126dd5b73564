"""Heads answer what a plain fold of the log says, whatever happened to the aggregates."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.events.heads import LOOKUP_SCHEMA, Heads
from ontology_assets.events.log import EventLog
from tests.unit.events.making import append, bulk, event, fleet, inline, open_log, rows, sha, state_of

KINDS, OWNERS = ("Ship", "Boat"), ("o1", "o2", None)


def by_id(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row.pop("id"): row for row in table.to_pylist()}


def test_a_lookup_has_one_row_for_each_known_id(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(rows(("a", 1, 1), ("b", 1, 2), owner="o1")))
    append(log, heads, inline(event("b", 2, None), event("b", 1, 5, kind="Boat", owner="o2")))
    found = heads.lookup("Ship", pa.array(["b", "a", "none", "a"]).unique())
    assert found.schema == LOOKUP_SCHEMA
    assert by_id(found) == {
        "a": {"sequence": 1, "state_hash": sha(state_of(1)), "owner": "o1", "position": 1, "deleted": False},
        "b": {"sequence": 2, "state_hash": sha("null"), "owner": None, "position": 3, "deleted": True},
    }
    assert heads.lookup("Plane", pa.array(["a"])).equals(LOOKUP_SCHEMA.empty_table())
    assert heads.lookup("Ship", pa.chunked_array([], pa.string())).num_rows == 0


def test_exist_answers_in_the_order_asked_and_only_for_the_living(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(rows(("a", 1, 1), ("b", 1, 2), ("b", 2, None))))
    assert heads.exist("Ship", pa.array(["b", "a", None, "none", "a"])).to_pylist() == [False, True, False, False, True]
    assert heads.exist("Boat", pa.array(["a"])).to_pylist() == [False]


def test_a_key_that_changes_its_owner_is_owned_by_the_new_one_only(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(rows(("a", 1, 1), ("b", 1, 1), owner="o1")))
    append(log, heads, bulk(rows(("a", 2, 1), owner="o2")))
    assert list(by_id(heads.owned("Ship", ["o1"]))) == ["b"]
    assert list(by_id(heads.owned("Ship", ["o2", "o3"]))) == ["a"]
    assert sorted(by_id(heads.owned("Ship", ["o1", "o2"]))) == ["a", "b"]


def test_the_latest_envelope_of_each_partition_is_known(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)

    def envelope(key: str, sequence: int, version: str) -> NewEvent:
        state = json.dumps({"properties": {"asset": "raw/x", "data_version": version}}, separators=(",", ":"))
        return NewEvent(
            f"{key}-{sequence}", "DatasetVersionPublished", "Asset", key, sequence, f'{{"state":{state}}}', sha(state)
        )

    append(
        log,
        heads,
        inline(envelope("raw/x@2013-01-01", 1, "A"), envelope("raw/x@2013-01-02", 1, "A"), envelope("raw/xy", 1, "Z")),
    )
    append(log, heads, inline(envelope("raw/x@2013-01-01", 2, "B"), envelope("raw/x@2013-01-01", 3, "A")))
    found = heads.asset_versions("raw/x")
    assert {k: (v.data_version, v.event_id, v.event_type, v.sequence, v.position) for k, v in found.items()} == {
        "2013-01-01": ("A", "raw/x@2013-01-01-3", "DatasetVersionPublished", 3, 5),
        "2013-01-02": ("A", "raw/x@2013-01-02-1", "DatasetVersionPublished", 1, 2),
    }
    assert list(heads.asset_versions("raw/xy")) == [""]
    assert heads.asset_versions("raw") == {}
    assert heads.counts() == {}


def test_a_record_is_found_by_its_batch_and_by_a_position(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, Draft("b1", events=fleet(5)))
    append(log, heads, Draft("b2", inline=[event("x", 1)]))
    assert heads.batch("b1") == (1, 1, 5)
    assert heads.batch("b2") == (2, 6, 6)
    assert heads.batch("b3") is None
    assert [heads.record_of(p) for p in (1, 5, 6, 7)] == [1, 1, 2, None]


@pytest.mark.parametrize("seed", range(5))
def test_heads_equal_a_plain_fold_of_any_history(tmp_path: Path, seed: int) -> None:
    """Random batches, bulk and inline, several events of an aggregate in one, folded at once and record by record."""
    log, heads = open_log(tmp_path)
    model = _random_history(log, heads, random.Random(seed))
    late = Heads(tmp_path / "late.sqlite", log)
    late.catch_up()
    for one in (heads, late):
        for kind in KINDS:
            want = {key: last for (of, key), (last, _) in model.items() if of == kind}
            assert by_id(one.lookup(kind, pa.array([f"k{i}" for i in range(40)]))) == want
            for owner in ("o1", "o2"):
                mine = {key for key, last in want.items() if last["owner"] == owner and not last["deleted"]}
                assert set(by_id(one.owned(kind, [owner]))) == mine
            assert one.counts().get(kind, 0) == sum(not last["deleted"] for last in want.values())
        for (kind, key), (_, positions) in model.items():
            assert one.positions_of(kind, key) == positions
        assert one.end == log.end()


def _random_history(
    log: EventLog, heads: Heads, chance: random.Random
) -> dict[tuple[str, str], tuple[dict[str, Any], list[int]]]:
    model: dict[tuple[str, str], tuple[dict[str, Any], list[int]]] = {}
    position = 0
    for _ in range(25):
        made: list[tuple[str, str, int, Any, str | None]] = []
        for _ in range(chance.randint(1, 12)):
            kind, key = chance.choice(KINDS), f"k{chance.randint(0, 39)}"
            value = chance.choice([None, 1, 2, 3])
            owner = chance.choice(OWNERS)
            last, positions = model.get((kind, key), ({"sequence": 0}, []))
            position += 1
            now = {
                "sequence": last["sequence"] + 1,
                "state_hash": sha(state_of(value)),
                "owner": owner,
                "position": position,
                "deleted": value is None,
            }
            model[kind, key] = (now, [*positions, position])
            made.append((kind, key, now["sequence"], value, owner))
        cut = chance.randint(0, len(made))
        tables = [
            rows((key, sequence, value), kind=kind, owner=owner) for kind, key, sequence, value, owner in made[:cut]
        ]
        events = [
            event(key, sequence, value, kind=kind, owner=owner) for kind, key, sequence, value, owner in made[cut:]
        ]
        append(log, heads, bulk(pa.concat_tables(tables), *events) if tables else inline(*events))
    return model
