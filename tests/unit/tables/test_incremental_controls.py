"""The property of `test_incremental` can fail: it finds each defect of a load by a clock, made here on purpose.

Each control is a load as it is often written. Hypothesis finds arrivals after which its table is another one than that
of a full run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

from tests.unit.tables.arrivals import Arrival, Row, arrivals, in_order, sales, shops

SEARCH = settings(max_examples=500, phases=[Phase.generate], derandomize=True, database=None)


@dataclass
class ByClock:
    """Takes the sales in that are newer than the newest that it has; `>=` or `>`, one clock for all inputs or one each,
    the clock kept in the same commit as the rows or behind it."""

    ties: bool = False
    apart: bool = False
    one_for_all: bool = False
    rows: list[Row] = field(default_factory=list)
    newest: dict[str, datetime] = field(default_factory=dict)

    def take(self, pile: Sequence[Row], local: str, *, dies: bool) -> None:
        clock = "all" if self.one_for_all else local
        newest = self.newest.get(clock)
        new = [row for row in pile if newest is None or row["sold_at"] > newest or self._tie(row, newest)]
        self.rows += new
        if new and not (self.apart and dies):
            self.newest[clock] = max([row["sold_at"] for row in new] + ([newest] if newest else []))

    def _tie(self, row: Row, newest: datetime) -> bool:
        return self.ties and row["sold_at"] == newest and row not in self.rows


def table(load: ByClock, pieces: Sequence[Arrival], inputs: int) -> list[Row]:
    """What a load makes. `inputs`: the sales are spread over so many."""
    piles: dict[str, list[Row]] = {}
    for piece in pieces:
        for row in piece.rows["sales"]:
            piles.setdefault(str(row["id"] % inputs), []).append(row)
        for local, pile in piles.items():
            load.take(pile, local, dies=piece.fault is not None)
            if piece.fault is not None:
                load.take(pile, local, dies=False)
    return in_order(load.rows)


def in_time(pieces: Sequence[Arrival]) -> bool:
    clocks = [[row["sold_at"] for row in piece.rows["sales"]] for piece in pieces if piece.rows["sales"]]
    return all(max(one) <= min(other) for one, other in pairwise(clocks))


def apart_in_time(pieces: Sequence[Arrival]) -> bool:
    clocks = [[row["sold_at"] for row in piece.rows["sales"]] for piece in pieces if piece.rows["sales"]]
    return all(max(one) < min(other) for one, other in pairwise(clocks))


@st.composite
def some_arrivals(draw: st.DrawFn) -> list[Arrival]:
    rows = {"sales": draw(sales()), "shops": draw(shops())}
    return draw(arrivals(rows, again=False))


def everything(pieces: Sequence[Arrival]) -> list[Row]:
    return in_order([row for piece in pieces for row in piece.rows["sales"]])


CONTROLS: dict[str, tuple[Callable[[], ByClock], Callable[[Sequence[Arrival]], bool], int]] = {
    "rows of the newest clock value are lost": (ByClock, in_time, 1),
    "late rows are lost": (lambda: ByClock(ties=True), lambda _: True, 1),
    "a clock that is kept apart doubles rows": (lambda: ByClock(apart=True), apart_in_time, 1),
    "one clock for all inputs loses rows of the slower one": (
        lambda: ByClock(ties=True, one_for_all=True),
        apart_in_time,
        2,
    ),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_property_finds_what_is_wrong(name: str) -> None:
    load, allowed, inputs = CONTROLS[name]

    def is_wrong(pieces: list[Arrival]) -> bool:
        return allowed(pieces) and table(load(), pieces, inputs) != everything(pieces)

    assert find(some_arrivals(), is_wrong, settings=SEARCH)


def test_it_finds_nothing_where_nothing_is_wrong() -> None:
    def is_wrong(pieces: list[Arrival]) -> bool:
        return apart_in_time(pieces) and table(ByClock(ties=True), pieces, 2) != everything(pieces)

    with pytest.raises(NoSuchExample):
        find(some_arrivals(), is_wrong, settings=settings(SEARCH, max_examples=150))
