"""Rules that look at the past: `volume` and `distribution`, partition by partition.

What is compared with is in the commits (rows of the partitions before) or was noted when a version was approved: its
profile, made here of the same reduced tables that the rules are judged by.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.lake.base import PARTITION, UNPARTITIONED
from transforms.check_tables import ROWS, Reduction
from transforms.findings import Finding, some
from transforms.gx_tables import GxTables
from transforms.measures import MEASURES, TOO_MANY
from transforms.outcomes import LAST
from transforms.rule_definitions import Expectation

Profile = Mapping[str, Any]
"""`{"rows": n, "columns": {column: {measure: ...}}}` of one partition, plain JSON."""
NOTHING = "nothing to compare with yet"


@dataclass(frozen=True)
class Past:
    """Approved profiles: of other versions of a partition, newest first, and of the newest version of each."""

    versions: Mapping[str, Sequence[Profile]] = field(default_factory=dict)
    partitions: Mapping[str, Profile] = field(default_factory=dict)


def volume(one: Expectation, reduction: Reduction, past: Past, gx: GxTables) -> Finding:
    """Rows of each judged partition, divided by the median of those it is compared with, within `min` and `max`."""
    last = one.last or LAST
    every = dict(sorted(reduction.lake.rows(reduction.table).items()))
    names, ratios, rows, medians = [], [], [], []
    for partition, count in reduction.rows.items():
        if one.against == "partitions":
            compared = [number for key, number in every.items() if key < partition][-last:]
        else:
            compared = [profile["rows"] for profile in past.versions.get(partition, ())][:last]
        if not compared:
            continue
        middle = median(compared)
        names.append(partition)
        rows.append(count)
        medians.append(float(middle))
        ratios.append(count / middle if middle else (1.0 if count == 0 else math.inf))
    table = pa.table(
        {
            PARTITION: pa.array(names, pa.string()),
            ROWS: pa.array(rows, pa.int64()),
            "median": pa.array(medians, pa.float64()),
            "ratio": pa.array(ratios, pa.float64()),
        }
    )
    return _compared(one, table, "ratio", reduction, gx)


def distribution(one: Expectation, reduction: Reduction, past: Past, gx: GxTables) -> Finding:
    """How far each judged partition's values are from those of the version, or of the partition, before."""
    column, measure = one.column or "", MEASURES[one.measure or ""]
    names, changes = [], []
    for partition in reduction.rows:
        noted = (_before(one, partition, past) or {}).get("columns", {}).get(column, {}).get(one.measure)
        if noted is None:
            continue
        if noted == TOO_MANY:
            return Finding(passed=False, observed=f"{column} has {TOO_MANY}, so new_values can't be judged")
        names.append(partition)
        changes.append(measure.change(noted, _values(reduction, column, partition)))
    table = pa.table({PARTITION: pa.array(names, pa.string()), "change": pa.array(changes, pa.float64())})
    return _compared(one, table, "change", reduction, gx)


def _before(one: Expectation, partition: str, past: Past) -> Profile | None:
    if one.against == "versions":
        return next(iter(past.versions.get(partition, ())), None)
    earlier = [key for key in past.partitions if key < partition]
    return past.partitions[max(earlier)] if earlier else None


def _compared(one: Expectation, table: pa.Table, column: str, reduction: Reduction, gx: GxTables) -> Finding:
    if not table.num_rows:
        return Finding(passed=True, observed=NOTHING)
    judged = len(reduction.rows)
    bad = gx.outside(table, column, one.min, one.max)
    extremes = pc.min_max(table[column]).as_py()
    observed = f"{column} {extremes['min']:.3g} to {extremes['max']:.3g} in {table.num_rows:,} partitions"
    if judged > table.num_rows:
        observed += f"; {judged - table.num_rows:,} more have {NOTHING}"
    shown = bad.rename_columns(["partition" if name == PARTITION else name for name in bad.column_names])
    return Finding(
        passed=bad.num_rows == 0,
        observed=observed,
        failing=bad.num_rows,
        samples=some(shown),
        partitions=frozenset(bad[PARTITION].to_pylist()),
    )


def profiles(reduction: Reduction, expectations: Sequence[Expectation]) -> dict[str, Profile]:
    """The profile of each judged partition: its rows, and what `distribution` rules compare of its columns."""
    made: dict[str, dict[str, Any]] = {key: {"rows": rows, "columns": {}} for key, rows in reduction.rows.items()}
    for one in expectations:
        if one.rule != "distribution" or reduction.missing([one.column or ""]):
            continue
        for partition, profile in made.items():
            values = _values(reduction, one.column or "", partition)
            profile["columns"].setdefault(one.column, {})[one.measure] = MEASURES[one.measure or ""].note(values)
    return dict(made)


def _values(reduction: Reduction, column: str, partition: str) -> pa.Table:
    """Distinct values of a partition (`value`) with their counts."""
    keys = reduction.by_partition(column)
    counted = reduction.counted[keys]
    if partition != UNPARTITIONED:
        counted = counted.filter(pc.equal(counted[PARTITION], partition))
    return pa.table({"value": counted[column], ROWS: counted[ROWS]})
