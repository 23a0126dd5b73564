"""Which rows a preview looks at: a sample of the input that the pipeline follows; the other inputs are read whole.

The sample is one partition where there are partitions, since a pipeline makes a partition of that partition alone: what
is shown for it is then what a run makes. A partition that is too large is thinned evenly. The same tables give the same
sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake
from transforms.definitions import Pipeline
from transforms.schemas import nodes_in_order

FAR_ENOUGH = 1_000_000
"""Rows of one partition that are read at most to choose from."""
Wanted = Sequence[tuple[str, str]]
"""Columns of the input and the text of the value that a traced row has in them."""


@dataclass(frozen=True)
class Sample:
    """Rows of an input with all its columns, our own too. `of`: rows that there are; `partition` that they are of, ""
    for the whole table; `traced`: which of them are traced."""

    local: str
    table: str
    rows: pa.Table
    of: int
    partition: str
    traced: pa.BooleanArray

    @property
    def whole(self) -> bool:
        return bool(self.rows.num_rows == self.of)


def leading_input(pipeline: Pipeline) -> str:
    """The input that is sampled: the followed one, or else the one from which the output's rows come."""
    if pipeline.partition is not None:
        return pipeline.partition
    name = pipeline.output
    nodes = nodes_in_order(pipeline)
    while name in nodes:
        name = nodes[name].source
    return name


def sample(pipeline: Pipeline, lake: Lake, *, limit: int, partition: str | None = None, wanted: Wanted = ()) -> Sample:
    """At most `limit` rows, and the traced ones. Raises SpiceError for a partition, column or row that is not there."""
    local = leading_input(pipeline)
    table = pipeline.inputs[local]
    if lake.state(table).number < 0:
        raise SpiceError("Input missing", f"run {table} first.", where=f"inputs.{local}", status=409)
    schema, counted = lake.schema(table), lake.rows(table)
    unknown = [column for column, _ in wanted if column not in schema.names]
    if unknown:
        raise SpiceError(
            "Unknown column", f"{table} has no column {unknown[0]}.", where="--trace", allowed=[*schema.names]
        )
    if partition is not None and partition not in counted:
        raise SpiceError(
            "Unknown partition", f"{table} has no partition {partition!r}.", where="--partition", allowed=_ends(counted)
        )
    partitioned = PARTITION in schema.names
    if partition is None and partitioned and (pipeline.partition is not None or sum(counted.values()) > FAR_ENOUGH):
        partition = _partition_of(lake, table, wanted) if wanted else _last_with_rows(counted)
    keys = None if partition is None else [partition]
    rows = _thinned(lake, table, keys, limit, wanted)
    of = sum(counted.values()) if partition is None else counted[partition]
    traced = _matching(rows, wanted) if wanted else pa.array(np.zeros(rows.num_rows, bool))
    if wanted and not pc.any(traced).as_py():
        raise _no_row(table, wanted, partition)
    return Sample(local, table, rows, of, partition or UNPARTITIONED, traced)


def _thinned(lake: Lake, table: str, keys: list[str] | None, limit: int, wanted: Wanted) -> pa.Table:
    """Every n-th row, in the order in which they lie, and those that are traced."""
    counted = lake.rows(table)
    total = min(sum(counted[key] for key in (counted if keys is None else keys)), FAR_ENOUGH)
    chosen = (
        np.unique(np.linspace(0, total - 1, min(limit, total)).astype(np.int64)) if total else np.zeros(0, np.int64)
    )
    parts, begun = [lake.schema(table).empty_table()], 0
    for batch in lake.batches(table, partitions=keys):
        rows = pa.Table.from_batches([batch])
        mask = np.zeros(rows.num_rows, bool)
        inside = chosen[(chosen >= begun) & (chosen < begun + rows.num_rows)] - begun
        mask[inside] = True
        if wanted:
            mask |= _matching(rows, wanted).to_numpy(zero_copy_only=False)
        parts.append(rows.filter(pa.array(mask)))
        begun += rows.num_rows
        if begun >= total and not wanted:
            break
    return pa.concat_tables(parts)


def _matching(rows: pa.Table, wanted: Wanted) -> pa.BooleanArray:
    found = pa.array(np.ones(rows.num_rows, bool))
    for column, text in wanted:
        same = pc.fill_null(pc.equal(rows[column].cast(pa.string()), text), False)  # noqa: FBT003 - Arrow's signature
        found = pc.and_(found, same.combine_chunks())
    return found


def _partition_of(lake: Lake, table: str, wanted: Wanted) -> str:
    """The partition of the first row that is traced."""
    columns = [PARTITION, *dict.fromkeys(column for column, _ in wanted if column != PARTITION)]
    for batch in lake.batches(table, columns=columns):
        rows = pa.Table.from_batches([batch])
        found = rows.filter(_matching(rows, wanted))
        if found.num_rows:
            partition: str = found[PARTITION][0].as_py()
            return partition
    raise _no_row(table, wanted, None)


def _no_row(table: str, wanted: Wanted, partition: str | None) -> SpiceError:
    said = " and ".join(f"{column} = {text}" for column, text in wanted)
    there = f"partition {partition} of {table}" if partition else table
    return SpiceError("No such row", f"{there} has no row with {said}.", where="--trace", status=404)


def _last_with_rows(counted: dict[str, int]) -> str:
    keys = sorted(counted)
    return next((key for key in reversed(keys) if counted[key]), keys[-1])


def _ends(counted: dict[str, int]) -> list[str]:
    keys = sorted(counted)
    return [f"{keys[0]} .. {keys[-1]}"] if keys != [UNPARTITIONED] else ["none: it has no partitions"]
