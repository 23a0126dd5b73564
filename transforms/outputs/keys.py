"""Rows by their keys: semi-joins where missing values are equal, and which row of a key counts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.spark import from_arrow
from transforms.nodes.frame import over, reference
from transforms.nodes.shape import Shape

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEY = "_key_{}"
RANK = "_rank"


def keys_frame(spark: "SparkSession", keys: pa.Table) -> "DataFrame":
    """A table of keys for the engine, its columns named by their places."""
    return from_arrow(spark, keys.rename_columns([KEY.format(place) for place in range(keys.num_columns)]))


def of_keys(frame: "DataFrame", keys: "DataFrame", columns: Sequence[str], how: str = "left_semi") -> "DataFrame":
    """The rows whose columns are one of the keys (`left_anti`: none of them)."""
    condition = reference(columns[0]).eqNullSafe(reference(KEY.format(0)))
    for place, column in enumerate(columns[1:], 1):
        condition = condition & reference(column).eqNullSafe(reference(KEY.format(place)))
    return frame.join(keys, condition, how)


def as_keys(frame: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """The different values of some columns, as keys."""
    return frame.select(
        *(reference(column).alias(KEY.format(place)) for place, column in enumerate(columns))
    ).distinct()


def winners(frame: "DataFrame", columns: Mapping[str, str], key: Sequence[str], order: Sequence[str]) -> "DataFrame":
    """Of each key the first row. What the order leaves open is settled by all other columns, by name: the same
    rows give the same row, however they came."""
    from pyspark.sql import functions

    place = f"ROW_NUMBER() {over(Shape(dict(columns)), key, order)}"
    ranked = frame.select(*map(reference, columns), functions.expr(place).alias(RANK))
    return ranked.where(reference(RANK) == functions.lit(1)).select(*map(reference, columns))
