"""The assets of a domain that are reconciled, and what each of the three parties says of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ontology_assets.events.heads import AssetVersion
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealing import sealed_through, table_of
from ontology_assets.materializations import DATASET_VERSION_PUBLISHED, EVENTS_SEALED, TRANSFORM_BUILT, rows_of
from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import asset_names, type_named
from resources.lake.base import Lake
from transforms.digests import combined_version


@dataclass(frozen=True)
class Subject:
    """`table`: written before the envelope is appended, "" for none. `event_type`: of an envelope that can be made of
    the table alone, "" where it can't. `counts` of the envelope add up to the table's rows, `shown` to those of the
    materialization (None: it tells something else).
    """

    asset: str
    table: str
    event_type: str
    counts: tuple[str, ...]
    shown: tuple[str, ...] | None

    def shown_rows(self, partition: str, envelope: AssetVersion) -> int | None:
        """What a materialization of it has to say."""
        if self.shown is None or not (partition or self.table):  # of all objects Dagster shows those that live now
            return None
        return total(envelope, self.shown)


@dataclass(frozen=True)
class Committed:
    """What the newest commit of a table says of a partition."""

    version: str
    rows: int


def subjects_of(domain: Domain) -> list[Subject]:
    """In the order in which a run makes them."""
    return [*(_subject(asset) for asset in asset_names(domain) if _is_made(domain, asset)), _sealed(domain)]


def committed(subject: Subject, lake: Lake, log: EventLog) -> dict[str, Committed]:
    """By partition. Raises LakeDamagedError, SealMismatch where the table can't be trusted."""
    state = lake.state(subject.table)
    if subject.event_type != EVENTS_SEALED:
        return {name: Committed(version, state.rows.get(name, 0)) for name, version in state.versions.items()}
    through, position = sealed_through(log, state, subject.table)
    if through < 0:
        return {}
    return {"": Committed(combined_version({"through": str(through), "position": str(position)}), position)}


def total(envelope: AssetVersion, counts: Sequence[str]) -> int:
    known = rows_of(envelope)
    return sum(known.get(name, 0) for name in counts)


def _subject(asset: str) -> Subject:
    layer, _, name = asset.partition("/")
    if layer != "ontology":
        event_type = TRANSFORM_BUILT if layer == "transform" else DATASET_VERSION_PUBLISHED
        return Subject(asset, asset, event_type, ("out",), ("out",))
    if name.endswith("/objects"):
        return Subject(asset, "", "", (), ("created", "updated", "unchanged"))
    return Subject(asset, f"ontology/{name.removesuffix('/links')}/dangling", "", ("dangling",), None)


def _sealed(domain: Domain) -> Subject:
    table = table_of(domain.name)
    return Subject(table, table, EVENTS_SEALED, ("sealed",), ("sealed",))


def _is_made(domain: Domain, asset: str) -> bool:
    """A type without links has no asset of them."""
    layer, _, name = asset.partition("/")
    snake, _, part = name.partition("/")
    return (layer, part) != ("ontology", "links") or bool(domain.object_types[type_named(domain, snake)].links)
