"""Reading a graph query: a start, then hops along links forwards (by link name) or backwards (by inverse name)."""

from dataclasses import dataclass
from typing import Any

from ontology_assets.queries.catalogue import Catalogue, KnownType
from ontology_assets.queries.conditions import read_conditions
from ontology_assets.queries.objects import Fields
from ontology_assets.queries.refusal import QueryRefused, read_count, read_list, read_object, read_text, shown
from ontology_assets.queries.search import read_fields
from resources.read_model.query import Condition, LinkField

MEMBERS = ("start", "hops", "max_nodes", "max_edges")
START_MEMBERS = ("type", "id", "where", "fields")
HOP_MEMBERS = ("link", "where", "fields")
DEFAULT_NODES, MAX_NODES = 5_000, 50_000
DEFAULT_EDGES, MAX_EDGES = 20_000, 200_000
MAX_HOPS = 8
MAX_ID = 4_000


@dataclass(frozen=True)
class Hop:
    """From objects of `source` to those of `target`. `link` is the forward link; `backwards`: `target` has it."""

    source: KnownType
    target: KnownType
    link: LinkField
    backwards: bool
    where: tuple[Condition, ...]
    fields: Fields


@dataclass(frozen=True)
class GraphQuery:
    """A checked graph query. `id`: start from this one object, whether it exists or not."""

    start: KnownType
    id: str | None
    where: tuple[Condition, ...]
    fields: Fields
    hops: tuple[Hop, ...]
    max_nodes: int
    max_edges: int


def read_graph(document: Any, catalogue: Catalogue) -> GraphQuery:
    """Check a graph document. Raises QueryRefused."""
    given = read_object(document, "", MEMBERS, ("start",))
    start = read_object(given["start"], "start", START_MEMBERS, ("type",))
    known = catalogue.named(start["type"], "start.type")
    hops: list[Hop] = []
    at = known
    for k, entry in enumerate(read_list([] if given.get("hops") is None else given["hops"], "hops", MAX_HOPS)):
        hop = _read_hop(entry, f"hops[{k}]", at, catalogue)
        hops.append(hop)
        at = hop.target
    nodes, edges = given.get("max_nodes"), given.get("max_edges")
    return GraphQuery(
        start=known,
        id=None if start.get("id") is None else read_text(start["id"], "start.id", MAX_ID),
        where=read_conditions(start.get("where"), "start.where", known.layout),
        fields=read_fields(start.get("fields"), "start.fields", known, links=False),
        hops=tuple(hops),
        max_nodes=DEFAULT_NODES if nodes is None else read_count(nodes, "max_nodes", MAX_NODES),
        max_edges=DEFAULT_EDGES if edges is None else read_count(edges, "max_edges", MAX_EDGES),
    )


def _read_hop(entry: Any, where: str, source: KnownType, catalogue: Catalogue) -> Hop:
    given = read_object(entry, where, HOP_MEMBERS, ("link",))
    name = given["link"]
    forward = next((link for link in source.layout.links if link.name == name), None)
    backward = source.inverses.get(name) if isinstance(name, str) else None
    if forward is not None:
        target, link = catalogue.types[forward.target], forward
    elif backward is not None:
        target, link = catalogue.types[backward[0].name], backward[1]
    else:
        raise QueryRefused(
            f"{source.name} has no link {shown(name)}",
            where=f"{where}.link",
            allowed=[link.name for link in source.layout.links] + sorted(source.inverses),
        )
    return Hop(
        source,
        target,
        link,
        backwards=forward is None,
        where=read_conditions(given.get("where"), f"{where}.where", target.layout),
        fields=read_fields(given.get("fields"), f"{where}.fields", target, links=False),
    )
