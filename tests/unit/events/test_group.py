"""Group commit: decided in memory one after the other, one record, each request answered for itself."""

import threading
from pathlib import Path

import pytest

from ontology_assets.events.committer import GroupCommitter
from ontology_assets.events.errors import CommandIdReused, OutcomeUnknown, SequenceConflict
from ontology_assets.events.group import Answer, Group, Outcome
from ontology_assets.events.heads import Heads
from ontology_assets.events.verify import verify
from tests.unit.events.faults import LosingReplies
from tests.unit.events.making import append, bulk, event, everything, fleet, inline, open_log, state_of
from tests.unit.events.requests import Put


def positions(outcomes: list[Outcome]) -> list[tuple[int, int] | type[Exception]]:
    return [(one.first, one.last) if isinstance(one, Answer) else type(one) for one in outcomes]


def test_a_group_is_one_record_and_each_request_sees_those_before_it(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    found = Group(log, heads).commit(
        [
            Put("c1", ("a",), 1, expected=0),
            Put("c2", ("a", "b"), 2),
            Put("c3", ("a",), 3, expected=1),  # decided in memory: c2 has moved it to 2
            Put("c4", ("a",), 4, expected=2),
            Put("c5", ("b",), None),
            Put("c6", ("b",), 6, expected=2),
        ]
    )
    assert positions(found) == [(1, 1), (2, 3), SequenceConflict, (4, 4), (5, 5), (6, 6)]
    conflict = found[2]
    assert isinstance(conflict, SequenceConflict)
    assert (conflict.expected, conflict.actual) == (1, 2)
    assert log.end().n == 1
    assert verify(log, heads).ok


def test_a_command_twice_in_a_group_is_one_event_and_another_content_is_an_error(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    group = Group(log, heads)
    found = group.commit([Put("c1", ("a",), 1), Put("c1", ("a",), 1), Put("c1", ("a",), 2)])
    assert positions(found) == [(1, 1), (1, 1), CommandIdReused]
    assert positions(group.commit([Put("c1", ("a",), 1), Put("c1", ("b",), 1)])) == [(1, 1), CommandIdReused]
    assert log.end().position == 1


def test_a_group_in_which_all_is_refused_or_known_writes_nothing(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    group = Group(log, heads)
    group.commit([Put("c1", ("a",), 1)])
    group.commit([Put("c1", ("a",), 1), Put("c2", ("a",), 1, expected=7)])
    assert log.end().n == 1


def test_a_group_that_is_beaten_is_decided_again_as_a_whole(tmp_path: Path) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    store.faults = [lambda: append(rival, rival_heads, inline(event("a", 2, "rival")))]
    found = Group(log, heads).commit([Put("c1", ("a",), 1, expected=1), Put("c2", ("b",), 2)])
    assert positions(found) == [SequenceConflict, (3, 3)]


def test_the_state_of_a_loaded_object_is_read_from_the_log_when_it_is_first_changed(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(1_000)))
    assert positions(Group(log, heads).commit([Put("c1", ("ship/5",), 1, expected=1)])) == [(1_001, 1_001)]


def test_an_unknown_outcome_is_settled_and_the_same_group_answered(tmp_path: Path) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None, patience_s=0.1)
    group, requests = Group(log, heads), [Put("c1", ("a",), 1), Put("c2", ("b",), 2)]
    group.commit([Put("c0", ("z",), 0)])
    store.faults = ["nothing"] * 50
    with pytest.raises(OutcomeUnknown):
        group.commit(requests)
    store.faults = []
    assert positions(group.commit(requests)) == [(2, 2), (3, 3)]
    assert [row["data"] for row in everything(log)] == [f'{{"state":{state_of(v)}}}' for v in (0, 1, 2)]


def test_a_request_that_was_cancelled_before_its_group_is_never_done(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Group):
        def commit(self, requests: object) -> list[Outcome]:
            entered.set()
            go_on.wait(10)
            return super().commit(requests)  # type: ignore[arg-type]

    committer = GroupCommitter(Slow(log, heads))
    first = committer.submit(Put("c1", ("a",), 1))
    assert entered.wait(10)
    second, third = committer.submit(Put("c2", ("b",), 1)), committer.submit(Put("c3", ("c",), 1))
    assert not first.cancel()
    assert second.cancel()
    go_on.set()
    assert (first.result(10).first, third.result(10).first) == (1, 2)
    committer.close()
    assert (committer.metrics.groups, committer.metrics.requests) == (2, 2)
    assert [row["aggregate_id"] for row in everything(log)] == ["a", "c"]


def test_closing_commits_what_waits_and_refuses_what_comes_after(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    committer = GroupCommitter(Group(log, heads))
    futures = [committer.submit(Put(f"c{i}", (f"k{i}",), i)) for i in range(20)]
    committer.close()
    assert sorted(future.result(0).first for future in futures) == list(range(1, 21))
    with pytest.raises(RuntimeError, match="closed"):
        committer.submit(Put("late", ("x",), 1))


def test_a_fault_of_the_store_is_each_callers_answer_and_not_the_committers_end(tmp_path: Path) -> None:
    log, _ = open_log(tmp_path)

    class Failing(Heads):
        failing = True

        def catch_up(self, *, whole: bool = True) -> int:
            if self.failing:
                self.failing = False
                raise ConnectionResetError("reset while reading")
            return super().catch_up(whole=whole)

    committer = GroupCommitter(Group(log, Failing(tmp_path / "f.sqlite", log)))
    with pytest.raises(ConnectionResetError):
        committer.submit(Put("c1", ("a",), 1)).result(10)
    assert committer.submit(Put("c1", ("a",), 1)).result(10).first == 1
    committer.close()
