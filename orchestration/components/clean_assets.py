"""`clean/<dataset>`: typed rows; what does not fit is in the quarantine."""

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
from orchestration.components.metadata import column_schema, markdown_table
from orchestration.components.partitions import keys_of_run
from orchestration.runtime import Runtime
from resources.lake.base import Lake, LakeDamagedError
from resources.spark import session
from transforms.clean import CleanReport, clean
from transforms.quarantine import quarantined_counts, quarantined_rows
from transforms.raw import RowsLost
from transforms.types_lock import column_types

ACCOUNTED = "rows_accounted"
NO_QUARANTINE = "quarantine_empty"
SAMPLES = 10


def clean_asset(domain: Domain, name: str) -> dg.AssetsDefinition:
    """The clean asset of one dataset."""
    asset, source, dataset = f"clean/{name}", f"raw/{name}", domain.datasets[name]

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group="ingest/clean",
            kinds={"delta", "spark"},
            description=f"Rows of `{source}` in their types. A row with a value that does not fit is in "
            f"`quarantine/{name}/clean` with file, line, column and reason.",
            deps=[source],
        ),
        check_specs=[
            dg.AssetCheckSpec(
                ACCOUNTED, asset=key_of(asset), blocking=True, description="Rows in = rows out + rows quarantined."
            ),
            dg.AssetCheckSpec(NO_QUARANTINE, asset=key_of(asset), description="No row of the run is in quarantine."),
        ],
    )
    @told_by_check(asset, lambda fault: ACCOUNTED if isinstance(fault, RowsLost | LakeDamagedError) else None)
    def cleaned(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, dataset.partition)
        types = column_types(name, dataset, domain.locked_types.get(name))
        log, heads = runtime.log(domain.name), runtime.heads(domain.name)
        with writing(context, runtime, asset) as stage:
            stage.expect(sum(runtime.lake.rows(source).get(key, 0) for key in keys))
            report = clean(
                name,
                dataset,
                types,
                runtime.lake,
                keys,
                engine=session,
                timezone=domain.timezone,
                progress=stage.advance,
            )
            versions = {key: one.version for key, one in report.partitions.items()}
            appended = publish(
                log,
                heads,
                asset,
                {key: (one.version, {"out": one.rows}) for key, one in report.partitions.items()},
                DATASET_VERSION_PUBLISHED,
                [source],
                event_metadata(context, domain, asset),
            )
            quarantined = sum(report.quarantined.values())
            stage.note(f"{quarantined:,} rows quarantined" if quarantined else "")
        return result(
            versions,
            appended=appended,
            metadata={
                "dagster/row_count": report.rows_out,
                "dagster/table_name": asset,
                "dagster/uri": runtime.lake.path(asset),
                "dagster/column_schema": column_schema(types),
                "partitions_changed": len(_changed(report)),
                "rows_quarantined": quarantined,
            },
            check_results=_checks(runtime.lake, name, keys, report),
        )

    return cleaned


def _changed(report: CleanReport) -> list[str]:
    return [key for key, one in report.partitions.items() if one.changed]


def _checks(lake: Lake, name: str, keys: list[str], report: CleanReport) -> list[dg.AssetCheckResult]:
    quarantined = sum(report.quarantined.values())
    held = {table: lake.count(table, partitions=keys) for table in (f"clean/{name}", f"quarantine/{name}/clean")}
    due = {f"clean/{name}": report.rows_out, f"quarantine/{name}/clean": quarantined}
    wrong = [altered(lake.path(table), held[table], rows) for table, rows in due.items() if held[table] != rows]
    return [
        dg.AssetCheckResult(
            check_name=ACCOUNTED,
            passed=not wrong and report.rows_in == report.rows_out + quarantined,
            description=" ".join(wrong) or None,
            metadata={
                "rows_in": report.rows_in,
                "rows_out": report.rows_out,
                "rows_quarantined": quarantined,
                "rows_in_files_of_the_tables": sum(held.values()),
            },
        ),
        _no_quarantine(lake, name, keys),
    ]


def _no_quarantine(lake: Lake, name: str, keys: list[str]) -> dg.AssetCheckResult:
    """Of both stages: rows that could not be read, and rows that could not be typed."""
    counts = quarantined_counts(lake, name, keys)
    metadata: dict[str, Any] = {**counts}
    description = None
    if counts:
        rows = quarantined_rows(lake, name, keys, limit=SAMPLES).to_pylist()
        fields = ["source_file", "line", "column", "value", "code", "reason"]
        metadata["sample"] = markdown_table(fields, [[row[field] for field in fields] for row in rows])
        said = ", ".join(f"{number:,} {code}" for code, number in counts.items())
        place = f"{rows[0]['source_file']}, line {rows[0]['line']}: {rows[0]['reason']}"
        description = (
            f"Rows in quarantine: {said}, e.g. {place}. Correct the file and run again; they leave the quarantine by "
            "themselves, and their objects stay as they are until then."
        )
    return dg.AssetCheckResult(
        check_name=NO_QUARANTINE,
        passed=not counts,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )
