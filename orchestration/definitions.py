"""The code location: wiring only.

`build_defs()` gathers what the component folders under `defs/` declare, adds what belongs to the location as a whole (live
projections, topic, followers) and the one resource. Tests pass their own runtime or domains.
"""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from ontology_assets.model.definitions import Domain
from orchestration.components.domain import declared_domains, domain_definitions
from orchestration.components.location import location_definitions
from orchestration.runtime import Runtime

LOCATION = "spice"


def build_defs(*, runtime: Runtime | None = None, domains: Sequence[Domain] | None = None) -> dg.Definitions:
    """The location's definitions; `domains` replaces the folders under `defs/` (tests)."""
    if domains is None:
        domains = declared_domains()
        parts = [dg.load_from_defs_folder(path_within_project=Path(__file__).parent)]
    else:
        parts = [domain_definitions(domain) for domain in domains]
    return dg.Definitions.merge(
        *parts,
        location_definitions(domains),
        dg.Definitions(resources={"runtime": runtime or Runtime()}, executor=dg.in_process_executor),
    )


defs = build_defs()
