"""Sealed history read in part, archiving under live readers and writers, upcasters."""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ontology_assets.events.archiving import archive
from ontology_assets.events.envelope import EVENT_SCHEMA, Draft
from ontology_assets.events.errors import LogDamaged, SchemaVersionUnknown, SealMismatch
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import seal
from ontology_assets.events.state import hash_of_state
from ontology_assets.events.upcasting import Upcaster, Upcasters
from ontology_assets.events.verify import verify
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore
from tests.conftest import LONG
from tests.unit.events.counted import Counted
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
    sha,
    state_of,
)

EVENTS = 1_000_000 if LONG else 131_072
"""The history is sealed in runs of 131,072 events, each a file of its own: a million are eight of one kind."""
DAYS = 100


def ships(first: int, last: int, sequence: int) -> pa.Table:
    chance = random.Random(first + sequence)
    return rows(*((f"ship/{i}", sequence, chance.randbytes(120).hex()) for i in range(first, last)))


def days_of(table: pa.Table) -> pa.Table:
    noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    stamps = pa.array([noon + timedelta(days=i % DAYS) for i in range(table.num_rows)], pa.timestamp("us", "UTC"))
    return table.set_column(5, "occurred_at", stamps)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[EventLog, LocalLake, int]:
    """A log of two loads and a change of a thousand objects, sealed in full runs; states of about 300 bytes."""
    root = tmp_path_factory.mktemp("sealed")
    log, heads = open_log(root)
    lake = LocalLake(root / "lake")
    half = EVENTS // 2
    append(log, heads, Draft("one", events=days_of(ships(0, half, 1))))
    append(log, heads, Draft("two", events=days_of(ships(half, EVENTS - 1_000, 1))))
    append(log, heads, Draft("three", events=days_of(ships(0, 1_000, 2))))
    seal(log, lake, DOMAIN)
    size = sum(Path(file).stat().st_size for file in lake.files(f"events/{DOMAIN}"))
    return log, lake, size


def test_one_aggregate_is_read_with_a_twentieth_of_the_bytes(sealed: tuple[EventLog, LocalLake, int]) -> None:
    log, lake, size = sealed
    shares = []
    for key in ("ship/7", "ship/999", f"ship/{EVENTS // 2 + 3}", "none"):
        tally = [0]
        history = SealedHistory(lake, DOMAIN, partial(Counted, tally=tally))
        found = history.aggregate("Ship", key)
        assert found.schema == EVENT_SCHEMA
        assert found.equals(log.aggregate("Ship", key))
        shares.append(tally[0] / size)
    print(f"one aggregate: {', '.join(f'{share:.1%}' for share in shares)} of {size / 1e6:.0f} MB")
    assert max(shares) <= 0.05


@pytest.mark.parametrize("bucket", ["3", "f"])
def test_one_day_of_one_bucket_is_read_with_a_tenth_of_the_bytes(
    sealed: tuple[EventLog, LocalLake, int], bucket: str
) -> None:
    log, lake, size = sealed
    tally, day = [0], date(2013, 2, 5)
    found = SealedHistory(lake, DOMAIN, partial(Counted, tally=tally)).day_bucket(day, bucket)
    want = [
        row["position"]
        for batch in log.events()
        for row in batch.select(["position", "occurred_at", "bucket"]).to_pylist()
        if row["occurred_at"].date() == day and row["bucket"].startswith(bucket)
    ]
    assert found["position"].to_pylist() == want
    print(f"one day of bucket {bucket}: {len(want)} events, {tally[0] / size:.1%} of {size / 1e6:.0f} MB")
    assert tally[0] / size <= 0.10


# ------------------------------------------------------------------------------------------------------------ archive


def grown(root: Path) -> tuple[EventLog, Heads, LocalLake]:
    """Bulk and inline, several events of an aggregate, more rows than one data file of the first record."""
    lake = LocalLake(root / "lake")
    log = EventLog(LocalObjectStore(root / "objects"), DOMAIN, history=SealedHistory(lake, DOMAIN))
    heads = Heads(root / "own.sqlite", log)
    append(log, heads, bulk(fleet(140_000, owner="o"), event("base", 1, kind="Asset")))
    append(log, heads, inline(event("ship/3", 2, "by hand")))
    append(log, heads, bulk(rows(*((f"ship/{i}", 2, -i) for i in range(10, 200))), event("x", 1)))
    seal(log, lake, DOMAIN)
    append(log, heads, bulk(rows(("ship/3", 3, 1), ("late", 1, 1))))
    return log, heads, lake


