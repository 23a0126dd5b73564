"""The lineage of a property, or of a whole type, as the document that the command line and the gateway give.

It holds what the property is made of, back to the columns of the files, and what is made of it, on to the fields of the
indexes. A pipeline's node through which a column only passes is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, get_args

from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import Column, ColumnGraph, Edge, Layer
from ontology_assets.lineage.objects import links_table, objects_table
from ontology_assets.model.definitions import Domain, ObjectType
from resources.errors import SpiceError
from transforms.yaml_source import suggestion


def lineage_document(domains: Sequence[Domain], type_name: str, property_name: str | None) -> dict[str, Any]:
    """Nodes and edges around a property or link of a type; around all of them where none is named.

    Raises SpiceError with status 404 for an unknown type or property, 409 where the columns of a file are unknown.
    """
    domain, object_type = _type_of(domains, type_name)
    focus = _focus(object_type, property_name)
    graph = column_graph(domain)
    _check_known(domain, object_type, graph, focus)
    edges = passed_over(graph, edges_around(graph, focus), keep=set(focus))
    used = set(focus) | {end for edge in edges for end in (edge.source, edge.target)}
    return {
        "of": {"type": object_type.name, "property": property_name},
        "nodes": sorted(
            (_node(graph, one) for one in graph.nodes if one in used), key=lambda node: _order(node["layer"])
        ),
        "edges": [{"from": edge.source.id, "to": edge.target.id, "by": edge.by, "kind": edge.kind} for edge in edges],
    }


def edges_around(graph: ColumnGraph, focus: Iterable[Column]) -> list[Edge]:
    """The edges that lead to these columns, and those that lead on from them."""
    focus = list(focus)
    behind, ahead = graph.behind(focus), graph.ahead(focus)
    return [
        edge
        for edge in graph.edges.values()
        if (edge.source in behind and edge.target in behind) or (edge.source in ahead and edge.target in ahead)
    ]


def passed_over(graph: ColumnGraph, edges: list[Edge], *, keep: set[Column]) -> list[Edge]:
    """The edges without the columns of pipeline nodes through which a value, or the rows, pass as they are."""
    into: dict[Column, list[Edge]] = defaultdict(list)
    for edge in edges:
        into[edge.target].append(edge)
    before = {
        column: found[0].source
        for column, found in into.items()
        if graph.nodes[column].inner and column not in keep and len(found) == 1 and found[0].plain
    }

    def origin(column: Column) -> Column:
        while column in before:
            column = before[column]
        return column

    kept: dict[tuple[Column, Column, str], Edge] = {}
    for edge in edges:
        if edge.target not in before:
            moved = replace(edge, source=origin(edge.source))
            kept.setdefault((moved.source, moved.target, moved.kind), moved)
    return list(kept.values())


def _type_of(domains: Sequence[Domain], type_name: str) -> tuple[Domain, ObjectType]:
    for domain in domains:
        if type_name in domain.object_types:
            return domain, domain.object_types[type_name]
    known = sorted(name for domain in domains for name in domain.object_types)
    raise SpiceError(
        "Unknown object type",
        f"There is no object type {type_name!r}.{suggestion(type_name, known)}",
        where="type",
        allowed=known,
        status=404,
    )


def _focus(object_type: ObjectType, property_name: str | None) -> list[Column]:
    """The columns that a name stands for."""
    every = [Column(objects_table(object_type), name) for name in object_type.properties]
    every += [Column(links_table(object_type), name) for name in object_type.links]
    if property_name is None:
        return every
    found = [column for column in every if column.name == property_name]
    if not found:
        known = [column.name for column in every]
        raise SpiceError(
            "Unknown property",
            f"{object_type.name} has no property or link {property_name!r}.{suggestion(property_name, known)}",
            where="property",
            allowed=known,
            status=404,
        )
    return found


def _check_known(domain: Domain, object_type: ObjectType, graph: ColumnGraph, focus: list[Column]) -> None:
    """Without types of the files nothing can be said of where a property comes from."""
    if not any(graph.nodes[column].layer == "file" for column in graph.behind(focus)):
        raise SpiceError(
            "Types unknown",
            f"the columns of the files behind {object_type.name} are not known yet; run `spice defs infer --domain "
            f"{domain.name}` with the files in place.",
            where=f"mappings.{object_type.name}",
            status=409,
        )


def _order(layer: Layer) -> int:
    return get_args(Layer).index(layer)


def _node(graph: ColumnGraph, column: Column) -> dict[str, Any]:
    node = graph.nodes[column]
    found = {
        "id": column.id,
        "layer": node.layer,
        "table": column.table,
        "column": column.full_name,
        "type": node.type,
        "title": node.title,
    }
    if node.layer in ("event", "topic", "index"):
        found["object_type"] = column.scope
    return found
