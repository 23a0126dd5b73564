"""Whole histories: all events of the aggregates of one bucket, up to a position.

The sealed history gives most of them, reading only the row groups of the bucket; what is not sealed yet comes from the
log. A large bucket comes in sixteen parts, so that memory grows with a part, not with the log.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import EVENT_SCHEMA, bucket_of
from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import sealed_through, table_of
from ontology_assets.events.upcasting import Upcasters
from resources.errors import SpiceError
from resources.lake.base import Lake

HEX = "0123456789abcdef"
_NAMED = ("aggregate_type", "aggregate_id")
PART_EVENTS = 60_000
"""Events of a bucket that are held at once; a log of some sixteen times as many comes bucket by bucket."""


class HistoryIncomplete(SpiceError):
    """Sealed history and log together do not have each position once."""


@dataclass
class WholeHistories:
    """Of one domain. `columns` of EVENT_SCHEMA are read."""

    log: EventLog
    lake: Lake
    columns: list[str]
    upcasters: Upcasters = field(default_factory=Upcasters)

    @cached_property
    def sealed(self) -> SealedHistory:
        return SealedHistory(self.lake, self.log.domain)

    def of_bucket(self, bucket: int, upto: int) -> Iterator[pa.RecordBatch]:
        """Events 1..`upto` of one bucket in order of position: each aggregate's are in one batch. None is empty."""
        digit = HEX[bucket]
        parts = [digit] if upto <= PART_EVENTS * len(HEX) else [digit + second for second in HEX]
        through = min(self._sealed_through(), upto)
        names = list(dict.fromkeys([*self.columns, "bucket", "position", "event_type", "schema_version"]))
        tail = self._tail(lambda rows: pc.starts_with(rows["bucket"], digit), through, upto, names)
        for prefix in parts:
            of_part = tail.filter(pc.starts_with(tail["bucket"], prefix))
            rows = pa.concat_tables([self.sealed.of_bucket(prefix, through, names), of_part]).sort_by("position")
            if rows.num_rows:
                rows = self.upcasters.table(rows, self.log.domain)
                yield from rows.select(self.columns).combine_chunks().to_batches()

    def of_objects(self, objects: Collection[tuple[str, str]], upto: int, after: int = 0) -> pa.Table:
        """The events after..`upto` of these (type, id), in order of position. Of the sealed history their buckets' row
        groups are read; of what is not sealed yet, all.
        """
        ids = pa.array(sorted({key for _, key in objects}), pa.string())
        names = list(dict.fromkeys([*self.columns, *_NAMED, "bucket", "position", "event_type", "schema_version"]))
        through = min(self._sealed_through(), upto)
        parts = [self._tail(lambda rows: pc.is_in(rows["aggregate_id"], ids), max(through, after), upto, names)]
        for prefix in sorted({bucket_of(key) for _, key in objects}) if after < through else ():
            rows = self.sealed.of_bucket(prefix, through, names)
            parts.append(rows.filter(pc.and_(pc.is_in(rows["aggregate_id"], ids), pc.greater(rows["position"], after))))
        rows = pa.concat_tables(parts).sort_by("position")
        named = zip(rows["aggregate_type"].to_pylist(), rows["aggregate_id"].to_pylist(), strict=True)
        wanted = set(objects)
        rows = rows.filter(pa.array([name in wanted for name in named], pa.bool_()))
        return self.upcasters.table(rows, self.log.domain).select(self.columns)

    def _sealed_through(self) -> int:
        """Position up to which the sealed history holds this log; 0 where it holds another one's: sealing says so, and
        the log alone is right without it.
        """
        table = table_of(self.log.domain)
        try:
            return sealed_through(self.log, self.lake.state(table), table)[1]
        except SealMismatch:
            return 0

    def _tail(self, wanted: Callable[[pa.RecordBatch], pa.Array], after: int, upto: int, names: list[str]) -> pa.Table:
        """What is not sealed yet. Raises HistoryIncomplete where the log does not go on from there to `upto`."""
        found, reached = [], after
        if after < upto:
            for batch in self.log.events(after):
                rows = batch.select(names)
                if rows["position"][0].as_py() != reached + 1:
                    break
                rows = rows.slice(0, upto - reached)
                reached = rows["position"][-1].as_py()
                found.append(rows.filter(wanted(rows)))
                if reached == upto:
                    break
        if reached != upto:
            raise HistoryIncomplete(
                "History incomplete",
                f"sealed through event {after}, the log gives events to {reached}, {upto} was asked for. "
                "Check both with `spice events verify`.",
                where=self.log.domain,
                status=500,
            )
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in names])
        return pa.Table.from_batches([batch.replace_schema_metadata(None) for batch in found], schema)
