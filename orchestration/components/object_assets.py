"""`ontology/<type>/objects` and `ontology/<type>/links`: tables become objects, by events; links are resolved."""

from functools import partial

import dagster as dg
import pyarrow as pa

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.materializations import (
    LINKS_INDEXED,
    Materialization,
    details_of,
    is_new,
    publish,
    rows_of,
    upstream_by_partition,
)
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.model.layout import partitioning_of
from ontology_assets.objectify.decide import Elsewhere, Load, PartitionLoad, decide
from ontology_assets.objectify.elsewhere import key_elsewhere
from ontology_assets.objectify.links import DANGLING_SCHEMA, check_links
from ontology_assets.objectify.mapping import read_mapped
from ontology_assets.objectify.protection import protections, quarantine_versions
from ontology_assets.objectify.states import link_rows, states_of
from orchestration.components.common import asset_options, event_metadata, key_of, result, writing
from orchestration.components.metadata import column_schema, markdown_table
from orchestration.components.partitions import keys_of_run
from orchestration.runtime import Runtime
from resources.spark import session
from transforms.chunks import partition_chunks
from transforms.digests import combined_version
from transforms.versions import derived_version

GATES = "gates_open"
RESOLVED = "links_accounted"
DANGLING = "no_dangling_links"


def object_asset(domain: Domain, object_type: ObjectType) -> dg.AssetsDefinition:
    """The objects of one type: created, updated and deleted by events."""
    asset, mapping = f"ontology/{object_type.snake}/objects", domain.mappings[object_type.name]

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group=f"ontology/{object_type.snake}",
            kinds={"event_store"},
            description=f"{' · '.join(object_type.label.values()) or object_type.name}: from `{mapping.source}`. "
            f"{object_type.description or ''}".strip(),
            deps=[mapping.source],
        ),
        check_specs=[
            dg.AssetCheckSpec(
                GATES,
                asset=key_of(asset),
                blocking=True,
                description="No key is missing or double, every value has its declared type. A closed gate stops the "
                "run before anything is appended.",
            )
        ],
    )
    def objects(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, partitioning_of(domain, asset))
        log, heads = runtime.log(domain.name), runtime.heads(domain.name)
        code = code_version(domain, asset)
        with writing(context, runtime, asset) as stage:
            source = runtime.lake.versions(mapping.source)
            source_rows = runtime.lake.rows(mapping.source)
            held = quarantine_versions(runtime.lake, domain, object_type, [key for key in keys if key in source])
            versions = {
                key: derived_version(code, [source[key], *([held[key]] if key in held else [])])
                for key in keys
                if key in source
            }
            stage.expect(sum(source_rows.get(key, 0) for key in versions))
            heads.catch_up()
            todo = _new(heads, asset, versions)
            stage.advance(sum(source_rows.get(key, 0) for key in versions if key not in todo))
            appended = 0
            for chunk in (one.partitions for one in partition_chunks(todo, source_rows)):
                spark = session()
                mapped = read_mapped(spark, runtime.lake, domain, object_type, chunk)
                load = Load(
                    asset,
                    object_type,
                    _loads(runtime, domain, object_type, chunk, versions),
                    states_of(object_type, domain.object_types, mapped),
                    context.run.run_id,
                    code,
                )
                elsewhere = key_elsewhere(spark, runtime.lake, domain, object_type, here=chunk, run=todo)
                commit = log.append(heads, partial(_decide, load, log, elsewhere))
                appended += 0 if commit is None else len(chunk)
                stage.advance(mapped.num_rows)
            counts = _counts(heads, asset, versions)
            changed = _counts(heads, asset, {key: versions[key] for key in todo})
            stage.note(
                ", ".join(
                    f"{changed[name]:,} {name}" for name in ("created", "updated", "deleted") if changed.get(name)
                )
                or "unchanged"
            )
        return result(
            versions,
            appended=appended,
            metadata={
                "dagster/row_count": heads.counts().get(object_type.name, 0),
                "dagster/column_schema": column_schema(
                    {name: one.type for name, one in object_type.properties.items()},
                    {name: " · ".join(one.label.values()) for name, one in object_type.properties.items() if one.label},
                ),
                "position": log.end().position,
                **{f"objects_{name}": changed.get(name, 0) for name in ("created", "updated", "deleted", "unchanged")},
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=GATES,
                    passed=True,
                    metadata={name: counts.get(name, 0) for name in ("quarantined", "protected", "deletions_held")},
                )
            ],
        )

    return objects


