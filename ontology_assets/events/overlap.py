"""What a decision read and wrote, and whether somebody else's record touches any of it."""

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import ASSET_TYPE, asset_and_partition
from ontology_assets.events.record import Record

_FEW = 10_000
"""Of so many ids each is looked up in a set, made once: a load that is beaten by one command after the other would
hash its own ids for each of them (20 ms of a year's), and never get to the end of the chain."""


class Reads:
    """Filled in by Heads while decide() runs, and with what the draft writes."""

    def __init__(self) -> None:
        self.everything = False
        self._ids: dict[str, list[pa.Array]] = defaultdict(list)
        self._owners: dict[str, set[str]] = defaultdict(set)
        self._assets: set[str] = set()
        self._sets: dict[str, frozenset[str]] = {}
        self._events: frozenset[str] = frozenset()

    def ids(self, aggregate_type: str, ids: pa.Array) -> None:
        self._ids[aggregate_type].append(ids)
        self._sets.pop(aggregate_type, None)

    def owners(self, aggregate_type: str, owners: Iterable[str]) -> None:
        self._owners[aggregate_type].update(owners)

    def asset(self, asset: str) -> None:
        self._assets.add(asset)

    def written(self, event_ids: Iterable[str]) -> None:
        """The inline events of the draft: their ids are looked up before they are written."""
        self._events = frozenset(event_ids)

    def repeated_by(self, inline: pa.Table) -> bool:
        """Does another's record have one of our event ids? The same command may have been sent to two processes."""
        return bool(self._events) and not self._events.isdisjoint(inline["event_id"].to_pylist())

    def may_touch(self, record: Record) -> bool:
        """By the record's header alone: False is certain, True is not."""
        if self.everything:
            return True
        types = {kind for kind, _, _ in record.streams} | set(record.bulk.types if record.bulk else ())
        watched = set(self._ids) | set(self._owners) | ({ASSET_TYPE} if self._assets else set())
        return bool(types & watched)

    def touched_by(self, touched: Iterable[pa.Table]) -> bool:
        """By the (aggregate_type, aggregate_id, owner) that the record touches, exactly."""
        return self.everything or any(self._in(rows) for rows in touched)

    def _in(self, rows: pa.Table) -> bool:
        for kind in pc.unique(rows["aggregate_type"]).to_pylist():
            mine = rows.filter(pc.equal(rows["aggregate_type"], kind))
            if kind in self._ids and self._has(kind, mine["aggregate_id"]):
                return True
            if kind in self._owners and _any_in(mine["owner"], pa.array(sorted(self._owners[kind]), pa.string())):
                return True
            if kind == ASSET_TYPE and self._assets:
                names = {asset_and_partition(key)[0] for key in mine["aggregate_id"].to_pylist()}
                if names & self._assets:
                    return True
        return False

    def _has(self, kind: str, ids: pa.ChunkedArray) -> bool:
        if len(ids) > _FEW:
            return _any_in(ids, pc.unique(pa.chunked_array(self._ids[kind], pa.string())))
        if kind not in self._sets:
            self._sets[kind] = frozenset(key for part in self._ids[kind] for key in part.to_pylist())
        return not self._sets[kind].isdisjoint(ids.to_pylist())


def _any_in(values: pa.ChunkedArray, among: pa.Array) -> bool:
    return bool(pc.any(pc.is_in(values, value_set=among)).as_py())
