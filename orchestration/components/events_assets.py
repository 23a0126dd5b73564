"""`events/<domain>`: the log's history sealed into a Delta table."""

import dagster as dg

from ontology_assets.events.sealing import SEALED_SCHEMA, SealReport, seal
from ontology_assets.materializations import EVENTS_SEALED, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.common import asset_options, event_metadata, key_of, result, writing
from orchestration.components.metadata import column_schema
from orchestration.runtime import Runtime
from transforms.digests import combined_version

SEALED = "sealed_equals_log"


def events_asset(domain: Domain) -> dg.AssetsDefinition:
    """The sealed history of one domain; it comes after all object and link assets: a run seals what it appended."""
    asset = f"events/{domain.name}"
    upstream = [f"ontology/{one.snake}/objects" for one in domain.object_types.values()]
    upstream += [f"ontology/{one.snake}/links" for one in domain.object_types.values() if one.links]

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group="events",
            kinds={"delta", "parquet"},
            description="The event log as a table, sorted by bucket and aggregate: every change of every object, "
            "oldest first. The log (a chain of commit records) stays the truth; this equals it by count and digest.",
            deps=upstream,
        ),
        check_specs=[
            dg.AssetCheckSpec(
                SEALED,
                asset=key_of(asset),
                blocking=True,
                description="What was sealed equals the log by count and digest.",
            )
        ],
    )
    def events(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        log = runtime.log(domain.name)
        with writing(context, runtime, asset) as stage:
            report = seal(log, runtime.lake, domain.name)
            stage.advance(report.appended)
            version = combined_version({"through": str(report.through), "position": str(report.position)})
            appended = publish(
                log,
                runtime.heads(domain.name),
                asset,
                {"": (version, {"sealed": report.position})},
                EVENTS_SEALED,
                [],
                event_metadata(context, domain, asset),
            )
        return result(
            {"": version},
            appended=appended,
            metadata={
                "dagster/row_count": report.position,
                "dagster/table_name": asset,
                "dagster/uri": runtime.lake.path(asset),
                "dagster/column_schema": column_schema({field.name: str(field.type) for field in SEALED_SCHEMA}),
                "position": report.position,
                "record": report.through,
                "events_sealed_now": report.appended,
            },
            check_results=[_sealed(report)],
        )

    return events


def _sealed(report: SealReport) -> dg.AssetCheckResult:
    """`seal` raises where they differ, so a result means that they were compared and are equal."""
    return dg.AssetCheckResult(
        check_name=SEALED,
        passed=True,
        metadata={
            "position": report.position,
            "events_compared": report.appended,
            "digest": report.digest or "nothing new",
        },
    )
