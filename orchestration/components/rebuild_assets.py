"""`projection/<name>/fill` and `.../swap`: a read model built again from the log, and asked from then on.

The backfill of `fill` is the rebuild's progress bar; the gate is in the swap (`ontology_assets.projections.rebuild`),
because in 1.13 a failed check of one run stops no other run of the same backfill. The checks show the same facts.
"""

from collections.abc import Iterator, Sequence

import dagster as dg
from pydantic import Field

from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import ALL_BUCKETS, Comparison
from ontology_assets.projections.rebuild.fill import BucketDiffers, fill_bucket, open_rebuild
from ontology_assets.projections.rebuild.place import PROJECTION_VERSION, Place, open_place
from ontology_assets.projections.rebuild.record import Rebuild, RebuildRefused
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.sinks import OPTIONS
from orchestration.components.common import about, key_of, projection_options, red, told_by_check
from orchestration.components.metadata import markdown_table
from orchestration.runtime import Runtime
from resources.registry.sql import SqliteRegistry

BUCKETS = dg.StaticPartitionsDefinition([f"{bucket:x}" for bucket in ALL_BUCKETS])
"""First hex digit of sha256(object id)."""
PROVED = "proved"
EQUAL = "equal_to_the_log"


class SwapConfig(dg.Config):
    """`accept_parked`: objects ("Type id") whose events do not fit and that may be set aside in the new generation."""

    accept_parked: list[str] = Field(default_factory=list)


def rebuild_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """Both assets of each projection, and a job that does both."""
    assets = [made for name in sorted(OPTIONS) for made in (_fill(name, domains), _swap(name, domains))]
    jobs = [
        dg.define_asset_job(
            f"rebuild_{name}",
            selection=dg.AssetSelection.assets(key_of(f"projection/{name}/fill"), key_of(f"projection/{name}/swap")),
            description=f"Builds the read model {name} again from the log, beside the present one, and asks the new "
            "one from then on. Launch all 16 buckets; `spice projection undo` goes back within the hour.",
            executor_def=dg.in_process_executor,
        )
        for name in sorted(OPTIONS)
    ]
    return dg.Definitions(assets=assets, jobs=jobs)


def place_of(runtime: Runtime, projection: str, domains: Sequence[Domain], run_id: str) -> Place:
    registry = SqliteRegistry(runtime.home.registry)
    return open_place(runtime.home, projection, domains, registry, owner=f"run {run_id}", run_id=run_id)


def comparison_table(comparisons: Sequence[Comparison]) -> dg.MarkdownMetadataValue:
    """The sixteen buckets, those that differ marked."""
    rows = [
        [
            one.domain,
            f"{bucket.bucket:x}",
            bucket.log.documents,
            bucket.model.documents,
            f"`{bucket.log_text}`",
            f"`{bucket.model_text}`",
            "" if bucket.equal else "**differs**",
        ]
        for one in comparisons
        for bucket in sorted(one.buckets, key=lambda bucket: (bucket.equal, bucket.bucket))
    ]
    return markdown_table(
        ["domain", "bucket", "in the log", "in the model", "digest of the log", "of the model", ""], rows
    )


