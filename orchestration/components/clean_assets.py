"""`clean/<dataset>`: typed rows; what does not fit is in the quarantine."""

from typing import Any

import dagster as dg

from ontology_assets.materializations import DATASET_VERSION_PUBLISHED, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.columns import known_types, table_columns
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
from orchestration.components.metadata import column_schema, lake_folder, sample_table
from orchestration.components.partitions import keys_of_run
from orchestration.components.results import ROWS, result
from orchestration.runtime import Runtime
from resources.lake.base import Lake, LakeDamagedError
from resources.spark import session
from transforms.clean import CleanReport, clean
from transforms.quarantine import quarantined_counts, quarantined_rows, table_name
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
            kinds={"deltalake", "spark"},
            description=about(
                f"Rows of `{source}` in their types; those that do not fit are in quarantine. "
                f"{dataset.description or ''}".strip(),
                comes_from=f"`{source}`. A row with a value that is not of its column's type goes to "
                f"`quarantine/{name}/clean` with file, line, column and reason.",
                when_red="open the red check: its table names file, line, column and value. Correct the source (or the "
                "rule in domain.yaml) and run the partition again; the row leaves the quarantine by itself.",
            ),
            deps=[source],
            metadata={
                "dagster/table_name": asset,
                "dagster/column_schema": column_schema(known_types(domain, name), table_columns(domain, asset)),
            },
        ),
        check_specs=[
            dg.AssetCheckSpec(
                ACCOUNTED,
                asset=key_of(asset),
                blocking=True,
                description="Rows in = rows out + rows quarantined, and the tables' files hold them. Red: a table was "
                "altered by hand; the result says which folder to remove.",
            ),
            dg.AssetCheckSpec(
                NO_QUARANTINE,
                asset=key_of(asset),
                description="No row of the run is in quarantine. Where some are, the result lists file, line, column, "
                "value and reason; nothing is held back for them.",
            ),
        ],
    )
    @told_by_check(asset, lambda fault: ACCOUNTED if isinstance(fault, RowsLost | LakeDamagedError) else None)
    def cleaned(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        keys = keys_of_run(context, dataset.partition)
        types = column_types(name, dataset, domain.locked_types.get(name))
        with writing(context, runtime, domain, asset) as work:
            work.stage.expect(sum(runtime.lake.rows(source).get(key, 0) for key in keys))
            report = clean(
                name,
                dataset,
                types,
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
                [source],
                event_metadata(context, domain, asset),
            )
            quarantined = sum(report.quarantined.values())
            work.stage.note(f"{quarantined:,} rows quarantined" if quarantined else "")
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
                "dagster/column_schema": column_schema(types, table_columns(domain, asset)),
                "partitions_changed": len(_changed(report)),
            },
            figures={
                ROWS: {key: one.rows for key, one in report.partitions.items()},
                "rows_quarantined": _quarantined(runtime.lake, name, keys),
            },
            check_results=_checks(runtime.lake, name, keys, report),
        )

    return cleaned


def _changed(report: CleanReport) -> list[str]:
    return [key for key, one in report.partitions.items() if one.changed]


def _quarantined(lake: Lake, name: str, keys: list[str]) -> dict[str, int]:
    """Rows that this stage put in quarantine, by partition."""
    table = table_name(name, "clean")
    held = lake.rows(table) if lake.state(table).number >= 0 else {}
    return {key: held.get(key, 0) for key in keys}


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
    metadata: dict[str, Any] = {"rows_quarantined": sum(counts.values()), **counts}
    description = None
    if counts:
        rows = quarantined_rows(lake, name, keys, limit=SAMPLES).to_pylist()
        fields = ["source_file", "line", "column", "value", "code", "reason"]
        metadata["sample"] = sample_table([{field: row[field] for field in fields} for row in rows])
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
