"""Dagster partitions of a domain's assets, from its definitions."""

from datetime import date, timedelta

import dagster as dg

from transforms.day_partition import DayPartition

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Tags by which Dagster knows the range of partitions that a run is of."""


def partitions_of(partition: DayPartition | None) -> dg.TimeWindowPartitionsDefinition | None:
    """Daily or monthly partitions from the first to the last day named; None for an unpartitioned source."""
    if partition is None:
        return None
    start = partition.start.isoformat()
    if partition.by == "day":
        return dg.DailyPartitionsDefinition(
            start_date=start, end_date=(partition.end + timedelta(days=1)).isoformat(), fmt="%Y-%m-%d"
        )
    first = partition.start.replace(day=1).isoformat()
    return dg.MonthlyPartitionsDefinition(
        start_date=first, end_date=_next_month(partition.end).isoformat(), fmt="%Y-%m-%d"
    )


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def keys_of_run(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, partition: DayPartition | None
) -> list[str]:
    """The partition keys this run works on, oldest first; `[""]` for an unpartitioned asset.

    Read from the run's tags, since a check's context has no partition keys of its own.
    """
    definition = partitions_of(partition)
    if definition is None:
        return [""]
    tags = context.run.tags
    single = tags.get("dagster/partition")
    first = tags.get(RANGE_START, single)
    last = tags.get(RANGE_END, single)
    if first is None or last is None:
        raise dg.Failure(
            "This asset is partitioned: launch it with a partition or a range of partitions.", allow_retries=False
        )
    return list(definition.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))
