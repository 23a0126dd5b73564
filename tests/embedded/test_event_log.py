"""The event log on the local object store with its heads: commits, races, unknown outcomes, reading."""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ontology_assets.events.envelope import EVENT_SCHEMA, Draft
from ontology_assets.events.errors import DraftRefused, EventIdReused, OutcomeUnknown
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.verify import verify
from resources.object_store.probe import PutIfAbsentBroken
from tests.contracts.test_object_store_local import Overwriting as IgnoringAlways
from tests.unit.events.faults import LosingReplies, Overwriting
from tests.unit.events.making import (
    DOMAIN,
    always,
    append,
    bulk,
    data_files,
    event,
    everything,
    fleet,
    inline,
    next_of,
    open_log,
    rows,
    state_of,
)

ACTORS = ("actor", "command_id", "correlation_id", "causation_id")


def test_an_empty_log_ends_before_its_first_record(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    assert (log.end().n, log.end().position) == (-1, 0)
    assert heads.catch_up() == 0
    assert everything(log) == []
    assert log.append(heads, always(None)) is None


def test_positions_and_numbers_are_dense_over_bulk_and_inline(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    first = append(log, heads, bulk(fleet(5), event("base", 1, kind="Asset")))
    second = append(log, heads, inline(event("ship/0", 2, 7), event("ship/0", 3, 8)))
    assert (first.n, first.first, first.last) == (1, 1, 6)
    assert (second.n, second.first, second.last) == (2, 7, 8)
    assert [row["position"] for row in everything(log)] == list(range(1, 9))
    assert [record.n for record in log.records()] == [0, 1, 2]
    assert verify(log, heads).ok


def test_a_batch_of_objects_and_envelopes_is_one_record_objects_first(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    commit = append(log, heads, bulk(fleet(3), event("base", 1, kind="Asset"), actor="me", command_id="c"))
    found = everything(log)
    assert commit.events == 4
    assert [row["aggregate_id"] for row in found] == ["ship/0", "ship/1", "ship/2", "base"]
    assert [row["data"] for row in found[:2]] == [
        '{"state":{"properties":{"v":0}}}',
        '{"state":{"properties":{"v":1}}}',
    ]
    assert {(row["domain"], row["branch"], row["batch_id"]) for row in found} == {(DOMAIN, "main", commit.batch)}
    assert [tuple(row[name] for name in ACTORS) for row in (found[0], found[3])] == [
        ("me", "c", None, None),
        (None, None, None, None),
    ]
    assert {row["recorded_at"] for row in found} == {row["occurred_at"] for row in found} == {commit.recorded_at}


def test_events_have_the_full_schema_in_batches_of_at_most_the_given_size(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(40_000), event("base", 1, kind="Asset")))
    for i in range(25):
        append(log, heads, inline(event(f"boat/{i}", 1, i), event(f"raft/{i}", 1, i)))
    for size in (1, 7, 1_000, 16_384, 100_000):
        batches = list(log.events(39_000, batch_rows=size))
        assert all(batch.schema == EVENT_SCHEMA and 0 < batch.num_rows <= size for batch in batches)
        assert [p for batch in batches for p in batch["position"].to_pylist()] == list(range(39_001, 40_052))
    assert [b.num_rows for b in log.events(batch_rows=10_000)] == [10_000, 10_000, 10_000, 10_000, 51]
    assert list(log.events(40_051)) == list(log.events(50_000)) == []


@pytest.mark.parametrize("after", [0, 1, 4, 5, 6, 7, 8, 9, 10])
def test_reading_goes_on_exactly_after_any_position(tmp_path: Path, after: int) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(5), event("a", 1), event("b", 1)))
    append(log, heads, inline(event("c", 1)))
    append(log, heads, bulk(fleet(2, first=5)))
    assert [p for batch in log.events(after) for p in batch["position"].to_pylist()] == list(range(after + 1, 11))


def test_states_are_read_by_position(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(40_000), event("base", 1, "x", kind="Asset")))
    append(log, heads, inline(event("ship/3", 2, 33)))
    found = log.states(pa.array([40_002, 1, 20_000, 20_000, 40_001, 99_999_999]))
    assert found.to_pylist() == [
        {"position": 1, "data": f'{{"state":{state_of(0)}}}'},
        {"position": 20_000, "data": f'{{"state":{state_of(19_999)}}}'},
        {"position": 40_001, "data": f'{{"state":{state_of("x")}}}'},
        {"position": 40_002, "data": f'{{"state":{state_of(33)}}}'},
    ]
    assert log.states([]).num_rows == 0


