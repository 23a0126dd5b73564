"""`ontology/<type>/objects`: tables become objects, by events."""

from functools import partial

import dagster as dg

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.materializations import counts_of, new_partitions, rows_of, upstream_by_partition
from ontology_assets.model.code_version import code_version
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.model.layout import partitioning_of
from ontology_assets.objectify.decide import Elsewhere, Load, PartitionLoad, decide
from ontology_assets.objectify.elsewhere import key_elsewhere
from ontology_assets.objectify.gates import GateFailed
from ontology_assets.objectify.mapping import read_mapped
from ontology_assets.objectify.protection import protections, quarantine_versions
from ontology_assets.objectify.states import check_gates, states_of
from orchestration.components.columns import object_columns
from orchestration.components.common import about, asset_options, key_of, told_by_check, writing
from orchestration.components.gate import ask_approval
from orchestration.components.lineage import column_lineage
from orchestration.components.metadata import column_schema
from orchestration.components.partitions import keys_of_run
from orchestration.components.results import ROWS, result
from orchestration.runtime import Runtime
from resources.addresses import gateway_url
from resources.spark import session
from transforms.chunks import partition_chunks
from transforms.versions import derived_version

GATES = "gates_open"
DECIDED = ("created", "updated", "deleted", "unchanged")


def object_asset(domain: Domain, object_type: ObjectType) -> dg.AssetsDefinition:
    """The objects of one type: created, updated and deleted by events."""
    asset, mapping = f"ontology/{object_type.snake}/objects", domain.mappings[object_type.name]
    types = {name: one.type for name, one in object_type.properties.items()}
    schema = column_schema(types, object_columns(object_type))
    label = " · ".join(object_type.label.values()) or object_type.name

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group=f"ontology/{object_type.snake}",
            kinds={"event_store"},
            description=about(
                f"{label}. {object_type.description or ''}".strip(),
                comes_from=f"`{mapping.source}`. Each change of an object is one event in the log; the same state "
                f"again appends nothing. Key: {', '.join(f'`{name}`' for name in object_type.key)}.",
                when_red=f"the check `{GATES}` lists the rows that can't be objects, with file, line and reason; "
                "nothing of them was appended. Correct the source or the mapping and run the partition again.",
            ),
            deps=[mapping.source],
            metadata={"dagster/column_schema": schema},
        ),
        check_specs=[
            dg.AssetCheckSpec(
                GATES,
                asset=key_of(asset),
                blocking=True,
                description="No key is missing or double, every value has its declared type. A closed gate stops the "
                "run before anything is appended, and lists the rows to correct.",
            )
        ],
    )
    @told_by_check(asset, lambda fault: GATES if isinstance(fault, GateFailed) else None)
    def objects(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, partitioning_of(domain, asset))
        code = code_version(domain, asset)
        with writing(context, runtime, domain, asset) as work:
            ask_approval(runtime, domain, asset, keys)
            stage, log, heads = work.stage, work.log, work.heads
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
                    domain.object_types,
                )
                elsewhere = key_elsewhere(spark, runtime.lake, domain, object_type, here=chunk, run=todo)
                log.append(heads, partial(_decide, load, log, elsewhere))
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
            context,
            versions,
            spans=work.spans(),
            cost=work.cost(),
            seconds=stage.seconds,
            metadata={
                **column_lineage(domain, asset),
                "dagster/row_count": heads.counts().get(object_type.name, 0),
                "dagster/column_schema": schema,
                "partitions_changed": len(todo),
                "explorer": dg.MetadataValue.url(f"{gateway_url()}/?type={object_type.name}"),
            },
            figures=_figures(heads, asset, versions, todo),
            check_results=[
                dg.AssetCheckResult(
                    check_name=GATES,
                    passed=True,
                    metadata={name: counts.get(name, 0) for name in ("quarantined", "protected", "deletions_held")},
                )
            ],
        )

    return objects


def _figures(heads: Heads, asset: str, versions: dict[str, str], todo: list[str]) -> dict[str, dict[str, int]]:
    """By partition: objects that it has, and what this run made of them; one that was left alone is all unchanged."""
    latest = {key: rows_of(one) for key, one in heads.asset_versions(asset).items() if key in versions}
    held = {key: sum(one.get(name, 0) for name in ("created", "updated", "unchanged")) for key, one in latest.items()}
    new = set(todo)
    alone = {key: {"unchanged": count} for key, count in held.items()}
    made = {key: latest[key] if key in new else alone[key] for key in sorted(latest)}
    return {
        ROWS: {key: held[key] for key in made},
        **{f"objects_{name}": {key: one.get(name, 0) for key, one in made.items()} for name in DECIDED},
    }


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
