"""A large record is folded in slices: what is behind is looked up where it is, whoever is killed in between."""

import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads import Heads
from ontology_assets.events.heads_schema import TABLES
from ontology_assets.events.log import EventLog
from resources.object_store.local import LocalObjectStore
from tests.unit.events.making import (
    DOMAIN,
    append,
    bulk,
    data_files,
    event,
    fleet,
    inline,
    next_of,
    open_log,
    rows,
    sha,
    state_of,
)

KINDS = ("Ship", "Boat")
KEYS = [f"k{i}" for i in range(30)]


def content(heads: Heads) -> dict[str, object]:
    """All that the tables hold but the small integers, which are given in the order of first use."""
    held = {name: heads._db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    types, owners = dict(held.pop("types")), dict(held.pop("owners")) | {None: None}
    held["aggregates"] = [(types[row[0]], *row[1:4], owners[row[4]], *row[5:]) for row in held["aggregates"]]
    for name in ("earlier", "edits"):
        held[name] = [(types[row[0]], *row[1:]) for row in held[name]]
    return {name: sorted(rows, key=repr) for name, rows in held.items()}


def history(log: EventLog, heads: Heads, seed: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Random batches, bulk and inline, several events of one aggregate in one; the last head of each, kept by hand."""
    chance, model, position = random.Random(seed), dict[tuple[str, str], dict[str, Any]](), 0
    for _ in range(20):
        made: list[tuple[str, str, int, Any]] = []
        for _ in range(chance.randint(1, 25)):
            kind, key, value = chance.choice(KINDS), chance.choice(KEYS), chance.choice([None, 1, 2, 3])
            position += 1
            sequence = model.get((kind, key), {"sequence": 0})["sequence"] + 1
            model[kind, key] = {
                "id": key,
                "sequence": sequence,
                "state_hash": sha(state_of(value)),
                "owner": None,
                "position": position,
                "deleted": value is None,
            }
            made.append((kind, key, sequence, value))
        cut = chance.choice([0, len(made), chance.randint(0, len(made))])
        tables = [rows(one[1:], kind=one[0]) for one in made[:cut]]
        events = [event(key, sequence, value, kind=kind) for kind, key, sequence, value in made[cut:]]
        append(log, heads, bulk(pa.concat_tables(tables), *events) if tables else inline(*events))
    return model


def answers(heads: Heads, kind: str) -> list[dict[str, Any]]:
    return sorted(heads.lookup(kind, pa.array([*KEYS, "none"])).to_pylist(), key=lambda row: row["id"])


def sequences(heads: Heads, kind: str, ids: list[str]) -> dict[str, int]:
    found = heads.sequences(kind, pa.chunked_array([ids]))
    return dict(zip(found["id"].to_pylist(), found["sequence"].to_pylist(), strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_behind_is_answered_as_if_it_were_folded(tmp_path: Path, seed: int) -> None:
    """At every stage: nothing of the bulk rows folded, some slices, all; and the tables are the same in the end."""
    log, heads = open_log(tmp_path)
    model, chance = history(log, heads, seed), random.Random(seed)
    slow = Heads(tmp_path / "slow.sqlite", log, step_rows=3)
    slow.catch_up(whole=False)
    stages = 0
    while True:
        assert slow.end == log.end()
        for kind in KINDS:
            want = sorted((one for (of, _), one in model.items() if of == kind), key=lambda row: row["id"])
            assert answers(slow, kind) == want
            assert sequences(slow, kind, [*KEYS, "none"]) == {one["id"]: one["sequence"] for one in want}
        stages += 1
        if chance.random() < 0.3:  # another process goes on
            slow.close()
            slow = Heads(tmp_path / "slow.sqlite", log, step_rows=chance.randint(1, 5))
        if not slow.work_off():
            break
    assert stages > 5
    heads.catch_up()
    assert content(slow) == content(heads)


def test_an_event_behind_a_large_load_is_folded_after_its_aggregates_rows(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(10)))
    append(log, heads, bulk(rows(*((f"ship/{i}", 2, i) for i in range(10)))))
    slow = Heads(tmp_path / "slow.sqlite", log, step_rows=4)
    assert log.append(slow, next_of("ship/8", "by hand"), whole=False) is not None
    assert sequences(slow, "Ship", ["ship/8", "ship/9"]) == {"ship/8": 3, "ship/9": 2}
    assert slow._db.execute("SELECT n, done FROM backlog").fetchall() == [(1, 0), (2, 0)]
    assert slow._db.execute("SELECT position FROM early").fetchall() == [(9,), (19,)]
    assert slow.positions_of("Ship", "ship/8") == [9, 19, 21]
    assert slow.checksum() == (10, 21)
    assert slow._db.execute("SELECT * FROM backlog UNION ALL SELECT position, 0 FROM early").fetchall() == []


def test_answers_that_need_every_row_fold_what_is_behind_first(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(10, owner="o")))

    def slow() -> Heads:
        found = Heads(tmp_path / f"{random.random()}.sqlite", log, step_rows=4)
        found.catch_up(whole=False)
        return found

    assert slow().counts() == {"Ship": 10}
    assert slow().owned("Ship", ["o"]).num_rows == 10
    assert slow().exist("Ship", pa.array(["ship/9", "ship/10"])).to_pylist() == [True, False]
    with slow().deciding() as _:
        pass
    lazy = slow()
    with pytest.raises(RuntimeError, match="whole heads only"), lazy.deciding(whole=False):
        lazy.owned("Ship", ["o"])
    with lazy.deciding():
        assert lazy.owned("Ship", ["o"]).num_rows == 10


class Dying(sqlite3.Connection):
    """Ends the process's work at the n-th statement that begins or ends a transaction."""

    left = 1_000_000

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
        if sql in ("BEGIN IMMEDIATE", "COMMIT"):
            Dying.left -= 1
            if Dying.left < 0:
                raise InterruptedError("killed")
        return super().execute(sql, *given)


def test_a_fold_that_dies_between_any_two_slices_is_gone_on_with_exactly(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    history(log, heads, 1)
    heads.catch_up()
    want, deaths = content(heads), 0
    while True:
        Dying.left = 2 * deaths % 7 + 3
        try:
            again = Heads(tmp_path / "again.sqlite", log, factory=Dying, step_rows=2)
            again.catch_up()
        except InterruptedError:
            deaths += 1
            continue
        finally:
            Dying.left = 1_000_000
        break
    assert deaths > 10
    assert content(again) == want
    assert not again.rebuilt


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_the_position_does_not_pass_a_load_whose_rows_are_damaged(tmp_path: Path, damage: str) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1)))
    append(log, heads, bulk(fleet(20)))
    (file,) = data_files(tmp_path)
    file.unlink() if damage == "missing" else file.write_bytes(file.read_bytes()[:-9])
    slow = Heads(tmp_path / "slow.sqlite", EventLog(log.store, DOMAIN), step_rows=4)
    with pytest.raises(LogDamaged) as caught:
        slow.catch_up(whole=False)
    assert caught.value.n == 2
    assert slow.position <= 1


