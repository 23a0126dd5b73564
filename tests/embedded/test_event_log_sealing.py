"""Sealing into the lake and verifying: exactly once, equal by count and digest; each check is red for its own fault."""

import os
import threading
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ontology_assets.events import verify as verifying
from ontology_assets.events.envelope import EVENT_SCHEMA, Draft
from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.orphans import orphans, remove_orphans
from ontology_assets.events.sealing import ROW_GROUP, SEALED_SCHEMA, seal
from ontology_assets.events.verify import verify
from resources.lake.base import LakeConflictError, Rows
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore
from tests.unit.events.making import (
    DOMAIN,
    append,
    bulk,
    data_files,
    event,
    everything,
    fleet,
    inline,
    open_log,
    rows,
)

TABLE = f"events/{DOMAIN}"


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake")


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return open_log(tmp_path)[0]


@pytest.fixture
def heads(tmp_path: Path, log: EventLog) -> Heads:
    return Heads(tmp_path / "heads" / "own.sqlite", log)


def sealed_rows(lake: LocalLake) -> list[dict[str, object]]:
    return lake.scan(TABLE).sort_by("position").to_pylist()


def failed(report: verifying.VerifyReport) -> dict[str, list[str]]:
    return {check.name: check.failures for check in report.checks if not check.ok}


def test_the_sealed_history_is_the_log_with_record_and_day(log: EventLog, heads: Heads, lake: LocalLake) -> None:
    append(log, heads, bulk(fleet(40_000), event("base", 1, kind="Asset")))
    append(log, heads, inline(event("ship/7", 2, 8)))
    report = seal(log, lake, DOMAIN)
    assert (report.through, report.position, report.appended) == (2, 40_002, 40_002)

    found, want = sealed_rows(lake), everything(log)
    for row in want:
        row["record"] = 1 if row["position"] <= 40_001 else 2
        row["event_day"] = row["occurred_at"].date()
    assert found == want
    assert lake.schema(TABLE).names == SEALED_SCHEMA.names
    assert isinstance(found[0]["event_day"], date)


def test_each_run_is_sorted_and_in_small_row_groups(log: EventLog, heads: Heads, lake: LocalLake) -> None:
    append(log, heads, bulk(fleet(40_000)))
    append(log, heads, bulk(rows(*((f"ship/{i}", 2, i) for i in range(500)))))
    seal(log, lake, DOMAIN)
    (file,) = lake.files(TABLE)
    parquet = pq.ParquetFile(file)
    assert max(parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)) <= ROW_GROUP
    order = [
        tuple(row.values())
        for row in parquet.read(["bucket", "aggregate_type", "aggregate_id", "sequence_number"]).to_pylist()
    ]
    assert order == sorted(order)


def test_a_second_sealing_appends_nothing(log: EventLog, heads: Heads, lake: LocalLake) -> None:
    append(log, heads, bulk(fleet(100)))
    seal(log, lake, DOMAIN)
    before = lake.state(TABLE).number
    again = seal(log, lake, DOMAIN)
    assert (again.through, again.position, again.appended) == (1, 100, 0)
    assert lake.state(TABLE).number == before


def test_a_tail_of_bookkeeping_alone_is_not_sealed_and_later_is_sealed_with_the_rest(
    log: EventLog, heads: Heads, lake: LocalLake
) -> None:
    append(log, heads, bulk(fleet(10)))
    seal(log, lake, DOMAIN)
    append(log, heads, inline(event("events/harbour", 1, kind="Asset", event_type="EventsSealed")))
    append(log, heads, inline(event("projection/a", 1, kind="Asset", event_type="ProjectionCaughtUp")))
    assert seal(log, lake, DOMAIN).appended == 0
    append(log, heads, inline(event("ship/1", 2, 5)))
    append(log, heads, inline(event("events/harbour", 2, kind="Asset", event_type="EventsSealed")))
    report = seal(log, lake, DOMAIN)
    assert (report.through, report.position, report.appended) == (4, 13, 3)
    assert [row["position"] for row in sealed_rows(lake)] == list(range(1, 14))
    assert seal(log, lake, DOMAIN, through=5).appended == 1
    assert verify(log, heads, lake).ok


def test_an_empty_log_seals_nothing(log: EventLog, lake: LocalLake) -> None:
    report = seal(log, lake, DOMAIN)
    assert (report.through, report.position, report.appended) == (-1, 0, 0)


def test_commits_that_land_while_sealing_are_sealed_next_time(tmp_path: Path, log: EventLog, heads: Heads) -> None:
    append(log, heads, bulk(fleet(30)))

    class Busy(LocalLake):
        def append(self, table: str, data: Rows, **more: object) -> bool:
            append(log, heads, inline(event(f"late/{log.end().n}", 1)))
            return super().append(table, data, **more)  # type: ignore[arg-type]

    lake = Busy(tmp_path / "lake")
    assert seal(log, lake, DOMAIN).position == 30
    assert seal(log, lake, DOMAIN).position == 31
    assert [row["position"] for row in sealed_rows(lake)] == list(range(1, 32))


