"""Rules that look at another table: `fk_exists`. The other table's key columns are read once, in batches."""

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from transforms.check_tables import ROWS, Culprits, Reduction
from transforms.findings import Finding, not_there, some
from transforms.gx_tables import GxTables
from transforms.rule_definitions import Expectation

UNKNOWN = "_unknown"


def fk_exists(one: Expectation, reduction: Reduction, gx: GxTables) -> Finding:
    """Each set of values of `columns` is one of `key` in the other table.

    A row with a missing part refers to nothing: it passes where `allow_nulls` is true, and fails where not.
    """
    columns, other = list(one.columns or []), one.references or ""
    key = list(one.key or columns)
    lake = reduction.lake
    if lake.state(other).number < 0:
        return Finding(passed=False, observed=f"{other} is not there; run it first")
    schema = lake.schema(other)
    if gone := [name for name in key if name not in schema.names]:
        found = not_there(gone)
        return Finding(passed=False, observed=f"{other}: {found.observed}")
    counted = reduction.counted[tuple(columns)]
    known = _known(reduction, other, key, columns)
    incomplete = pa.array([False] * counted.num_rows, pa.bool_())
    for name in columns:
        incomplete = pc.or_(incomplete, pc.is_null(counted[name]))
    numbered = counted.append_column("_at", pa.array(range(counted.num_rows), pa.int64()))
    unmatched = numbered.filter(pc.invert(incomplete)).join(known, columns, join_type="left anti")["_at"]
    unknown = pc.is_in(numbered["_at"], value_set=unmatched.combine_chunks())
    if not one.allow_nulls:
        unknown = pc.or_(unknown, incomplete)
    bad = gx.outside(counted.append_column(UNKNOWN, pc.cast(unknown, pa.int64())), UNKNOWN, 0, 0).select(
        [*columns, ROWS]
    )
    if not bad.num_rows:
        return Finding(passed=True, observed=f"{counted.num_rows:,} different references, {known.num_rows:,} keys")
    failing = pc.sum(bad[ROWS]).as_py()
    named = "; ".join(
        ", ".join("(missing)" if value is None else str(value) for value in row.values())
        for row in some(bad.select(columns))
    )
    return Finding(
        passed=False,
        observed=f"{failing:,} of {reduction.total:,} rows refer to what is not in {other}: {named}",
        failing=failing,
        culprits=Culprits(tuple(columns), bad),
    )


def _known(reduction: Reduction, other: str, key: list[str], columns: list[str]) -> pa.Table:
    """The other table's keys under our columns' names and types."""
    kinds = [reduction.schema.field(name).type for name in columns]
    wanted = pa.schema(list(zip(columns, kinds, strict=True)))
    found = wanted.empty_table()
    for batch in reduction.lake.batches(other, columns=key):
        rows = pa.Table.from_batches([batch]).select(key).rename_columns(columns)
        try:
            found = pa.concat_tables([found, rows.cast(wanted)]).group_by(columns, use_threads=False).aggregate([])
        except pa.ArrowInvalid as error:
            raise SpiceError(
                "Types do not fit",
                f"{', '.join(key)} of {other} can't be compared with {', '.join(columns)} of {reduction.table}: "
                f"{error}.",
                where=reduction.table,
            ) from error
    return found.select(columns)