def test_two_processes_fold_one_load_together(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(3_000)))

    def fold() -> None:
        mine = EventLog(LocalObjectStore(tmp_path / "objects"), DOMAIN)
        Heads(tmp_path / "shared.sqlite", mine, step_rows=50).catch_up()

    threads = [threading.Thread(target=fold) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared = Heads(tmp_path / "shared.sqlite", log)
    assert shared.checksum() == (3_000, 3_000)
    assert not shared.work_off()


def test_idle_time_is_used_to_fold_what_is_behind(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(50)))
    slow = Heads(tmp_path / "slow.sqlite", log, step_rows=10)
    slow.catch_up(whole=False)
    other = sqlite3.connect(tmp_path / "slow.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not slow.work_off()  # gives way to whoever writes
    other.execute("ROLLBACK")
    assert [slow.work_off() for _ in range(6)] == [True] * 5 + [False]
    assert slow._db.execute("SELECT count(*) FROM aggregates").fetchone() == (50,)


def test_whoever_waits_for_the_file_sees_soon_that_it_is_free(tmp_path: Path) -> None:
    """Another process writes again 5 ms after each transaction of 50 ms, as a fold of many slices does."""
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1)))
    late = Heads(tmp_path / "late.sqlite", log)
    stop = threading.Event()

    def write() -> None:
        other = sqlite3.connect(tmp_path / "late.sqlite", isolation_level=None)
        while not stop.is_set():
            other.execute("BEGIN IMMEDIATE")
            time.sleep(0.05)
            other.execute("COMMIT")
            time.sleep(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(0.02)
    try:
        waits = []
        for sequence in range(2, 8):
            append(log, heads, inline(event("a", sequence)))
            began = time.monotonic()
            late.catch_up()
            waits.append(time.monotonic() - began)
    finally:
        stop.set()
        thread.join()
    assert sorted(waits)[3] < 0.3, waits
