"""The columns of an object type: properties and links, their fields in events and in the topic, and in the indexes.

An object's links are made of its properties (`ontology/<type>/links`); whether a link leads to an object that exists is
a matter of the target's rows too, and stands apart (`ontology/<type>/dangling`), since it changes no event.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ontology_assets.lineage.datasets import PARTITION
from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.projections.layouts import type_layout
from transforms.expressions import compile_expression
from transforms.nodes.lineage import AS_IS
from transforms.types import parse_type

TOPIC = "topic"
SEARCH, GRAPH = "projection/search/live", "projection/graph/live"
PROVENANCE = {"_source_file": "source_file", "_row": "row", "_line": "line", PARTITION: "partition"}
"""Column of the table that objects come from -> member of their events' metadata."""


def objects_table(object_type: ObjectType) -> str:
    return f"ontology/{object_type.snake}/objects"


def links_table(object_type: ObjectType) -> str:
    return f"ontology/{object_type.snake}/links"


def dangling_table(object_type: ObjectType) -> str:
    return f"ontology/{object_type.snake}/dangling"


def shown(label: Mapping[str, str], name: str) -> str:
    """The English label, or the first there is, or the name."""
    return label.get("en") or next(iter(label.values()), name)


def add_object_type(
    graph: ColumnGraph, domain: Domain, object_type: ObjectType, columns: Mapping[str, str] | None
) -> None:
    """Add a type and all that is made of it. `columns`: of the table it is mapped from; None where they are unknown."""
    part = _ObjectType(graph, domain, object_type)
    part.properties(columns)
    part.links()
    part.events(columns)
    part.indexes()


