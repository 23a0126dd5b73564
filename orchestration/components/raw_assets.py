"""`raw/<dataset>`: the source file's rows as they came."""

from typing import Any

import dagster as dg

from ontology_assets.materializations import DATASET_VERSION_PUBLISHED, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.common import (
    altered,
    asset_options,
    event_metadata,
    key_of,
    result,
    told_by_check,
    writing,
)
from orchestration.components.metadata import column_schema, sparkline
from orchestration.components.partitions import keys_of_run
from orchestration.runtime import Runtime
from resources.lake.base import LakeDamagedError
from resources.sources import find_source
from resources.spark import session
from transforms.raw import ROW_COLUMNS, RawReport, RowsLost, ingest

ACCOUNTED = "rows_accounted"


def raw_asset(domain: Domain, name: str) -> dg.AssetsDefinition:
    """The raw asset of one dataset."""
    asset, dataset = f"raw/{name}", domain.datasets[name]
    folder = dataset.source.folder if dataset.source else domain.name

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group="ingest/raw",
            kinds={"delta"},
            description=f"Rows of `{dataset.file}` as the texts they are, with file, row and line. "
            f"{dataset.description or ''}".strip(),
        ),
        check_specs=[
            dg.AssetCheckSpec(
                ACCOUNTED,
                asset=key_of(asset),
                blocking=True,
                description="Every row of the file is in a partition or in the quarantine.",
            )
        ],
    )
    @told_by_check(asset, lambda fault: ACCOUNTED if isinstance(fault, RowsLost | LakeDamagedError) else None)
    def raw(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, dataset.partition)
        with writing(context, runtime, asset) as stage:
            report = ingest(
                name,
                dataset,
                find_source(runtime.home.sources, folder, dataset.file),
                runtime.lake,
                keys,
                engine=session,
                timezone=domain.timezone,
                progress=stage.advance,
            )
            versions = {key: one.version for key, one in report.partitions.items()}
            appended = publish(
                runtime.log(domain.name),
                runtime.heads(domain.name),
                asset,
                {key: (one.version, {"out": one.rows}) for key, one in report.partitions.items()},
                DATASET_VERSION_PUBLISHED,
                [],
                {**event_metadata(context, domain, asset), "source_sha256": report.source.sha256},
            )
            _tell(stage, report)
        columns = [one for one in runtime.lake.schema(asset).names if one not in ROW_COLUMNS and one != "_partition"]
        rows = {key: one.rows for key, one in report.partitions.items()}
        return result(
            versions,
            appended=appended,
            metadata={
                "dagster/row_count": sum(rows.values()),
                "dagster/table_name": asset,
                "dagster/uri": runtime.lake.path(asset),
                "dagster/column_schema": column_schema(dict.fromkeys(columns, "string")),
                "source_file": report.source.name,
                "source_sha256": report.source.sha256,
                "partitions_changed": sum(one.changed for one in report.partitions.values()),
                "rows_quarantined": sum(report.quarantined.values()),
                **(
                    {"rows_by_partition": dg.MetadataValue.md(f"`{sparkline([*rows.values()])}`")}
                    if len(rows) > 1
                    else {}
                ),
            },
            check_results=[_accounted(report, runtime.lake.count(asset, partitions=keys), runtime.lake.path(asset))],
        )

    return raw


def _tell(stage: Any, report: RawReport) -> None:
    if not report.read:
        stage.advance(report.rows_in_file)
        stage.note("file unchanged")
    elif report.quarantined:
        stage.note(f"{sum(report.quarantined.values()):,} rows quarantined")


def _accounted(report: RawReport, held: int, place: str) -> dg.AssetCheckResult:
    """`held`: rows that the table's files hold by their own word."""
    quarantined = sum(report.quarantined.values())
    due = sum(one.rows for one in report.partitions.values())
    return dg.AssetCheckResult(
        check_name=ACCOUNTED,
        passed=held == due and report.rows_taken + report.rows_elsewhere + quarantined == report.rows_in_file,
        description=None if held == due else altered(place, held, due),
        metadata={
            "rows_in_files_of_the_table": held,
            "rows_in_file": report.rows_in_file,
            "rows_in_partitions_of_run": report.rows_taken,
            "rows_in_other_partitions": report.rows_elsewhere,
            "rows_quarantined": quarantined,
            **{f"quarantined {code}": count for code, count in report.quarantined.items()},
        },
    )
