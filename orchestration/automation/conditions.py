"""When an asset that follows its layer is brought up to date: declarative automation, latched.

The event that asks (an input has another data version, or the asset's own code version changed) is remembered until the
asset is requested or updated, so that nothing is lost while something stands in the way: an input in progress, missing,
or with a red blocking check. Once requested it is forgotten: a run that fails is not requested again, until an input
changes anew. History is not filled: what was never there when automation was switched on is a backfill's.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_shared.check import CheckError

from ontology_assets.model.automation import Freshness
from ontology_assets.model.definitions import Domain
from resources.errors import SpiceError
from transforms.rule_definitions import duration

SECONDS = 30


def layer_of(asset: str) -> str:
    return asset.partition("/")[0]


def condition_of(domain: Domain, asset: str) -> dg.AutomationCondition[dg.AssetKey] | None:
    """None for an asset of a layer that follows nothing."""
    layer = layer_of(asset)
    if layer not in domain.automation.follow:
        return None
    inputs: Any = dg.AutomationCondition.any_deps_match(
        (
            dg.AutomationCondition.newly_updated()
            & dg.AutomationCondition.data_version_changed()
            & ~dg.AutomationCondition.executed_with_root_target()
        )
        | dg.AutomationCondition.will_be_requested()
    ).with_label("an input has another data version")
    asked: Any = (inputs | dg.AutomationCondition.code_version_changed()).since_last_handled()
    ready: Any = (
        ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    )
    if layer != "events":  # the history is sealed as far as it goes, whatever else is still to come
        ready &= ~dg.AutomationCondition.any_deps_missing()
    condition: dg.AutomationCondition[dg.AssetKey] = (asked & ready).with_label(f"follow {layer}")
    return condition


def follower_sensors(domain: Domain, assets: Mapping[str, dg.AssetKey]) -> list[dg.AutomationConditionSensorDefinition]:
    """A sensor for each layer that follows; `assets`: keys of the domain's assets by name."""
    return [
        dg.AutomationConditionSensorDefinition(
            name=f"{domain.name}_follow_{layer}",
            target=dg.AssetSelection.assets(*(key for name, key in assets.items() if layer_of(name) == layer)),
            minimum_interval_seconds=SECONDS,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=f"Brings `{layer}/...` of {domain.name} up to date when what it reads has changed and its "
            "blocking checks have passed. Declared in domain.yaml: `automation.follow`.",
        )
        for layer in domain.automation.follow
    ]


def freshness_of(domain: Domain, asset: str) -> dg.FreshnessPolicy | None:
    declared = domain.automation.freshness.get(asset)
    if declared is None:
        return None
    try:
        return _policy(declared, declared.timezone or domain.timezone)
    except CheckError as error:
        raise SpiceError(
            "Freshness not possible", str(error), where=f"automation.freshness.{asset} of {domain.name}"
        ) from error


def _policy(declared: Freshness, timezone: str) -> dg.FreshnessPolicy:
    within = duration(declared.within)
    if declared.by is not None:
        return dg.FreshnessPolicy.cron(declared.by, within, timezone)
    warn: timedelta | None = duration(declared.warn) if declared.warn else None
    return dg.FreshnessPolicy.time_window(within, warn)
