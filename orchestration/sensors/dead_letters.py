"""The sensor that keeps the partitions of `deadletters/<projection>`: one for each object that is set aside.

The read model says what is open. A key that nothing waits under is removed, unless a backfill or a run of its asset is
under way: one that loses its key fails.
"""

from collections.abc import Sequence
from contextlib import closing

import dagster as dg
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import PARTITION_NAME_TAG

from ontology_assets.model.definitions import Domain
from ontology_assets.projections.deadletters.names import partition_keys
from ontology_assets.projections.sinks import OPTIONS, generations_of, live_sink
from orchestration.components.common import key_of
from orchestration.components.deadletter_assets import asset_name, partitions_name, partitions_of
from resources.home import Home

SECONDS = 15
NO_KEYS, SOME_KEYS = "no keys", "some keys"
"""Cursor: what the last look found in the instance. Another one costs a look."""
UNDER_WAY = [one for one in BulkActionStatus if one not in BULK_ACTION_TERMINAL_STATUSES]


def dead_letter_keeping(domains: Sequence[Domain], home: Home | None = None) -> dg.Definitions:
    """`home` is by default that of the environment at each tick."""

    @dg.sensor(
        name="dead_letter_keeper",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keeps a partition of `deadletters/search` and `deadletters/graph` for each object that is set "
        "aside; removes those that nothing waits under. Starts no run.",
    )
    def dead_letter_keeper(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        place = home or Home.resolve()
        wanted = {name: open_keys(place, name, domains) for name in sorted(OPTIONS)}
        told = "; ".join(f"{name}: {len(keys):,} open" for name, keys in wanted.items())
        if not any(wanted.values()) and context.cursor == NO_KEYS:
            return dg.SensorResult(skip_reason=told, cursor=NO_KEYS)  # the instance is not opened for this
        requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
        known = 0
        for name, keys in wanted.items():
            definition, there = partitions_of(name), set(context.instance.get_dynamic_partitions(partitions_name(name)))
            known += len(there)
            if new := sorted(keys - there):
                requests.append(definition.build_add_request(new))
            gone = sorted(there - keys)
            if gone and not is_under_way(context.instance, name, gone):
                requests.append(definition.build_delete_request(gone))
        return dg.SensorResult(
            dynamic_partitions_requests=requests,
            cursor=SOME_KEYS if known or any(wanted.values()) else NO_KEYS,
            skip_reason=None if requests else told,
        )

    return dg.Definitions(sensors=[dead_letter_keeper])


def open_keys(home: Home, projection: str, domains: Sequence[Domain]) -> set[str]:
    """Nothing is made by asking."""
    generations = generations_of(home, projection)
    if generations.current() not in generations.present():
        return set()
    parked = []
    for domain in domains:
        with closing(live_sink(home, projection, domain)) as sink:
            parked += sink.writer.parked()
    return partition_keys(parked)


def is_under_way(instance: dg.DagsterInstance, projection: str, keys: Sequence[str]) -> bool:
    """Whether a backfill of the asset, or a run of one of these keys, is not over."""
    asset = key_of(asset_name(projection))
    backfills = instance.get_backfills(filters=BulkActionsFilter(statuses=UNDER_WAY))
    if any(asset in (one.asset_selection or ()) for one in backfills):
        return True
    running = dg.RunsFilter(statuses=NOT_FINISHED_STATUSES, tags={PARTITION_NAME_TAG: list(keys)})
    return instance.get_runs_count(running) > 0
