"""The code location: wiring only.

`build_defs()` gathers what the component folders under `defs/` declare, adds what belongs to the location as a whole
(live projections, topic, followers) and the one resource. Tests pass their own runtime or domains.
"""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()  # before anything that uses pyarrow: followers are loaded through this module and stay small

from ontology_assets.model.definitions import Domain  # noqa: E402
from orchestration.components.domain import declared_domains, domain_definitions  # noqa: E402
from orchestration.components.location import location_definitions  # noqa: E402
from orchestration.runtime import Runtime  # noqa: E402

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
