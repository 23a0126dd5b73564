"""What `distribution` compares of a column: noted of an approved version, and the change of later values from it.

Values come as a reduced table: `value`, distinct, and `rows`, their counts. What is noted is plain JSON.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.check_tables import ROWS, is_nan, text_values

MOST_VALUES = 1_000
"""Different values that are noted; with more, new ones can't be told."""
TOO_MANY = f"more than {MOST_VALUES:,} different values"
DECILES = [number / 10 for number in range(11)]


@dataclass(frozen=True)
class Measure:
    """`note` gives None where there is nothing to note; `change` takes what was noted and the values of now."""

    note: Callable[[pa.Table], Any]
    change: Callable[[Any, pa.Table], float]


def _numbers(values: pa.Table) -> tuple[list[float], list[int]]:
    """Numbers in order with their counts, without missing values and NaN."""
    plain = values.filter(pc.and_(pc.is_valid(values["value"]), pc.invert(is_nan(values["value"]))))
    plain = plain.set_column(0, "value", plain["value"].cast(pa.float64())).sort_by("value")
    return plain["value"].to_pylist(), plain[ROWS].to_pylist()


def _mean(values: pa.Table) -> dict[str, float] | None:
    numbers, counts = _numbers(values)
    total = sum(counts)
    if not total:
        return None
    mean = math.fsum(number * count for number, count in zip(numbers, counts, strict=True)) / total
    squares = math.fsum((number - mean) ** 2 * count for number, count in zip(numbers, counts, strict=True))
    return {"mean": mean, "deviation": math.sqrt(squares / total)}


def _mean_change(noted: dict[str, float], values: pa.Table) -> float:
    """In standard deviations of before."""
    now = _mean(values)
    if now is None:
        return math.inf
    change = abs(now["mean"] - noted["mean"])
    if change == 0:
        return 0.0
    return change / noted["deviation"] if noted["deviation"] else math.inf


def _null_share(values: pa.Table) -> float:
    total = pc.sum(values[ROWS]).as_py() or 0
    return (pc.sum(values.filter(pc.is_null(values["value"]))[ROWS]).as_py() or 0) / total if total else 0.0


def _share_change(noted: float, values: pa.Table) -> float:
    return abs(_null_share(values) - noted)


def _quantiles(values: pa.Table) -> list[list[float]] | None:
    """The deciles, each with the share of values that are not above it."""
    numbers, counts = _numbers(values)
    total, below, found = sum(counts), 0, []
    waiting = list(DECILES)
    for number, count in zip(numbers, counts, strict=True):
        below += count
        while waiting and below / total >= waiting[0]:
            found.append([number, below / total])
            waiting.pop(0)
    return found or None


def _quantile_change(noted: list[list[float]], values: pa.Table) -> float:
    """The greatest difference between the cumulative shares, at the deciles of before."""
    numbers, counts = _numbers(values)
    total = sum(counts)
    if not total:
        return math.inf
    return max(
        abs(sum(count for number, count in zip(numbers, counts, strict=True) if number <= decile) / total - share)
        for decile, share in noted
    )


def _listed(values: pa.Table) -> list[str] | str:
    texts = text_values(values["value"].drop_null()).to_pylist()
    return sorted(texts) if len(texts) <= MOST_VALUES else TOO_MANY


def _new_share(noted: list[str], values: pa.Table) -> float:
    there = values.filter(pc.is_valid(values["value"]))
    total = pc.sum(values[ROWS]).as_py() or 0
    old = pc.is_in(text_values(there["value"]), value_set=pa.array(noted, pa.string()))
    return (pc.sum(there.filter(pc.invert(old))[ROWS]).as_py() or 0) / total if total else 0.0


MEASURES: Mapping[str, Measure] = {
    "mean": Measure(_mean, _mean_change),
    "null_share": Measure(_null_share, _share_change),
    "quantiles": Measure(_quantiles, _quantile_change),
    "new_values": Measure(_listed, _new_share),
}
