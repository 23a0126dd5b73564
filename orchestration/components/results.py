"""The end of a step: what its materialization says.

Dagster copies the metadata and the one data version of a result to every partition of a ranged run. So what is about
the run (totals, columns, tables) is added to its last partition only, which is the asset's latest materialization and
what the UI shows of the asset; every partition has its own rows and version. A year of one asset is 365 events.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from ontology_assets.events.metrics import AppendMetrics
from orchestration.components.metadata import figures_table
from orchestration.run_log import Span, text_of
from resources.run_records import VERSION_SHOWN
from transforms.digests import combined_version

ROWS = "rows"
"""The figure that is `dagster/partition_row_count` of a partition; of a whole table `dagster/row_count` says it."""
RUN_SHOWN = 8
"""Signs of a run's id, as Dagster's own pages show it."""
Figures = Mapping[str, Mapping[str, int]]
"""{figure: {partition: number}}, numbers of the run; `""` is the partition of an unpartitioned asset."""


def result(
    context: dg.AssetExecutionContext,
    versions: Mapping[str, str],
    *,
    spans: Sequence[Span],
    metadata: Mapping[str, Any],
    cost: AppendMetrics | None = None,
    seconds: float | None = None,
    figures: Figures | None = None,
    check_results: Sequence[dg.AssetCheckResult] = (),
    asset_key: dg.AssetKey | None = None,
) -> dg.MaterializeResult:
    """`versions`: data version by partition; `spans`: positions that the step appended, `cost`: what that took;
    `metadata` is about the run."""
    about_run = {**_appended(spans), **metadata}
    if cost is not None and cost.appends:
        about_run["append"] = cost.text()
    if seconds is not None:
        about_run["seconds"] = round(seconds, 3)
    if spans:
        about_run["events_of_run"] = f"spice events tail --run {context.run.run_id[:RUN_SHOWN]}"
    about_all: dict[str, Any] = {}
    if context.assets_def.partitions_def is None:
        about_all = {**_numbers("", figures or {}, ""), **about_run}
    else:
        keys = context.partition_keys
        about_run["partitions"] = len(keys)
        if figures and len(keys) > 1:
            about_run["by_partition"] = figures_table(figures)
        for key in keys:
            own = _numbers(key, figures or {}, "dagster/partition_row_count")
            own |= {"data_version": versions[key][:VERSION_SHOWN]} if key in versions else {}
            context.add_asset_metadata(own | (about_run if key == keys[-1] else {}), partition_key=key)
    return dg.MaterializeResult(
        asset_key=asset_key,
        metadata=about_all,
        data_version=dg.DataVersion(combined_version(versions)),
        check_results=list(check_results),
    )


def _numbers(partition: str, figures: Figures, rows: str) -> dict[str, Any]:
    """The figures of one partition; that of its rows under the key `rows`, left out where that is empty."""
    named = {rows if name == ROWS else name: values.get(partition) for name, values in figures.items()}
    return {name: value for name, value in named.items() if name and value is not None}


def _appended(spans: Sequence[Span]) -> dict[str, Any]:
    if not spans:
        return {"change": "unchanged: nothing appended", "events_appended": 0}
    count = sum(last - first + 1 for first, last in spans)
    return {
        "change": f"{count:,} event{'s' if count > 1 else ''} appended, positions {text_of(spans)}",
        "events_appended": count,
        "position_first": spans[0][0],
        "position_last": spans[-1][1],
    }
