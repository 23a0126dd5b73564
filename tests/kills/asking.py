"""A client that never stops asking: `python -m tests.kills.asking HOME`.

Each answer must be what the ledger says of its position, and no position may be older than the one before. A line on
stdin is answered by what was found since the last one.
"""

import json
import select
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ontology_assets.queries.objects import Answer
from ontology_assets.queries.service import Queries, open_queries
from resources.errors import SpiceError
from resources.home import Home
from tests.contracts.library import LIBRARY
from tests.kills.ledger import BASE, HUB, SHELVES, Ledger

EVERY = 1 / 80
"""Seconds from one question to the next."""
TOLD = 5


@dataclass
class Found:
    """`slowest`: seconds of one answer. `position`: the newest that was seen."""

    asked: int = 0
    seconds: float = 0.0
    position: int = 0
    slowest: float = 0.0
    generations: list[str] = field(default_factory=list)
    wrong: int = 0
    missing: int = 0
    back: int = 0
    told: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        if len(self.told) < TOLD:
            self.told.append(text)


@lru_cache(maxsize=64)
def expected(position: int) -> dict[str, Any]:
    return Ledger().advance(position).answers()


class Client:
    def __init__(self, queries: Queries) -> None:
        self.queries, self.found = queries, Found()
        self._newest = {"search": BASE, "graph": BASE}
        self._questions: list[tuple[str, str, Callable[[int], tuple[Answer, Any]]]] = [
            ("search", "highest shelves", self._highest),
            ("search", "shelf", self._shelf),
            ("graph", "books of the hub", self._books),
            ("search", "toggled authors", self._authors),
        ]

    def ask(self, n: int) -> None:
        model, name, question = self._questions[n % len(self._questions)]
        began = time.monotonic()
        try:
            answer, content = question(n)
        except SpiceError as fault:
            self.found.missing += 1
            self.found.tell(f"{name}: {fault.text()}")
            return
        found = self.found
        found.slowest = max(found.slowest, time.monotonic() - began)
        if answer.generation not in found.generations:
            found.generations.append(answer.generation)
        right = expected(answer.position)[name]
        if name == "shelf":
            right = right[str(n % SHELVES)]
        if content != right:
            found.wrong += 1
            found.tell(f"{name} at {answer.position}: {content} instead of {right}")
        if answer.position < self._newest[model]:
            found.back += 1
            found.tell(f"{name}: at {answer.position} after {self._newest[model]}")
        self._newest[model] = max(self._newest[model], answer.position)
        found.position = max(found.position, answer.position)

    def _highest(self, _: int) -> tuple[Answer, Any]:
        answer = self.queries.search({"type": "Shelf", "sort": [["height", "desc"]], "limit": 10})
        found = answer.document
        return answer, ([(one["id"], one["properties"]["height"]) for one in found["objects"]], found["total"])

    def _shelf(self, n: int) -> tuple[Answer, Any]:
        answer = self.queries.get("Shelf", str(n % SHELVES))
        return answer, answer.document["properties"]["height"]

    def _authors(self, _: int) -> tuple[Answer, Any]:
        answer = self.queries.search({"type": "Author", "text": "toggled"})
        found = answer.document
        return answer, (sorted(one["id"] for one in found["objects"]), found["total"])

    def _books(self, _: int) -> tuple[Answer, Any]:
        answer = self.queries.graph({"start": {"type": "Author", "id": HUB}, "hops": [{"link": "books"}]})
        return answer, sorted(node["id"] for node in answer.document["nodes"] if node["type"] == "Book")


def main() -> None:
    home = Home(Path(sys.argv[1]))
    client = Client(open_queries(home, [LIBRARY], lambda *_: None))
    n, began = 0, time.monotonic()
    due = began
    while True:
        client.ask(n)
        n, due = n + 1, due + EVERY
        client.found.asked += 1
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            if not sys.stdin.readline():
                return
            client.found.seconds = time.monotonic() - began
            sys.stdout.write(json.dumps(asdict(client.found)) + "\n")
            sys.stdout.flush()
            client.found, began = Found(), time.monotonic()


if __name__ == "__main__":
    main()
