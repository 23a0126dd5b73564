"""`spice lineage`: where a property comes from and what it becomes, as a tree or as the document of the API."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from gateway.cli.common import JsonOption, print_json, say, table
from gateway.domains import domains
from ontology_assets.lineage.document import lineage_document
from ontology_assets.lineage.graph import ROWS, SAME_ROWS


def lineage(
    what: Annotated[str, typer.Argument(metavar="TYPE[.PROPERTY]", help="A property or link; a type for all of it.")],
    json: JsonOption = False,
) -> None:
    """Which columns and expressions a property is made of, and where its values go."""
    type_name, _, property_name = what.partition(".")
    document = lineage_document(domains(), type_name, property_name or None)
    if json:
        print_json(document)
        return
    shown = _Shown.of(document)
    for start in shown.starts(document["of"]["property"]):
        say(f"{type_name}.{shown.nodes[start]['column']}: {shown.kind(start)}".rstrip(": "))
        say("  made of")
        for line in shown.tree(start, shown.into, "from", "    ", set()):
            say(line)
        if property_name:
            _say_rows(shown)
        say("  becomes")
        for line in shown.tree(start, shown.out_of, "to", "    ", set()):
            say(line)


def _say_rows(shown: "_Shown") -> None:
    """The rules about rows, in the order of the tables."""
    rules: dict[tuple[str, str], list[str]] = {}
    for edge in shown.edges:
        source, target = shown.nodes[edge["from"]], shown.nodes[edge["to"]]
        if target["column"].endswith(ROWS) and target["layer"] != "event" and edge["by"] != SAME_ROWS:
            rules.setdefault((target["table"], edge["by"]), []).append(_named(source))
    if rules:
        say("  rows")
        rows = [[place, by, ", ".join(sources)] for (place, by), sources in rules.items()]
        say("\n".join(f"  {line}" for line in table(["of", "by", "from"], rows).splitlines()))


@dataclass(frozen=True)
class _Shown:
    """A document, its edges by both ends."""

    nodes: Mapping[str, dict[str, Any]]
    edges: list[dict[str, Any]]
    into: Mapping[str, list[dict[str, Any]]]
    out_of: Mapping[str, list[dict[str, Any]]]

    @classmethod
    def of(cls, document: dict[str, Any]) -> "_Shown":
        into, out_of = defaultdict(list), defaultdict(list)
        for edge in document["edges"]:
            into[edge["to"]].append(edge)
            out_of[edge["from"]].append(edge)
        return cls({node["id"]: node for node in document["nodes"]}, document["edges"], into, out_of)

    def starts(self, property_name: str | None) -> list[str]:
        """The nodes that were asked for: of the type's own tables, in their order."""
        found = [
            node["id"]
            for node in self.nodes.values()
            if node["layer"] == "object"
            and not node["column"].endswith(ROWS)
            and not node["table"].endswith("/dangling")
        ]
        return [one for one in found if property_name in (None, self.nodes[one]["column"])]

    def kind(self, node: str) -> str:
        one = self.nodes[node]
        title = one["title"] if one["title"] != one["column"] else ""
        return ", ".join(part for part in (one["type"], title) if part)

    def tree(
        self, start: str, edges: Mapping[str, list[dict[str, Any]]], end: str, indent: str, seen: set[str]
    ) -> Iterator[str]:
        """Lines of what hangs on a node; a node that was shown before is not opened again."""
        found = [edge for edge in edges.get(start, ()) if not self.nodes[edge[end]]["column"].endswith(ROWS)]
        for place, edge in enumerate(found):
            last = place == len(found) - 1
            node = self.nodes[edge[end]]
            again = node["id"] in seen and edges.get(node["id"])
            rows = " (rows)" if edge["kind"] == "rows" else ""
            yield f"{indent}{'└─' if last else '├─'} {_named(node)}{rows}: {edge['by']}{' …' if again else ''}"
            if not again:
                seen.add(node["id"])
                yield from self.tree(node["id"], edges, end, f"{indent}{'   ' if last else '│  '}", seen)


def _named(node: dict[str, Any]) -> str:
    return f"{node['table']}.{node['column']}"
