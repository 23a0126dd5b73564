"""One domain's definitions as a graph of columns."""

from ontology_assets.lineage.datasets import add_dataset
from ontology_assets.lineage.graph import ColumnGraph
from ontology_assets.lineage.objects import add_object_type
from ontology_assets.lineage.pipelines import add_pipeline
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import pipelines_in_order


def column_graph(domain: Domain) -> ColumnGraph:
    """Every column of a domain, from its files to the fields of the indexes.

    Columns of a dataset whose types are not locked yet are unknown; what is made of them is then there without origin.
    """
    graph = ColumnGraph()
    tables: dict[str, dict[str, str]] = {}
    for name, dataset in domain.datasets.items():
        locked = domain.locked_types.get(name)
        if locked:
            tables[f"clean/{name}"] = add_dataset(graph, name, dataset, locked, domain.timezone)
    for name in pipelines_in_order(domain):
        columns = add_pipeline(graph, name, domain.pipelines[name], tables, domain.timezone)
        if columns is not None:
            tables[f"transform/{name}"] = columns
    for name, object_type in domain.object_types.items():
        if name in domain.mappings:
            add_object_type(graph, domain, object_type, tables.get(domain.mappings[name].source))
    return graph
