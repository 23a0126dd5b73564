"""The run records of an embedded Dagster instance (`run_records.py`). Imports Dagster: load it where it is used."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from resources.run_records import VERSION_SHOWN, Materialized, RunRecords, Told

AT_ONCE = 1_000
"""Ids in one statement."""
PARTITION_ROWS, ALL_ROWS = "dagster/partition_row_count", "dagster/row_count"
MATERIALIZED = dg.DagsterEventType.ASSET_MATERIALIZATION
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]


class DagsterRecords(RunRecords):
    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def latest(self, asset: str) -> dict[str, Materialized]:
        key, storage = dg.AssetKey(asset.split("/")), self._instance.event_log_storage
        newest = sorted(storage.get_latest_storage_id_by_partition(key, MATERIALIZED).values())
        found: dict[str, Materialized] = {}
        for start in range(0, len(newest), AT_ONCE):
            ids = newest[start : start + AT_ONCE]
            chosen = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids)
            for record in self._instance.fetch_materializations(chosen, limit=len(ids)).records:
                made = record.asset_materialization
                if made is not None:
                    found[made.partition or ""] = _read(made, record.run_id)
        if not newest:
            whole = self._instance.get_latest_materialization_event(key)
            if whole is not None and whole.asset_materialization is not None:
                found[""] = _read(whole.asset_materialization, whole.run_id)
        return found

    def unfinished(self) -> frozenset[str]:
        runs = self._instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        return frozenset(run.run_id for run in runs)

    def tell(self, told: Told) -> None:
        rows = {PARTITION_ROWS if told.partition else ALL_ROWS: told.rows} if told.rows is not None else {}
        self._instance.report_runless_asset_event(
            dg.AssetMaterialization(
                dg.AssetKey(told.asset.split("/")),
                partition=told.partition or None,
                description=told.description,
                metadata={"data_version": told.version[:VERSION_SHOWN], **rows, **told.about},
                tags={DATA_VERSION_TAG: told.combined},
            )
        )


def _read(made: dg.AssetMaterialization, run_id: str) -> Materialized:
    told: Mapping[str, Any] = {name: one.value for name, one in made.metadata.items()}
    return Materialized(
        run_id=run_id,
        version=str(told.get("data_version", "")),
        combined=(made.tags or {}).get(DATA_VERSION_TAG, ""),
        rows=told.get(PARTITION_ROWS if made.partition else ALL_ROWS),
        first=told.get("position_first"),
        last=told.get("position_last"),
    )
