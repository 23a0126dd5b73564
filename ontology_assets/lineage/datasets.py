"""The columns of a dataset: the file's, those of `raw/<dataset>` and of `clean/<dataset>`."""

from collections.abc import Mapping

from ontology_assets.lineage.graph import ROWS, Column, ColumnGraph
from transforms.definitions import Dataset
from transforms.expressions import compile_partition
from transforms.inference import overlay

PARTITION = "_partition"
AS_TEXT = "as the text it is"
FITTING = "rows whose values all fit their types; the others go to the quarantine"


def add_dataset(
    graph: ColumnGraph, name: str, dataset: Dataset, locked: Mapping[str, str], timezone: str
) -> dict[str, str]:
    """Add file, raw and clean; returns the columns of clean with their types. `locked` are all columns of the file."""
    file, raw, clean = f"file/{name}", f"raw/{name}", f"clean/{name}"
    types = overlay(locked, dataset.types)
    graph.add(Column(file, ROWS), "file")
    for column, kind in types.items():
        graph.add(Column(file, column), "file", "string", f"{column} of {dataset.file}")
        graph.add(Column(raw, column), "raw", "string")
        graph.add(Column(clean, column), "clean", kind)
        graph.link(Column(file, column), Column(raw, column), AS_TEXT, plain=True)
        graph.link(Column(raw, column), Column(clean, column), f"read as {kind}")
    graph.same_rows(file, raw)
    graph.same_rows(raw, clean, FITTING)
    _own_columns(graph, name, types)
    if dataset.partition is not None:
        used = compile_partition(
            dataset.partition,
            dict.fromkeys(types, "string"),
            where=f"datasets.{name}.partition.of",
            timezone=timezone,
        ).columns
        by = f"partition by {dataset.partition.by}: {dataset.partition.of}"
        placing = [Column(file, column) for column in sorted(used)]
        graph.link_all(placing, graph.add(Column(raw, PARTITION), "raw", "string"), by)
        graph.link_all(placing, Column(raw, ROWS), by, "rows")
        graph.add(Column(clean, PARTITION), "clean", "string")
        graph.link(Column(raw, PARTITION), Column(clean, PARTITION), "as it is", plain=True)
    return types


def _own_columns(graph: ColumnGraph, name: str, types: Mapping[str, str]) -> None:
    """What we keep beside the file's columns: name and hash of the file, number and line of the row."""
    file, raw, clean = f"file/{name}", f"raw/{name}", f"clean/{name}"
    rules = {"_source_file": "name of the file", "_row": "number of the row", "_line": "line of the file"}
    for column, by in rules.items():
        kind = "string" if column == "_source_file" else "integer"
        graph.add(Column(raw, column), "raw", kind)
        graph.add(Column(clean, column), "clean", kind)
        graph.link(Column(file, ROWS), Column(raw, column), by, "rows")
        graph.link(Column(raw, column), Column(clean, column), "as it is", plain=True)
    hashed = graph.add(Column(raw, "_source_sha256"), "raw", "string")
    graph.link_all([Column(file, column) for column in types], hashed, "sha256 of the file")
    graph.link(Column(file, ROWS), hashed, "sha256 of the file", "rows")
