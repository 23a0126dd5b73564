"""A poison event in a thousand: nothing but its object waits, and one backfill empties the queue once the code is mended.

Ten in 10,000; with SPICE_LONG_TESTS a thousand in a million, where a partition is a bucket.
"""

import hashlib
import os
import random
from contextlib import closing
from functools import partial
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ontology_assets.events.envelope import DRAFT_SCHEMA, Draft
from ontology_assets.events.heads import Heads
from ontology_assets.projections.deadletters.letters import open_letters
from ontology_assets.projections.repair import verify
from tests.contracts.library_log import LibraryHome
from tests.embedded.dead_letters import mended
from tests.embedded.test_dead_letters_in_dagster import (
    DEPRECATED_IN_DAGSTER,
    SYNCHRONOUS,
    Keeper,
    backfilled,
    materialize,
)

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
EVENTS = 1_000_000 if LONG else 10_000
LOADS = 4
"""Each has an event of every object."""
OBJECTS = EVENTS // LOADS
POISON = EVENTS // 1_000


def given(draft: Draft, _: Heads) -> Draft:
    return draft


def load(sequence: int, poisoned: dict[int, int]) -> pa.Table:
    """The events of one sequence number; `poisoned`: by object, the sequence of its event that fits no type."""
    keys = [str(number) for number in range(OBJECTS)]
    heights = ['"perhaps"' if poisoned.get(number) == sequence else str(sequence) for number in range(OBJECTS)]
    states = [
        f'{{"links":{{}},"properties":{{"height":{height},"no":{key}}}}}'
        for key, height in zip(keys, heights, strict=True)
    ]
    return pa.table(
        {
            "event_id": [f"{sequence}-{key}" for key in keys],
            "event_type": ["ObjectCreated" if sequence == 1 else "ObjectUpdated"] * OBJECTS,
            "aggregate_type": ["Shelf"] * OBJECTS,
            "aggregate_id": keys,
            "sequence_number": [sequence] * OBJECTS,
            "occurred_at": pa.nulls(OBJECTS, pa.timestamp("us", "UTC")),
            "data": [f'{{"state":{state}}}' for state in states],
            "metadata": ["{}"] * OBJECTS,
            "state_hash": [hashlib.sha256(state.encode()).hexdigest() for state in states],
            "bucket": [hashlib.sha256(key.encode()).hexdigest()[:2] for key in keys],
            "owner": ["test"] * OBJECTS,
        },
        schema=DRAFT_SCHEMA,
    )


def sequences(library: LibraryHome) -> dict[int, int]:
    with closing(library.live()) as sink:
        return {int(row.id): row.sequence for _, row in sink.writer.documents("Shelf")}


@DEPRECATED_IN_DAGSTER
def test_no_good_object_waits_for_poison_and_one_backfill_empties_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(6)
    poisoned = {number: draw.randint(1, LOADS) for number in draw.sample(range(OBJECTS), POISON)}
    library = LibraryHome(tmp_path / "home")
    for sequence in range(1, LOADS + 1):
        events = load(sequence, poisoned)
        draft = Draft(str(sequence), events)
        library.log.append(library.heads, partial(given, draft))
    library.seal()
    library.follow()

    last = dict.fromkeys(range(OBJECTS), LOADS) | {n: first - 1 for n, first in poisoned.items()}
    assert sequences(library) == {number: sequence for number, sequence in last.items() if sequence}
    letters = open_letters(library.place())
    assert {int(one.id): (one.sequence, one.waiting) for one in letters} == {
        number: (first, LOADS - first + 1) for number, first in poisoned.items()
    }

    mended(monkeypatch)
    with dg.instance_for_test(overrides=SYNCHRONOUS) as instance:
        keeper = Keeper(library, instance)
        keys = keeper.tick()
        assert len(keys) == (16 if POISON > 500 else POISON)
        if LONG:
            statuses, _ = backfilled(library, instance, tmp_path, keys, meanwhile=keeper.tick)
            assert statuses == ["SUCCESS"] * len(keys)
        else:  # a run for each, as the backfill makes; what it costs to ask for it is not of a small test
            assert all(materialize(library, instance, key).success for key in keys)
        assert keeper.tick() == []
    assert open_letters(library.place()) == []
    assert sequences(library) == dict.fromkeys(range(OBJECTS), LOADS)
    assert [one.different for one in verify(library.place())] == [[]]
