"""`projection/<name>/replay`: objects with an event in a range of days, written again where the read model is wrong.

Partitions are bucket x month. A backfill is one run for each bucket or for each month, whichever are fewer: so Dagster
splits a `single_run` of two dimensions, and so we split a request (`runs_of`). Days, types and domain are in the run's
config. What a replay is stands in `ontology_assets.projections.replay`.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from ontology_assets.model.definitions import Domain
from ontology_assets.projections.rebuild.place import PROJECTION_VERSION
from ontology_assets.projections.replay.replay import Replayed, replay
from ontology_assets.projections.replay.selection import Selection, Span, days_in, first_month, span_of
from ontology_assets.projections.sinks import OPTIONS
from orchestration.components.common import about, key_of, projection_options
from orchestration.components.metadata import markdown_table
from orchestration.components.rebuild_assets import BUCKETS, place_of
from orchestration.reports import REPORT
from orchestration.runtime import Runtime
from resources.errors import SpiceError
from transforms.digests import combined_version

COUNTED = ("selected", "compared", "differing", "written", "parked")


class ReplayConfig(dg.Config):
    """Of the partitions' days only those between `first_day` and `last_day`; of all types and domains only these."""

    first_day: str | None = None
    last_day: str | None = None
    types: list[str] = Field(default_factory=list)
    domain: str | None = None

    def within(self) -> Span | None:
        """Raises SpiceError."""
        if self.first_day is None and self.last_day is None:
            return None
        return span_of(self.first_day, self.last_day)


def replay_partitions(domains: Sequence[Domain]) -> dg.MultiPartitionsDefinition:
    """The last month is the present one whenever it is asked: nothing is fixed when the location is loaded."""
    months = dg.MonthlyPartitionsDefinition(start_date=first_month(domains).isoformat()[:7], fmt="%Y-%m", end_offset=1)
    return dg.MultiPartitionsDefinition({"bucket": BUCKETS, "month": months})


def replay_definitions(domains: Sequence[Domain]) -> dg.Definitions:
    """The asset of each projection, and its job."""
    jobs = [
        dg.define_asset_job(
            job_name(name),
            selection=dg.AssetSelection.assets(key_of(asset_name(name))),
            description=f"Compares objects of the read model {name} that have an event in a range of days with the "
            "log, and writes those that differ. Launch the buckets and months; exact days, types and domain are in the "
            "config. `spice replay` does the same.",
            executor_def=dg.in_process_executor,
        )
        for name in sorted(OPTIONS)
    ]
    return dg.Definitions(assets=[_replay(name, domains) for name in sorted(OPTIONS)], jobs=jobs)


def asset_name(projection: str) -> str:
    return f"projection/{projection}/replay"


def job_name(projection: str) -> str:
    return f"replay_{projection}"


def _replay(name: str, domains: Sequence[Domain]) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(asset_name(name)),
        deps=[
            dg.AssetDep(key_of(f"events/{domain.name}"), partition_mapping=dg.AllPartitionMapping())
            for domain in domains
        ],
        partitions_def=replay_partitions(domains),
        backfill_policy=dg.BackfillPolicy.single_run(),
        **projection_options(name, str(PROJECTION_VERSION)),
        description=about(
            f"Objects of {name} that have an event in a range of days, compared with the log and written where they "
            "differ.",
            comes_from="the event logs of all domains: each object is folded from its whole history, whatever the "
            "range. No index is made, no event is appended, nothing is published. Days are those of `occurred_at`, "
            "UTC; the run's config narrows them.",
            when_red="the message names objects that differ from the log also after they were written again: "
            f"`spice projection repair {name}` makes their buckets anew. What else was written is kept.",
        ),
    )
    def replayed(context: dg.AssetExecutionContext, config: ReplayConfig, runtime: Runtime) -> dg.MaterializeResult:
        keys = context.partition_keys
        buckets, months = zip(*(key.split("|") for key in keys), strict=True)
        selection = Selection(
            days=days_in(months, config.within()),
            buckets=tuple(sorted({int(one, 16) for one in buckets})),
            types=tuple(config.types),
            domain=config.domain,
        ).checked(domains)
        if not selection.days:
            raise SpiceError(
                "No days",
                f"{config.first_day} to {config.last_day} has no day of the months {min(months)} to {max(months)}.",
                where=asset_name(name),
            )
        place = place_of(runtime, name, domains, context.run.run_id)
        with runtime.clock.stage(asset_name(name)) as stage:
            done = replay(place, selection, on_bucket=stage.advance)
        place.registry.close()
        # Of the run, at each of its partitions: which of them is told last, and so is the asset's latest, is by chance.
        return dg.MaterializeResult(
            metadata={
                **_told(done),
                "days": ", ".join(f"{first} to {last}" for first, last in selection.days),
                "buckets": "".join(f"{one:x}" for one in selection.buckets),
                "partitions": len(keys),
                "seconds": round(stage.seconds, 3),
            },
            data_version=dg.DataVersion(
                combined_version({domain: str(position) for domain, position in done.positions.items()})
            ),
        )

    return replayed


def _told(done: Replayed) -> dict[str, Any]:
    rows = [
        [kind, *(getattr(counts, figure) for figure in COUNTED)]
        for kind, counts in sorted(done.types.items(), key=lambda one: (-one[1].differing, one[0]))
    ]
    return {
        **{figure: getattr(done.total, figure) for figure in COUNTED},
        "by_type": markdown_table(["type", *COUNTED], rows),
        **{f"position_{domain}": position for domain, position in sorted(done.positions.items())},
        REPORT: done.document(),
    }
