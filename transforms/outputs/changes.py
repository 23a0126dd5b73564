"""What differs between two states of some rows, counted: rows are equal where all their columns are (null equals
null), and a row may be there several times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from resources.spark import to_arrow
from transforms.nodes.frame import reference
from transforms.sql_values import name as quoted
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COPIES = "_copies"
MOST = 1_000_000
"""Rows that differ from which on it is cheaper to make everything anew."""


@dataclass(frozen=True)
class Changes:
    """`added` and `dropped` rows, each as often as it came or went."""

    added: pa.Table
    dropped: pa.Table

    @property
    def any(self) -> bool:
        return bool(self.added.num_rows or self.dropped.num_rows)

    def changed(self, key: Sequence[str]) -> int:
        """Keys that have rows on both sides."""
        both = pa.concat_tables([distinct(self.added, key), distinct(self.dropped, key)])
        return int(both.num_rows - distinct(both, key).num_rows)

    def keys(self, key: Sequence[str]) -> pa.Table:
        """Keys of all that differs."""
        return distinct(pa.concat_tables([self.added.select(key), self.dropped.select(key)]), key)


def distinct(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    return rows.group_by(list(columns)).aggregate([]).select(list(columns))


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    return pa.schema([pa.field(name, parse_type(kind).arrow()) for name, kind in columns.items()])


def typed(frame: "DataFrame", columns: Mapping[str, str]) -> "DataFrame":
    """The columns in their declared types: what an engine made may be narrower."""
    from pyspark.sql import functions

    return frame.select(
        *(
            functions.expr(f"CAST({quoted(name)} AS {parse_type(kind).sql})").alias(name)
            for name, kind in columns.items()
        )
    )


def differences(
    old: "DataFrame | None", new: "DataFrame", columns: Mapping[str, str], most: int | None = None
) -> Changes | None:
    """What has to be dropped from `old` and added to it to make it `new`; None where that is more rows than `most`.

    The differences are held in memory, and nothing else.
    """
    from pyspark.sql import functions

    schema = arrow_schema(columns)
    counted = typed(new, columns).select("*", functions.lit(1).alias(COPIES))
    if old is not None:
        counted = counted.unionAll(typed(old, columns).select("*", functions.lit(-1).alias(COPIES)))
    total = counted.groupBy(*map(reference, columns)).agg(functions.expr(f"SUM({COPIES})").alias(COPIES))
    differing = total.where(f"{COPIES} <> 0")
    found = to_arrow(differing if most is None else differing.limit(most + 1))
    if most is not None and found.num_rows > most:
        return None
    copies = found[COPIES].cast(pa.int64())
    rows = found.select(list(columns)).cast(schema)
    return Changes(_repeated(rows, copies), _repeated(rows, pc.negate(copies)))


def _repeated(rows: pa.Table, copies: pa.ChunkedArray) -> pa.Table:
    """Each row as often as its number says; those of numbers below one are left out."""
    import numpy as np

    numbers = np.maximum(copies.to_numpy(), 0)
    return rows.take(pa.array(np.repeat(np.arange(rows.num_rows), numbers)))