def link_asset(domain: Domain, object_type: ObjectType) -> dg.AssetsDefinition:
    """The links of one type's objects, resolved against the heads; dangling ones are kept and reported."""
    asset, mapping = f"ontology/{object_type.snake}/links", domain.mappings[object_type.name]
    own = f"ontology/{object_type.snake}/objects"
    targets = sorted({domain.object_types[link.to].snake for link in object_type.links.values()} - {object_type.snake})
    target_assets = [f"ontology/{snake}/objects" for snake in targets]
    table = f"ontology/{object_type.snake}/dangling"

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group=f"ontology/{object_type.snake}",
            kinds={"event_store", "delta"},
            description="Do the links lead somewhere: "
            + ", ".join(f"{name} → {link.to}" for name, link in object_type.links.items())
            + f". Dangling links are listed in `{table}`.",
            deps=[own, *target_assets],
        ),
        check_specs=[
            dg.AssetCheckSpec(
                RESOLVED,
                asset=key_of(asset),
                blocking=True,
                description="Per link type: objects = resolved + dangling + without link.",
            ),
            dg.AssetCheckSpec(
                DANGLING, asset=key_of(asset), description="No link leads to an object that does not exist."
            ),
        ],
    )
    def links(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        partition = partitioning_of(domain, asset)
        keys = keys_of_run(context, partition)
        log, heads, lake = runtime.log(domain.name), runtime.heads(domain.name), runtime.lake
        with writing(context, runtime, asset) as stage:
            heads.catch_up()
            code, mine = code_version(domain, asset), _versions(heads, own)
            aims = [combined_version(_versions(heads, name)) for name in target_assets]
            versions = {key: derived_version(code, [mine[key], *aims]) for key in keys if key in mine}
            rows = lake.rows(mapping.source)
            stage.expect(sum(rows.get(key, 0) for key in versions))
            todo = sorted(
                {*_new(heads, asset, versions), *(k for k, v in versions.items() if lake.versions(table).get(k) != v)}
            )
            stage.advance(sum(rows.get(key, 0) for key in versions if key not in todo))
            appended = 0
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
                appended += publish(
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
            by_link = _by_link(heads, asset, versions)
            stage.note(f"{sum(one['dangling'] for one in by_link.values()):,} dangling")
        return _link_result(versions, appended, by_link, object_type)

    return links


def _link_result(
    versions: dict[str, str], appended: int, by_link: dict[str, dict[str, int]], object_type: ObjectType
) -> dg.MaterializeResult:
    dangling = sum(one["dangling"] for one in by_link.values())
    wrong = [name for name, one in by_link.items() if one["total"] != one["none"] + one["resolved"] + one["dangling"]]
    header = ["link", "to", "objects", "without", "resolved", "dangling"]
    table = [
        [name, object_type.links[name].to, one["total"], one["none"], one["resolved"], one["dangling"]]
        for name, one in by_link.items()
    ]
    return result(
        versions,
        appended=appended,
        metadata={
            "dagster/row_count": sum(one["resolved"] + one["dangling"] for one in by_link.values()),
            "links": markdown_table(header, table),
            "links_dangling": dangling,
        },
        check_results=[
            dg.AssetCheckResult(check_name=RESOLVED, passed=not wrong, metadata={"wrong": ", ".join(wrong) or "none"}),
            dg.AssetCheckResult(
                check_name=DANGLING,
                passed=dangling == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={name: one["dangling"] for name, one in by_link.items()},
            ),
        ],
    )


def _decide(load: Load, log: EventLog, elsewhere: Elsewhere, heads: Heads) -> Draft | None:
    return decide(load, heads, log.states, elsewhere)


def _loads(
    runtime: Runtime, domain: Domain, object_type: ObjectType, chunk: list[str], versions: dict[str, str]
) -> list[PartitionLoad]:
    source, heads = domain.mappings[object_type.name].source, runtime.heads(domain.name)
    kept = protections(runtime.lake, domain, object_type, chunk, engine=session)
    upstream = upstream_by_partition(heads, [source], chunk)
    return [
        PartitionLoad(
            key,
            versions[key],
            upstream[key],
            kept[key].quarantined,
            kept[key].protected,
            kept[key].unreadable,
        )
        for key in chunk
    ]


def _link_properties(object_type: ObjectType) -> set[str]:
    return {*object_type.key, *(name for link in object_type.links.values() for name in link.by)}


def _new(heads: Heads, asset: str, versions: dict[str, str]) -> list[str]:
    known = heads.asset_versions(asset)
    return [key for key, version in versions.items() if is_new(Materialization(asset, key, version), known)]


def _versions(heads: Heads, asset: str) -> dict[str, str]:
    return {partition: one.data_version for partition, one in heads.asset_versions(asset).items()}


def _counts(heads: Heads, asset: str, versions: dict[str, str]) -> dict[str, int]:
    """Totals of the envelopes' counts over the run's partitions."""
    totals: dict[str, int] = {}
    for key, one in heads.asset_versions(asset).items():
        if key in versions:
            for name, count in rows_of(one).items():
                totals[name] = totals.get(name, 0) + count
    return totals


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
