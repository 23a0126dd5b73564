"""What a rule found in a reduced table, and the forms that most findings have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.check_tables import MAX_SAMPLES, ROWS, Culprits, Keys, Reduction, text_values

NAMED = 5
"""Refused values that are named."""


@dataclass(frozen=True)
class Finding:
    """What a rule says of the reduced table.

    `culprits` are still to be located; without them `samples` are shown, and `partitions` are those it fails in (None:
    in all that are judged).
    """

    passed: bool
    observed: str
    failing: int = 0
    samples: Sequence[Mapping[str, Any]] = ()
    culprits: Culprits | None = None
    partitions: frozenset[str] | None = None


def not_there(columns: Sequence[str]) -> Finding:
    """Of a rule on columns that the table does not have: it holds for nothing, and so it fails."""
    named = ", ".join(columns)
    said = f"the column {named} is not there" if len(columns) == 1 else f"the columns {named} are not there"
    return Finding(passed=False, observed=said)


def refused(reduction: Reduction, column: str, bad: pa.Table) -> Finding:
    """Of a rule on a column's values; `bad` are those it refuses, with their counts."""
    if not bad.num_rows:
        distinct = reduction.counted[column,].num_rows
        return Finding(passed=True, observed=f"{reduction.total:,} rows, {distinct:,} distinct values")
    failing = pc.sum(bad[ROWS]).as_py()
    texts = text_values(bad[column].slice(0, NAMED)).to_pylist()
    shown = ", ".join("(missing)" if text is None else text for text in texts)
    observed = f"{failing:,} of {reduction.total:,} rows: {shown}{', ...' if bad.num_rows > NAMED else ''}"
    return Finding(passed=False, observed=observed, failing=failing, culprits=Culprits((column,), bad))


def repeated(reduction: Reduction, keys: Keys, bad: pa.Table) -> Finding:
    """Of keys that should be unique; `bad` are those that are there more than once, with their counts."""
    if not bad.num_rows:
        distinct = reduction.counted[keys].num_rows
        return Finding(passed=True, observed=f"{distinct:,} different keys in {reduction.total:,} rows")
    failing = pc.sum(bad[ROWS]).as_py()
    return Finding(
        passed=False,
        observed=f"{bad.num_rows:,} keys are there more than once, in {failing:,} rows",
        failing=failing,
        samples=some(bad),
        culprits=Culprits(keys, bad, show=False),
    )


def some(table: pa.Table) -> list[Mapping[str, object]]:
    """Rows to show."""
    rows: list[Mapping[str, object]] = table.slice(0, MAX_SAMPLES).to_pylist()
    return rows
