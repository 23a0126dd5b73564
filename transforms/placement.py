"""Which partition a raw row belongs to: the dataset's date expression, evaluated once per distinct set of its texts.

336,776 rows have 365 distinct days, so the engine sees 365 rows instead of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from resources.spark import to_arrow
from transforms.day_partition import DayPartition
from transforms.expressions import compile_partition
from transforms.quarantine import NO_PARTITION, OUTSIDE_PARTITIONS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAX_COUNTED = 1 << 20
Engine = Callable[[], "SparkSession"]
"""Gives the session; called only when it is needed."""


@dataclass(frozen=True)
class Fault:
    """Why a row has no partition."""

    column: str
    value: str
    code: str
    reason: str


@dataclass(frozen=True)
class Placed:
    """Per row an index into `outcomes`: a partition key or a fault."""

    indices: npt.NDArray[np.int64]
    outcomes: list[str | Fault]


@dataclass
class Placer:
    """Finds partitions, and remembers what it has found."""

    partition: DayPartition
    columns: Sequence[str]
    timezone: str
    engine: Engine
    where: str
    _known: dict[tuple[str, ...], str | Fault] = field(default_factory=dict)

    def __post_init__(self) -> None:
        compiled = compile_partition(
            self.partition, dict.fromkeys(self.columns, "string"), where=self.where, timezone=self.timezone
        )
        self._sql = compiled.sql
        self._reads = sorted(compiled.columns, key=list(self.columns).index)

    def place(self, rows: pa.Table) -> Placed:
        codes, texts = _distinct(rows.select(self._reads)) if self._reads else (np.zeros(rows.num_rows, np.int64), [()])
        new = [text for text in texts if text not in self._known]
        if new:
            self._known.update(zip(new, self._evaluate(new), strict=True))
        return Placed(codes, [self._known[text] for text in texts])

    def _evaluate(self, texts: list[tuple[str, ...]]) -> list[str | Fault]:
        from pyspark.sql import functions

        spark = self.engine()
        columns = [pa.array(list(values), pa.string()) for values in zip(*texts, strict=True)]
        table = pa.table([pa.array(range(len(texts)), pa.int64()), *columns], names=["_ordinal", *self._reads])
        frame = spark.createDataFrame(table).select("_ordinal", functions.expr(self._sql).alias("_day"))
        days: list[date | None] = to_arrow(frame).sort_by("_ordinal")["_day"].to_pylist()
        return [self._outcome(text, day) for text, day in zip(texts, days, strict=True)]

    def _outcome(self, text: tuple[str, ...], day: date | None) -> str | Fault:
        column, value = ", ".join(self._reads), ", ".join(text)
        if day is None:
            return Fault(column, value, NO_PARTITION, f"{self.partition.of} gives no date for it")
        first = self.partition.start.replace(day=1) if self.partition.by == "month" else self.partition.start
        if not first <= day <= self.partition.end:
            reason = f"its date {day} is not between {self.partition.start} and {self.partition.end}"
            return Fault(column, value, OUTSIDE_PARTITIONS, reason)
        return day.isoformat()


def _distinct(rows: pa.Table) -> tuple[npt.NDArray[np.int64], list[tuple[str, ...]]]:
    """Per row the ordinal of its set of texts, and the sets."""
    codes, size = np.zeros(rows.num_rows, np.int64), 1
    for column in rows.itercolumns():
        encoded = column.combine_chunks().dictionary_encode()
        encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
        size *= max(len(encoded.dictionary), 1)
        codes = codes * max(len(encoded.dictionary), 1) + encoded.indices.to_numpy(zero_copy_only=False)
        codes, size = _dense(codes, size)
    first = np.full(size, -1, np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    picked = rows.take(pa.array(first))
    return codes, list(zip(*(column.to_pylist() for column in picked.itercolumns()), strict=True))


def _dense(codes: npt.NDArray[np.int64], size: int) -> tuple[npt.NDArray[np.int64], int]:
    """The codes renumbered without gaps, so that the product of many columns stays small; sorting only where they are
    many."""
    if size > MAX_COUNTED:
        values, dense = np.unique(codes, return_inverse=True)
        return dense, len(values)
    present = np.bincount(codes, minlength=size) > 0
    return (np.cumsum(present) - 1)[codes], int(present.sum())
