"""What a run says that it did, for who started it: the `report` in the metadata of its materializations."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

REPORT = "report"
"""Metadata of a materialization, JSON."""


def reports(events: Iterable[dg.DagsterEvent]) -> dict[str, Any]:
    """By asset: the last report in these events."""
    found: dict[str, Any] = {}
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            if REPORT in made.metadata:
                found["/".join(made.asset_key.path)] = made.metadata[REPORT].value
    return found


def asset_op(asset: str) -> str:
    """The name that a run's config has for an asset's step."""
    return asset.replace("/", "__")
