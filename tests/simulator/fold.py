"""A read model worked out by hand, and the comparison of the real one's rows with it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.truth import Event, Violation, text_of


@dataclass
class Fold:
    """A read model worked out by hand: documents, tombstones and parked objects at a position."""

    position: int = 0
    live: dict[tuple[str, str], tuple[int, int, str]] = field(default_factory=dict)
    gone: dict[tuple[str, str], int] = field(default_factory=dict)
    parked: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """(position of the first event that waits, how many)."""

    def advance(self, events: Sequence[Event], types: Sequence[str]) -> None:
        for event in events:
            self.position = event.position
            if event.type not in types:
                continue
            at = (event.type, event.key)
            if at in self.parked:
                first, waiting = self.parked[at]
                self.parked[at] = (first, waiting + 1)
            elif event.deleted:
                self.live.pop(at, None)
                self.gone[at] = event.position
            elif poisoned(event.state):
                self.parked[at] = (event.position, 1)
            else:
                self.gone.pop(at, None)
                self.live[at] = (event.sequence, event.position, event.state)


def poisoned(state: str) -> bool:
    """A number where the ontology wants an integer."""
    n = json.loads(state)["properties"].get("n")
    return isinstance(n, str)


def compare(run: Any, fold: Fold) -> None:
    """I14: the model's rows are the fold of the log up to its position; I17, I18 are parts of it."""
    live: dict[tuple[str, str], tuple[int, int, str]] = {}
    numbers = dict(run("SELECT no, type FROM types").fetchall())
    for no, kind in numbers.items():
        names = "id, sequence, position, " + ("l_on, p_id, p_n, p_name, p_shelf" if kind == "Box" else "NULL, p_id")
        for row in run(f"SELECT {names} FROM t{no}").fetchall():
            if (kind, row[0]) in live:
                raise Violation("I15 one effect", f"{row[0]} is there twice")
            live[kind, row[0]] = (row[1], row[2], _document(row))
    gone = {(numbers[no], key): at for no, key, at in run("SELECT no, id, position FROM tombstones").fetchall()}
    parked = {
        (kind, key): (at, waiting)
        for kind, key, at, waiting in run("SELECT type, id, position, waiting FROM parked").fetchall()
    }
    for invariant, found, wanted in (
        ("I17 a delete is not undone", gone, fold.gone),
        ("I18 parked is what has to be", parked, fold.parked),
        ("I14 state = fold of the log", live, fold.live),
    ):
        if found != wanted:
            differing = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))[:2]
            detail = "; ".join(f"{k}: {found.get(k)} instead of {wanted.get(k)}" for k in differing)
            raise Violation(invariant, f"at {fold.position}: {detail}")


def _document(row: tuple[Any, ...]) -> str:
    if row[3] is None and len(row) == 5:
        return text_of({"links": {}, "properties": {"id": row[4]}})
    properties = {"id": row[4], "n": row[5], "name": row[6], "shelf": row[7]}
    return text_of({"links": {"on": [row[3]]}, "properties": properties})