def test_two_sealers_at_once_seal_once(tmp_path: Path, log: EventLog, heads: Heads) -> None:
    append(log, heads, bulk(fleet(30)))
    barrier, outcomes = threading.Barrier(2), list[object]()

    def run() -> None:
        mine, lake = EventLog(log.store, DOMAIN), LocalLake(tmp_path / "lake")
        barrier.wait()
        try:
            outcomes.append(seal(mine, lake, DOMAIN).appended)
        except LakeConflictError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(30) == 1
    assert [row["position"] for row in sealed_rows(LocalLake(tmp_path / "lake"))] == list(range(1, 31))


@pytest.mark.parametrize("fault", ["drops a row", "doubles a row", "changes a row"])
def test_a_lake_that_does_not_keep_what_it_is_given_is_found_out(
    tmp_path: Path, log: EventLog, heads: Heads, fault: str
) -> None:
    append(log, heads, bulk(fleet(30)))

    class Losing(LocalLake):
        def append(self, table: str, data: Rows, **more: object) -> bool:
            def wrong(part: pa.Table) -> pa.Table:
                if fault == "changes a row":
                    return part.set_column(0, "event_id", pa.array(["x", *part["event_id"].to_pylist()[1:]]))
                return part.slice(1) if fault == "drops a row" else pa.concat_tables([part, part.slice(0, 1)])

            return super().append(table, (wrong(part) for part in data), **more)  # type: ignore[arg-type, union-attr]

    with pytest.raises(SealMismatch, match=r"positions 1 to 30 are 30 events with digest"):
        seal(log, Losing(tmp_path / "lake"), DOMAIN)


def test_the_table_of_another_log_is_refused(tmp_path: Path, log: EventLog, heads: Heads, lake: LocalLake) -> None:
    append(log, heads, inline(event("a", 1)))
    other, other_heads = open_log(tmp_path / "other")
    append(other, other_heads, inline(event("a", 1)))
    seal(other, lake, DOMAIN)
    with pytest.raises(SealMismatch, match="history of another log"):
        seal(log, lake, DOMAIN)
    assert "history of another log" in failed(verify(log, heads, lake))["sealed history equals the log"][0]


def test_a_table_ahead_of_a_restored_log_is_refused(
    tmp_path: Path, log: EventLog, heads: Heads, lake: LocalLake
) -> None:
    append(log, heads, inline(event("a", 1)))
    append(log, heads, inline(event("a", 2)))
    seal(log, lake, DOMAIN)
    (tmp_path / "objects" / "log" / DOMAIN / f"{2:020d}").unlink()
    restored = EventLog(LocalObjectStore(tmp_path / "objects"), DOMAIN)
    with pytest.raises(SealMismatch, match="sealed up to record 2, which the log does not have"):
        seal(restored, lake, DOMAIN)


# ------------------------------------------------------------------------------------------------------ verification


def test_a_sound_log_passes_every_check(log: EventLog, heads: Heads, lake: LocalLake) -> None:
    append(log, heads, bulk(fleet(20_000), event("base", 1, kind="Asset")))
    append(log, heads, inline(event("ship/7", 2, 8), event("ship/8", 2, None)))
    seal(log, lake, DOMAIN)
    append(log, heads, inline(event("ship/7", 3, 9)))
    report = verify(log, heads, lake)
    assert report.ok
    assert {check.name: (check.checked, check.skipped) for check in report.checks} == {
        "chain": (4, None),
        "positions dense": (20_004, None),
        "sequences 1..n per aggregate": (20_001, None),
        "event ids unique": (20_004, None),
        "state hashes": (20_004, None),
        "buckets": (20_004, None),
        "heads": (1, None),
        "sealed history equals the log": (20_003, None),
    }
    assert (report.records, report.position) == (4, 20_004)


