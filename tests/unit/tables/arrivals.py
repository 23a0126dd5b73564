"""Inputs that arrive in pieces, and what a table made of them must be in the end: for tests of incremental pipelines.

`Shop` has two inputs, sales and shops, and one pipeline; what arrives is added to an input (`pile`) or takes the place
of what was there (`batch`). A run may die right before or right after each of its commits, and is then repeated.
Expected values come from DuckDB, over all rows at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import duckdb
import hypothesis.strategies as st
import pyarrow as pa

from resources.lake.base import UNPARTITIONED, Exchange, TableState
from resources.lake.local import LocalLake
from resources.lake.writer import LocalWriter
from resources.spark import session
from transforms.definitions import Pipeline
from transforms.pipeline import PipelineReport, run_pipeline

Row = dict[str, Any]
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
SALES = pa.schema(
    [
        ("id", pa.int64()),
        ("item", pa.string()),
        ("shop", pa.string()),
        ("amount", pa.int64()),
        ("sold_at", pa.timestamp("us", "UTC")),
        ("gone", pa.bool_()),
    ]
)
SHOPS = pa.schema([("shop", pa.string()), ("city", pa.string())])
SCHEMAS = {"sales": SALES, "shops": SHOPS}


class Died(Exception):
    """The process of a run is gone."""


@dataclass
class Fault:
    """What ends the next run: before or after its commit with this number, from 0."""

    moment: Literal["before", "after"]
    commit: int


class MortalLake(LocalLake):
    """A lake whose next writer may die."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fault: Fault | None = None

    def die(self, fault: Fault) -> None:
        raise Died(fault)

    def reached(self, moment: Literal["before", "after"]) -> None:
        if self.fault is None:
            return
        if self.fault == Fault(moment, 0):
            fault, self.fault = self.fault, None
            self.die(fault)
        elif moment == "after":
            self.fault = Fault(self.fault.moment, self.fault.commit - 1)

    def local_writer(
        self, table: str, schema: pa.Schema, partition_column: str | None, row_group_rows: int
    ) -> LocalWriter:
        return MortalWriter(self, table, schema, partition_column, row_group_rows)


class MortalWriter(LocalWriter):
    """All commits go through these two."""

    _lake: MortalLake

    def _publish(
        self, state: TableState, *, replaced: Sequence[str] | None = None, app: tuple[str, int] | None = None
    ) -> None:
        self._lake.reached("before")
        super()._publish(state, replaced=replaced, app=app)
        self._lake.reached("after")

    def _exchange(self, state: TableState, exchange: Exchange) -> None:
        self._lake.reached("before")
        super()._exchange(state, exchange)
        self._lake.reached("after")


@dataclass
class Shop:
    """A lake with the two inputs and a pipeline's table."""

    lake: MortalLake
    pipeline: Pipeline
    there: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def new(cls, root: Path, pipeline: Pipeline) -> "Shop":
        shop = cls(MortalLake(root), pipeline)
        for name in SCHEMAS:
            shop.put(name, [])
        return shop

    def put(self, name: str, rows: Sequence[Row]) -> None:
        """An input is these rows; its data version is of them, in their order."""
        self.there[name] = list(rows)
        version = sha256(repr(self.there[name]).encode()).hexdigest()
        if self.lake.versions(f"clean/{name}") != {UNPARTITIONED: version}:
            table = pa.Table.from_pylist(self.there[name], schema=SCHEMAS[name])
            self.lake.replace(f"clean/{name}", table, versions={UNPARTITIONED: version}, partition_column=None)

    def add(self, name: str, rows: Sequence[Row]) -> None:
        self.put(name, [*self.there[name], *rows])

    def run(self) -> PipelineReport:
        return run_pipeline("p", self.pipeline, self.lake, [UNPARTITIONED], engine=session)

    def run_through(self, fault: Fault | None) -> None:
        """Run, and again if that died."""
        self.lake.fault = fault
        try:
            self.run()
        except Died:
            self.run()
        self.lake.fault = None

    def rows(self, table: str = "transform/p") -> list[Row]:
        return in_order(self.lake.scan(table).to_pylist())


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows in an order that depends on their values alone."""
    plain = [dict(row) for row in rows]
    return sorted(plain, key=lambda row: [(value is None, str(value)) for value in row.values()])


def by_duckdb(sql: str, rows: Mapping[str, Sequence[Row]]) -> list[Row]:
    """What DuckDB makes of the inputs."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, schema in SCHEMAS.items():
            connection.register(name, pa.Table.from_pylist(list(rows.get(name, [])), schema=schema))
        return in_order(connection.execute(sql).to_arrow_table().to_pylist())


def pipeline(nodes: Mapping[str, Any], output: str, **parts: Any) -> Pipeline:
    inputs = {"sales": "clean/sales", "shops": "clean/shops"}
    return Pipeline.model_validate({"inputs": inputs, "nodes": dict(nodes), "output": output, **parts})


ITEMS = st.sampled_from(["tea", "jam", None])
PLACES = st.sampled_from(["north", "south", None])
CLOCKS = st.integers(0, 2).map(lambda hours: NOON + timedelta(hours=hours))
"""Few, so that there are ties."""


@st.composite
def sales(draw: st.DrawFn, *, most: int = 7) -> list[Row]:
    """Rows of their own ids."""
    parts = st.tuples(ITEMS, PLACES, st.none() | st.integers(-1, 3), CLOCKS, st.none() | st.booleans())
    found = draw(st.lists(parts, min_size=1, max_size=most))
    return [
        {"id": number, "item": item, "shop": shop, "amount": amount, "sold_at": at, "gone": gone}
        for number, (item, shop, amount, at, gone) in enumerate(found)
    ]


@st.composite
def shops(draw: st.DrawFn) -> list[Row]:
    """Rows of their own shops."""
    named = draw(st.lists(st.sampled_from(["north", "south", "west"]), unique=True, max_size=3))
    return [{"shop": shop, "city": draw(st.sampled_from(["Oslo", "Bern"]))} for shop in named]


@dataclass(frozen=True)
class Arrival:
    """Rows that come together: some again that had come already. `fault`: how the run after it ends; `quiet`: none
    runs after it."""

    rows: Mapping[str, Sequence[Row]]
    fault: Fault | None
    quiet: bool


@st.composite
def arrivals(draw: st.DrawFn, rows: Mapping[str, Sequence[Row]], *, again: bool) -> list[Arrival]:
    """All rows, split and in any order. `again`: rows may come more than once."""
    count = draw(st.integers(1, 4))
    pieces: list[dict[str, list[Row]]] = [{name: [] for name in rows} for _ in range(count)]
    for name, several in rows.items():
        for row in draw(st.permutations(several)):
            pieces[draw(st.integers(0, count - 1))][name].append(row)
            if again and draw(st.integers(0, 4)) == 0:
                pieces[draw(st.integers(0, count - 1))][name].append(row)
    faults = st.none() | st.builds(Fault, st.sampled_from(["before", "after"]), st.integers(0, 1))
    last = len(pieces) - 1
    return [
        Arrival(piece, draw(faults), number != last and draw(st.integers(0, 3)) == 0)
        for number, piece in enumerate(pieces)
    ]
