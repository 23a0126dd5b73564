"""`events/<domain>`: the log's history sealed into a Delta table."""

import dagster as dg

from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.sealing import SEALED_SCHEMA, SealReport, seal
from ontology_assets.materializations import EVENTS_SEALED, publish
from ontology_assets.model.definitions import Domain
from orchestration.components.columns import EVENT_COLUMNS
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
from orchestration.components.metadata import column_schema, lake_folder, markdown_table
from orchestration.components.results import result
from orchestration.runtime import Runtime
from resources.lake.base import LakeDamagedError
from transforms.digests import combined_version

SEALED = "sealed_equals_log"
SCHEMA = column_schema({field.name: str(field.type) for field in SEALED_SCHEMA}, EVENT_COLUMNS)


def events_asset(domain: Domain) -> dg.AssetsDefinition:
    """The sealed history of one domain; it comes after all object and link assets: a run seals what it appended."""
    asset = f"events/{domain.name}"
    upstream = [f"ontology/{one.snake}/objects" for one in domain.object_types.values()]
    upstream += [f"ontology/{one.snake}/links" for one in domain.object_types.values() if one.links]

    @dg.asset(
        **asset_options(
            domain,
            asset,
            group="events",
            kinds={"deltalake", "parquet"},
            description=about(
                "Every change of every object, as a table: the event log, sealed.",
                comes_from="the domain's event log, a chain of commit records, which stays the truth; this table "
                "equals it by count and digest, sorted by bucket and aggregate.",
                when_red=f"the check `{SEALED}` says which folder to remove; the table is made again from the log. If "
                "it is the log that does not verify, `spice events verify` says where.",
            ),
            deps=upstream,
            metadata={"dagster/table_name": asset, "dagster/column_schema": SCHEMA},
        ),
        check_specs=[
            dg.AssetCheckSpec(
                SEALED,
                asset=key_of(asset),
                blocking=True,
                description="All that is sealed equals the log by count, what the run sealed by digest too. Red: the "
                "table was altered; the result says which folder to remove, and a run makes it again.",
            )
        ],
    )
    @told_by_check(asset, lambda fault: SEALED if isinstance(fault, SealMismatch | LakeDamagedError) else None)
    def events(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
        with writing(context, runtime, domain, asset) as work:
            report = seal(work.log, runtime.lake, domain.name)
            work.stage.advance(report.appended)
            version = combined_version({"through": str(report.through), "position": str(report.position)})
            publish(
                work.log,
                work.heads,
                asset,
                {"": (version, {"sealed": report.position})},
                EVENTS_SEALED,
                [],
                event_metadata(context, domain, asset),
            )
        return result(
            context,
            {"": version},
            spans=work.spans(),
            cost=work.cost(),
            seconds=work.stage.seconds,
            metadata={
                **column_lineage(domain, asset),
                "dagster/row_count": report.position,
                "dagster/table_name": asset,
                "folder": lake_folder(asset),
                "dagster/column_schema": SCHEMA,
                "position": report.position,
                "record": report.through,
                "events_sealed_now": report.appended,
                "by_type": markdown_table(["event type", "events"], [*work.heads.stats()["by_type"].items()]),
            },
            check_results=[_sealed(report, runtime.lake.count(asset), runtime.lake.path(asset))],
        )

    return events


def _sealed(report: SealReport, held: int, place: str) -> dg.AssetCheckResult:
    """What was sealed now was read back and compared by digest, which raises where it differs; what was sealed before
    is counted. `spice events verify` compares all of it."""
    return dg.AssetCheckResult(
        check_name=SEALED,
        passed=held == report.position,
        description=None if held == report.position else altered(place, held, report.position),
        metadata={
            "position": report.position,
            "events_in_files_of_the_table": held,
            "events_compared_by_digest_now": report.appended,
            "digest": report.digest or "nothing new",
        },
    )
