"""`deadletters/<projection>`: the objects that a read model has set aside, a partition for each.

Once the code or a definition is mended, backfill the partitions: a run takes one object's events in order and stops at
the first that still does not fit. A run never removes its own partition, which would fail run and backfill: the sensor
`dead_letter_keeper` adds and removes them by what the read model says is open.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from ontology_assets.model.definitions import Domain
from ontology_assets.projections.deadletters.letters import open_letters
from ontology_assets.projections.deadletters.names import bucket_name
from ontology_assets.projections.deadletters.retrying import Retried, StillBlocked, refuse_blocked, retry
from ontology_assets.projections.rebuild.place import PROJECTION_VERSION
from ontology_assets.projections.sinks import OPTIONS
from orchestration.components.common import about, key_of, projection_options
from orchestration.components.metadata import markdown_table
from orchestration.components.rebuild_assets import place_of
from orchestration.runtime import Runtime
from transforms.digests import combined_version


def asset_name(projection: str) -> str:
    return f"deadletters/{projection}"


def partitions_name(projection: str) -> str:
    return f"dead_letters_{projection}"


def partitions_of(projection: str) -> dg.DynamicPartitionsDefinition:
    return dg.DynamicPartitionsDefinition(name=partitions_name(projection))


def deadletter_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    return dg.Definitions(assets=[_dead_letters(name, domains) for name in sorted(OPTIONS)])


def _dead_letters(name: str, domains: Sequence[Domain]) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(asset_name(name)),
        deps=[key_of(f"projection/{name}/live")],
        partitions_def=partitions_of(name),
        **projection_options(name, str(PROJECTION_VERSION)),
        description=about(
            f"Objects that the read model {name} has set aside because an event of theirs does not fit, a partition "
            "for each; materialized, they are tried again.",
            comes_from="the live read model, which parks an object with its reason and goes on with all others. A "
            "partition is an object (type and a hash of its id; above 500 a bucket of them); the sensor "
            "`dead_letter_keeper` adds those that are blocked and removes those that no longer are.",
            when_red="the message names the object, the event and why it still does not fit; what was before that "
            "event is applied. Make the definition or the code fit and materialize the partition again, or give the "
            "event up: `spice deadletters skip`.",
        ),
    )
    def dead_letters(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        place = place_of(runtime, name, domains, context.run.run_id)
        keys = set(context.partition_keys)
        with runtime.clock.stage(asset_name(name)) as stage:
            before = open_letters(place)
            chosen = [one for one in before if keys & {one.name, bucket_name(one.bucket)}]
            stage.expect(len(chosen))
            done = retry(place, chosen)
            stage.advance(len(chosen))
        place.registry.close()
        left = sum(1 for one in done if one.left is not None)
        metadata: dict[str, Any] = {
            "retried": len(done),
            "applied_events": sum(one.applied for one in done),
            "still_blocked": left,
            "blocked_elsewhere": len(before) - len(done),
            "objects": _table(done),
            "seconds": round(stage.seconds, 3),
        }
        try:
            refuse_blocked(place, done)
        except StillBlocked as fault:
            raise dg.Failure(fault.text(), metadata=metadata, allow_retries=False) from fault
        versions = {f"{one.domain}/{one.name}": f"{one.position}+{one.waiting}" for one in chosen}
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(combined_version(versions)))

    return dead_letters


def _table(done: Sequence[Retried]) -> dg.MarkdownMetadataValue:
    """Those that are left first."""
    rows = [
        [
            one.letter.type,
            one.letter.id,
            one.letter.position,
            one.applied,
            "" if one.left is None else f"event {one.left.position}: {one.left.reason}",
        ]
        for one in sorted(done, key=lambda one: (one.left is None, one.letter.position))
    ]
    return markdown_table(["type", "id", "blocked at event", "events applied", "still blocked by"], rows)