def test_the_history_of_one_aggregate_is_the_same_with_and_without_heads(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(3)))
    append(log, heads, bulk(fleet(3, kind="Boat")))
    append(log, heads, bulk(rows(("ship/1", 2, 5), ("ship/2", 2, 5)), event("ship/1", 3, 6)))
    append(log, heads, inline(event("ship/1", 4, None), event("ship/1", 5, 9), event("ship/0", 2, 1)))
    for found in (log.aggregate("Ship", "ship/1"), log.aggregate("Ship", "ship/1", heads=heads)):
        assert found.schema == EVENT_SCHEMA
        assert found["position"].to_pylist() == [2, 7, 9, 10, 11]
        assert found["sequence_number"].to_pylist() == [1, 2, 3, 4, 5]
        kinds = ["ObjectCreated", "ObjectUpdated", "ObjectUpdated", "ObjectDeleted", "ObjectUpdated"]
        assert found["event_type"].to_pylist() == kinds
    assert log.aggregate("Ship", "none").num_rows == log.aggregate("Ship", "none", heads=heads).num_rows == 0


def test_a_to_b_to_a_are_three_events_also_under_one_batch_id(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    for sequence, value in ((1, "A"), (2, "B"), (3, "A")):
        append(log, heads, Draft("one-batch-id", events=rows(("ship/1", sequence, value))))
    assert [row["data"] for row in everything(log)] == [f'{{"state":{state_of(v)}}}' for v in "ABA"]
    assert verify(log, heads).ok


def test_recorded_at_never_goes_back_whatever_the_clock_says(tmp_path: Path) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    times = iter([noon, noon, noon - timedelta(hours=2), noon + timedelta(seconds=1), noon - timedelta(days=9)])
    log, heads = open_log(tmp_path, clock=lambda: next(times))
    found = [append(log, heads, inline(event(f"ship/{i}", 1))).recorded_at for i in range(4)]
    assert found == [noon, noon, noon + timedelta(seconds=1), noon + timedelta(seconds=1)]
    assert log.position_at(noon - timedelta(seconds=1)) == 0
    assert log.position_at(noon) == 2
    assert log.position_at(noon + timedelta(days=1)) == 4


def test_stats_of_the_heads_are_what_the_headers_add_up_to(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(5), event("base", 1, kind="Asset", event_type="ObjectsObjectified")))
    append(log, heads, inline(event("ship/0", 2, 7), event("ship/1", 2, None)))
    want = {
        "position": 8,
        "by_type": {"ObjectCreated": 5, "ObjectDeleted": 1, "ObjectUpdated": 1, "ObjectsObjectified": 1},
        "by_branch": {"main": 8},
    }
    heads.catch_up()
    assert heads.stats() == want
    by_type, by_branch = Counter[str](), Counter[str]()
    for record in log.records():
        by_type.update(record.by_type)
        by_branch.update(record.by_branch)
    assert {"position": log.end().position, "by_type": by_type, "by_branch": by_branch} == want


# ------------------------------------------------------------------------------------------- drafts that are refused


@pytest.mark.parametrize("sequence", [0, 2, 5, -1])
def test_a_first_event_must_have_sequence_1(tmp_path: Path, sequence: int) -> None:
    log, heads = open_log(tmp_path)
    for draft in (inline(event("a", sequence)), bulk(rows(("a", sequence, 0)))):
        with pytest.raises(DraftRefused, match=rf"Ship a is at sequence 0, so the next is 1, not {sequence}"):
            log.append(heads, always(draft))
    assert everything(log) == []
    assert data_files(tmp_path) == []


def test_sequences_go_on_from_the_head_also_inside_a_batch(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(rows(("a", 1, 1), ("b", 1, 1), ("a", 2, 2)), event("a", 3, 3)))
    with pytest.raises(DraftRefused, match="Ship a is at sequence 3, so the next is 4, not 3"):
        log.append(heads, always(inline(event("a", 3, 4))))
    with pytest.raises(DraftRefused, match="Ship b is at sequence 3, so the next is 4, not 5"):
        log.append(heads, always(bulk(rows(("b", 2, 2), ("b", 3, 2), ("b", 5, 2)))))
    append(log, heads, bulk(rows(("b", 2, 2)), event("a", 4, 4)))
    assert verify(log, heads).ok


