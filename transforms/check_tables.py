"""One pass over a table gives all that its checks need: distinct values with their counts, groups with theirs, sums.

A rule on a column's values holds for the rows exactly where it holds for the distinct values, and says nothing else;
so pandera and Great Expectations see some thousand values instead of all rows, whatever the table's size, and the
counts say how many rows fail. Where something fails, one more pass, for all failing rules together, finds some of the
rows and the partitions that they are in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake

if TYPE_CHECKING:
    import pandas as pd

ROWS = "rows"
"""Column of counts in every reduced table."""
MAX_SAMPLES = 5
COMPACT_ROWS = 200_000
PIECE_ROWS = 65_536
NULL, BETWEEN = "\x00", "\x1f"
"""Stand for a missing part, and between the parts, in the text of a key of several columns."""
Keys = tuple[str, ...]


@dataclass(frozen=True)
class Culprits:
    """The values that a rule refuses, as a reduced table with the columns `keys`: their rows are looked for."""

    keys: Keys
    values: pa.Table
    show: bool = True
    """Whether rows are shown; else only their partitions are wanted."""


@dataclass
class Located:
    """Some rows of the culprits, and the partitions of all."""

    samples: list[Mapping[str, Any]] = field(default_factory=list)
    partitions: set[str] = field(default_factory=set)


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
        rows = self.lake.rows(self.table)
        wanted = rows if self.partitions is None else self.partitions
        self.rows = {key: rows[key] for key in sorted(wanted) if key in rows}
        """Rows of the partitions that are judged, by the commit's word."""

    @property
    def partitioned(self) -> bool:
        return PARTITION in self.schema.names

    def missing(self, columns: Iterable[str]) -> list[str]:
        """Those of the columns that the table does not have."""
        return [name for name in columns if name not in self.schema.names]

    def want(self, columns: Iterable[str], where: str) -> Keys:
        """Note that the distinct sets of these columns, all of which are there, are needed."""
        keys = tuple(columns)
        for name in keys:
            kind = self.schema.field(name).type
            if pa.types.is_nested(kind):
                raise SpiceError("Rule does not fit", f"rules look at single values; {name} is {kind}.", where=where)
        self.groups.add(keys)
        return keys

    def by_partition(self, column: str) -> Keys:
        """The group that has a column's values in each partition."""
        return (PARTITION, column) if self.partitioned else (column,)

    def read(self) -> None:
        """The one pass."""
        carried = [PARTITION] if self.partitioned else []
        columns = {column for keys in (*self.groups, *self.sums) for column in keys}
        columns |= set(carried) if self.sums else set()
        if not columns:
            self.total = sum(self.rows.values())
            return
        found: dict[Keys, list[pa.Table]] = {keys: [] for keys in self.groups}
        sums: dict[Keys, list[pa.Table]] = {keys: [] for keys in self.sums}
        for rows in self.pieces(sorted(columns)):
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

    def pieces(self, columns: list[str] | None) -> Iterator[pa.Table]:
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

    def locate(self, culprits: Sequence[Culprits]) -> list[Located]:
        """The second pass, of all that failed together: none where nothing did."""
        found = [Located() for _ in culprits]
        if not culprits:
            return found
        named = {column for one in culprits for column in (*one.keys, PARTITION) if column in self.schema.names}
        columns = None if any(one.show for one in culprits) else sorted(named)
        texts = [_key_texts(one.values, one.keys) for one in culprits]
        for rows in self.pieces(columns):
            for one, values, place in zip(culprits, texts, found, strict=True):
                hits = rows.filter(pc.is_in(_key_texts(rows, one.keys), value_set=values))
                if one.show:
                    place.samples += hits.slice(0, MAX_SAMPLES - len(place.samples)).to_pylist()
                if hits.num_rows:
                    place.partitions |= set(
                        pc.unique(hits[PARTITION]).to_pylist() if self.partitioned else [UNPARTITIONED]
                    )
        return found


def _key_texts(rows: pa.Table, keys: Keys) -> pa.ChunkedArray | pa.Array:
    """What two rows with equal keys have in common, and no others: the value itself, or the parts' texts."""
    if len(keys) == 1:
        values = rows[keys[0]]
        return values.combine_chunks()
    parts = [pc.fill_null(text_values(rows[name]), NULL) for name in keys]
    joined = pc.binary_join_element_wise(*parts, BETWEEN)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


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


def is_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which values are NaN: those are no missing values, and lie within no bounds."""
    if not pa.types.is_floating(values.type):
        return pa.chunked_array([pa.repeat(pa.scalar(value=False), len(values))])
    return pc.fill_null(pc.is_nan(values), fill_value=False)


def is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def as_pandas(table: pa.Table) -> "pd.DataFrame":
    """A small table for the checking libraries: integers stay integers beside missing values, decimals become
    doubles."""
    import pandas as pd

    doubles = pa.schema(
        [pa.field(one.name, pa.float64()) if pa.types.is_decimal(one.type) else one for one in table.schema]
    )
    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return table.cast(doubles).to_pandas(types_mapper=kinds.get)