def test_what_is_archived_reads_as_before_for_every_reader(tmp_path: Path) -> None:
    log, heads, lake = grown(tmp_path)
    before = everything(log)
    one, states, some = log.aggregate("Ship", "ship/12"), log.states([1, 139_999, 140_003]), log.at([5, 140_010])
    report = archive(log, lake, DOMAIN)
    assert (report.through, report.files) == (3, 3)
    assert len(data_files(tmp_path)) == 1

    fresh = EventLog(LocalObjectStore(tmp_path / "objects"), DOMAIN, history=SealedHistory(lake, DOMAIN))
    assert everything(fresh) == before
    for after in (0, 1, 100_000, 139_999, 140_002, 140_150):
        assert [p for b in fresh.events(after) for p in b["position"].to_pylist()] == list(
            range(after + 1, len(before) + 1)
        )
    assert fresh.aggregate("Ship", "ship/12").equals(one)
    assert fresh.aggregate("Ship", "ship/12", heads=heads).equals(one)
    assert fresh.states([1, 139_999, 140_003]).equals(states)
    assert fresh.at([5, 140_010]).equals(some)
    again = Heads(tmp_path / "again.sqlite", fresh)
    again.catch_up()
    assert again.checksum() == heads.checksum()
    assert verify(fresh, again, lake).ok
    assert archive(fresh, lake, DOMAIN).files == 0


def test_a_follower_in_the_middle_of_a_file_goes_on_while_it_is_archived_and_writers_write(tmp_path: Path) -> None:
    log, _, lake = grown(tmp_path)
    reader = log.events(batch_rows=1_000)
    seen = [p for _ in range(30) for p in next(reader)["position"].to_pylist()]
    stop, written = threading.Event(), list[int]()

    def write() -> None:
        mine = EventLog(log.store, DOMAIN)
        own = Heads(tmp_path / "writer.sqlite", mine)
        while not stop.is_set():
            written.append(append(mine, own, bulk(rows((f"w{len(written)}", 1, 1)))).last)

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive() and len(written) < 3:
        time.sleep(0.01)
    seal(log, lake, DOMAIN)
    assert archive(log, lake, DOMAIN).files >= 3
    before = len(written)
    while thread.is_alive() and len(written) < before + 3:
        time.sleep(0.01)
    stop.set()
    thread.join()
    seen += [p for batch in reader for p in batch["position"].to_pylist()]
    assert seen == list(range(1, written[-1] + 1))
    assert len(everything(log)) == written[-1]


def test_the_late_put_of_a_writer_that_slept_finds_its_number_taken(tmp_path: Path) -> None:
    log, heads, lake = grown(tmp_path)
    asked = 0

    def decide(_: Heads) -> Draft:
        nonlocal asked
        asked += 1
        if asked == 1:
            other, own = open_log(tmp_path)
            append(other, own, bulk(rows(("meanwhile", 1, 1))))
            seal(other, lake, DOMAIN)
            archive(other, lake, DOMAIN)
        return inline(event("mine", 1, 1))

    commit = log.append(heads, decide)
    assert commit is not None
    assert commit.n == 6
    assert [row["aggregate_id"] for row in everything(log)][-2:] == ["meanwhile", "mine"]


def test_only_what_is_sealed_and_equal_is_archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, _, lake = grown(tmp_path)
    real = SealedHistory.rows

    def altered(self: SealedHistory, first: int, last: int, columns: list[str]) -> Any:
        for part in real(self, first, last, columns):
            at = part.column_names.index("data")
            yield part.set_column(at, "data", pa.array(['{"state":0}', *part["data"].to_pylist()[1:]]))

    with monkeypatch.context() as patched:
        patched.setattr(SealedHistory, "rows", altered)
        with pytest.raises(SealMismatch, match="nothing was archived"):
            archive(log, lake, DOMAIN)
    assert len(data_files(tmp_path)) == 4
    assert archive(log, lake, DOMAIN, through=2).through == 2
    assert len(data_files(tmp_path)) == 2
    assert len(everything(log)) == 140_195


def test_an_archiving_that_was_interrupted_is_completed(tmp_path: Path) -> None:
    log, _, lake = grown(tmp_path)

    class Dying(LocalObjectStore):
        def delete(self, key: str) -> None:
            super().delete(key)
            raise InterruptedError("killed")

    dying = EventLog(Dying(tmp_path / "objects"), DOMAIN, history=SealedHistory(lake, DOMAIN))
    with pytest.raises(InterruptedError):
        archive(dying, lake, DOMAIN)
    assert len(data_files(tmp_path)) == 3
    assert len(everything(log)) == 140_195
    archive(log, lake, DOMAIN)
    assert len(data_files(tmp_path)) == 1


