"""The Dagster component behind `defs.yaml`: one folder, one domain, all its assets."""

from functools import cache
from itertools import chain
from pathlib import Path

import dagster as dg

from ontology_assets.model.definitions import Domain as DomainModel
from ontology_assets.model.layout import check_together
from ontology_assets.model.loading import load_domain
from orchestration.automation.arrivals import arrival_sensor
from orchestration.automation.conditions import follower_sensors
from orchestration.automation.schedules import schedule_definitions
from orchestration.components.build_assets import build_definitions
from orchestration.components.clean_assets import clean_asset
from orchestration.components.common import key_of
from orchestration.components.drift import drift_checks
from orchestration.components.events_assets import events_asset
from orchestration.components.link_assets import link_asset
from orchestration.components.live_projections import DESCRIPTIONS, asset_name
from orchestration.components.object_assets import object_asset
from orchestration.components.partitions import partitions_of
from orchestration.components.raw_assets import raw_asset
from orchestration.components.reconciler import reconciled_check
from orchestration.components.table_checks import table_checks
from orchestration.components.transform_assets import transform_asset

DEFS = Path(__file__).resolve().parent.parent / "defs"


class Domain(dg.Component, dg.Resolvable, dg.Model):
    """A domain: `domain.yaml` beside this `defs.yaml` says which tables there are and what things they become."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets, checks and the job of the domain in this folder."""
        return domain_definitions(_load(Path(context.path)))


@cache
def declared_domains() -> tuple[DomainModel, ...]:
    """Every domain that has a folder under `defs/`, by name."""
    found = tuple(_load(file.parent) for file in sorted(DEFS.glob("*/domain.yaml")))
    check_together(found)
    return found


@cache
def _load(folder: Path) -> DomainModel:
    return load_domain(folder)


def domain_definitions(domain: DomainModel) -> dg.Definitions:
    """What one domain adds to the location; its job is named after it and holds the live projections too."""
    assets = [
        *(raw_asset(domain, name) for name in domain.datasets),
        *(clean_asset(domain, name) for name in domain.datasets),
        *(transform_asset(domain, name) for name in domain.pipelines),
        *(object_asset(domain, object_type) for object_type in domain.object_types.values()),
        *(link_asset(domain, object_type) for object_type in domain.object_types.values() if object_type.links),
        events_asset(domain),
    ]
    selection = dg.AssetSelection.assets(*(key for asset in assets for key in asset.keys))
    live = dg.AssetSelection.assets(*(key_of(asset_name(projection)) for projection in DESCRIPTIONS))
    by_schedule = [*chain.from_iterable(map(drift_checks, DESCRIPTIONS)), reconciled_check(domain.name)]
    job = dg.define_asset_job(
        domain.name,
        selection=(selection | live) - dg.AssetSelection.checks(*by_schedule),
        description=f"{domain.label.get('en', domain.name)}: files to objects to read models, in one run. Materialize "
        "all (or a range of partitions); what is unchanged is found out and left alone. A failed blocking check "
        "holds back what is downstream of it.",
        tags={"spice/domain": domain.name},
        executor_def=dg.in_process_executor,
    )
    keys = {key.to_user_string(): key for asset in assets for key in asset.keys}
    arrivals = arrival_sensor(domain, job)
    return dg.Definitions.merge(
        dg.Definitions(
            assets=assets,
            asset_checks=table_checks(domain),
            jobs=[job],
            schedules=schedule_definitions(domain, job, _partitions(domain)),
            sensors=[*follower_sensors(domain, keys), *([arrivals] if arrivals else [])],
        ),
        *(build_definitions(domain, name) for name in domain.pipelines),
    )


def _partitions(domain: DomainModel) -> dg.TimeWindowPartitionsDefinition | None:
    """Of the job: all partitioned datasets of a domain have the same."""
    partitioned = [one.partition for one in domain.datasets.values() if one.partition is not None]
    return partitions_of(partitioned[0]) if partitioned else None
