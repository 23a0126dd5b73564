"""The gate in front of each consumer: it reads no version of a table that its blocking rules have not passed.

Dagster holds back what is downstream of a red check in the same run only; this asks in every run.
"""

from collections.abc import Sequence

from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import look_back_of, partitioning_of
from ontology_assets.model.table_rules import rules_of, tables_read
from orchestration.runtime import Runtime
from resources.lake.base import Lake
from transforms.gating import require_approved
from transforms.look_back import Reach


def ask_approval(runtime: Runtime, domain: Domain, asset: str, keys: Sequence[str], lake: Lake | None = None) -> None:
    """Raise NotApproved where `asset` would read, for these partitions, what is not approved: of a table that has its
    partitions those, of any other table all. `lake`: where it reads, main by default."""
    for table in tables_read(domain, asset):
        rules = rules_of(domain, table)
        if not rules.blocking:
            continue
        held = (lake or runtime.lake).versions(table)
        wanted = set(_keys_read(domain, asset, table, keys) or held)
        with runtime.approvals() as approvals:
            require_approved(rules, {key: version for key, version in held.items() if key in wanted}, approvals)


def _keys_read(domain: Domain, asset: str, table: str, keys: Sequence[str]) -> list[str] | None:
    """The partitions of a table that are read for those of the asset; None where it is read whole."""
    calendar = partitioning_of(domain, asset)
    if calendar is None or table != followed_by(domain, asset):
        return None
    back = look_back_of(domain, asset, table)
    return Reach(back, calendar).all_sources(keys) if back else list(keys)


def followed_by(domain: Domain, asset: str) -> str | None:
    """The table whose partitions an asset takes one by one; the others that it reads, it reads whole."""
    layer, _, name = asset.partition("/")
    if layer == "transform":
        pipeline = domain.pipelines[name]
        return pipeline.inputs[pipeline.partition] if pipeline.partition else None
    return next(iter(tables_read(domain, asset)), None)