@pytest.mark.parametrize("fate", ["no history at hand", "table removed", "not archived"])
def test_rows_that_are_nowhere_stop_the_reader_with_their_record(tmp_path: Path, fate: str) -> None:
    log, _, lake = grown(tmp_path)
    if fate == "not archived":
        data_files(tmp_path)[0].unlink()
    else:
        archive(log, lake, DOMAIN)
    if fate == "table removed":
        lake.remove(f"events/{DOMAIN}")
    history = None if fate == "no history at hand" else SealedHistory(lake, DOMAIN)
    log = EventLog(LocalObjectStore(tmp_path / "objects"), DOMAIN, history=history)
    with pytest.raises(LogDamaged):
        everything(log)


def test_reading_holds_a_bounded_number_of_rows(tmp_path: Path) -> None:
    """Constant memory: the same peak for a log five times as long."""

    def peak(events: int) -> int:
        root = tmp_path / str(events)
        log, heads = open_log(root)
        for first in range(0, events, 20_000):
            append(log, heads, Draft(f"b{first}", events=fleet(20_000, first=first)))
        for i in range(50):
            append(log, heads, inline(event(f"one/{i}", 1)))
        heads.close()
        pa.default_memory_pool().release_unused()
        start, most = pa.total_allocated_bytes(), 0
        for _ in EventLog(log.store, DOMAIN).events(batch_rows=5_000):
            most = max(most, pa.total_allocated_bytes() - start)
        return most

    short, long = peak(40_000), peak(200_000)
    print(f"peak {short / 1e6:.1f} MB of 40,000 events, {long / 1e6:.1f} MB of 200,000")
    assert long <= 1.2 * short


# ---------------------------------------------------------------------------------------------------------- upcasters


def renamed(data: dict[str, Any]) -> dict[str, Any]:
    properties = dict(data["state"]["properties"])
    properties["value"] = properties.pop("v")
    return {**data, "state": {"properties": properties}}


def doubled(data: dict[str, Any]) -> dict[str, Any]:
    return {"changed": ["value"], "state": {"properties": {"value": data["state"]["properties"]["value"] * 2}}}


UPCASTERS = Upcasters([Upcaster("ObjectCreated", "1", "2", renamed), Upcaster("ObjectCreated", "2", "3", doubled)])


def test_events_of_older_versions_are_read_as_the_newest_by_every_way_of_reading(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(rows(("a", 1, 5)), event("a", 2, 6)))
    two = '{"state":{"properties":{"value":7}}}'
    made = event("b", 1, 0, schema_version="2")
    append(log, heads, inline(type(made)(**{**vars(made), "data": two, "state_hash": sha(two[9:-1])})))
    new = EventLog(log.store, DOMAIN, upcasters=UPCASTERS)
    want = [
        ('{"changed":["value"],"state":{"properties":{"value":10}}}', "3"),
        (f'{{"state":{state_of(6)}}}', "1"),
        ('{"changed":["value"],"state":{"properties":{"value":14}}}', "3"),
    ]
    found = everything(new)
    assert [(row["data"], row["schema_version"]) for row in found] == want
    assert all(hash_of_state(row["data"]) == row["state_hash"] for row in found)
    assert new.states([1, 2, 3])["data"].to_pylist() == [data for data, _ in want]
    assert new.at([3])["data"].to_pylist() == [want[2][0]]
    for found in (new.aggregate("Ship", "a"), new.aggregate("Ship", "a", heads=heads)):
        assert found["data"].to_pylist() == [data for data, _ in want[:2]]
    assert verify(new, heads).ok  # what is verified is what was written


def test_a_version_from_the_future_stops_the_reader_with_its_position(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1), event("a", 2, 1, schema_version="9")))
    with pytest.raises(SchemaVersionUnknown, match="position 2 is a ObjectUpdated of schema version 9"):
        everything(log)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: [Upcaster("E", "1", "2", renamed), Upcaster("E", "1", "3", renamed)],
        lambda: [Upcaster("E", "1", "2", renamed), Upcaster("E", "2", "1", renamed)],
    ],
)
def test_upcasters_that_lead_nowhere_are_refused(wrong: Callable[[], list[Upcaster]]) -> None:
    with pytest.raises(ValueError, match=r"two upcasters|in a circle"):
        Upcasters(wrong())
