"""A log whose answers are known beforehand: what event n does to the library, and what every question answers then.

Plain arithmetic over the plan; nothing of the product is asked. Each event is one position, so an answer that says its
position says what it must be.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.contracts.library import Change

SHELVES, BOOKS, AUTHORS = 64, 16, 5
BASE = 400
"""Events that are there from the beginning, sealed."""
HUB = "hub"


def change(n: int) -> Change:
    """What event `n` (from 1) does."""
    if n == 1:
        return ("Author", HUB, {"code": HUB, "name": "Hub"}, None)
    if n <= 1 + SHELVES:
        return ("Shelf", str(n - 2), {"no": n - 2, "height": n}, None)
    if n % 4 == 1:
        key = f"t{n // 4 % AUTHORS}"
        there = n // 4 // AUTHORS % 2 == 0
        return ("Author", key, {"code": key, "name": f"Toggled by {n}"} if there else None, None)
    if n % 4 == 3:
        return _book(n)
    no = n * 7 % SHELVES
    return ("Shelf", str(no), {"no": no, "height": n}, None)


def _book(n: int) -> Change:
    isbn = f"b{n // 4 % BOOKS}"
    links = {"written_by": HUB} if n // 4 // BOOKS % 2 == 0 else {}
    return ("Book", f"{isbn}/1", {"isbn": isbn, "edition": 1, "pages": n}, links)


@dataclass
class Ledger:
    """Everything there is after `position` events. Only forwards."""

    position: int = 0
    shelves: dict[str, int] = field(default_factory=dict)
    authors: set[str] = field(default_factory=set)
    books: set[str] = field(default_factory=set)
    """Those of the hub."""

    def advance(self, to: int) -> "Ledger":
        while self.position < to:
            self.position += 1
            kind, key, properties, links = change(self.position)
            if kind == "Shelf":
                assert properties is not None
                self.shelves[key] = properties["height"]
            elif kind == "Book":
                (self.books.add if links else self.books.discard)(key)
            elif key != HUB:
                (self.authors.discard if properties is None else self.authors.add)(key)
        return self

    def answers(self) -> dict[str, Any]:
        """What each question of `asking.py` answers."""
        highest = sorted(self.shelves.items(), key=lambda one: -one[1])[:10]
        return {
            "highest shelves": (highest, len(self.shelves)),
            "toggled authors": (sorted(self.authors), len(self.authors)),
            "books of the hub": sorted(self.books),
            "shelf": dict(self.shelves),
        }