def test_an_aggregate_is_named_by_type_and_id(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("1", 1, kind="Ship"), event("1", 1, kind="Boat")))
    assert heads.counts() == {"Boat": 1, "Ship": 1}


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (lambda: Draft("../out", inline=[event("a", 1)]), "batch id '../out' must be"),
        (lambda: bulk(fleet(2).drop_columns(["owner"])), "they must be event_id, event_type"),
        (lambda: bulk(pa.concat_tables([t := fleet(2), t])), "occurs more than once in the batch"),
        (lambda: inline(event("a", 1, branch="draft")), "only 'main' is there"),
        (lambda: bulk(rows(("a", 1, 1), kind="Asset")), "appended inline"),
        (
            lambda: bulk(fleet(1).set_column(0, "event_id", pa.array([None], pa.string()))),
            "1 bulk rows have no event_id",
        ),
    ],
)
def test_a_wrong_draft_is_refused_and_leaves_nothing(tmp_path: Path, draft: Callable[[], Draft], reason: str) -> None:
    log, heads = open_log(tmp_path)
    with pytest.raises(DraftRefused, match=reason):
        log.append(heads, always(draft()))
    assert everything(log) == []
    assert data_files(tmp_path) == []


def test_a_state_hash_that_is_not_the_states_is_refused(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    wrong = event("a", 1, 1)
    draft = inline(type(wrong)(**{**vars(wrong), "state_hash": hashlib.sha256(b"other").hexdigest()}))
    with pytest.raises(DraftRefused, match="state_hash is not the hash of the state"):
        log.append(heads, always(draft))


# ------------------------------------------------------------------------------------------------------ repeated ids


def test_a_repeated_event_is_answered_with_its_commit_and_appends_nothing(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    first = append(log, heads, inline(event("a", 1, 1, event_id="command-1"), event("b", 1, 1, event_id="command-2")))
    append(log, heads, inline(event("a", 2, 2)))
    other, other_heads = open_log(tmp_path)
    again = append(
        other, other_heads, inline(event("a", 1, 1, event_id="command-1"), event("b", 1, 1, event_id="command-2"))
    )
    assert again.already
    assert (again.n, again.first, again.last, again.batch) == (first.n, first.first, first.last, first.batch)
    assert log.end().position == 3


@pytest.mark.parametrize(
    "other", [event("a", 1, 2), event("b", 1, 1), event("a", 1, 1, kind="Boat"), event("a", 1, 1, event_type="Other")]
)
def test_an_event_id_with_other_content_is_an_error(tmp_path: Path, other: object) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 1, event_id="command-1")))
    changed = type(other)(**{**vars(other), "event_id": "command-1"})
    with pytest.raises(EventIdReused, match="command-1 is in the log at position 1 with other content"):
        log.append(heads, always(inline(changed)))
    assert log.end().position == 1


def test_metadata_is_no_part_of_the_content(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 1, event_id="e", metadata='{"run_id":"1"}')))
    assert append(log, heads, inline(event("a", 1, 1, event_id="e", metadata='{"run_id":"2"}'))).already


def test_a_repeated_event_among_new_ones_is_an_error(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 1, event_id="e")))
    with pytest.raises(EventIdReused, match="it was in another batch"):
        log.append(heads, always(inline(event("a", 1, 1, event_id="e"), event("b", 1, 1))))


# --------------------------------------------------------------------------------------------------- racing committers


