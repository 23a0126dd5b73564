"""`raw/<dataset>`: the source file's rows as they came."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from ontology_assets.materializations import DATASET_VERSION_PUBLISHED, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.columns import known_types, raw_columns
from orchestration.components.common import (
    about,
    altered,
    asset_options,
    event_metadata,
    key_of,
    told_by_check,
    writing,
)
from orchestration.components.lineage import column_lineage
from orchestration.components.metadata import column_schema, lake_folder
from orchestration.components.partitions import keys_of_run
from orchestration.components.results import ROWS, result
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
            kinds={"csv", "deltalake"},
            description=about(
                f"Rows of `{dataset.file}` as the texts they are, with file, row and line. "
                f"{dataset.description or ''}".strip(),
                comes_from=f"the file `sources/{folder}/{dataset.file}` of the home. The same bytes again make no new "
                "version and append nothing.",
                when_red="the step's error names file, line and reason. Put a corrected file in its place and "
                "materialize the partition again.",
            ),
            metadata={
                "dagster/table_name": asset,
                "dagster/column_schema": _schema(known_types(domain, name), domain, name),
            },
        ),
        check_specs=[
            dg.AssetCheckSpec(
                ACCOUNTED,
                asset=key_of(asset),
                blocking=True,
                description="Every row of the file is in a partition or in the quarantine, and the table's files hold "
                "them. Red: the table was altered by hand; its description says which folder to remove.",
            )
        ],
    )
    @told_by_check(asset, lambda fault: ACCOUNTED if isinstance(fault, RowsLost | LakeDamagedError) else None)
    def raw(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, dataset.partition)
        with writing(context, runtime, domain, asset) as work:
            report = ingest(
                name,
                dataset,
                find_source(runtime.home.sources, folder, dataset.file),
                runtime.lake,
                keys,
                engine=session,
                timezone=domain.timezone,
                progress=work.stage.advance,
            )
            versions = {key: one.version for key, one in report.partitions.items()}
            publish(
                work.log,
                work.heads,
                asset,
                {key: (one.version, {"out": one.rows}) for key, one in report.partitions.items()},
                DATASET_VERSION_PUBLISHED,
                [],
                {**event_metadata(context, domain, asset), "source_sha256": report.source.sha256},
            )
            _tell(work.stage, report)
        columns = [one for one in runtime.lake.schema(asset).names if one not in ROW_COLUMNS and one != "_partition"]
        return result(
            context,
            versions,
            spans=work.spans(),
            cost=work.cost(),
            seconds=work.stage.seconds,
            metadata={
                **column_lineage(domain, asset),
                "dagster/row_count": sum(runtime.lake.rows(asset).values()),
                "dagster/table_name": asset,
                "folder": lake_folder(asset),
                "dagster/column_schema": _schema(columns, domain, name),
                "source_file": report.source.name,
                "source_sha256": report.source.sha256[:16],
                "partitions_changed": sum(one.changed for one in report.partitions.values()),
                "rows_quarantined": sum(report.quarantined.values()),
            },
            figures={ROWS: {key: one.rows for key, one in report.partitions.items()}},
            check_results=[_accounted(report, runtime.lake.count(asset, partitions=keys), runtime.lake.path(asset))],
        )

    return raw


def _schema(columns: Iterable[str], domain: Domain, name: str) -> dg.TableSchema:
    """Of raw tables: all are texts; of the columns that say where a row stood only the partition may be absent."""
    partition = ["_partition"] if domain.datasets[name].partition else []
    kinds = dict.fromkeys([*columns, *ROW_COLUMNS, *partition], "string") | {"_row": "integer", "_line": "integer"}
    return column_schema(kinds, raw_columns(domain, name))


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
