"""Commits under contention and faults: expected sequences, atomic batches, every unknown outcome, turns, metrics."""

import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ontology_assets.events import turns
from ontology_assets.events.envelope import Draft
from ontology_assets.events.errors import EventIdReused, SequenceConflict
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import Commit, EventLog
from ontology_assets.events.turns import DECIDED_AGAIN, LONGEST_S, PATIENCE, Turns
from ontology_assets.events.verify import verify
from resources.object_store.base import PutOutcome
from resources.object_store.local import LocalObjectStore
from tests.unit.events.faults import OUTCOMES, LosingReplies
from tests.unit.events.making import (
    DOMAIN,
    always,
    append,
    bulk,
    event,
    everything,
    fleet,
    inline,
    next_of,
    open_log,
    record_path,
    sha,
    state_of,
)

# --------------------------------------------------------------------------------------------------- expected sequence


def test_the_loser_is_told_what_it_expected_and_what_is_there(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0), event("a", 2, 1)))
    with pytest.raises(SequenceConflict) as caught:
        log.append(heads, always(Draft("b", inline=[event("a", 2, 9)], expected={("Ship", "a"): 1})))
    assert (caught.value.expected, caught.value.actual, caught.value.status) == (1, 2, 409)
    problem = caught.value.problem()
    assert (problem["status"], problem["expected"], problem["actual"]) == (409, 1, 2)
    assert "Ship a is at sequence 2, not 1" in problem["detail"]
    assert log.end().position == 2


def test_of_many_that_expect_the_same_sequence_exactly_one_commits(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    barrier, won, lost = threading.Barrier(8), list[Commit](), list[tuple[int, int]]()

    def run(i: int) -> None:
        mine, own = open_log(tmp_path)
        barrier.wait()
        try:
            won.append(append(mine, own, Draft(f"b{i}", inline=[event("a", 2, i)], expected={("Ship", "a"): 1})))
        except SequenceConflict as conflict:
            lost.append((conflict.expected, conflict.actual))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == [(1, 2)] * 7
    assert verify(log, heads).ok


def test_an_aggregate_that_is_only_expected_and_not_written_decides_too(tmp_path: Path) -> None:
    """Somebody moves it between the decision and the offer: the batch is decided again, and refused."""
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    asked = 0

    def decide(_: Heads) -> Draft:
        nonlocal asked
        asked += 1
        if asked == 1:
            append(rival, rival_heads, inline(event("a", 2, 1)))
        return Draft("b", inline=[event("b", 1, 1)], expected={("Ship", "a"): 1, ("Ship", "b"): 0})

    with pytest.raises(SequenceConflict):
        log.append(heads, decide)
    assert asked == 2
    assert [row["aggregate_id"] for row in everything(log)] == ["a", "a"]


def test_several_aggregates_are_appended_together_or_not_at_all(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0), event("b", 1, 0), event("b", 2, 0)))
    with pytest.raises(SequenceConflict, match="Ship b is at sequence 2, not 1"):
        log.append(
            heads,
            always(
                Draft("t", inline=[event("a", 2, 1), event("b", 3, 1)], expected={("Ship", "a"): 1, ("Ship", "b"): 1})
            ),
        )
    assert log.end().position == 3
    commit = append(
        log,
        heads,
        Draft("t", inline=[event("a", 2, 1), event("b", 3, 1)], expected={("Ship", "a"): 1, ("Ship", "b"): 2}),
    )
    assert (commit.first, commit.last) == (4, 5)


def test_a_repeated_batch_is_answered_before_its_expectation_is_looked_at(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    draft = Draft("b", inline=[event("a", 1, 1, event_id="e")], expected={("Ship", "a"): 0})
    first = append(log, heads, draft)
    append(log, heads, inline(event("a", 2, 2)))
    again = append(log, heads, draft)
    assert (again.already, again.n) == (True, first.n)


# --------------------------------------------------------------------------------------------------- unknown outcomes


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_unknown_outcome_is_one_commit(tmp_path: Path, outcome: str, applied: bool) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None)
    append(log, heads, inline(event("a", 1, 0)))
    store.faults, store.offered = [(outcome, applied)], []
    commit = append(log, heads, inline(event("a", 2, 1)))
    assert (commit.n, commit.already) == (2, False)
    assert len(set(store.offered)) == 1
    assert verify(log, heads).ok
    assert [row["data"] for row in everything(log)] == [f'{{"state":{state_of(v)}}}' for v in (0, 1)]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_unknown_outcome_whose_number_another_took_is_beaten(tmp_path: Path, outcome: str) -> None:
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None)
    append(log, heads, inline(event("a", 1, 0)))
    rival, rival_heads = open_log(tmp_path)
    store.faults = [lambda: rival.append(rival_heads, next_of("a", "rival")), (outcome, True)]
    commit = log.append(heads, next_of("a", "mine"))
    assert commit is not None
    assert [row["data"] for row in everything(log)] == [f'{{"state":{state_of(v)}}}' for v in (0, "rival", "mine")]


