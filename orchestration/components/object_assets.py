"""`ontology/<type>/objects`: tables become objects, by events."""

from functools import partial

import dagster as dg

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.materializations import counts_of, new_partitions, upstream_by_partition
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.model.layout import partitioning_of
from ontology_assets.objectify.decide import Elsewhere, Load, PartitionLoad, decide
from ontology_assets.objectify.elsewhere import key_elsewhere
from ontology_assets.objectify.gates import GateFailed
from ontology_assets.objectify.mapping import read_mapped
from ontology_assets.objectify.protection import protections, quarantine_versions
from ontology_assets.objectify.states import check_gates, states_of
from orchestration.components.common import asset_options, key_of, result, told_by_check, writing
from orchestration.components.metadata import column_schema
from orchestration.components.partitions import keys_of_run
from orchestration.runtime import Runtime
from resources.spark import session
from transforms.chunks import partition_chunks
from transforms.versions import derived_version

GATES = "gates_open"


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
    @told_by_check(asset, lambda fault: GATES if isinstance(fault, GateFailed) else None)
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
            todo = new_partitions(heads, asset, versions)
            stage.advance(sum(source_rows.get(key, 0) for key in versions if key not in todo))
            appended = 0
            chunks = [one.partitions for one in partition_chunks(todo, source_rows)]
            if len(chunks) > 1:
                spark = session()
                check_gates(
                    object_type, (read_mapped(spark, runtime.lake, domain, object_type, chunk) for chunk in chunks)
                )
            for chunk in chunks:
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
            counts = counts_of(heads, asset, versions)
            changed = counts_of(heads, asset, todo)
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
