"""The columns of a pipeline: those of each node, and how each operation makes them of those that it reads.

A node that is not the output is the table `transform/<pipeline>/<node>`, which exists only while the pipeline runs.
Rows of a followed input carry `_partition` through every node (`transforms.nodes.frame`): groups, windows, pivots and
joins of two such inputs never mix partitions, so it is a key of theirs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ontology_assets.lineage.datasets import PARTITION
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from transforms.definitions import LookBack, Node, Pipeline, ordering
from transforms.expressions import compile_expression, compile_filter
from transforms.schemas import nodes_in_order, pipeline_columns
from transforms.udf_code import UdfCode

AS_IS = "as it is"


@dataclass(frozen=True)
class Frame:
    """What a node gives: the table it is, columns with their types, whether the rows carry `_partition`."""

    table: str
    columns: Mapping[str, str]
    partitioned: bool

    @property
    def carried(self) -> list[str]:
        return [PARTITION] if self.partitioned else []

    def column(self, name: str) -> Column:
        return Column(self.table, name)

    def those(self, names: Iterable[str]) -> list[Column]:
        return [Column(self.table, name) for name in sorted(set(names))]

    @property
    def rows(self) -> Column:
        return Column(self.table, ROWS)


def add_pipeline(
    graph: ColumnGraph, name: str, pipeline: Pipeline, tables: Mapping[str, Mapping[str, str]], timezone: str
) -> dict[str, str] | None:
    """Add all nodes; returns the columns of the result with their types, None where those of an input are unknown."""
    if any(table not in tables for table in pipeline.inputs.values()):
        return None
    inputs = {local: dict(tables[table]) for local, table in pipeline.inputs.items()}
    known = pipeline_columns(pipeline, inputs, report=lambda *_: None, timezone=timezone)
    frames = {
        local: Frame(table, tables[table], local == pipeline.partition) for local, table in pipeline.inputs.items()
    }
    if pipeline.look_back is not None and pipeline.partition is not None:
        frames[pipeline.partition] = _looked_back(
            graph, f"transform/{name}/{pipeline.partition}", frames[pipeline.partition], pipeline.look_back
        )
    for node_name in nodes_in_order(pipeline):
        columns, node = known.get(node_name), pipeline.nodes[node_name]
        if columns is None:
            return None
        table = f"transform/{name}" if node_name == pipeline.output else f"transform/{name}/{node_name}"
        frame = Frame(table, columns, frames[node.source].partitioned)
        frames[node_name] = frame
        for column, kind in [*columns.items(), *((carried, "string") for carried in frame.carried)]:
            graph.add(frame.column(column), "transform", kind, inner=node_name != pipeline.output)
        where = f"pipelines.{name}.nodes.{node_name}"
        _Operation(graph, node, frames[node.source], frame, where, timezone, pipeline).add(frames)
    return known.get(pipeline.output)


def _looked_back(graph: ColumnGraph, table: str, source: Frame, back: LookBack) -> Frame:
    """The followed input as the nodes see it: its rows for each partition that reads them, and the day of that."""
    made = Frame(table, {**source.columns, back.day: "date"}, partitioned=True)
    for column, kind in [*made.columns.items(), *((carried, "string") for carried in made.carried)]:
        graph.add(made.column(column), "transform", kind, inner=True)
    for column in [*source.columns, *source.carried]:
        graph.link(source.column(column), made.column(column), AS_IS, plain=True)
    graph.link(source.column(PARTITION), made.column(back.day), f"look back: {back.partitions} partitions")
    graph.same_rows(source.table, made.table)
    return made


@dataclass(frozen=True)
class _Operation:
    """One node: `source` is what it reads, `made` what it gives."""

    graph: ColumnGraph
    node: Node
    source: Frame
    made: Frame
    where: str
    timezone: str
    pipeline: Pipeline

    def add(self, frames: Mapping[str, Frame]) -> None:
        node = self.node
        if node.join is not None:
            self.joined(frames[node.join])
        elif node.filter is not None:
            self.filtered(node.filter)
        elif node.group_by is not None:
            self.grouped(node.group_by, node.aggregate or {})
        elif node.window is not None:
            self.windowed(node.window)
        elif node.pivot is not None:
            self.pivoted(node.pivot)
        elif node.compute is not None:
            self.computed(node.compute)
        elif node.udf is not None:
            self.called(self.pipeline.udfs[node.udf])
        else:
            self.through(node.select or [])

    def through(self, names: Iterable[str]) -> None:
        """Columns that go through as they are, the carried one too, and the rows with them."""
        self.same([*names, *self.made.carried])
        self.graph.same_rows(self.source.table, self.made.table)

    def same(self, names: Iterable[str], by: str = AS_IS) -> None:
        for name in names:
            self.graph.link(self.source.column(name), self.made.column(name), by, plain=True)

    def filtered(self, text: str) -> None:
        used = compile_filter(
            text,
            self.source.columns,
            where=f"{self.where}.filter",
            timezone=self.timezone,
            parameters=self.pipeline.parameters,
        ).columns
        self.through(self.source.columns)
        self.graph.link_all(self.source.those(used), self.made.rows, f"filter: {text}", "rows")

    def computed(self, expressions: Mapping[str, str]) -> None:
        self.through(name for name in self.source.columns if name not in expressions)
        for name, text in expressions.items():
            used = compile_expression(
                text,
                self.source.columns,
                where=f"{self.where}.compute.{name}",
                timezone=self.timezone,
                parameters=self.pipeline.parameters,
            ).columns
            self.graph.link_all(self.source.those(used), self.made.column(name), text)

    def called(self, udf: UdfCode) -> None:
        self.through(self.source.columns)
        used = [(self.node.takes or {}).get(column, column) for column in udf.takes]
        for name in udf.gives:
            self.graph.link_all(self.source.those(used), self.made.column(name), f"{udf.name} version {udf.version}")

    def joined(self, other: Frame) -> None:
        node, graph = self.node, self.graph
        on = node.on or []
        both = [*on, *(self.source.carried if other.partitioned else [])]
        by = f"{node.how} join on {', '.join(on)}"
        self.through(self.source.columns)
        graph.link(other.rows, self.made.rows, by, "rows")
        graph.link_all([*self.source.those(both), *other.those(both)], self.made.rows, by, "rows")
        keep = node.keep if node.keep is not None else {name: name for name in other.columns if name not in on}
        for column, name in keep.items():
            graph.link(other.column(column), self.made.column(name), f"{column} by {by}")

    def grouped(self, keys: list[str], aggregates: Mapping[str, str]) -> None:
        by = f"group by {', '.join(keys)}"
        self.by_keys(keys, by)
        for name, text in aggregates.items():
            used = compile_expression(
                text,
                self.source.columns,
                where=f"{self.where}.aggregate.{name}",
                aggregate=True,
                timezone=self.timezone,
                parameters=self.pipeline.parameters,
            ).columns
            self.graph.link_all(self.source.those(used), self.made.column(name), text)
            self.graph.link(self.source.rows, self.made.column(name), text, "rows")

    def by_keys(self, keys: list[str], by: str) -> None:
        """One row for each set of values of the keys."""
        self.same([*keys, *self.made.carried], by)
        self.graph.link(self.source.rows, self.made.rows, by, "rows")
        self.graph.link_all(self.source.those([*keys, *self.source.carried]), self.made.rows, by, "rows")

    def windowed(self, expressions: Mapping[str, str]) -> None:
        node = self.node
        bounds, order = node.partition_by or [], node.order_by or []
        over = [f"partition by {', '.join(bounds)}"] if bounds else []
        over += [f"order by {', '.join(order)}"] if order else []
        deciding = [*bounds, *(ordering(entry)[0] for entry in order), *self.source.carried]
        self.through(name for name in self.source.columns if name not in expressions)
        for name, text in expressions.items():
            used = compile_expression(
                text,
                self.source.columns,
                where=f"{self.where}.window.{name}",
                window=True,
                partition_by=bounds,
                order_by=order,
                timezone=self.timezone,
                parameters=self.pipeline.parameters,
            ).columns
            by = f"{text} over ({' '.join(over)})"
            self.graph.link_all(self.source.those(used), self.made.column(name), by)
            self.graph.link_all(self.source.those(deciding), self.made.column(name), by, "rows")
            self.graph.link(self.source.rows, self.made.column(name), by, "rows")

    def pivoted(self, pivot: str) -> None:
        node, index = self.node, self.node.index or []
        self.by_keys(index, f"one row for each {', '.join(index)}")
        for value, suffix in (node.values or {}).items():
            for column in node.columns or []:
                cell, by = self.made.column(f"{column}_{suffix}"), f"{column} where {pivot} is {value}"
                self.graph.link(self.source.column(column), cell, by)
                self.graph.link(self.source.column(pivot), cell, by, "rows")