def test_another_writers_batch_of_the_same_ids_and_other_content_is_not_taken_for_ours(tmp_path: Path) -> None:
    """Two processes use one command id for two things at once: the second is told so, never acknowledged."""
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("z", 1)))
    theirs = inline(event("a", 1, "theirs", event_id="command-1"), batch="command-1")
    mine = inline(event("a", 1, "mine", event_id="command-1"), batch="command-1")

    def decide(_: Heads) -> Draft:
        if log.end().n == 1:
            append(rival, rival_heads, theirs)
        return mine

    with pytest.raises(EventIdReused):
        log.append(heads, decide)
    assert [row["data"] for row in everything(log)][1:] == [f'{{"state":{state_of("theirs")}}}']


# ----------------------------------------------------------------------------------------------------------- turns


class Contended(LocalObjectStore):
    """Somebody else takes the number first, so many times."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.first: list[Callable[[], object]] = []

    def put_if_absent(self, key: str, data: bytes) -> object:  # type: ignore[override]
        if key.startswith("log/") and self.first:
            self.first.pop(0)()
        return super().put_if_absent(key, data)


def test_whoever_is_beaten_again_and_again_gets_a_turn_and_gives_it_back(tmp_path: Path) -> None:
    store = Contended(tmp_path / "objects")
    log, heads = open_log(tmp_path, store)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))
    seen: list[bool] = []

    def another() -> None:
        seen.append(store.head(f"log-turn/{DOMAIN}") is not None)
        if not seen[-1]:
            rival.append(rival_heads, next_of("a", "rival"))

    lost = -(-PATIENCE // (1 + DECIDED_AGAIN))  # each is one offer lost and one decision made again
    store.first = [another] * (lost + 1)
    commit = log.append(heads, next_of("a", "mine"))
    assert commit is not None
    assert seen == [False] * lost + [True]
    assert store.head(f"log-turn/{DOMAIN}") is None
    assert (log.metrics.beaten, log.metrics.conflicts) == (lost, lost)


def test_the_turn_of_a_process_that_died_is_waited_for_once(tmp_path: Path) -> None:
    slept: list[float] = []
    log, heads = open_log(tmp_path, sleep=slept.append)
    append(log, heads, inline(event("a", 1, 0)))
    log.store.put(f"log-turn/{DOMAIN}", b"dead")
    append(log, heads, inline(event("a", 2, 0)))
    assert LONGEST_S <= sum(slept) < LONGEST_S + 1
    slept.clear()
    append(log, heads, inline(event("a", 3, 0)))
    assert slept == []


def test_a_turn_is_given_back_also_when_the_append_fails(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    mine = Turns(store, DOMAIN, lambda _: None, lambda: "me")
    for _ in range(PATIENCE):
        mine.beaten()
    assert store.get(f"log-turn/{DOMAIN}") == b"me"
    mine.done()
    assert store.head(f"log-turn/{DOMAIN}") is None


def test_a_store_that_fails_a_turn_costs_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoTurns(LocalObjectStore):
        def get(self, key: str) -> bytes:
            if key.startswith("log-turn/"):
                raise OUTCOMES["503"]()
            return super().get(key)

        def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
            if key.startswith("log-turn/"):
                raise OUTCOMES["500"]()
            return super().put_if_absent(key, data)

    monkeypatch.setattr(turns, "PATIENCE", 0)
    log, heads = open_log(tmp_path, NoTurns(tmp_path / "objects"))
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("a", 1, 0)))

    def decide(h: Heads) -> Draft:
        if log.end().n == 1:
            rival.append(rival_heads, next_of("a", "rival"))
        return next_of("a", "mine")(h)

    commit = log.append(heads, decide)
    assert commit is not None
    assert commit.n == 3


# --------------------------------------------------------------------------------------------------------- metrics


def test_what_appending_cost_is_counted(tmp_path: Path) -> None:
    times = iter(range(100))
    store = LosingReplies(tmp_path / "objects")
    log, heads = open_log(tmp_path, store, sleep=lambda _: None, timer=lambda: float(next(times)))
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, bulk(fleet(10)))
    first = log.metrics
    size = record_path(tmp_path, 1).stat().st_size + sum(
        p.stat().st_size for p in (tmp_path / "objects" / "log-data" / DOMAIN).iterdir()
    )
    assert (first.appends, first.events, first.bytes, first.seconds, first.retries) == (1, 10, size, 1.0, 0)

    append(log, heads, inline(event("e", 1, 1, event_id="e")))
    append(log, heads, inline(event("e", 1, 1, event_id="e")))
    store.faults = [("500", False), ("reset", False)]
    append(log, heads, inline(event("f", 1, 1)))
    decided: list[int] = []

    def decide(h: Heads) -> Draft:
        if not decided:
            append(rival, rival_heads, inline(event("g", 1, 1)))
        decided.append(1)
        return next_of("g", 2)(h)

    log.append(heads, decide)
    last = log.metrics
    assert (last.appends, last.events, last.repeated, last.retries, last.beaten, last.conflicts) == (4, 13, 1, 2, 1, 1)
    assert last.seconds == 5.0


def test_the_rows_of_a_load_are_never_python_objects(tmp_path: Path) -> None:
    """40 MB of rows go from Arrow to Parquet; what Python holds meanwhile are the keys that SQLite is asked for."""
    log, heads = open_log(tmp_path)
    table = fleet(20_000)
    text = '{"state":{"properties":{"v":"' + 2_000 * "x" + '"}}}'
    table = table.set_column(6, "data", pa.array([text] * 20_000))
    table = table.set_column(8, "state_hash", pa.array([sha(text[9:-1])] * 20_000))
    assert table["data"].nbytes > 40_000_000
    tracemalloc.start()
    append(log, heads, bulk(table))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"peak of Python's own memory {peak / 1e6:.1f} MB")
    assert peak < 10_000_000
    assert log.end().position == 20_000


def test_opening_a_log_counts_nothing(tmp_path: Path) -> None:
    assert EventLog(LocalObjectStore(tmp_path), DOMAIN).metrics.appends == 0


# ------------------------------------------------------------------------------------------------ ids in two processes


@pytest.mark.parametrize("kind", ["Ship", "Boat"])
def test_one_event_id_used_by_two_processes_at_once_for_two_things_is_an_error(tmp_path: Path, kind: str) -> None:
    """The records touch nothing of each other but the id: the second must not land behind the first."""
    log, heads = open_log(tmp_path)
    rival, rival_heads = open_log(tmp_path)
    append(log, heads, inline(event("z", 1)))

    def decide(_: Heads) -> Draft:
        if log.end().n == 1:
            append(rival, rival_heads, inline(event("theirs", 1, 1, event_id="e")))
        return inline(event("mine", 1, 1, event_id="e", kind=kind))

    with pytest.raises(EventIdReused):
        log.append(heads, decide)
    assert [row["aggregate_id"] for row in everything(log)] == ["z", "theirs"]


def test_a_commit_is_acknowledged_though_the_store_can_not_be_read_right_after(tmp_path: Path) -> None:
    class Deaf(LocalObjectStore):
        deaf = False

        def put_if_absent(self, key: str, data: bytes) -> object:  # type: ignore[override]
            done = super().put_if_absent(key, data)
            self.deaf = key.startswith("log/") and not key.endswith("0")
            return done

        def get(self, key: str) -> bytes:
            if self.deaf:
                self.deaf = False
                raise OUTCOMES["503"]()
            return super().get(key)

    log, heads = open_log(tmp_path, Deaf(tmp_path / "objects"))
    assert append(log, heads, inline(event("a", 1, 0))).n == 1
    assert append(log, heads, inline(event("a", 2, 0))).n == 2


def test_the_index_of_commands_is_derived_from_the_log_and_exact(tmp_path: Path) -> None:
    log, heads = open_log(tmp_path)
    append(
        log,
        heads,
        inline(
            event("a", 1, 1, command_id="c1", metadata='{"request":"r1"}'),
            event("b", 1, 1, command_id="c2", metadata='{"request":"r2"}'),
            event("c", 1, 1, command_id="c2", metadata='{"request":"r2"}'),
        ),
    )
    append(log, heads, inline(event("d", 1, 1, command_id="c1", metadata='{"request":"later"}')))
    late = Heads(tmp_path / "late.sqlite", log)
    late.catch_up()
    for one in (heads, late):
        found = one.known_commands(["c1", "c2", "c3"])
        assert {k: (v.request, v.first, v.last) for k, v in found.items()} == {"c1": ("r1", 1, 1), "c2": ("r2", 2, 3)}
