"""A damaged log stops readers and writers at the damaged record, names it, and is never guessed around."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ontology_assets.events.envelope import Draft
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads import Heads
from ontology_assets.events.heads_schema import TABLES
from ontology_assets.events.log import EventLog
from ontology_assets.events.verify import verify
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
    next_of,
    open_log,
    record_path,
    rows,
)

DAMAGED = 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of six commits, the third one with a data file."""
    root = tmp_path_factory.mktemp("whole")
    log, heads = open_log(root)
    append(log, heads, inline(event("a", 1)))
    append(log, heads, inline(event("b", 1)))
    append(log, heads, bulk(fleet(20_000)))
    for sequence in (2, 3, 4):
        append(log, heads, inline(event("a", sequence)))
    return root


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def other_log(root: Path) -> Path:
    """Record 3 of another log of the same domain."""
    log, heads = open_log(root / "other")
    for i in range(4):
        append(log, heads, inline(event(f"x{i}", 1)))
    return record_path(root / "other", DAMAGED)


def data_file(root: Path) -> Path:
    return data_files(root)[0]


def other_data_file(root: Path) -> Path:
    """A sound data file of another log."""
    log, heads = open_log(root / "other")
    append(log, heads, bulk(fleet(20_000)))
    return data_file(root / "other")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda r: record_path(r, DAMAGED).write_bytes(b""), "empty"),
    "torn": (lambda r: record_path(r, DAMAGED).write_bytes(record_path(r, DAMAGED).read_bytes()[:-40]), "torn"),
    "head only": (lambda r: record_path(r, DAMAGED).write_bytes(b"SPICELOG"), "torn: 8 bytes"),
    "flipped bit in the header": (lambda r: flip(record_path(r, DAMAGED), 60), "altered"),
    "flipped bit at the end": (lambda r: flip(record_path(r, DAMAGED), -1), "altered"),
    "foreign": (lambda r: shutil.copy(other_log(r), record_path(r, DAMAGED)), "foreign"),
    "misplaced": (lambda r: shutil.copy(record_path(r, 2), record_path(r, DAMAGED)), "misplaced"),
    "missing": (lambda r: record_path(r, DAMAGED).unlink(), "missing, though"),
    "rubbish": (lambda r: record_path(r, DAMAGED).write_bytes(b"x" * 5_000), "not a commit record"),
    "data file missing": (lambda r: data_file(r).unlink(), "is missing"),
    "data file torn": (lambda r: data_file(r).write_bytes(data_file(r).read_bytes()[:-100]), "altered or torn"),
    "data file empty": (lambda r: data_file(r).write_bytes(b""), "altered or torn"),
    "foreign data file": (lambda r: shutil.copy(other_data_file(r), data_file(r)), "altered or torn"),
    "flipped bit in the data file": (lambda r: flip(data_file(r), 5_000), "altered or torn"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_stops_readers_and_writers_with_the_records_number(whole: Path, tmp_path: Path, damage: str) -> None:
    root = tmp_path / "log"
    shutil.copytree(whole / "objects", root / "objects")
    do, reason = DAMAGES[damage]
    do(root)

    log, heads = open_log(root)
    with pytest.raises(LogDamaged, match=reason) as reading:
        everything(log)
    with pytest.raises(LogDamaged, match=reason) as folding:
        heads.catch_up()
    with pytest.raises(LogDamaged, match=reason) as writing:
        log.append(heads, next_of("new", 1))
    assert reading.value.n == folding.value.n == writing.value.n == DAMAGED
    assert f"log/{DOMAIN}, record {DAMAGED}" in str(reading.value)
    assert not record_path(root, 7).exists()

    report = verify(log, heads)
    assert not report.ok
    (failed,) = [check for check in report.checks if not check.ok]
    assert failed.name == "chain"
    assert failed.failures[0].startswith(f"record {DAMAGED}: ")


def test_events_before_the_damage_are_read(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "objects", tmp_path / "objects")
    record_path(tmp_path, DAMAGED).write_bytes(b"")
    log, _ = open_log(tmp_path)
    batches = log.events(batch_rows=1)
    seen = [next(batches)["position"].to_pylist() for _ in range(2)]
    with pytest.raises(LogDamaged):
        next(batches)
    assert seen == [[1], [2]]


def test_a_damaged_newest_record_is_not_written_over(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "objects", tmp_path / "objects")
    record_path(tmp_path, 6).write_bytes(b"")
    log, heads = open_log(tmp_path)
    with pytest.raises(LogDamaged) as caught:
        log.append(heads, next_of("a", 1))
    assert caught.value.n == 6
    assert record_path(tmp_path, 6).read_bytes() == b""
    assert not record_path(tmp_path, 7).exists()


def test_a_record_that_follows_another_history_is_unchained(whole: Path, tmp_path: Path) -> None:
    """Two copies of one log that went on differently, mixed: same log id, right number, wrong predecessor."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for root, key in ((ours, "x"), (theirs, "y")):
        shutil.copytree(whole / "objects", root / "objects")
        log, heads = open_log(root)
        append(log, heads, inline(event(key, 1)))
        append(log, heads, inline(event(key, 2)))
    shutil.copy(record_path(theirs, 8), record_path(ours, 8))
    log, heads = open_log(ours)
    with pytest.raises(LogDamaged, match="unchained") as reading:
        everything(log)
    with pytest.raises(LogDamaged, match="unchained") as writing:
        log.append(heads, next_of("x", 3))
    assert reading.value.n == writing.value.n == 8
    assert not record_path(ours, 9).exists()


def test_verify_finds_records_behind_a_hole(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "objects", tmp_path / "objects")
    record_path(tmp_path, 4).unlink()
    record_path(tmp_path, 5).unlink()
    log, _ = open_log(tmp_path)
    report = verify(log)
    assert [check.name for check in report.checks if not check.ok] == ["chain"]


# ------------------------------------------------------------------------------------------------------------- heads


def grown(root: Path) -> tuple[EventLog, Heads]:
    log, heads = open_log(root)
    append(log, heads, bulk(fleet(50, owner="o"), event("base", 1, kind="Asset")))
    append(log, heads, bulk(rows(("ship/1", 2, "new"), owner="o"), event("ship/2", 2, None)))
    return log, heads


def content(heads: Heads) -> dict[str, object]:
    heads.catch_up()
    return {name: sorted(heads._db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in TABLES}


@pytest.mark.parametrize("fate", ["deleted", "rubbish", "cut off", "older", "of another log", "of another format"])
def test_heads_that_do_not_fit_are_made_again_from_the_log(tmp_path: Path, fate: str) -> None:
    log, heads = grown(tmp_path)
    want = content(heads)
    heads.close()
    path = heads._path
    if fate == "deleted":
        path.unlink()
    elif fate == "rubbish":
        path.write_bytes(b"not a database" * 1_000)
    elif fate == "cut off":
        path.write_bytes(path.read_bytes()[: 4_096 * 3])
    elif fate == "of another format":
        heads = Heads(path, log)
        heads._db.execute("PRAGMA user_version = 99")
        heads.close()
    elif fate == "older":
        path.unlink()
        half, half_heads = open_log(tmp_path / "half")
        shutil.copytree(tmp_path / "objects", tmp_path / "half" / "objects")
        record_path(tmp_path / "half", 2).unlink()
        Heads(path, half).catch_up()
        half_heads.close()
    else:
        path.unlink()
        elsewhere, _ = grown(tmp_path / "elsewhere")
        Heads(path, elsewhere).catch_up()
    again = Heads(path, EventLog(LocalObjectStore(tmp_path / "objects"), DOMAIN))
    assert content(again) == want
    assert (again.rebuilt is None) == (fate in ("deleted", "older"))


def test_heads_ahead_of_a_restored_log_are_thrown_away_and_say_why(tmp_path: Path) -> None:
    _, heads = grown(tmp_path)
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "objects", backup)
    log, _ = open_log(tmp_path)
    append(log, heads, inline(event("ship/3", 2)))
    heads.close()
    shutil.rmtree(tmp_path / "objects")
    shutil.copytree(backup, tmp_path / "objects")

    log = EventLog(LocalObjectStore(tmp_path / "objects"), DOMAIN)
    again = Heads(heads._path, log)
    assert again.catch_up() == 53
    assert (
        again.rebuilt == "it stands at record 3, which the log does not have: the log was restored from an older copy"
    )
    assert again.lookup("Ship", _ids("ship/3"))["sequence"].to_pylist() == [1]
    append(log, again, inline(event("ship/3", 2, "other history")))
    assert verify(log, again).ok


def test_heads_of_a_restored_log_that_went_on_differently_are_thrown_away(tmp_path: Path) -> None:
    log, heads = grown(tmp_path)
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "objects", backup)
    append(log, heads, inline(event("ship/3", 2)))
    shutil.rmtree(tmp_path / "objects")
    shutil.copytree(backup, tmp_path / "objects")
    other, other_heads = open_log(tmp_path)
    append(other, other_heads, inline(event("ship/4", 2)))
    append(other, other_heads, inline(event("ship/5", 2)))

    assert heads.catch_up() == 55  # in the running process too
    assert heads.rebuilt is not None
    assert "the log was restored" in heads.rebuilt
    assert heads.lookup("Ship", _ids("ship/3", "ship/4"))["sequence"].to_pylist() == [1, 2]


def test_a_log_with_a_wrong_sequence_is_damaged_and_names_the_aggregate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer without our check (an older version, a bug) leaves a repeated sequence: folding stops there."""
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1)))
    monkeypatch.setattr("ontology_assets.events.log.check_sequences", lambda *_: None)

    def unchecked(draft: Draft) -> None:
        with pytest.raises(LogDamaged, match="position 2: Ship a has sequence 1 after 1") as caught:
            log.append(heads, lambda _: draft)
        assert caught.value.n == 2

    unchecked(inline(event("a", 1)))
    report = verify(log)
    (failed,) = [check for check in report.checks if not check.ok]
    assert failed.name == "sequences 1..n per aggregate"
    assert failed.failures == ["record 2, position 2: Ship a, sequence 1"]


def _ids(*ids: str) -> pa.Array:
    return pa.array(ids)
