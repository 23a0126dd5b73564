"""One pass over a table gives all that its checks need: distinct values with their counts, groups with theirs, sums.

A rule on a column's values holds for the rows exactly where it holds for the distinct values, and says nothing else;
so pandera and Great Expectations see some thousand values instead of all rows, whatever the table's size, and the
counts say how many rows fail.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, Lake

if TYPE_CHECKING:
    import pandas as pd

ROWS = "rows"
"""Column of counts in every reduced table."""
MAX_SAMPLES = 5
COMPACT_ROWS = 200_000
PIECE_ROWS = 65_536
Keys = tuple[str, ...]


@dataclass
class Reduction:
    """What to reduce: groups by sets of columns, sums by partition. Filled by `read`."""

    table: str
    lake: Lake
    partitions: Sequence[str] | None
    groups: set[Keys] = field(default_factory=set)
    sums: set[Keys] = field(default_factory=set)
    counted: dict[Keys, pa.Table] = field(default_factory=dict)
    summed: dict[Keys, pa.Table] = field(default_factory=dict)
    total: int = 0

    def __post_init__(self) -> None:
        self.schema = self.lake.schema(self.table)

    def want(self, columns: Iterable[str], where: str) -> Keys:
        """Note that the distinct sets of these columns are needed."""
        keys = tuple(columns)
        there = self.schema.names
        for column in keys:
            if column not in there:
                raise SpiceError(
                    "Unknown column",
                    f"{self.table} has no column {column}.",
                    where=where,
                    allowed=[name for name in there if not name.startswith("_")],
                )
        self.groups.add(keys)
        return keys

    def read(self) -> None:
        """The one pass."""
        carried = [PARTITION] if PARTITION in self.schema.names else []
        columns = {column for keys in (*self.groups, *self.sums) for column in keys}
        columns |= set(carried) if self.sums else set()
        found: dict[Keys, list[pa.Table]] = {keys: [] for keys in self.groups}
        sums: dict[Keys, list[pa.Table]] = {keys: [] for keys in self.sums}
        for rows in self.pieces(sorted(columns) or self.schema.names[:1]):
            self.total += rows.num_rows
            for keys, parts in found.items():
                parts.append(_counts(rows, keys))
                if sum(part.num_rows for part in parts) > COMPACT_ROWS:
                    parts[:] = [_merged(parts, keys, [ROWS])]
            for keys, parts in sums.items():
                parts.append(_sums(rows, carried, keys))
        empty = self.schema.empty_table()
        self.counted = {keys: _merged([*parts, _counts(empty, keys)], keys, [ROWS]) for keys, parts in found.items()}
        self.summed = {
            keys: _merged([*parts, _sums(empty, carried, keys)], carried, list(keys)) for keys, parts in sums.items()
        }

    def pieces(self, columns: list[str]) -> Iterator[pa.Table]:
        """The rows in pieces that are worth a call: a partition's file may hold a few only."""
        held: list[pa.RecordBatch] = []
        count = 0
        for batch in self.lake.batches(self.table, partitions=self.partitions, columns=columns):
            held.append(batch)
            count += batch.num_rows
            if count >= PIECE_ROWS:
                yield pa.Table.from_batches(held)
                held, count = [], 0
        if held:
            yield pa.Table.from_batches(held)

    def samples(self, column: str, values: pa.Array) -> list[Mapping[str, Any]]:
        """Some rows whose `column` has one of the values."""
        found: list[Mapping[str, Any]] = []
        for batch in self.lake.batches(self.table, partitions=self.partitions):
            table = pa.Table.from_batches([batch])
            texts = table[column].cast(values.type) if table[column].type != values.type else table[column]
            found += table.filter(pc.is_in(texts, value_set=values)).slice(0, MAX_SAMPLES - len(found)).to_pylist()
            if len(found) >= MAX_SAMPLES:
                break
        return found


def _counts(rows: pa.Table, keys: Keys) -> pa.Table:
    plain = rows.select(list(keys))
    if len(keys) == 1:  # four times as fast as a group_by
        counted = pc.value_counts(plain[keys[0]])
        return pa.table({keys[0]: counted.field(0), ROWS: counted.field(1)})
    counted = plain.group_by(list(keys), use_threads=False).aggregate([([], "count_all")])
    return counted.rename_columns([*keys, ROWS])


def _sums(rows: pa.Table, carried: Sequence[str], keys: Keys) -> pa.Table:
    plain = rows.select([*carried, *keys])
    summed = plain.group_by(list(carried), use_threads=False).aggregate([(column, "sum") for column in keys])
    return summed.rename_columns([*carried, *keys]) if carried else summed.rename_columns(list(keys))


def _merged(parts: list[pa.Table], keys: Sequence[str], added: Sequence[str]) -> pa.Table:
    whole = pa.concat_tables(parts, promote_options="permissive")
    merged = whole.group_by(list(keys), use_threads=False).aggregate([(column, "sum") for column in added])
    return merged.rename_columns([*keys, *added]) if keys else merged.rename_columns(list(added))


def text_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as people write them, for rules on texts."""
    return values.cast(pa.string())


def as_pandas(table: pa.Table) -> "pd.DataFrame":
    """A small table for the checking libraries: integers stay integers beside missing values, decimals become
    doubles."""
    import pandas as pd

    doubles = pa.schema(
        [pa.field(one.name, pa.float64()) if pa.types.is_decimal(one.type) else one for one in table.schema]
    )
    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return table.cast(doubles).to_pandas(types_mapper=kinds.get)
