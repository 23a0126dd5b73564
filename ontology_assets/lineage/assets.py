"""Lineage between assets: each column of an asset with the columns of other assets that it is made of.

A pipeline's own nodes are no assets; what they do is told in the expressions. The rows of an asset are its column `*`.
Assets whose table holds the fields of several types name them `Type.field`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ontology_assets.cloudevents import ATTRIBUTES
from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph, Edge, Kind
from ontology_assets.lineage.objects import TOPIC
from ontology_assets.lineage.pipelines import AS_IS
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import upstream_of

DANGLING, LINKS = "/dangling", "/links"
EVENTS = "events/"


@dataclass(frozen=True)
class Origin:
    """A column that another is made of (`value`), or that decides about it (`rows`); `by`: expressions and rules."""

    asset: str
    column: str
    kind: Kind
    by: str


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
                "; ".join(dict.fromkeys(one.by for one in origins if one.by)),
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
                origin = Origin(f"{EVENTS}{domain.name}", field, "value", "published")
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
        self.known: dict[Column, dict[tuple[Column, Kind], tuple[str, ...]]] = {}

    def origins(self, column: Column) -> tuple[Origin, ...]:
        found = self.behind(column)
        return tuple(
            Origin(asset_of(source), name_in_asset(source), kind, " → ".join(bys) or AS_IS)
            for (source, kind), bys in sorted(found.items(), key=lambda item: (item[0][1] == "rows", item[0][0]))
        )

    def behind(self, column: Column) -> dict[tuple[Column, Kind], tuple[str, ...]]:
        """The columns of other assets, each with the rules on the way, first one first.

        Rows of a pipeline's node are not followed from a value: they are those behind the asset's own rows.
        """
        if column in self.known:
            return self.known[column]
        found: dict[tuple[Column, Kind], tuple[str, ...]] = {}
        for edge in self.into.get(column, []):
            in_pipeline = self.graph.nodes[column].layer == "transform"
            if in_pipeline and edge.source.is_rows and not column.is_rows:
                continue
            own = () if edge.plain and in_pipeline else (edge.by,)
            if not self.graph.nodes[edge.source].inner:
                _add(found, edge.source, edge.kind, own)
                continue
            for (source, kind), bys in self.behind(edge.source).items():
                through: Kind = "rows" if "rows" in (kind, edge.kind) else "value"
                _add(found, source, through, (*bys, *own))
        self.known[column] = found
        return found


def _add(found: dict[tuple[Column, Kind], tuple[str, ...]], source: Column, kind: Kind, bys: tuple[str, ...]) -> None:
    found[source, kind] = tuple(dict.fromkeys((*found.get((source, kind), ()), *bys)))
