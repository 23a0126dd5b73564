"""Events of older schema versions as readers of today want them. The log itself is never rewritten.

An upcaster is found by (event type, schema version) and gives the `data` of the next version; they are applied one
after the other. State hash and version are those of the upcast event; everything else of the envelope is as it was.
Sealing, digests and heads see the events as they were written.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical import canonical_json
from ontology_assets.events.envelope import SCHEMA_VERSION
from ontology_assets.events.errors import SchemaVersionUnknown

NEEDED = ["event_type", "schema_version", "data"]


@dataclass(frozen=True)
class Upcaster:
    """From one schema version of an event type to another: a pure function of the parsed `data`."""

    event_type: str
    version: str
    to: str
    upcast: Callable[[dict[str, Any]], dict[str, Any]]


class Upcasters:
    """The versions that this code knows, and the ways to the newest. Raises ValueError for a way that has no end."""

    def __init__(self, upcasters: Iterable[Upcaster] = ()) -> None:
        self._steps: dict[tuple[str, str], Upcaster] = {}
        for one in upcasters:
            if (one.event_type, one.version) in self._steps:
                raise ValueError(f"two upcasters of {one.event_type} version {one.version}")
            self._steps[one.event_type, one.version] = one
        for one in self._steps.values():
            seen = {one.version}
            while (step := self._steps.get((one.event_type, one.to))) is not None:
                if one.to in seen:
                    raise ValueError(f"the upcasters of {one.event_type} go round in a circle at version {one.to}")
                seen.add(one.to)
                one = step  # noqa: PLW2901 - walks along
        self._known = {(one.event_type, one.to) for one in self._steps.values()}

    @property
    def steps(self) -> list[list[str]]:
        """What is upcast to what."""
        return [[one.event_type, one.version, one.to] for one in self._steps.values()]

    @property
    def any(self) -> bool:
        return bool(self._steps)

    def table(self, rows: pa.Table, domain: str) -> pa.Table:
        """The rows (event_type, schema_version, data, position, state_hash? ...), upcast. Raises
        SchemaVersionUnknown."""
        pairs = self._pairs(rows)
        for event_type, version in pairs:
            known = version == SCHEMA_VERSION or (event_type, version) in self._known | self._steps.keys()
            if not known:
                at = pc.and_(pc.equal(rows["event_type"], event_type), pc.equal(rows["schema_version"], version))
                raise SchemaVersionUnknown(domain, rows.filter(at)["position"][0].as_py(), event_type, version)
        if not pairs & self._steps.keys():
            return rows
        types, versions, data = (rows[name].to_pylist() for name in NEEDED)
        hashes = rows["state_hash"].to_pylist() if "state_hash" in rows.column_names else None
        for i, (event_type, version) in enumerate(zip(types, versions, strict=True)):
            if (event_type, version) in self._steps:
                document = orjson.loads(data[i])
                while (step := self._steps.get((event_type, versions[i]))) is not None:
                    document, versions[i] = step.upcast(document), step.to
                data[i], state = _texts(document)
                if hashes is not None:
                    hashes[i] = hashlib.sha256(state.encode()).hexdigest()
        new: dict[str, list[Any] | None] = {"schema_version": versions, "data": data, "state_hash": hashes}
        for name, values in new.items():
            if values is not None:
                rows = rows.set_column(
                    rows.column_names.index(name), rows.schema.field(name), pa.array(values, pa.string())
                )
        return rows

    def _pairs(self, rows: pa.Table) -> set[tuple[str, str]]:
        if not rows.num_rows:
            return set()
        if not self._steps and pc.all(pc.equal(rows["schema_version"], SCHEMA_VERSION)).as_py():
            return set()
        found = rows.group_by(["event_type", "schema_version"]).aggregate([])
        return {(row["event_type"], row["schema_version"]) for row in found.to_pylist()}


def _texts(document: dict[str, Any]) -> tuple[str, str]:
    """Canonical `data` and state; the state stands last."""
    state = "null" if document.get("state") is None else canonical_json(document["state"])
    rest = canonical_json({name: value for name, value in document.items() if name != "state"})
    return f'{rest[:-1]}{"," if len(rest) > 2 else ""}"state":{state}}}', state
