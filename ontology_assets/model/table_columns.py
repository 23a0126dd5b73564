"""The columns that the definitions of a domain promise of its tables: with types, and what may be missing."""

from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import pipelines_in_order
from transforms.inference import overlay
from transforms.nodes.shape import Columns
from transforms.outputs.definition import written_columns
from transforms.schemas import pipeline_columns


def declared_columns(domain: Domain) -> dict[str, Columns]:
    """By table, `clean/<dataset>` and `transform/<pipeline>`; one whose types are not known yet is left out."""
    tables: dict[str, Columns] = {}
    for name, dataset in domain.datasets.items():
        locked = domain.locked_types.get(name)
        if locked is not None:
            tables[f"clean/{name}"] = overlay(locked, dataset.types)
    for name in pipelines_in_order(domain):
        pipeline = domain.pipelines[name]
        inputs = {local: tables.get(table) for local, table in pipeline.inputs.items()}
        found = pipeline_columns(pipeline, inputs, report=lambda *_: None, timezone=domain.timezone)
        columns = found.get(pipeline.output)
        if columns is not None:
            tables[f"transform/{name}"] = written_columns(pipeline, columns)
    return tables
