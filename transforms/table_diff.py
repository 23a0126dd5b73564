"""The rows in which two states of a table differ, by the columns of a key: added, changed, removed.

Partitions of equal data version are not read. The rows of the others are put into buckets by the hash of their key, on
the disk where they are many, and the buckets are compared one after the other: memory is that of a bucket, however
large the tables are. A missing value is equal to a missing value, in a key too; a column that one side does not have
is missing there.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, Lake
from resources.lake.branches import table_changes
from transforms.text_hash import hash_texts

BUCKET_ROWS = 65_536
MAX_BUCKETS = 256
"""Files that are open at once, for each side."""
KEY = "_key"


@dataclass(frozen=True)
class Differences:
    """Some of the rows that differ. Rows of `before` and `after` are the same keys, in the same order; all are
    in the order of their keys."""

    added: pa.Table
    removed: pa.Table
    before: pa.Table
    after: pa.Table


def diff_rows(
    before: Lake, after: Lake, table: str, keys: Sequence[str], *, bucket_rows: int = BUCKET_ROWS
) -> Iterator[Differences]:
    """Bucket by bucket. Raises SpiceError where `keys` are no columns, or two rows of one side have the same."""
    sides = [_Side.of(lake, table) for lake in (before, after)]
    columns = _columns(table, sides, keys)
    change = next((one for one in table_changes(before, after) if one.table == table), None)
    if change is None:
        return
    rows = max(side.count(change.partitions) for side in sides)
    buckets = min(max(1, -(-rows // bucket_rows)), MAX_BUCKETS)
    with tempfile.TemporaryDirectory(prefix="spice-diff-") as folder:
        spilt = [
            _spill(side, columns, keys, change.partitions, Path(folder, str(place)), buckets)
            for place, side in enumerate(sides)
        ]
        for number in range(buckets):
            one, two = (_read(files[number], columns) for files in spilt)
            yield _compared(table, keys, one, two)


@dataclass(frozen=True)
class _Side:
    """A table of a lake; without columns where it is not there."""

    lake: Lake
    table: str
    schema: pa.Schema

    @classmethod
    def of(cls, lake: Lake, table: str) -> "_Side":
        there = lake.state(table).number >= 0
        return cls(lake, table, lake.schema(table) if there else pa.schema([]))

    def count(self, partitions: Sequence[str]) -> int:
        rows = self.lake.rows(self.table)
        return sum(rows.get(key, 0) for key in partitions)

    def batches(self, partitions: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if len(self.schema):
            yield from self.lake.batches(self.table, partitions=[*partitions])


def _columns(table: str, sides: Sequence[_Side], keys: Sequence[str]) -> pa.Schema:
    """All columns of both sides, as text where their types differ."""
    fields: dict[str, pa.Field] = {}
    for side in sides:
        for field in side.schema:
            known = fields.get(field.name)
            kind = field.type if known is None or known.type == field.type else pa.string()
            fields[field.name] = pa.field(field.name, kind)
    if not fields:
        raise SpiceError("Unknown table", f"neither side has a table {table}.", where="--table", status=404)
    unknown = [key for key in keys if key not in fields]
    if unknown or not keys:
        said = f"there is no column {', '.join(unknown)}." if unknown else "name the columns that make a row's key."
        allowed = [name for name in fields if name != PARTITION]
        raise SpiceError("No key", said, where=f"{table}: --key", allowed=allowed)
    return pa.schema(list(fields.values()))


def _spill(  # noqa: PLR0917 - what to read and where to put it
    side: _Side, columns: pa.Schema, keys: Sequence[str], partitions: Sequence[str], folder: Path, buckets: int
) -> list[Path]:
    """The rows of a side with their keys as text, in a file for each bucket."""
    folder.mkdir()
    files = [folder / f"{number}.arrow" for number in range(buckets)]
    schema = columns.append(pa.field(KEY, pa.string()))
    with ExitStack() as stack:
        writers = [stack.enter_context(pa.ipc.new_stream(str(file), schema)) for file in files]
        for batch in side.batches(partitions):
            whole = _with_key(batch, columns, keys)
            place = hash_texts(whole[KEY].combine_chunks()) % np.uint64(buckets)
            for number in np.unique(place):
                writers[int(number)].write_table(whole.filter(pa.array(place == number)))
    return files


def _with_key(batch: pa.RecordBatch, columns: pa.Schema, keys: Sequence[str]) -> pa.Table:
    count = batch.num_rows
    values = [
        batch[field.name].cast(field.type) if field.name in batch.schema.names else pa.nulls(count, field.type)
        for field in columns
    ]
    table = pa.table(values, schema=columns)
    return table.append_column(pa.field(KEY, pa.string()), key_texts(table, keys))


def key_texts(table: pa.Table, keys: Sequence[str]) -> pa.ChunkedArray:
    """One text per row that two rows share exactly where all parts of their keys are equal."""
    parts = []
    for key in keys:
        text = table[key].cast(pa.string())
        length = pc.utf8_length(text).cast(pa.string())
        parts.append(pc.fill_null(pc.binary_join_element_wise(length, text, ":"), "-"))
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")
    return pa.chunked_array(joined.chunks if isinstance(joined, pa.ChunkedArray) else [joined], pa.string())


def _read(file: Path, columns: pa.Schema) -> pa.Table:
    with pa.ipc.open_stream(str(file)) as stream:
        return pa.concat_tables([columns.append(pa.field(KEY, pa.string())).empty_table(), stream.read_all()])


def _compared(table: str, keys: Sequence[str], one: pa.Table, two: pa.Table) -> Differences:
    for side in (one, two):
        counted = pc.value_counts(side[KEY])
        if len(counted) != side.num_rows:
            double = counted.filter(pc.greater(counted.field(1), 1))[0][0].as_py()
            row = side.filter(pc.equal(side[KEY], double)).select(list(keys)).to_pylist()[0]
            said = ", ".join(f"{name} = {value}" for name, value in row.items())
            raise SpiceError(
                "Not a key", f"{', '.join(keys)} is no key: more than one row has {said}.", where=table, status=409
            )
    one, two = (side.sort_by([(name, "ascending") for name in keys]) for side in (one, two))
    place = pc.index_in(two[KEY], value_set=one[KEY].combine_chunks())
    there = pc.is_valid(place)
    plain = [name for name in one.column_names if name != KEY]
    added = two.filter(pc.invert(there)).select(plain)
    removed = one.filter(pc.invert(pc.is_in(one[KEY], value_set=two[KEY].combine_chunks()))).select(plain)
    now, then = two.filter(there).select(plain), one.take(pc.drop_null(place)).select(plain)
    differ = np.zeros(now.num_rows, bool)
    for name in plain:
        differ |= _unequal(then[name], now[name])
    mask = pa.array(differ)
    return Differences(added, removed, then.filter(mask), now.filter(mask))


def _unequal(one: pa.ChunkedArray, two: pa.ChunkedArray) -> np.ndarray:
    differ = pc.fill_null(pc.not_equal(one, two), False)  # noqa: FBT003 - Arrow's own signature
    if pa.types.is_floating(one.type):
        both = pc.and_(pc.fill_null(pc.is_nan(one), False), pc.fill_null(pc.is_nan(two), False))  # noqa: FBT003
        differ = pc.and_(differ, pc.invert(both))
    missing = pc.not_equal(pc.is_null(one), pc.is_null(two))
    return np.asarray(pc.or_(differ, missing).to_numpy(zero_copy_only=False), bool)
