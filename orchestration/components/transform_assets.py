"""`transform/<pipeline>`: tables of tables, by Spark."""

import dagster as dg

from ontology_assets.materializations import TRANSFORM_BUILT, publish
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import partitioning_of
from orchestration.components.common import asset_options, event_metadata, result, writing
from orchestration.components.metadata import column_schema
from orchestration.components.partitions import keys_of_run
from orchestration.runtime import Runtime
from resources.spark import session
from transforms.pipeline import PipelineTables, run_pipeline


def transform_asset(domain: Domain, name: str) -> dg.AssetsDefinition:
    """The result of one pipeline."""
    asset, pipeline = f"transform/{name}", domain.pipelines[name]
    inputs = list(dict.fromkeys(pipeline.inputs.values()))

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group=f"transform/{name}",
            kinds={"delta", "spark"},
            description=f"{pipeline.description or 'A pipeline'}: {' → '.join(pipeline.nodes)}.",
            deps=inputs,
        )
    )
    def transformed(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, partitioning_of(domain, asset))
        log, heads = runtime.log(domain.name), runtime.heads(domain.name)
        with writing(context, runtime, asset) as stage:
            followed = PipelineTables(name, pipeline, runtime.lake, session, domain.timezone).followed
            rows = runtime.lake.rows(followed) if followed else {}
            stage.expect(sum(rows.get(key, 0) for key in keys))
            report = run_pipeline(
                name, pipeline, runtime.lake, keys, engine=session, timezone=domain.timezone, progress=stage.advance
            )
            changed = [key for key, one in report.partitions.items() if one.changed]
            appended = publish(
                log,
                heads,
                asset,
                {key: (one.version, {"out": one.rows}) for key, one in report.partitions.items()},
                TRANSFORM_BUILT,
                inputs,
                event_metadata(context, domain, asset),
            )
            stage.note(f"{report.rows_out:,} rows out")
        return result(
            {key: one.version for key, one in report.partitions.items()},
            appended=appended,
            metadata={
                "dagster/row_count": report.rows_out,
                "dagster/table_name": asset,
                "dagster/uri": runtime.lake.path(asset),
                "dagster/column_schema": column_schema(report.columns),
                "rows_in": report.rows_in,
                "partitions_changed": len(changed),
            },
        )

    return transformed