def _fill(name: str, domains: Sequence[Domain]) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(f"projection/{name}/fill"),
        deps=[
            dg.AssetDep(key_of(f"events/{domain.name}"), partition_mapping=dg.AllPartitionMapping())
            for domain in domains
        ],
        partitions_def=BUCKETS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        **projection_options(name, str(PROJECTION_VERSION)),
        check_specs=[
            dg.AssetCheckSpec(
                PROVED,
                asset=key_of(f"projection/{name}/fill"),
                description="Each bucket was read back and has the digest that the events make, at one position.",
            )
        ],
        description=about(
            f"A new generation of the read model {name}, filled bucket by bucket from the log; nobody asks it yet.",
            comes_from="the event logs of all domains, each up to where it ended when the first bucket was filled. The "
            "first fill opens a rebuild, the others join it, `swap` closes it.",
            when_red="what was stored is not what the events say: the message names the bucket. Fill that partition "
            "again. The read model that is asked was not touched.",
        ),
    )
    @told_by_check(f"projection/{name}/fill", lambda fault: PROVED if isinstance(fault, BucketDiffers) else None)
    def fill(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        place = place_of(runtime, name, domains, context.run.run_id)
        rebuild = open_rebuild(place)
        keys = context.partition_keys
        with runtime.clock.stage(f"projection/{name}/fill") as stage:
            stage.expect(len(keys))
            for key in keys:
                rebuild = fill_bucket(place, rebuild, int(key, 16))
                stage.advance(1)
        place.registry.close()
        return dg.MaterializeResult(
            metadata={
                "rebuild": rebuild.id,
                "generation": rebuild.generation,
                "filled": f"{len(rebuild.proofs)} of {len(ALL_BUCKETS)} buckets",
                "by_bucket": _proofs(rebuild, [int(key, 16) for key in keys]),
                "seconds": round(stage.seconds, 3),
            },
            data_version=dg.DataVersion(f"{rebuild.id}-{len(rebuild.proofs)}"),
            check_results=[dg.AssetCheckResult(passed=True, check_name=PROVED, metadata={"buckets": len(keys)})],
        )

    return fill


def _proofs(rebuild: Rebuild, buckets: Sequence[int]) -> dg.MarkdownMetadataValue:
    rows = [
        [f"{bucket:x}", domain, proof.position, f"`{proof.digest}`"]
        for bucket in buckets
        for domain, proof in sorted(rebuild.proofs[bucket].items())
    ]
    return markdown_table(["bucket", "domain", "at position", "digest of log and model"], rows)


def _swap(name: str, domains: Sequence[Domain]) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(f"projection/{name}/swap"),
        deps=[dg.AssetDep(key_of(f"projection/{name}/fill"), partition_mapping=dg.AllPartitionMapping())],
        **projection_options(name, str(PROJECTION_VERSION)),
        check_specs=[
            dg.AssetCheckSpec(
                EQUAL,
                asset=key_of(f"projection/{name}/swap"),
                description="All 16 buckets of the new generation had the log's digest, at one position, just before "
                "it was asked.",
            )
        ],
        description=about(
            f"The filled generation of {name} is asked from now on; the former one can be gone back to for an hour.",
            comes_from="`fill`. It catches up with the log, compares all 16 buckets with it once more at one position "
            "and only then moves the alias, in one step: no reader sees a half of anything or goes back in time.",
            when_red="the message names the buckets that are not filled or differ, or the objects whose events do not "
            "fit. The alias has not moved: the former read model is asked as before. Mend what is named, then "
            "materialize this asset again. `spice projection undo` goes back to the former generation.",
        ),
    )
    def swap_in(
        context: dg.AssetExecutionContext, config: SwapConfig, runtime: Runtime
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        place = place_of(runtime, name, domains, context.run.run_id)
        with runtime.clock.stage(f"projection/{name}/swap") as stage:
            try:
                done = swap(place, config.accept_parked)
            except RebuildRefused as fault:
                yield red(f"projection/{name}/swap", EQUAL, fault)
                raise
            finally:
                place.registry.close()
        yield dg.MaterializeResult(
            metadata={
                "rebuild": done.rebuild_id,
                "generation": done.generation,
                "former_generation": done.former or "none",
                "undo_until": done.undo_until,
                "undo": f"spice projection undo {name}",
                "by_bucket": comparison_table(done.comparisons),
                "dagster/row_count": sum(one.model.documents for all_ in done.comparisons for one in all_.buckets),
                "seconds": round(stage.seconds, 3),
            },
            data_version=dg.DataVersion(done.generation),
            check_results=[
                dg.AssetCheckResult(
                    passed=not any(one.different for one in done.comparisons),
                    check_name=EQUAL,
                    metadata={f"position_{one.domain}": one.position for one in done.comparisons},
                )
            ],
        )

    return swap_in
