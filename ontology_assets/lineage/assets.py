"""Lineage between assets: each column of an asset with the columns of other assets that it is made of.

A pipeline's own nodes are no assets; what they do is told in the expressions. The rows of an asset are its column `*`.
Assets whose table holds the fields of several types name them `Type.field`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ontology_assets.cloudevents import ATTRIBUTES
from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph, Edge, Kind
from ontology_assets.lineage.objects import TOPIC
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import upstream_of
from transforms.nodes.lineage import AS_IS

Behind: TypeAlias = dict[tuple[Column, Kind], tuple[str, ...]]
"""Column of another asset, and how it matters -> the rules on the way."""
DANGLING, LINKS = "/dangling", "/links"
EVENTS = "events/"


@dataclass(frozen=True)
class Origin:
    """A column that another is made of (`value`), or that decides about it (`rows`); `rules`: expressions and rules on
    the way, in their order."""

    asset: str
    column: str
    kind: Kind
    rules: tuple[str, ...]


@dataclass(frozen=True)
class AssetLineage:
    """Of one asset: the origins of each column, by its name in the asset."""

    asset: str
    columns: Mapping[str, tuple[Origin, ...]]

    def deps(self) -> dict[str, list[tuple[str, str]]]:
        """`{column: [(upstream asset, upstream column)]}`, each once."""
        return {
            column: list(dict.fromkeys((one.asset, one.column) for one in origins))
            for column, origins in self.columns.items()
        }

    def table(self) -> list[tuple[str, str, str]]:
        """`(column, comes from, by what expression)`; what only decides about rows is marked so."""
        return [
            (
                column,
                ", ".join(f"{one.asset}.{one.column}{' (rows)' if one.kind == 'rows' else ''}" for one in origins),
                "; ".join(_in_order(one.rules for one in origins)),
            )
            for column, origins in self.columns.items()
        ]


def asset_lineages(domains: Sequence[Domain]) -> dict[str, AssetLineage]:
    """The lineage of every asset of these domains, and of those that all domains share."""
    graph = ColumnGraph()
    for domain in domains:
        part = column_graph(domain)
        graph.nodes.update(part.nodes)
        graph.edges.update(part.edges)
    walk = _Walk(graph, graph.into())
    found: dict[str, dict[str, tuple[Origin, ...]]] = {}
    for column, node in graph.nodes.items():
        if node.layer != "file" and not node.inner:
            found.setdefault(asset_of(column), {})[name_in_asset(column)] = walk.origins(column)
    for domain in domains:
        events = found.get(f"{EVENTS}{domain.name}")
        if events is not None:
            events.update(_columns_of_events(events))
            for attribute, field in ATTRIBUTES.items():
                known = found.setdefault(TOPIC, {}).get(attribute, ())
                origin = Origin(f"{EVENTS}{domain.name}", field, "value", ("published",))
                found[TOPIC][attribute] = (*known, origin)
    return {asset: AssetLineage(asset, columns) for asset, columns in found.items()}


def types_made_of(domain: Domain, asset: str) -> list[str]:
    """Object types that are made of an asset, those next to it first."""
    distances: dict[str, int] = {}
    for name, object_type in domain.object_types.items():
        layer, distance = [f"ontology/{object_type.snake}/objects"], 0
        while layer and asset not in layer and f"ontology/{object_type.snake}{LINKS}" != asset:
            layer = [upstream for one in layer for upstream in upstream_of(domain, one)]
            distance += 1
        if layer:
            distances[name] = distance
    return sorted(distances, key=distances.__getitem__)


def asset_of(column: Column) -> str:
    """The asset whose column it is; dangling links are listed by the asset of the links."""
    if column.table.endswith(DANGLING):
        return column.table.removesuffix(DANGLING) + LINKS
    return column.table


def name_in_asset(column: Column) -> str:
    return f"dangling.{column.full_name}" if column.table.endswith(DANGLING) else column.full_name


def _columns_of_events(fields: Mapping[str, tuple[Origin, ...]]) -> dict[str, tuple[Origin, ...]]:
    """The columns of the events' table, which hold the fields of all types."""
    columns: dict[str, list[Origin]] = {"aggregate_id": []}
    for name, origins in fields.items():
        field = name.partition(".")[2]
        column = "aggregate_id" if field == ROWS else field.partition(".")[0]
        columns.setdefault(column, []).extend(one for one in origins if field != ROWS or one.column != ROWS)
    return {column: tuple(dict.fromkeys(origins)) for column, origins in columns.items()}


class _Walk:
    """The way back from a column of an asset to columns of others, through the nodes of pipelines."""

    def __init__(self, graph: ColumnGraph, into: Mapping[Column, list[Edge]]) -> None:
        self.graph, self.into = graph, into
        self.known: dict[Column, Behind] = {}

    def origins(self, column: Column) -> tuple[Origin, ...]:
        found = self.behind(column)
        return tuple(
            Origin(asset_of(source), name_in_asset(source), kind, rules or (AS_IS,))
            for (source, kind), rules in sorted(found.items(), key=lambda item: (item[0][1] == "rows", item[0][0]))
        )

    def behind(self, column: Column) -> Behind:
        """The columns of other assets, each with the rules on the way, first one first.

        Rows of a pipeline's node are not followed from a value: they are those behind the asset's own rows. Only what
        is made of nothing else, such as a count, names the rows that it counts.
        """
        if column in self.known:
            return self.known[column]
        found: Behind = {}
        edges = self.into.get(column, [])
        in_pipeline = self.graph.nodes[column].layer == "transform"
        for edge in edges:
            own = () if edge.plain and in_pipeline else (edge.by,)
            if in_pipeline and edge.source.is_rows and not column.is_rows:
                if not any(one.kind == "value" for one in edges):
                    _add(found, self.counted(edge.source), "rows", own)
            elif self.graph.nodes[edge.source].inner or asset_of(edge.source) == asset_of(column):
                for (source, kind), rules in self.behind(edge.source).items():
                    _add(found, [source], "rows" if "rows" in (kind, edge.kind) else "value", (*rules, *own))
            else:
                _add(found, [edge.source], edge.kind, own)
        self.known[column] = found
        return found

    def counted(self, rows: Column) -> list[Column]:
        """The rows of assets behind the rows of a pipeline's node."""
        if not self.graph.nodes[rows].inner:
            return [rows]
        return [one for edge in self.into[rows] if edge.source.is_rows for one in self.counted(edge.source)]


def _add(found: Behind, sources: Iterable[Column], kind: Kind, rules: tuple[str, ...]) -> None:
    for source in sources:
        found[source, kind] = tuple(dict.fromkeys((*found.get((source, kind), ()), *rules)))


def _in_order(chains: Iterable[tuple[str, ...]]) -> list[str]:
    """Each rule once, the one farthest from the result first."""
    distances: dict[str, int] = {}
    for chain in chains:
        for distance, rule in enumerate(reversed(chain)):
            distances[rule] = max(distance, distances.get(rule, 0))
    return sorted(distances, key=distances.__getitem__, reverse=True)