def test_of_two_that_decide_on_the_same_head_one_decides_again(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    decided: list[int] = []

    def decide(h: Heads) -> Draft:
        if not decided:
            append(rival, rival_heads, inline(event("a", 2, "rival")))
        draft = next_of("a", "mine")(h)
        decided.append(draft.inline[0].sequence_number)
        return draft

    commit = log.append(heads, decide)
    assert decided == [2, 3]
    assert commit is not None
    assert [row["data"] for row in everything(log)] == [f'{{"state":{state_of(v)}}}' for v in (0, "rival", "mine")]


def test_a_beaten_batch_lands_unchanged_where_nothing_overlaps(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    decisions = 0

    def decide(_: Heads) -> Draft:
        nonlocal decisions
        decisions += 1
        append(rival, rival_heads, bulk(fleet(10, kind="Boat"), event("z", 1, 1)))
        append(rival, rival_heads, inline(event("y", 1, 1)))
        return bulk(rows(("a", 2, 1), ("b", 1, 1)))

    commit = log.append(heads, decide)
    assert decisions == 1
    assert commit is not None
    assert (commit.n, commit.first, commit.last) == (4, 14, 15)
    assert len(data_files(tmp_path)) == 2
    assert verify(log, heads).ok


@pytest.mark.parametrize(
    ("read", "rivals", "again"),
    [
        (lambda h: h.owned("Ship", ["o1"]), lambda: bulk(rows(("new", 1, 1), owner="o1")), True),
        (lambda h: h.owned("Ship", ["o1"]), lambda: bulk(rows(("kept", 2, 1), owner="o2")), True),
        (lambda h: h.owned("Ship", ["o1"]), lambda: bulk(rows(("new", 1, 1), owner="o2")), False),
        (lambda h: h.owned("Ship", ["o1"]), lambda: bulk(rows(("new", 1, 1), owner="o1", kind="Boat")), False),
        (lambda h: h.exist("Ship", pa.array(["t"])), lambda: inline(event("t", 1)), True),
        (lambda h: h.exist("Ship", pa.array(["t"])), lambda: inline(event("u", 1)), False),
        (lambda h: h.lookup("Ship", pa.array(["t"])), lambda: bulk(rows(("t", 1, 1))), True),
        (lambda h: h.asset_versions("raw/x"), lambda: inline(event("raw/x@2013-01-01", 1, kind="Asset")), True),
        (lambda h: h.asset_versions("raw/x"), lambda: inline(event("raw/xy", 1, kind="Asset")), False),
        (lambda h: h.counts(), lambda: inline(event("u", 1)), True),
    ],
)
def test_a_decision_is_made_again_exactly_if_what_it_read_was_touched(
    tmp_path: Path, read: Callable[[Heads], object], rivals: Callable[[], Draft], again: bool
) -> None:
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, bulk(rows(("kept", 1, 0), owner="o1")))
    decisions = 0

    def decide(h: Heads) -> Draft:
        nonlocal decisions
        read(h)
        decisions += 1
        if decisions == 1:
            append(rival, rival_heads, rivals())
        return inline(event("mine", 1))

    log.append(heads, decide)
    assert decisions == (2 if again else 1)
    assert verify(log, heads).ok


def test_heads_stand_still_while_a_decision_reads_them(tmp_path: Path) -> None:
    """Another process may fold into the same heads file in the middle of a decision."""
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    other = Heads(heads._path, EventLog(log.store, DOMAIN))
    seen: list[list[int]] = []

    def decide(h: Heads) -> Draft:
        if not seen:
            rival, rival_heads = open_log(tmp_path)
            append(rival, rival_heads, inline(event("a", 2, 1)))
            other.catch_up()
        seen.append(h.lookup("Ship", pa.array(["a"]))["sequence"].to_pylist())
        return next_of("a", "mine")(h)

    log.append(heads, decide)
    assert seen == [[1], [2]]


# ----------------------------------------------------------------------------------------------------- unknown outcomes


@pytest.mark.parametrize(
    "faults", [["after"], ["unknown"], ["exists"], ["read"], ["before"], ["nothing"], ["nothing", "before", "after"]]
)
def test_a_lost_reply_is_one_commit(tmp_path: Path, faults: list[str]) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None)
    append(log, heads, inline(event("a", 1, 0)))
    store.faults, store.offered = list(faults), []
    commit = append(log, heads, inline(event("a", 2, 1)))
    assert (commit.n, commit.first, commit.last) == (2, 2, 2)
    assert log.end().n == 2
    assert verify(log, heads).ok
    # Whatever happened, only this one record was ever offered, and only to this number.
    assert len(set(store.offered)) == 1


def test_an_exception_is_never_read_as_a_conflict(tmp_path: Path) -> None:
    """The number is taken by somebody else while our own put fails: beaten, not failed, not committed."""
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None)
    append(log, heads, inline(event("a", 1, 0)))
    rival, rival_heads = open_log(tmp_path)
    store.faults = [lambda: append(rival, rival_heads, inline(event("b", 1, "rival")))]
    commit = append(log, heads, inline(event("a", 2, "mine")))
    assert (commit.n, commit.first) == (3, 3)
    assert [row["aggregate_id"] for row in everything(log)] == ["a", "b", "a"]


