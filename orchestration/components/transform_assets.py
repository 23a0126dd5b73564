"""`transform/<pipeline>`: tables of tables, by Spark."""

from typing import Any

import dagster as dg
from pydantic import Field

from ontology_assets.materializations import TRANSFORM_BUILT, publish
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import partitioning_of
from orchestration.components.build_assets import candidate, promote_here
from orchestration.components.columns import table_columns
from orchestration.components.common import about, asset_options, event_metadata, writing
from orchestration.components.gate import ask_approval
from orchestration.components.lineage import column_lineage
from orchestration.components.metadata import column_schema, lake_folder
from orchestration.components.partitions import keys_of_run
from orchestration.components.results import ROWS, result
from orchestration.components.write_metadata import write_metadata
from orchestration.reports import REPORT
from orchestration.runtime import Runtime
from resources.spark import session
from transforms.incremental.watermarks import made_of
from transforms.parameters import with_values
from transforms.pipeline import PipelineTables, run_pipeline
from transforms.versions import stale


class TransformConfig(dg.Config):
    """`promote`: a branch whose build becomes main's before anything is computed. `approve`: breaking changes of the
    columns that are meant, by name (docs/pipelines.md). `parameters`: other values of the pipeline's parameters,
    for this run; a next run without them computes what differs again."""

    promote: str = ""
    approve: list[str] = Field(default_factory=list)
    parameters: dict[str, str | None] = Field(default_factory=dict)


def transform_asset(domain: Domain, name: str) -> dg.AssetsDefinition:
    """The result of one pipeline."""
    asset, pipeline = f"transform/{name}", domain.pipelines[name]
    inputs = list(dict.fromkeys(pipeline.inputs.values()))

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group=f"transform/{name.partition('/')[0]}",
            kinds={"deltalake", "spark"},
            description=about(
                f"{(pipeline.description or 'A pipeline').rstrip('.')}: {' → '.join(pipeline.nodes)}.",
                comes_from=", ".join(f"`{one}`" for one in inputs)
                + ", by the nodes of the pipeline, each one operation on Spark.",
                when_red="open the red check: it says what was expected, how many rows differ, and shows some. Correct "
                "the source, the pipeline or the rule in domain.yaml, and run the partition again.",
            ),
            deps=inputs,
            metadata={"dagster/table_name": asset},
        )
    )
    def transformed(
        context: dg.AssetExecutionContext, config: TransformConfig, runtime: Runtime
    ) -> dg.MaterializeResult:
        keys = keys_of_run(context, partitioning_of(domain, asset))
        here = candidate(domain, name)
        with writing(context, runtime, domain, asset) as work:
            promoted: dict[str, Any] = {}
            bound = with_values(name, pipeline, config.parameters)
            tables = PipelineTables(name, bound, runtime.lake, session, domain.timezone)
            if config.promote:
                done = promote_here(runtime, domain, config.promote, config.approve)
                said = {"promotion": done.id, "branch": done.branch, "already": done.already}
                promoted = {"promoted": f"branch {done.branch}, promotion {done.id}", REPORT: said}
            elif stale(made_of(runtime.lake.state(asset)), tables.wanted_versions(keys)):
                here.refuse_breaking(runtime.lake, config.approve)
            ask_approval(runtime, domain, asset, keys)
            if tables.followed:
                work.stage.expect(sum(tables.rows_read(keys).values()))
            report = run_pipeline(
                name,
                bound,
                runtime.lake,
                keys,
                engine=session,
                timezone=domain.timezone,
                progress=work.stage.advance,
                declared=here.columns,
            )
            changed = [key for key, one in report.partitions.items() if one.changed]
            publish(
                work.log,
                work.heads,
                asset,
                {key: (one.version, {"out": one.rows}) for key, one in report.partitions.items()},
                TRANSFORM_BUILT,
                inputs,
                event_metadata(context, domain, asset),
            )
            work.stage.note(f"{report.rows_out:,} rows out")
        return result(
            context,
            {key: one.version for key, one in report.partitions.items()},
            spans=work.spans(),
            cost=work.cost(),
            seconds=work.stage.seconds,
            metadata={
                **column_lineage(domain, asset),
                "dagster/row_count": sum(runtime.lake.rows(asset).values()),
                "dagster/table_name": asset,
                "folder": lake_folder(asset),
                "dagster/column_schema": column_schema(report.columns, table_columns(domain, asset)),
                "rows_in": report.rows_in,
                "partitions_changed": len(changed),
                **write_metadata(report.run),
                **promoted,
            },
            figures={ROWS: {key: one.rows for key, one in report.partitions.items()}},
        )

    return transformed