@pytest.mark.parametrize("passes", [1, 3])
def test_each_fault_makes_its_own_check_red_and_is_named(
    log: EventLog, heads: Heads, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PASS_EVENTS", -(-2_006 // passes))
    table = fleet(1_000)
    append(log, heads, Draft("one", events=table))
    twice = table.slice(5, 1)["event_id"]
    append(log, heads, Draft("two", events=rows(("x", 1, 1)).set_column(0, "event_id", twice)))
    append(log, heads, Draft("three", events=rows(("y", 1, 1)).set_column(8, "state_hash", pa.array(["0" * 64]))))
    append(log, heads, Draft("four", events=rows(("z", 1, 1)).set_column(9, "bucket", pa.array(["00"]))))
    append(log, heads, Draft("five", events=rows(*((f"ship/{i}", 2, i) for i in range(1_000)))))
    with monkeypatch.context() as unchecked:
        unchecked.setattr("ontology_assets.events.log.check_sequences", lambda *_: None)
        unchecked.setattr(Heads, "catch_up", lambda *_, **__: 0)
        for key, sequence in (("gap", 2), ("ship/3", 2), ("x", 3)):
            unchecked.setattr(Heads, "end", property(lambda _: log.end()))
            append(log, heads, Draft(f"bad-{key.replace('/', '')}", events=rows((key, sequence, 1))))
    report = verify(log)
    event_id = twice[0].as_py()
    found = failed(report)
    assert sorted(found.pop("sequences 1..n per aggregate")) == [
        "record 6, position 2004: Ship gap, sequence 2",
        "record 7, position 2005: Ship ship/3, sequence 2",
        "record 8, position 2006: Ship x, sequence 3",
    ]
    assert found == {
        "event ids unique": [f"record 2, position 1001: Ship x, {event_id}"],
        "state hashes": ["record 3, position 1002: Ship y"],
        "buckets": ["record 4, position 1003: Ship z is not in bucket 00"],
    }


@pytest.mark.parametrize("fault", ["a row changed", "rows missing", "a row twice", "a row too many"])
def test_sealed_history_that_differs_is_found(log: EventLog, heads: Heads, lake: LocalLake, fault: str) -> None:
    append(log, heads, bulk(fleet(20_000)))
    append(log, heads, bulk(fleet(20_000, first=20_000)))
    seal(log, lake, DOMAIN)
    state, good = lake.state(TABLE), lake.scan(TABLE).sort_by("position")
    at = good.column_names.index("data")
    forged = {
        "a row changed": good.set_column(at, "data", pa.array(['{"state":0}', *good["data"].to_pylist()[1:]])),
        "rows missing": pa.concat_tables([good.slice(0, 16_383), good.slice(30_000)]),
        "a row twice": pa.concat_tables([good, good.slice(35_000, 1)]),
        "a row too many": pa.concat_tables(
            [good, good.set_column(17, "position", pa.array(range(2, 40_002))).slice(39_999)]
        ),
    }[fault]
    lake.remove(TABLE)
    ((app, through),) = state.apps.items()
    lake.append(TABLE, forged, app_id=app, version=through, metadata=state.metadata)
    assert failed(verify(log, heads, lake)) == {
        "sealed history equals the log": {
            "a row changed": ["positions 1 to 16383: another digest"],
            "rows missing": ["positions 16384 to 32767: 2767 events instead of 16384"],
            "a row twice": ["positions 32768 to 40000: 7234 events instead of 7233"],
            "a row too many": ["it has positions 32769 to 40001, sealed are 1 to 40000"],
        }[fault]
    }


def test_a_sealed_file_that_is_gone_is_found(log: EventLog, heads: Heads, lake: LocalLake) -> None:
    append(log, heads, bulk(fleet(10)))
    seal(log, lake, DOMAIN)
    Path(lake.files(TABLE)[0]).unlink()
    assert list(failed(verify(log, heads, lake))) == ["sealed history equals the log"]


def test_heads_that_lie_are_found(log: EventLog, heads: Heads) -> None:
    append(log, heads, bulk(fleet(10)))
    heads._db.execute("DELETE FROM aggregates WHERE id = 'ship/4'")
    assert failed(verify(log, heads)) == {"heads": ["heads hold 9 aggregates with 9 events, the log 10 with 10"]}


# ----------------------------------------------------------------------------------------------------------- orphans


def test_orphans_are_removed_when_old_and_never_when_named(tmp_path: Path, log: EventLog, heads: Heads) -> None:
    append(log, heads, bulk(fleet(10)))
    (named,) = data_files(tmp_path)
    orphan, young = named.with_name("old.parquet"), named.with_name("young.parquet")
    orphan.write_bytes(b"1")
    young.write_bytes(b"1")
    for path in (named, orphan):
        os.utime(path, (1, 1))
    assert [one.key for one in orphans(log)] == [f"log-data/{DOMAIN}/old.parquet"]
    assert [one.key for one in remove_orphans(log)] == [f"log-data/{DOMAIN}/old.parquet"]
    assert data_files(tmp_path) == [named, young]
    assert len(orphans(log, older_than=timedelta(seconds=-5))) == 1
    assert verify(log, heads).ok


def test_the_data_files_are_read_by_pyarrow_alone(tmp_path: Path, log: EventLog, heads: Heads) -> None:
    append(log, heads, bulk(fleet(10)))
    found = pq.read_table(data_files(tmp_path)[0])
    assert found["ordinal"].to_pylist() == list(range(10))
    assert set(found.column_names) - {"ordinal"} < set(EVENT_SCHEMA.names)
