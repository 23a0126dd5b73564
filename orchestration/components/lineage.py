"""Column lineage as metadata of assets: Dagster's standard entry, a table to read, the way to the drawn page.

Where each part stands, and what that costs, is docs/decisions/0008-lineage.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import dagster as dg

from ontology_assets.lineage.assets import AssetLineage, asset_lineages, types_made_of
from ontology_assets.model.definitions import Domain
from resources.addresses import gateway_url

TABLE_ROWS = 200
"""Columns in the table of one asset; the page shows all."""
EXPRESSION_LENGTH = 300


def lineage_metadata(domains: Domain | Sequence[Domain], asset: str) -> dict[str, Any]:
    """What the definition of an asset says of its columns: `dagster/column_lineage`, the table `lineage`, and
    `dagster/uri`, the address of the page that draws it. `domains`: all of them for an asset that they share.

    The columns are left out where the types of the files are not known yet.
    """
    those = _several(domains)
    found: dict[str, Any] = {"dagster/uri": dg.MetadataValue.url(page_of(those, asset))}
    lineage = _lineages(those).get(asset)
    if lineage is not None and lineage.columns:
        found["dagster/column_lineage"] = table_column_lineage(lineage)
        found["lineage"] = lineage_table(lineage, those)
    return found


def column_lineage(domains: Domain | Sequence[Domain], asset: str) -> dict[str, Any]:
    """What a materialization or an observation says of its columns: once a run, at its last partition."""
    lineage = _lineages(_several(domains)).get(asset)
    return {} if lineage is None else {"dagster/column_lineage": table_column_lineage(lineage)}


def table_column_lineage(lineage: AssetLineage) -> dg.TableColumnLineage:
    """Dagster's form of it. The file of a dataset, which is no asset, has the key `file/<dataset>`."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(dg.AssetKey(asset.split("/")), name) for asset, name in deps]
            for column, deps in lineage.deps().items()
        }
    )


def lineage_table(lineage: AssetLineage, domains: Sequence[Domain]) -> dg.MarkdownMetadataValue:
    """Column, comes from, by what expression; properties lead to their page."""
    pages = _pages(domains, lineage.asset)
    lines = ["| column | comes from | by |", "|---|---|---|"]
    for column, sources, by in lineage.table()[:TABLE_ROWS]:
        shown = f"[{_cell(column)}]({pages[column]})" if column in pages else _cell(column)
        lines.append(f"| {shown} | {_cell(sources)} | {_cell(by)} |")
    more = len(lineage.columns) - TABLE_ROWS
    if more > 0:
        lines.append(f"\n… and {more:,} more")
    return dg.MetadataValue.md("\n".join(lines))


def page_of(domains: Sequence[Domain], asset: str) -> str:
    """The page that draws the lineage of an asset: that of the first type that is made of it."""
    for domain in domains:
        for type_name in types_made_of(domain, asset) or list(domain.object_types):
            return f"{gateway_url()}/lineage/{type_name}"
    return gateway_url()


def _pages(domains: Sequence[Domain], asset: str) -> dict[str, str]:
    """Address by column, for columns that are a property or a link, or a field of one."""
    pages: dict[str, str] = {}
    for domain in domains:
        for one in domain.object_types.values():
            for name in (*one.properties, *one.links):
                page = f"{gateway_url()}/lineage/{one.name}/{name}"
                if asset.startswith(f"ontology/{one.snake}/"):
                    pages |= {name: page, f"dangling.{name}.to_id": page}
                for path in (name, f"data.state.properties.{name}", f"data.state.links.{name}"):
                    pages[f"{one.name}.{path}"] = page
    return pages


def _cell(text: str) -> str:
    cut = text if len(text) <= EXPRESSION_LENGTH else text[:EXPRESSION_LENGTH] + "…"
    return cut.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("*", "\\*").replace("_", "\\_")


def _several(domains: Domain | Sequence[Domain]) -> tuple[Domain, ...]:
    return (domains,) if isinstance(domains, Domain) else tuple(domains)


def _lineages(domains: tuple[Domain, ...]) -> dict[str, AssetLineage]:
    return _lineages_of(_Same(tuple(domain.model_dump_json() for domain in domains), domains))


@dataclass(frozen=True)
class _Same:
    """Domains, equal where their definitions are."""

    texts: tuple[str, ...]
    domains: tuple[Domain, ...] = field(compare=False)


@lru_cache(maxsize=8)
def _lineages_of(same: _Same) -> dict[str, AssetLineage]:
    return asset_lineages(same.domains)
