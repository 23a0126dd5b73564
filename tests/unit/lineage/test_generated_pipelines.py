"""Lineage of generated pipelines against two oracles that share nothing with it.

The first keeps, while a pipeline is made up, which input columns each column's value and each node's rows depend on: it
knows them because it writes the expressions, and never reads one. The second runs the pipeline on rows in Python, with
one input column changed: what differs then must be named.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from ontology_assets.model.definitions import Domain
from transforms.definitions import Dataset, Pipeline
from transforms.nodes.node import Node
from transforms.nodes.table import node_of

LEFT, RIGHT = ("a", "b", "c", "d"), ("a", "f", "g")
INPUTS = {"left_in": LEFT, "right_in": RIGHT}
OUTPUT = "transform/made"
Row = dict[str, Any]
Tables = dict[str, list[Row]]
Step = Callable[[Tables], list[Row]]
Source = tuple[str, str]
"""An input and one of its columns."""


@dataclass(frozen=True)
class Taint:
    """What a column is made of, and what decides about it (the bounds of its window, the pivot)."""

    values: frozenset[Source] = frozenset()
    decided: frozenset[Source] = frozenset()

    @property
    def every(self) -> frozenset[Source]:
        return self.values | self.decided

    def __or__(self, other: "Taint") -> "Taint":
        return Taint(self.values | other.values, self.decided | other.decided)


@dataclass
class Made:
    """A pipeline as it is made up: nodes, how to run them, what columns and rows of the last node depend on."""

    chance: random.Random
    nodes: dict[str, Node] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    taints: dict[str, Taint] = field(
        default_factory=lambda: {name: Taint(frozenset({("left_in", name)})) for name in LEFT}
    )
    rows: frozenset[Source] = frozenset()
    last: str = "left_in"

    @property
    def columns(self) -> list[str]:
        return list(self.taints)

    def one(self) -> str:
        return self.chance.choice(self.columns)

    def some(self, most: int) -> list[str]:
        return self.chance.sample(self.columns, min(self.chance.randint(1, most), len(self.columns)))

    def of(self, *columns: str) -> Taint:
        found = Taint()
        for column in columns:
            found |= self.taints[column]
        return found

    def new(self, letter: str) -> str:
        return f"{letter}{len(self.nodes)}"

    def put(self, node: dict[str, Any], step: Step, taints: dict[str, Taint], *deciding: str) -> None:
        """Add a node; `deciding` columns of the former one decide about its rows."""
        name = f"n{len(self.nodes)}"
        self.rows |= self.of(*deciding).every
        self.nodes[name], self.steps[name] = node_of({"from": self.last, **node}), step
        self.taints, self.last = taints, name

    def run(self, inputs: Tables) -> list[Row]:
        found = dict(inputs)
        for name, step in self.steps.items():
            found[name] = step(found)
        return found[self.last]

    def graph(self) -> ColumnGraph:
        inputs = {name: f"clean/{name}" for name in INPUTS}
        domain = Domain(
            name="generated",
            datasets={name: Dataset(file=f"{name}.csv") for name in INPUTS},
            object_types={},
            mappings={},
            pipelines={"made": Pipeline(inputs=inputs, nodes=self.nodes, output=self.last)},
            locked_types={name: dict.fromkeys(columns, "integer") for name, columns in INPUTS.items()},
        )
        return column_graph(domain)


def number(value: Any) -> int:
    return 0 if value is None else int(value)


def grouped(rows: list[Row], keys: list[str]) -> list[tuple[Row, list[Row]]]:
    def key(row: Row) -> tuple[Any, ...]:
        return tuple((row[name] is None, number(row[name])) for name in keys)

    groups = [list(members) for _, members in groupby(sorted(rows, key=key), key)]
    return [({name: members[0][name] for name in keys}, members) for members in groups]


def add_filter(made: Made) -> None:
    one, source = made.one(), made.last
    made.put(
        {"filter": f"coalesce({one}, 0) > 1"},
        lambda found: [row for row in found[source] if number(row[one]) > 1],
        made.taints,
        one,
    )


def add_compute(made: Made) -> None:
    source, one, two, three = made.last, made.one(), made.one(), made.one()
    name = made.chance.choice([*made.columns, made.new("x")])
    forms: list[tuple[str, tuple[str, ...], Callable[[Row], Any]]] = [
        ("7", (), lambda _: 7),
        (f"coalesce({one}, 0) + 2 * coalesce({two}, 0)", (one, two), lambda r: number(r[one]) + 2 * number(r[two])),
        (
            f"CASE WHEN coalesce({one}, 0) > 1 THEN {two} ELSE {three} END",
            (one, two, three),
            lambda r: r[two] if number(r[one]) > 1 else r[three],
        ),
    ]
    text, used, value = made.chance.choice(forms)
    made.put(
        {"compute": {name: text}},
        lambda found: [{**row, name: value(row)} for row in found[source]],
        {**made.taints, name: made.of(*used)},
    )


def add_select(made: Made) -> None:
    source, kept = made.last, made.some(4)
    made.put(
        {"select": kept},
        lambda found: [{name: row[name] for name in kept} for row in found[source]],
        {name: made.taints[name] for name in kept},
    )


def add_join(made: Made) -> None:
    if "a" not in made.columns:
        return
    source, how = made.last, made.chance.choice(["inner", "left"])
    keep = {name: made.new(name) for name in ("f", "g") if made.chance.random() < 0.7}

    def step(found: Tables) -> list[Row]:
        joined = []
        for row in found[source]:
            partners = [one for one in found["right_in"] if row["a"] is not None and one["a"] == row["a"]]
            if not partners and how == "left":
                partners = [dict.fromkeys(RIGHT)]
            joined += [{**row, **{new: one[old] for old, new in keep.items()}} for one in partners]
        return joined

    kept = {new: Taint(frozenset({("right_in", old)})) for old, new in keep.items()}
    made.put({"join": "right_in", "on": ["a"], "how": how, "keep": keep}, step, {**made.taints, **kept}, "a")
    made.rows |= {("right_in", "a")}


def add_group(made: Made, keys: list[str] | None = None) -> None:
    source, one, keys = made.last, made.one(), keys or made.some(3)
    total, count = made.new("s"), made.new("k")
    made.put(
        {"group_by": keys, "aggregate": {total: f"sum(coalesce({one}, 0))", count: "count(*)"}},
        lambda found: [
            {**names, total: sum(number(row[one]) for row in members), count: len(members)}
            for names, members in grouped(found[source], keys)
        ],
        {**{name: made.taints[name] for name in keys}, total: made.of(one), count: Taint()},
        *keys,
    )


def add_window(made: Made) -> None:
    source, bounds, one, name = made.last, made.some(2), made.one(), made.new("w")

    def step(found: Tables) -> list[Row]:
        sums = {
            tuple(names.values()): sum(number(row[one]) for row in members)
            for names, members in grouped(found[source], bounds)
        }
        return [{**row, name: sums[tuple(row[bound] for bound in bounds)]} for row in found[source]]

    taint = made.of(one) | Taint(decided=made.of(*bounds).every)
    made.put({"window": {name: f"sum(coalesce({one}, 0))"}, "partition_by": bounds}, step, {**made.taints, name: taint})


def add_pivot(made: Made) -> None:
    """After a group by index and pivot column, so that each cell has one row."""
    if len(made.columns) < 2:
        return
    index, pivot = made.chance.sample(made.columns, 2)
    add_group(made, [index, pivot])
    source, spread = made.last, made.columns[2:]
    cells = {f"{column}_{suffix}": (column, value) for column in spread for value, suffix in ((1, "one"), (2, "two"))}

    def step(found: Tables) -> list[Row]:
        return [
            {
                **names,
                **{
                    cell: next((row[column] for row in members if row[pivot] == value), None)
                    for cell, (column, value) in cells.items()
                },
            }
            for names, members in grouped(found[source], [index])
        ]

    node = {"pivot": pivot, "values": {"1": "one", "2": "two"}, "index": [index], "columns": spread}
    decided = Taint(decided=made.of(pivot).every)
    taints = {cell: made.of(column) | decided for cell, (column, _) in cells.items()}
    made.put(node, step, {index: made.taints[index], **taints}, index)


OPERATIONS = [add_filter, add_compute, add_select, add_join, add_group, add_window, add_pivot]


def made_up(seed: int) -> Made:
    made = Made(random.Random(seed))
    for _ in range(made.chance.randint(1, 6)):
        made.chance.choice(OPERATIONS)(made)
    if not made.nodes:
        add_filter(made)
    return made


def sources(graph: ColumnGraph, reaches: Callable[[Column], set[Column]], target: Column) -> set[Source]:
    every = [(name, column) for name, columns in INPUTS.items() for column in columns]
    assert all(Column(f"clean/{name}", column) in graph.nodes for name, column in every)
    return {(name, column) for name, column in every if target in reaches(Column(f"clean/{name}", column))}


SEEDS = st.integers(0, 2**32)


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_lineage_is_what_was_known_when_the_pipeline_was_made_up(seed: int) -> None:
    made = made_up(seed)
    graph = made.graph()
    assert {column.name for column in graph.columns_of(OUTPUT)} == set(made.columns)
    for name, taint in made.taints.items():
        column = Column(OUTPUT, name)
        assert sources(graph, lambda one: graph.ahead([one], values_only=True), column) == taint.values
        assert sources(graph, lambda one: graph.affected_by([one]), column) == taint.every | made.rows
    assert sources(graph, lambda one: graph.affected_by([one]), Column(OUTPUT, ROWS)) == made.rows


def some_rows(chance: random.Random, columns: tuple[str, ...]) -> list[Row]:
    return [{column: chance.choice([None, 0, 1, 2, 3]) for column in columns} for _ in range(chance.randint(0, 8))]


def differing(before: list[Row], after: list[Row], columns: list[str]) -> set[str]:
    return {one for one in columns if Counter(row[one] for row in before) != Counter(row[one] for row in after)}


def unnamed(graph: ColumnGraph, made: Made, chance: random.Random) -> list[str]:
    """What differs and is not named, over some rows with one input column changed."""
    inputs = {name: some_rows(chance, columns) for name, columns in INPUTS.items()}
    before = made.run(inputs)
    found = []
    for name, columns in INPUTS.items():
        for column in columns:
            changed = [{**row, column: chance.choice([None, 0, 1, 2, 3])} for row in inputs[name]]
            differs = differing(before, made.run({**inputs, name: changed}), made.columns)
            named = {one.name for one in graph.affected_by([Column(f"clean/{name}", column)]) if one.table == OUTPUT}
            found += [f"{name}.{column} -> {one}" for one in differs - named]
    return found


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_what_differs_when_an_input_column_changes_is_named(seed: int) -> None:
    made = made_up(seed)
    graph = made.graph()
    for turn in range(5):
        assert unnamed(graph, made, random.Random(seed + turn)) == []


@pytest.mark.parametrize(
    ("operation", "kind"),
    [(add_filter, "rows"), (add_compute, "value"), (add_group, "value"), (add_join, "rows"), (add_pivot, "value")],
)
def test_an_edge_that_is_missing_is_found_by_running(operation: Callable[[Made], None], kind: str) -> None:
    """The oracle itself: without any one kind of edge of an operation, some rows show what is not named."""

    def lacking(seed: int) -> list[str]:
        made = Made(random.Random(seed))
        operation(made)
        whole = made.graph()
        left = {
            place: edge
            for place, edge in whole.edges.items()
            if not (edge.target.table == OUTPUT and edge.kind == kind and not edge.source.is_rows)
        }
        return unnamed(ColumnGraph(whole.nodes, left), made, random.Random(seed))

    assert any(lacking(seed) for seed in range(100))
