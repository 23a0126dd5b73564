"""A tiny domain of ships and calls, its log and heads in a folder: what the tests of objectify decide on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ontology_assets.events.heads import Heads
from ontology_assets.events.log import Commit, EventLog
from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.decide import Elsewhere, Load, PartitionLoad, decide
from ontology_assets.objectify.states import states_of
from resources.object_store.local import LocalObjectStore

SHIP = ObjectType.model_validate(
    {
        "name": "Ship",
        "key": ["imo"],
        "title": "name",
        "properties": {"imo": {"type": "integer"}, "name": {"type": "string"}},
    }
)
CALL = ObjectType.model_validate(
    {
        "name": "Call",
        "key": ["port", "day"],
        "title": "port",
        "properties": {
            "port": {"type": "string"},
            "day": {"type": "date"},
            "imo": {"type": "integer?"},
            "tons": {"type": "decimal(8,2)?"},
            "depth": {"type": "double?"},
            "state": {"type": "enum", "values": {"A": "arrived", "P": "planned"}},
            "place": {"type": "geopoint?"},
        },
        "links": {"of_ship": {"to": "Ship", "by": ["imo"], "inverse": "calls"}},
    }
)
TYPES: Mapping[str, ObjectType] = {"Ship": SHIP, "Call": CALL}
ASSET = "ontology/call/objects"
DAY = date(2013, 1, 1)


def call(port: str | None, **values: Any) -> dict[str, Any]:
    return {"port": port, "day": DAY, "state": "A", "_partition": "", "_source_file": "calls.csv", **values}


def mapped(rows: list[dict[str, Any]], object_type: ObjectType = CALL) -> pa.Table:
    """A mapped table as Sail would give it, rows numbered from 1, lines from 2."""
    columns: dict[str, pa.Array] = {}
    for name, one in object_type.properties.items():
        columns[name] = pa.array([row.get(name) for row in rows], one.parsed.arrow())
    columns["_partition"] = pa.array([row.get("_partition", "") for row in rows], pa.string())
    columns["_row"] = pa.array(range(1, len(rows) + 1), pa.int64())
    columns["_line"] = pa.array(range(2, len(rows) + 2), pa.int64())
    columns["_source_file"] = pa.array([row.get("_source_file") for row in rows], pa.string())
    columns["_occurred_at"] = pa.array([datetime(2013, 1, 2, tzinfo=UTC)] * len(rows), pa.timestamp("us", "UTC"))
    failed = sorted({name for row in rows for name in row if name.startswith("_failed_")})
    for name in failed:
        columns[name] = pa.array([row.get(name) for row in rows], pa.string())
    return pa.table(columns)


@dataclass
class Store:
    log: EventLog
    heads: Heads

    def load(
        self,
        partitions: Mapping[str, tuple[str, list[dict[str, Any]]]],
        elsewhere: Elsewhere | None = None,
        **quarantine: Any,
    ) -> Commit | None:
        """Load partitions, given as (data version, rows); `quarantine` are fields of PartitionLoad."""
        load = self.prepared(partitions, **quarantine)
        return self.log.append(self.heads, lambda heads: decide(load, heads, self.log.states, elsewhere))

    def prepared(self, partitions: Mapping[str, tuple[str, list[dict[str, Any]]]], **quarantine: Any) -> Load:
        rows = [{**row, "_partition": name} for name, (_, those) in partitions.items() for row in those]
        loads = [PartitionLoad(name, version, **quarantine) for name, (version, _) in partitions.items()]
        return Load(ASSET, CALL, loads, states_of(CALL, TYPES, mapped(rows)), "run-1", "code-1", TYPES)

    def events(self, commit: Commit | None) -> list[dict[str, Any]]:
        """The object events of a commit."""
        if commit is None:
            return []
        batches = self.log.events(commit.first - 1)
        rows = [row for batch in batches for row in batch.to_pylist() if row["position"] <= commit.last]
        return [row for row in rows if row["aggregate_type"] != "Asset"]

    def kinds(self, commit: Commit | None) -> list[tuple[str, str, int]]:
        return [(one["event_type"], one["aggregate_id"], one["sequence_number"]) for one in self.events(commit)]


def store(folder: Path) -> Store:
    log = EventLog(LocalObjectStore(folder / "objects"), "harbour")
    return Store(log, Heads(folder / "heads.sqlite", log))
