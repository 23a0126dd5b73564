"""Walking a graph query: every object that is reached, and every link that was followed, within the limits.

Nodes come in the order in which they are reached: the start oldest first, then hop by hop, forwards in the order of
their sources, backwards oldest first. Edges always carry the link's forward name and lead from the object that has the
link to its target, whichever way the walk went. A target that does not exist is a MISSING node; it satisfies no
condition. A limit drops what comes beyond it and says so in `truncated`.
"""

from dataclasses import dataclass, field

from ontology_assets.queries.graph_document import GraphQuery, Hop
from ontology_assets.queries.objects import FULL, MISSING, PARTIAL, Answer, Document, Fields, renderer
from resources.read_model.base import GraphModel, GraphSnapshot
from resources.read_model.query import Row, Selection
from resources.read_model.time_limit import TimeLimit

Node = tuple[str, str]
"""Type and id."""


@dataclass
class _Found:
    """A reached object: its row (None: it does not exist) and what is asked for of it."""

    row: Row | None
    fields: Fields

    def also(self, fields: Fields) -> None:
        """A node that is reached twice answers to both."""
        self.fields = None if self.fields is None or fields is None else self.fields | fields

    def document(self, node: Node) -> Document:
        if self.row is None:
            return {"type": node[0], "id": node[1], "title": node[1], "data_status": MISSING, "properties": {}}
        rendered = renderer(self.row.type)
        return {
            "type": node[0],
            "id": node[1],
            "title": rendered.title(self.row),
            "data_status": FULL if self.fields is None else PARTIAL,
            "properties": rendered.properties(self.row, self.fields),
        }


@dataclass
class _Walk:
    query: GraphQuery
    snapshot: GraphSnapshot
    nodes: dict[Node, _Found] = field(default_factory=dict)
    ids: dict[tuple[str, int], str] = field(default_factory=dict)
    """Of the nodes that exist, by type and `born`."""
    edges: dict[tuple[Node, str, Node], None] = field(default_factory=dict)
    truncated: bool = False

    def start(self) -> list[str]:
        """The ids of the start, in order."""
        query, layout = self.query, self.query.start.layout
        if query.id is None:
            rows = self.snapshot.select(Selection(layout, where=query.where, limit=query.max_nodes + 1))
        else:
            rows = self.snapshot.rows(layout, [query.id], query.where)
            if not rows and not query.where:
                self._reach((layout.name, query.id), None, query.fields)
                return [query.id]
        return [row.id for row in rows if self._reach((layout.name, row.id), row, query.fields)]

    def hop(self, hop: Hop, sources: list[str]) -> list[str]:
        """Follow one hop from these objects; returns the ids reached, in order."""
        if not sources:
            return []
        return self._backwards(hop, sources) if hop.backwards else self._forwards(hop, sources)

    def _forwards(self, hop: Hop, sources: list[str]) -> list[str]:
        at = hop.source.layout.links.index(hop.link)
        pairs = []
        for source in sources:
            row = self.nodes[hop.source.name, source].row
            target = None if row is None else row.links[at]
            if target is not None:
                pairs.append((source, target))
        wanted = list(dict.fromkeys(target for _, target in pairs))
        found = {row.id: row for row in self.snapshot.rows(hop.target.layout, wanted, hop.where)}
        reached: dict[str, None] = {}
        for source, target in pairs:
            if target not in found and hop.where:
                continue
            if self._reach((hop.target.name, target), found.get(target), hop.fields):
                reached[target] = None
                self._follow((hop.source.name, source), hop.link.name, (hop.target.name, target))
        return list(reached)

    def _backwards(self, hop: Hop, sources: list[str]) -> list[str]:
        """Who links here is asked first; only of the objects that are new and find room more is read."""
        # Each pair is one edge; one more than the limit shows that there is more.
        limit = self.query.max_edges + 1
        kind, layout = hop.target.name, hop.target.layout
        pairs = self.snapshot.links_to(layout, hop.link, sources, hop.where, limit)
        new = [born for born, _ in pairs if (kind, born) not in self.ids]
        rows = {row.born: row for row in self.snapshot.born_at(layout, new[: self.query.max_nodes - len(self.nodes)])}
        reached = []
        for born, target in pairs:
            row = rows.get(born)
            key = self.ids.get((kind, born)) if row is None else row.id
            if key is None:
                self.truncated = True
            elif self._reach((kind, key), row, hop.fields):
                reached.append(key)
                self._follow((kind, key), hop.link.name, (hop.source.name, target))
        return reached

    def _reach(self, node: Node, row: Row | None, fields: Fields) -> bool:
        """Add a node, or what else is asked for of it; False where the limit forbids it."""
        known = self.nodes.get(node)
        if known is not None:
            known.also(fields)
            return True
        if len(self.nodes) >= self.query.max_nodes:
            self.truncated = True
            return False
        self.nodes[node] = _Found(row, fields)
        if row is not None:
            self.ids[node[0], row.born] = node[1]
        return True

    def _follow(self, source: Node, link: str, target: Node) -> None:
        edge = (source, link, target)
        if edge in self.edges:
            return
        if len(self.edges) >= self.query.max_edges:
            self.truncated = True
        else:
            self.edges[edge] = None


def run_graph(query: GraphQuery, model: GraphModel, limit: TimeLimit | None = None) -> Answer:
    """In one read transaction, whose position the answer carries. Raises TooSlow."""
    with model.snapshot(query.start.domain.domain, limit) as snapshot:
        walk = _Walk(query, snapshot)
        frontier = walk.start()
        for hop in query.hops:
            frontier = walk.hop(hop, frontier)
            if limit is not None:
                limit.check()
        state = snapshot.state
    document = {
        "nodes": [found.document(node) for node, found in walk.nodes.items()],
        "edges": [
            {"from": "/".join(source), "link": link, "to": "/".join(target)} for source, link, target in walk.edges
        ],
        "truncated": walk.truncated,
        "position": state.position,
    }
    return Answer(document, state.position, state.generation)
