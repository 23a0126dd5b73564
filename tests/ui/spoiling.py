"""Damage between fill and swap: a row of the new generation that is spoilt after its bucket was proved."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resources.home import Home
from resources.read_model.generations import Generations


@dataclass(frozen=True)
class Spoiler:
    """Spoils one shop of the bakery's search model. `bucket` is its own, as the message must name it."""

    home: Home
    key: str
    bucket: str

    @classmethod
    def of(cls, home: Path) -> "Spoiler":
        """By a shop of the generation that is asked."""
        place = Home(home)
        with sqlite3.connect(place.read_models / "search.sqlite") as connection:
            (no,) = connection.execute("SELECT no FROM types WHERE type = 'Shop'").fetchone()
            key, bucket = connection.execute(f"SELECT id, bucket FROM t{no} ORDER BY rid LIMIT 1").fetchone()
        return cls(place, key, f"{bucket:x}")

    @property
    def generations(self) -> Generations:
        return Generations(self.home.read_models / "search.sqlite")

    def now(self, generation: str) -> None:
        with self._shops(generation) as (connection, table):
            assert connection.execute(self._statement(table)).rowcount == 1

    def at_the_next_swap(self, generation: str) -> None:
        """When its indexes are made, which is the first that a swap does and no fill does."""
        with self._shops(generation) as (connection, table):
            connection.execute("UPDATE types SET settled = 0")
            connection.execute("DROP TRIGGER IF EXISTS spoilt")
            connection.execute(
                f"CREATE TRIGGER spoilt AFTER UPDATE OF settled ON types BEGIN {self._statement(table)}; END"
            )

    def no_more(self, generation: str) -> None:
        with self._shops(generation) as (connection, _):
            connection.execute("DROP TRIGGER spoilt")

    def _statement(self, table: str) -> str:
        return f"UPDATE {table} SET p_city = 'Nowhere' WHERE id = '{self.key}'"

    @contextmanager
    def _shops(self, generation: str) -> Iterator[tuple[sqlite3.Connection, str]]:
        with sqlite3.connect(self.generations.file(generation)) as connection:
            (no,) = connection.execute("SELECT no FROM types WHERE type = 'Shop'").fetchone()
            yield connection, f"t{no}"
        connection.close()
