"""Checks on clean and transformed tables: contracts and expectations."""

from collections.abc import Sequence

import dagster as dg

from ontology_assets.model.definitions import Domain


def table_checks(domain: Domain) -> Sequence[dg.AssetChecksDefinition]:
    return []
