"""Pairs of columns of a table, measured on all of its rows: do they tell the rows apart, and which pairs of values do
they hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.distinct import DistinctValues, Uniqueness
from transforms.text_hash import Hashes, combined, hash_texts

PAIR_BUDGET = 1 << 24
"""Hashes kept of one table, of 8 bytes each."""
Pair = tuple[str, str]


@dataclass
class PairValues:
    """The different pairs of values, and whether one comes twice. A pair with a missing value is none."""

    distinct: DistinctValues
    uniqueness: Uniqueness

    @property
    def unique(self) -> bool:
        return self.uniqueness.settle()


def measure_pairs(
    batches: Iterable[pa.Table], pairs: Sequence[Pair], *, nulls: Sequence[str]
) -> dict[Pair, PairValues]:
    """Each pair over all rows (text columns without nulls)."""
    bound = max(1 << 18, PAIR_BUDGET // max(1, 2 * len(pairs)))
    found = {pair: PairValues(DistinctValues(bound), Uniqueness(bound)) for pair in pairs}
    absent = pa.array(nulls, pa.string())
    for rows in batches:
        names = dict.fromkeys(name for pair in pairs for name in pair)
        columns = {name: _by_row(rows.column(name), absent) for name in names}
        for (left, right), values in found.items():
            (one, has_one), (other, has_other) = columns[left], columns[right]
            hashes = combined(one, other)[has_one & has_other]
            values.uniqueness.add(hashes)
            values.distinct.add(hashes)
    return found


def _by_row(column: pa.ChunkedArray, absent: pa.Array) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """The hash of each row's value, and whether it has one."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    indices = encoded.indices.to_numpy()
    present = np.asarray(pc.invert(pc.is_in(encoded.dictionary, value_set=absent)))
    return hash_texts(encoded.dictionary)[indices], present[indices]
