"""The questions of a domain's `demo.yaml`, asked of the read models and answered in a few lines of text."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ontology_assets.queries.service import Queries
from transforms.yaml_reading import read_yaml


def demo_of(folder: Path) -> dict[str, Any]:
    """A domain's demo document; {} where it has none."""
    path = folder / "demo.yaml"
    if not path.exists():
        return {}
    source = read_yaml(path)
    source.raise_faults()
    document: dict[str, Any] = source.data
    return document


def answer(queries: Queries, question: Mapping[str, Any]) -> list[str]:
    """Lines that answer one question: a table of objects, or counts over the ends of a link."""
    if "graph" in question:
        found = queries.graph(question["graph"]).document
        return _counted(found, question["count"])
    found = queries.search({"fields": question["show"], **question["search"]}).document
    return [", ".join(str(one["properties"].get(name, "-")) for name in question["show"]) for one in found["objects"]]


def _counted(found: Mapping[str, Any], count: Mapping[str, str]) -> list[str]:
    """How many edges of a link end at nodes with each value of a property."""
    values = {
        f"{node['type']}/{node['id']}": node["properties"].get(count["property"], "?")
        for node in found["nodes"]
        if node["data_status"] != "MISSING"
    }
    ends = Counter(
        values[edge["to"]] for edge in found["edges"] if edge["link"] == count["link"] and edge["to"] in values
    )
    return [f"{number:>6,}  {value}" for value, number in sorted(ends.items(), key=lambda pair: (-pair[1], pair[0]))]
