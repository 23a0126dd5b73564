"""The envelope of a materialization: one event per (asset, partition) whose data version is new, for every layer.

The one place that makes them. "Is it there already" is answered by the latest envelope of that asset and partition in
the heads, never by a counter; its id is derived from what it says, so a repeated run appends nothing.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ontology_assets.canonical import canonical_json, state_hash
from ontology_assets.events.envelope import ASSET_TYPE, Draft, NewEvent, asset_aggregate_id, derived_id
from ontology_assets.events.heads import AssetVersion, Heads
from ontology_assets.events.log import EventLog

DATASET_VERSION_PUBLISHED = "DatasetVersionPublished"
TRANSFORM_BUILT = "TransformBuilt"
OBJECTS_OBJECTIFIED = "ObjectsObjectified"
LINKS_INDEXED = "LinksIndexed"
EVENTS_SEALED = "EventsSealed"
PROJECTION_CAUGHT_UP = "ProjectionCaughtUp"
EVENT_TYPES = (
    DATASET_VERSION_PUBLISHED,
    TRANSFORM_BUILT,
    OBJECTS_OBJECTIFIED,
    LINKS_INDEXED,
    EVENTS_SEALED,
    PROJECTION_CAUGHT_UP,
)


@dataclass(frozen=True)
class Materialization:
    """One partition of an asset at a data version. `rows` are counts by name; `upstream` ids of the envelopes read.

    `details` are further properties of the state, JSON values.
    """

    asset: str
    partition: str
    data_version: str
    rows: Mapping[str, int] = field(default_factory=dict)
    upstream: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def is_new(wanted: Materialization, known: Mapping[str, AssetVersion]) -> bool:
    """`known` is heads.asset_versions(asset)."""
    latest = known.get(wanted.partition)
    return latest is None or latest.data_version != wanted.data_version


def envelope(
    made: Materialization, event_type: str, known: Mapping[str, AssetVersion], metadata: Mapping[str, Any]
) -> NewEvent:
    """The event that says so. `metadata` (run_id, code_version, ...) is never part of what makes it the same."""
    base = base_sequence(made.partition, known)
    properties = {
        **made.details,
        "asset": made.asset,
        "partition": made.partition,
        "data_version": made.data_version,
        "rows": dict(made.rows),
        "upstream": list(made.upstream),
    }
    state = canonical_json({"properties": properties})
    return NewEvent(
        event_id=derived_id(made.asset, made.partition, made.data_version, str(base)),
        event_type=event_type,
        aggregate_type=ASSET_TYPE,
        aggregate_id=asset_aggregate_id(made.asset, made.partition),
        sequence_number=base + 1,
        data=f'{{"state":{state}}}',
        state_hash=state_hash(state),
        metadata=canonical_json(dict(metadata)),
    )


def publish(  # noqa: PLR0917 - read as one sentence
    log: EventLog,
    heads: Heads,
    asset: str,
    versions: Mapping[str, tuple[str, Mapping[str, int]]],
    event_type: str,
    upstream: Sequence[str],
    metadata: Mapping[str, Any],
    details: Mapping[str, Mapping[str, Any]] | None = None,
) -> int:
    """Append the envelopes of the partitions whose data version is new, as one record; returns how many.

    `versions`: partition -> (data version, counts). `upstream`: the assets that were read; their latest envelopes are
    looked up here, for what is new to the log may have been written by a run that died before it could say so.
    `details`: partition -> more properties; a partition that is not named there has none.
    """
    made = [
        Materialization(asset, name, version, rows, (), (details or {}).get(name, {}))
        for name, (version, rows) in sorted(versions.items())
    ]
    appended = 0

    def decide(heads: Heads) -> Draft | None:
        nonlocal appended
        known = heads.asset_versions(asset)
        new = [one for one in made if is_new(one, known)]
        appended = len(new)
        if not new:
            return None
        read = upstream_by_partition(heads, upstream, [one.partition for one in new])
        inline = [envelope(replace(one, upstream=read[one.partition]), event_type, known, metadata) for one in new]
        return Draft(batch=batch_id(new, known), inline=inline)

    commit = log.append(heads, decide)
    return 0 if commit is None or commit.already else appended


def base_sequence(partition: str, known: Mapping[str, AssetVersion]) -> int:
    """The last sequence of that asset's partition, 0 if it has none: tells A -> B -> A from A -> A."""
    latest = known.get(partition)
    return 0 if latest is None else latest.sequence


def batch_id(made: Sequence[Materialization], known: Mapping[str, AssetVersion]) -> str:
    """Names the batch that appends these materializations on top of what is known."""
    parts = [
        part
        for one in made
        for part in (one.asset, one.partition, one.data_version, str(base_sequence(one.partition, known)))
    ]
    return derived_id("batch", *parts)


def upstream_by_partition(heads: Heads, assets: Sequence[str], partitions: Sequence[str]) -> dict[str, list[str]]:
    """Event ids of the latest envelopes of these assets: of the same partition, else of the unpartitioned whole."""
    found: dict[str, list[str]] = {partition: [] for partition in partitions}
    for asset in assets:
        known = heads.asset_versions(asset)
        for partition in partitions:
            latest = known.get(partition) or known.get("")
            if latest is not None:
                found[partition].append(latest.event_id)
    return found


def rows_of(version: AssetVersion) -> dict[str, int]:
    """The counts that an envelope carries."""
    counts: dict[str, int] = details_of(version)["rows"]
    return counts


def details_of(version: AssetVersion) -> dict[str, Any]:
    """All properties that an envelope carries."""
    properties: dict[str, Any] = orjson.loads(version.data)["state"]["properties"]
    return properties


def new_partitions(heads: Heads, asset: str, versions: Mapping[str, str]) -> list[str]:
    """The partitions of these data versions that have no envelope with theirs yet."""
    known = heads.asset_versions(asset)
    return [name for name, version in versions.items() if is_new(Materialization(asset, name, version), known)]


def versions_of(heads: Heads, asset: str) -> dict[str, str]:
    """The latest data version of each partition of an asset."""
    return {partition: one.data_version for partition, one in heads.asset_versions(asset).items()}


def counts_of(heads: Heads, asset: str, partitions: Container[str]) -> dict[str, int]:
    """Totals of the counts in the latest envelopes of these partitions."""
    totals: dict[str, int] = {}
    for partition, one in heads.asset_versions(asset).items():
        if partition in partitions:
            for name, count in rows_of(one).items():
                totals[name] = totals.get(name, 0) + count
    return totals