def test_whoever_gives_up_says_unknown_and_the_next_append_settles_it_first(tmp_path: Path) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None, patience_s=0.1)
    append(log, heads, inline(event("a", 1, 0)))
    store.faults, store.offered = ["nothing"] * 50, []
    with pytest.raises(OutcomeUnknown, match="offered as record 2"):
        log.append(heads, next_of("a", "first"))
    store.faults = []
    commit = log.append(heads, next_of("a", "second"))
    assert commit is not None
    assert (commit.n, commit.first) == (3, 3)
    assert [row["data"] for row in everything(log)] == [f'{{"state":{state_of(v)}}}' for v in (0, "first", "second")]


def test_an_unknown_put_that_lands_late_is_found_by_its_batch_id(tmp_path: Path) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None)
    append(log, heads, inline(event("a", 1, 0)))

    def landed() -> None:  # the first put, thought lost, arrives before the second
        key, data = store.offered[-1]
        store.faults.insert(0, "")
        store.put_if_absent(key, data)

    store.faults = ["nothing", landed]
    assert append(log, heads, inline(event("a", 2, 1))).n == 2
    assert log.end().n == 2


def test_a_racer_of_the_same_batch_and_events_counts_as_ours(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("z", 1)))
    same = inline(event("a", 1, 1, event_id="derived"), batch="derived-batch")

    def decide(_: Heads) -> Draft:
        append(rival, rival_heads, same)
        return same

    commit = log.append(heads, decide)
    assert commit is not None
    assert commit.n == 2
    assert log.end().position == 2


def test_another_batch_under_our_batch_id_does_not_count_as_ours(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("z", 1)))

    def decide(h: Heads) -> Draft:
        if log.end().n == 1:
            append(rival, rival_heads, inline(event("b", 1, "rival"), batch="reused"))
        return inline(event("a", 1, "mine"), batch="reused")

    log.append(heads, decide)
    assert [row["aggregate_id"] for row in everything(log)] == ["z", "b", "a"]


def test_a_log_is_not_begun_on_a_store_without_the_condition(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path, IgnoringAlways(tmp_path / "objects"))
    with pytest.raises(PutIfAbsentBroken):
        log.append(heads, always(inline(event("a", 1))))


def test_the_control_without_put_if_absent_loses_a_commit(tmp_path: Path) -> None:
    """The race above with a plain put: it must fail, or the tests above prove nothing."""
    store = Overwriting(tmp_path / "objects")
    log, heads = open_log(tmp_path, store)
    rival, rival_heads = open_log(tmp_path, store)
    append(log, heads, inline(event("a", 1, 0)))

    def decide(h: Heads) -> Draft:
        draft = next_of("a", "mine")(h)
        append(rival, rival_heads, inline(event("a", 2, "rival")))
        return draft

    log.append(heads, decide)
    states = [row["data"] for row in everything(EventLog(store, DOMAIN))]
    assert f'{{"state":{state_of("rival")}}}' not in states


# --------------------------------------------------------------------------------------------------- finding the newest


@pytest.mark.parametrize("hint", [None, b"", b"rubbish", b'{"n": 3}', b'{"n": 5000}', b'{"n": null}', b"[1]"])
def test_any_hint_leads_to_the_newest_record(tmp_path: Path, hint: bytes | None) -> None:
    log, heads = open_log(tmp_path)
    for i in range(20):
        append(log, heads, inline(event(f"ship/{i}", 1)))
    if hint is not None:
        log.store.put(log.chain.hint_key, hint)
    other, other_heads = open_log(tmp_path)
    assert other.end() == log.end()
    assert append(other, other_heads, inline(event("last", 1))).n == 21


def test_a_hint_is_written_on_the_way(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    for i in range(130):
        append(log, heads, inline(event(f"ship/{i}", 1)))
    assert log.store.get(log.chain.hint_key) == b'{"n":127}'


def test_one_record_may_hold_a_year(tmp_path: Path) -> None:
    """More rows than one data file holds: positions, lookups and reading go across the files."""
    log, heads = open_log(tmp_path)
    commit = append(log, heads, bulk(fleet(150_000, owner="o"), event("base", 1, kind="Asset")))
    assert len(data_files(tmp_path)) == 2
    assert commit.last == 150_001
    assert sum(batch.num_rows for batch in log.events()) == 150_001
    assert heads.lookup("Ship", pa.array(["ship/149999"]))["position"].to_pylist() == [150_000]
    assert pc.max(log.states([131_072, 131_073])["position"]).as_py() == 131_073
    assert heads.owned("Ship", ["o"]).num_rows == 150_000
    assert verify(log, heads).ok
