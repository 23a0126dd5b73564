"""What a domain demands of each of its tables, and which tables an asset reads rows of."""

from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import type_named
from transforms.gating import TableRules
from transforms.types_lock import column_types


def rules_of(domain: Domain, table: str) -> TableRules:
    """Contract, expectations and declared types of `clean/<dataset>` or `transform/<pipeline>`; of others none."""
    layer, _, name = table.partition("/")
    if layer not in ("clean", "transform"):
        return TableRules(table)
    part = domain.datasets[name] if layer == "clean" else domain.pipelines[name]
    types = declared_types(domain, table) if part.contract is not None else {}
    return TableRules(table, part.contract, part.expectations, types)


def declared_types(domain: Domain, table: str) -> dict[str, str]:
    """Types of columns: of a dataset its own, of a pipeline those of the properties made from it."""
    layer, _, name = table.partition("/")
    if layer == "clean":
        return column_types(name, domain.datasets[name], domain.locked_types.get(name))
    return {
        column: one.type
        for type_name, mapping in domain.mappings.items()
        if mapping.source == table
        for column, one in domain.object_types[type_name].properties.items()
        if column not in mapping.set and one.base not in ("enum", "geopoint")
    }


def tables_read(domain: Domain, asset: str) -> list[str]:
    """The tables whose rows an asset makes something of: their versions have to be approved."""
    layer, _, name = asset.partition("/")
    if layer == "transform":
        return list(dict.fromkeys(domain.pipelines[name].inputs.values()))
    if layer == "ontology":
        return [domain.mappings[type_named(domain, name.partition("/")[0])].source]
    return []
