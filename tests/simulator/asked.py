"""I19, and what a rebuild and a repair promise: the alias names one complete model, never an older one, and whoever says
"swapped" or "repaired" says the truth. Files are read by connections of the check's own."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.simulator.domain import TYPES
from tests.simulator.fold import Fold, compare
from tests.simulator.sinks import SinkSeen
from tests.simulator.truth import Truth, Violation


class Asked:
    """Which generation of the read model is asked, and what each has to hold."""

    def __init__(self, alias: Path, sinks: dict[str, SinkSeen]) -> None:
        self.alias, self._sinks = alias, sinks
        self.filled: set[str] = set()
        """Generations that are being filled: they hold buckets, and nobody asks them."""
        self.drifted = False
        self._was_asked: set[str] = set()

    @property
    def current(self) -> SinkSeen:
        """What was last seen of the one that is asked."""
        return self._sinks.setdefault(self.alias.resolve().name, SinkSeen())

    def about_to_ask(self, file: Path, truth: Truth) -> None:
        """The alias is about to be moved to this file."""
        with _opened(file) as run:
            position, epoch = run("SELECT position, epoch FROM state").fetchone()
            if position < self.current.position:
                raise Violation("I19 the alias", f"goes from event {self.current.position} back to {position}")
            seen = SinkSeen()
            seen.position, seen.epoch, seen.looked = position, epoch, True
            seen.fold.advance(truth.events[:position], TYPES)
            try:
                compare(run, seen.fold)
            except Violation as found:
                raise Violation("I19 the alias names a complete model", str(found)) from found
        self._sinks[file.name] = seen
        self.filled.discard(file.name)
        self._was_asked.add(file.name.split(".")[1])

    def told(self, generation: str, current: str | None) -> None:
        """Somebody was told that this one is asked now."""
        if generation != current:
            raise Violation("I19 promoted", f"generation {generation} is said to be asked, {current} is")

    def recorded(self, run: Any) -> None:
        """The registry was written."""
        found = run("SELECT value FROM marks WHERE key = 'rebuild/search'").fetchone()
        record = json.loads(found[0]) if found else {}
        if record.get("stage") == "swapped" and record["generation"] not in self._was_asked:
            raise Violation("I19 promoted", f"generation {record['generation']} is recorded as asked, and never was")

    def drift(self, row: int) -> bool:
        """Alter a row by hand. False if there is none, or somebody writes."""
        with closing(sqlite3.connect(self.alias, timeout=0.0, isolation_level=None)) as connection:
            try:
                numbers = dict(connection.execute("SELECT type, no FROM types").fetchall())
                table = f"t{numbers['Box']}"
                rows = connection.execute(f"SELECT rid FROM {table} ORDER BY rid").fetchall()
                if not rows:
                    return False
                what = "p_n = coalesce(p_n, 0) + 1000"
                connection.execute(f"UPDATE {table} SET {what} WHERE rid = ?", rows[row % len(rows)])
            except (sqlite3.OperationalError, KeyError):
                return False
        self.drifted = True
        return True

    def repaired(self, truth: Truth) -> None:
        """Somebody was told that the model that is asked is repaired."""
        with _opened(self.alias) as run:
            fold = Fold()
            fold.advance(truth.events[: run("SELECT position FROM state").fetchone()[0]], TYPES)
            try:
                compare(run, fold)
            except Violation as found:
                raise Violation("N2 repaired is repaired", str(found)) from found
        self.drifted = False


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield connection.execute
