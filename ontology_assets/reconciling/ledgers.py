"""What a domain is reconciled from: its tables, its log, and what the orchestrator remembers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from ontology_assets.events.envelope import ASSET_TYPE, asset_aggregate_id
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.model.definitions import Domain
from ontology_assets.reconciling.subjects import Subject, subjects_of
from resources.lake.base import Lake
from resources.run_records import RunRecords


@dataclass(frozen=True)
class Ledgers:
    """Of one domain. `records` are those of its home, `locks` the folder of its write locks."""

    domain: Domain
    lake: Lake
    log: EventLog
    heads: Heads
    records: RunRecords
    locks: Path

    @cached_property
    def subjects(self) -> list[Subject]:
        return subjects_of(self.domain)

    def versions_said(self, asset: str, partition: str) -> list[str]:
        """Every data version that an envelope of this partition ever had, oldest first."""
        rows = self.log.at(self.heads.positions_of(ASSET_TYPE, asset_aggregate_id(asset, partition)))
        return [orjson.loads(data)["state"]["properties"]["data_version"] for data in rows["data"].to_pylist()]

    def runs_of(self, positions: Sequence[int]) -> list[str]:
        """The runs that appended the events at these positions (ascending); "" where an event names none."""
        rows = self.log.at(positions)
        return [orjson.loads(metadata).get("run_id", "") for metadata in rows["metadata"].to_pylist()]
