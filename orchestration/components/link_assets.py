"""`ontology/<type>/links`: where the links of a type's objects lead; those that lead nowhere are kept and listed."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from ontology_assets.events.heads import Heads
from ontology_assets.materializations import (
    LINKS_INDEXED,
    counts_of,
    details_of,
    new_partitions,
    publish,
    rows_of,
    versions_of,
)
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.model.layout import partitioning_of
from ontology_assets.objectify.gates import LINK_DANGLING, GateFailed
from ontology_assets.objectify.links import DANGLING_SCHEMA, check_links
from ontology_assets.objectify.mapping import read_mapped
from ontology_assets.objectify.states import link_rows
from orchestration.components.columns import DANGLING_COLUMNS
from orchestration.components.common import about, asset_options, event_metadata, key_of, told_by_check, writing
from orchestration.components.gate import ask_approval
from orchestration.components.lineage import column_lineage
from orchestration.components.metadata import column_schema, lake_folder, markdown_table, sample_table
from orchestration.components.partitions import keys_of_run
from orchestration.components.results import Figures, result
from orchestration.runtime import Runtime
from resources.errors import SpiceError
from resources.lake.base import Lake, LakeDamagedError
from resources.spark import session
from transforms.chunks import partition_chunks
from transforms.digests import combined_version
from transforms.versions import derived_version

RESOLVED = "links_accounted"
DANGLING = "no_dangling_links"
SAMPLES = 10


def _check_of_links(fault: SpiceError) -> str | None:
    if isinstance(fault, LakeDamagedError):
        return RESOLVED
    if not isinstance(fault, GateFailed):
        return None
    return DANGLING if any(gate.code == LINK_DANGLING for gate in fault.gates) else RESOLVED


def link_asset(domain: Domain, object_type: ObjectType) -> dg.AssetsDefinition:
    """The links of one type's objects, resolved against the heads; dangling ones are kept and reported."""
    asset, mapping = f"ontology/{object_type.snake}/links", domain.mappings[object_type.name]
    own = f"ontology/{object_type.snake}/objects"
    targets = sorted({domain.object_types[link.to].snake for link in object_type.links.values()} - {object_type.snake})
    target_assets = [f"ontology/{snake}/objects" for snake in targets]
    table = f"ontology/{object_type.snake}/dangling"
    partitioned = partitioning_of(domain, asset) is not None

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group=f"ontology/{object_type.snake}",
            kinds={"event_store", "deltalake"},
            description=about(
                "Where the links lead: "
                + ", ".join(f"{name} → {link.to}" for name, link in object_type.links.items())
                + f". Those that lead nowhere are listed in `{table}`.",
                comes_from=f"`{own}` and the objects that the links name.",
                when_red="open the red check: it lists links and missing objects. Bring in what is missing or correct "
                "the source, and run the partition again.",
            ),
            deps=[own, *target_assets],
            metadata={"dagster/table_name": table, "dagster/column_schema": _schema(partitioned=partitioned)},
        ),
        check_specs=[
            dg.AssetCheckSpec(
                RESOLVED,
                asset=key_of(asset),
                blocking=True,
                description="Per link: objects = resolved + dangling + without; all that dangle are listed. Red: a "
                "table was altered by hand, or a link breaks its rule; the result says what to do.",
            ),
            dg.AssetCheckSpec(
                DANGLING,
                asset=key_of(asset),
                description="No link leads to an object that does not exist. Where some do, the result lists them; "
                "they are kept, and nothing is held back unless the link's definition says `dangling: fail`.",
            ),
        ],
    )
    @told_by_check(asset, _check_of_links)
    def links(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        partition = partitioning_of(domain, asset)
        keys = keys_of_run(context, partition)
        lake = runtime.lake
        with writing(context, runtime, domain, asset) as work:
            ask_approval(runtime, domain, asset, keys)
            stage, log, heads = work.stage, work.log, work.heads
            heads.catch_up()
            code, mine = code_version(domain, asset), versions_of(heads, own)
            aims = [combined_version(versions_of(heads, name)) for name in target_assets]
            versions = {key: derived_version(code, [mine[key], *aims]) for key in keys if key in mine}
            rows = lake.rows(mapping.source)
            stage.expect(sum(rows.get(key, 0) for key in versions))
            todo = sorted(
                {
                    *new_partitions(heads, asset, versions),
                    *(k for k, v in versions.items() if lake.versions(table).get(k) != v),
                }
            )
            stage.advance(sum(rows.get(key, 0) for key in versions if key not in todo))
            for chunk in (one.partitions for one in partition_chunks(todo, rows)):
                mapped = read_mapped(session(), lake, domain, object_type, chunk, only=_link_properties(object_type))
                report = check_links(object_type, link_rows(object_type, domain.object_types, mapped), chunk, heads)
                report.check(object_type)
                lake.replace(
                    table,
                    _placed(report.dangling, partitioned=partition is not None),
                    versions={key: versions[key] for key in chunk},
                    partition_column="_partition" if partition else None,
                )
                publish(
                    log,
                    heads,
                    asset,
                    {key: (versions[key], report.rows(key)) for key in chunk},
                    LINKS_INDEXED,
                    [own, *target_assets],
                    event_metadata(context, domain, asset),
                    {key: {"by_link": report.by_link(key)} for key in chunk},
                )
                stage.advance(mapped.num_rows)
            found = LinksFound(
                table,
                _by_link(heads, asset, versions),
                _objects_of(counts_of(heads, own, versions)),
                lake.count(table, partitions=list(versions)),
                _samples(lake, table, list(versions)),
            )
            stage.note(f"{found.dangling:,} dangling")
        return result(
            context,
            versions,
            spans=work.spans(),
            cost=work.cost(),
            seconds=stage.seconds,
            metadata={
                **column_lineage(domain, asset),
                "dagster/row_count": found.links,
                "dagster/table_name": table,
                "folder": lake_folder(table),
                "dagster/column_schema": _schema(partitioned=partitioned),
                "links": _table(found, object_type),
                "partitions_changed": len(todo),
            },
            figures=_figures(heads, asset, versions),
            check_results=[_accounted(found), _none_dangling(found, object_type)],
        )

    return links


@dataclass(frozen=True)
class LinksFound:
    """Counts per link type; against them the objects that were made and the dangling links that are listed."""

    table: str
    by_link: dict[str, dict[str, int]]
    objects: int
    listed: int
    samples: list[dict[str, Any]]

    @property
    def dangling(self) -> int:
        return sum(one["dangling"] for one in self.by_link.values())

    @property
    def links(self) -> int:
        return sum(one["resolved"] + one["dangling"] for one in self.by_link.values())

    def faults(self) -> list[str]:
        """What does not add up, in words."""
        wrong = [
            f"{name}: {one['total']:,} links looked at, {self.objects:,} objects made, {one['none']:,} without, "
            f"{one['resolved']:,} resolved, {one['dangling']:,} dangling"
            for name, one in self.by_link.items()
            if not one["total"] == one["none"] + one["resolved"] + one["dangling"] == self.objects
        ]
        if self.listed != self.dangling:
            wrong.append(f"{self.table} lists {self.listed:,} links, {self.dangling:,} dangle")
        return wrong


def _schema(*, partitioned: bool) -> dg.TableSchema:
    """Of the list of dangling links."""
    names = [one for one in DANGLING_SCHEMA.names if partitioned or one != "_partition"]
    return column_schema(dict.fromkeys(names, "string"), DANGLING_COLUMNS)


def _table(found: LinksFound, object_type: ObjectType) -> dg.MarkdownMetadataValue:
    header = ["link", "to", "objects", "without", "resolved", "dangling"]
    rows = [
        [name, object_type.links[name].to, one["total"], one["none"], one["resolved"], one["dangling"]]
        for name, one in found.by_link.items()
    ]
    return markdown_table(header, rows)


def _figures(heads: Heads, asset: str, versions: dict[str, str]) -> Figures:
    """Links of each partition by outcome, over all link types."""
    counts = {key: rows_of(one) for key, one in sorted(heads.asset_versions(asset).items()) if key in versions}
    return {
        f"links_{name}": {key: one.get(name, 0) for key, one in counts.items()} for name in ("resolved", "dangling")
    }


def _accounted(found: LinksFound) -> dg.AssetCheckResult:
    wrong = found.faults()
    advice = f"The tables were altered between two steps. Remove the folder of {found.table} and run again."
    return dg.AssetCheckResult(
        check_name=RESOLVED,
        passed=not wrong,
        description=f"{'; '.join(wrong)}. {advice}" if wrong else None,
        metadata={
            "objects": found.objects,
            "dangling_listed": found.listed,
            **{
                f"{name} {outcome}": one[outcome]
                for name, one in found.by_link.items()
                for outcome in ("none", "resolved", "dangling")
            },
        },
    )


def _none_dangling(found: LinksFound, object_type: ObjectType) -> dg.AssetCheckResult:
    said = [
        f"{one['dangling']:,} of {name} lead to no {object_type.links[name].to}"
        for name, one in found.by_link.items()
        if one["dangling"]
    ]
    advice = (
        f"They are listed in {found.table}; bring in the objects that are missing, or correct the source. Such links "
        "are kept, and show up as nodes with the status MISSING."
    )
    metadata: dict[str, Any] = {name: one["dangling"] for name, one in found.by_link.items()}
    if found.samples:
        columns = ["link", "from_id", "to_type", "to_id"]
        metadata["sample"] = sample_table([{column: row[column] for column in columns} for row in found.samples])
    return dg.AssetCheckResult(
        check_name=DANGLING,
        passed=not said,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{'; '.join(said)}. {advice}" if said else None,
        metadata=metadata,
    )


def _objects_of(counts: dict[str, int]) -> int:
    """Objects that the latest loads brought or found the same."""
    return sum(counts.get(name, 0) for name in ("created", "updated", "unchanged"))


def _samples(lake: Lake, table: str, partitions: list[str]) -> list[dict[str, Any]]:
    """A few dangling links."""
    for batch in lake.batches(table, partitions=partitions, batch_rows=SAMPLES):
        if batch.num_rows:
            return pa.Table.from_batches([batch]).to_pylist()
    return []


def _link_properties(object_type: ObjectType) -> set[str]:
    return {*object_type.key, *(name for link in object_type.links.values() for name in link.by)}


def _by_link(heads: Heads, asset: str, versions: dict[str, str]) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for key, one in heads.asset_versions(asset).items():
        if key in versions:
            for link, counts in details_of(one)["by_link"].items():
                mine = totals.setdefault(link, dict.fromkeys(counts, 0))
                for name, count in counts.items():
                    mine[name] += count
    return totals


def _placed(dangling: pa.Table, *, partitioned: bool) -> pa.Table:
    return dangling if partitioned else dangling.select([one for one in DANGLING_SCHEMA.names if one != "_partition"])