@dataclass(frozen=True)
class _ObjectType:
    graph: ColumnGraph
    domain: Domain
    kind: ObjectType

    @property
    def log(self) -> str:
        return f"events/{self.domain.name}"

    def scoped(self, table: str, name: str) -> Column:
        return Column(table, name, self.kind.name)

    def property(self, name: str) -> Column:
        return Column(objects_table(self.kind), name)

    def key(self) -> list[Column]:
        return [self.property(name) for name in self.kind.key]

    def properties(self, columns: Mapping[str, str] | None) -> None:
        mapping, table = self.domain.mappings[self.kind.name], objects_table(self.kind)
        self.graph.add(Column(table, ROWS), "object")
        for name, declared in self.kind.properties.items():
            self.graph.add(self.property(name), "object", declared.type, shown(declared.label, name))
            if columns is None:
                continue
            text = mapping.set.get(name)
            if text is None:
                same = parse_type(columns[name]).base == declared.base
                by, used = AS_IS if same else f"as {declared.base}", frozenset([name])
            else:
                by, used = text, self.used(text, columns, f"set.{name}")
            sources = [Column(mapping.source, column) for column in sorted(used)]
            self.graph.link_all(sources, self.property(name), by)
            if name in self.kind.key:
                self.graph.link_all(
                    sources, Column(table, ROWS), f"key {name}: {text}" if text else f"key {name}", "rows"
                )
        if columns is not None:
            self.graph.same_rows(mapping.source, table, "one object for each key")

    def used(self, text: str, columns: Mapping[str, str], field: str) -> frozenset[str]:
        where = f"mappings.{self.kind.name}.{field}"
        return compile_expression(text, columns, where=where, timezone=self.domain.timezone).columns

    def links(self) -> None:
        table, listed = links_table(self.kind), dangling_table(self.kind)
        for name, link in self.kind.links.items():
            target = self.domain.object_types[link.to]
            made = self.graph.add(Column(table, name), "object", f"link to {link.to}", shown(link.label, name))
            key = f"key of {link.to}: {', '.join(link.by)}"
            self.graph.link_all([self.property(part) for part in link.by], made, key)
            # Each link has a list of its own in the table: what it lists is a matter of that link and its target.
            lost = self.graph.add(
                Column(listed, "to_id", name), "object", link.to, f"{shown(link.label, name)}: dangling"
            )
            self.graph.link(made, lost, "id of the target")
            self.graph.link(made, lost.rows, f"links that lead to no {link.to}", "rows")
            self.graph.link(Column(table, ROWS), lost.rows, f"links that lead to no {link.to}", "rows")
            aim = objects_table(target)
            exists = [*(Column(aim, part) for part in target.key), Column(aim, ROWS)]
            self.graph.link_all(exists, lost.rows, f"whether the {link.to} exists", "rows")
        if self.kind.links:
            self.graph.same_rows(objects_table(self.kind), table, "links of its objects")

    def events(self, columns: Mapping[str, str] | None) -> None:
        graph, scoped = self.graph, self.scoped
        mapping = self.domain.mappings[self.kind.name]
        events, topic = scoped(self.log, ROWS), scoped(TOPIC, ROWS)
        graph.add(events, "event")
        graph.add(topic, "topic")
        graph.link(Column(objects_table(self.kind), ROWS), events, "one aggregate for each object", "rows", plain=True)
        graph.link_all(self.key(), events, f"aggregate_id: {'/'.join(self.kind.key)}", "rows")
        graph.link(events, topic, "published, one message for each event", "rows", plain=True)
        for name, declared in self.kind.properties.items():
            title = shown(declared.label, name)
            self.published(
                self.property(name), f"data.state.properties.{name}", declared.type, title, "state of the object"
            )
        for name, link in self.kind.links.items():
            source = Column(links_table(self.kind), name)
            title = shown(link.label, name)
            self.published(source, f"data.state.links.{name}", f"link to {link.to}", title, "id of the target")
        if columns is None:
            return
        if mapping.occurred_at is not None:
            used = self.used(mapping.occurred_at, columns, "occurred_at")
            occurred = graph.add(scoped(self.log, "occurred_at"), "event", "timestamp")
            graph.link_all([Column(mapping.source, one) for one in sorted(used)], occurred, mapping.occurred_at)
            graph.link(occurred, graph.add(scoped(TOPIC, "ce_time"), "topic", "timestamp"), "published")
        for column, member in PROVENANCE.items():
            source = Column(mapping.source, column)
            if source in graph.nodes:
                kept = graph.add(scoped(self.log, f"metadata.{member}"), "event", graph.nodes[source].type)
                graph.link(source, kept, "where it came from")

    def published(self, source: Column, field: str, kind: str, title: str, by: str) -> None:
        """A field of the events' state, and the same field of the messages."""
        event = self.graph.add(self.scoped(self.log, field), "event", kind, title)
        message = self.graph.add(self.scoped(TOPIC, field), "topic", kind, title)
        self.graph.link(source, event, by, plain=True)
        self.graph.link(event, message, "published", plain=True)

    def indexes(self) -> None:
        layout = type_layout(self.kind)
        for table in (SEARCH, GRAPH):
            rows = self.scoped(table, ROWS)
            self.graph.add(rows, "index")
            self.graph.link(self.scoped(self.log, ROWS), rows, "id of the object", "rows", plain=True)
            for name, declared in self.kind.properties.items():
                source = self.scoped(self.log, f"data.state.properties.{name}")
                self.indexed(table, source, name, declared.type, shown(declared.label, name))
            for name, link in self.kind.links.items():
                source = self.scoped(self.log, f"data.state.links.{name}")
                self.indexed(table, source, name, f"link to {link.to}", shown(link.label, name))
        for name, link in self.kind.links.items():
            source = self.scoped(self.log, f"data.state.links.{name}")
            back = Column(GRAPH, link.inverse, link.to)
            self.graph.add(back, "index", f"links from {self.kind.name}", shown(link.inverse_label, link.inverse))
            self.graph.link(source, back, f"way back of {self.kind.name}.{name}")
            self.graph.link(self.scoped(self.log, ROWS), back, f"way back of {self.kind.name}.{name}", "rows")
        for one in layout.fields:
            if one.searched:
                words = self.graph.add(self.scoped(SEARCH, "words"), "index", "words", "words of a text search")
                source = self.scoped(self.log, f"data.state.properties.{one.name}")
                self.graph.link(source, words, "words of the text")

    def indexed(self, table: str, source: Column, name: str, kind: str, title: str) -> None:
        self.graph.link(source, self.graph.add(self.scoped(table, name), "index", kind, title), "indexed", plain=True)
