"""Reading the sealed history without reading all of it: one aggregate, one day of one bucket, a range of positions.

A sealed file is one run: consecutive positions, sorted by bucket, type, aggregate and sequence, in small row groups
whose statistics say what they hold. Footers are read once per file, for a file never changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ontology_assets.events.envelope import EVENT_SCHEMA, bucket_of
from resources.lake.base import Lake

Span = tuple[Any, Any]
_PRUNED_BY = ("bucket", "aggregate_type", "aggregate_id", "position", "event_day")


@dataclass(frozen=True)
class _File:
    """A run: its first and last position, and by row group the (smallest, largest) of the columns it is pruned by."""

    path: str
    metadata: pq.FileMetaData
    groups: tuple[dict[str, Span], ...]

    @property
    def positions(self) -> tuple[int, int]:
        spans = [group["position"] for group in self.groups if "position" in group]
        return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else (0, 0)


class SealedHistory:
    """The table `events/<domain>` of a lake. `open_file` reads a file of the table; tests count its bytes."""

    def __init__(
        self, lake: Lake, domain: str, open_file: Callable[[str], Any] = lambda path: pa.OSFile(path, "rb")
    ) -> None:
        self._lake, self._table, self._open = lake, f"events/{domain}", open_file
        self._known: dict[str, _File] = {}

    def aggregate(self, aggregate_type: str, aggregate_id: str) -> pa.Table:
        """All sealed events of one aggregate (EVENT_SCHEMA), oldest first."""
        wanted = {"bucket": bucket_of(aggregate_id), "aggregate_type": aggregate_type, "aggregate_id": aggregate_id}
        spans = {name: (value, value) for name, value in wanted.items()}
        is_it = (pc.field("aggregate_id") == aggregate_id) & (pc.field("aggregate_type") == aggregate_type)
        return pa.concat_tables(
            [EVENT_SCHEMA.empty_table(), *(part.filter(is_it) for part in self._parts(spans, EVENT_SCHEMA.names))]
        ).sort_by("position")

    def day_bucket(self, day: date, bucket: str) -> pa.Table:
        """The sealed events of one day (of `occurred_at`, UTC) whose bucket starts with these hex digits."""
        spans: dict[str, Span] = {
            "bucket": (bucket, bucket + "g"),
            "event_day": (day, day),
        }  # "g": after every hex digit
        its = (pc.field("event_day") == day) & pc.starts_with(pc.field("bucket"), bucket)
        return pa.concat_tables(
            [
                EVENT_SCHEMA.empty_table(),
                *(
                    part.filter(its).select(EVENT_SCHEMA.names)
                    for part in self._parts(spans, [*EVENT_SCHEMA.names, "event_day"])
                ),
            ]
        ).sort_by("position")

    def of_buckets(
        self, buckets: tuple[str, str], upto: int, columns: list[str], days: tuple[date, date] | None = None
    ) -> pa.Table:
        """The sealed events to position `upto` from the first of these buckets (two hex digits) to the last, in no
        order. `days`: events of other days than from the first to the last of these may be left out.
        """
        spans: dict[str, Span] = {"bucket": buckets, "position": (0, upto)}
        if days is not None:
            spans["event_day"] = days
        first, last = buckets
        its = (pc.field("position") <= upto) & (pc.field("bucket") >= first) & (pc.field("bucket") <= last)
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in columns])
        read = list(dict.fromkeys([*columns, "bucket", "position"]))
        found = (part.filter(its).select(columns) for part in self._parts(spans, read))
        return pa.concat_tables([schema.empty_table(), *found])

    def rows(self, first: int, last: int, columns: list[str]) -> Iterator[pa.Table]:
        """`columns` (and `position`) of the positions first..last that are sealed, in order, a run at a time."""
        names = list(dict.fromkeys(["position", *columns]))
        inside = (pc.field("position") >= first) & (pc.field("position") <= last)
        for file in sorted(self._files(), key=lambda file: file.positions):
            low, high = file.positions
            if low <= last and high >= first:
                with self._open(file.path) as source, pq.ParquetFile(source, metadata=file.metadata) as parquet:
                    rows = parquet.read(columns=names, use_threads=False).filter(inside)
                yield rows.sort_by("position").select(names)

    def _parts(self, spans: dict[str, Span], columns: list[str]) -> Iterator[pa.Table]:
        """The row groups that may hold something between these values."""
        types = {field.name: field.type for field in EVENT_SCHEMA}
        for file in self._files():
            groups = [i for i, group in enumerate(file.groups) if _may_hold(group, spans)]
            if groups:
                with (
                    self._open(file.path) as source,
                    pq.ParquetFile(source, metadata=file.metadata, pre_buffer=False) as parquet,
                ):
                    rows = parquet.read_row_groups(groups, columns=columns, use_threads=False)
                yield pa.table([rows[name].cast(types.get(name, rows[name].type)) for name in columns], names=columns)

    def _files(self) -> list[_File]:
        if self._lake.state(self._table).number < 0:
            return []
        paths = self._lake.files(self._table)
        for path in paths:
            if path not in self._known:
                with self._open(path) as source:
                    metadata = pq.read_metadata(source)
                self._known[path] = _File(
                    path, metadata, tuple(_spans(metadata.row_group(i)) for i in range(metadata.num_row_groups))
                )
        return [self._known[path] for path in paths]


def _spans(group: pq.RowGroupMetaData) -> dict[str, Span]:
    found = {}
    for i in range(group.num_columns):
        column = group.column(i)
        if column.path_in_schema in _PRUNED_BY and column.statistics is not None and column.statistics.has_min_max:
            found[column.path_in_schema] = (column.statistics.min, column.statistics.max)
    return found


def _may_hold(group: dict[str, Span], spans: dict[str, Span]) -> bool:
    return all(
        name not in group or (group[name][0] <= high and group[name][1] >= low) for name, (low, high) in spans.items()
    )
