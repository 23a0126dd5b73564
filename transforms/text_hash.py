"""64-bit hashes of whole columns of text, for telling values apart in little memory.

A polynomial over the bytes, modulo 2^64, taken for all texts at once from its running sums, then mixed. Equal texts
have equal hashes everywhere and always. It withstands accidents, not an adversary: what is decided by it may only ever
be a suggestion.
"""

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes: TypeAlias = npt.NDArray[np.uint64]
BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2^64."""
SLICE_BYTES = 1 << 16
"""Texts are hashed in pieces of about this size: eight times that is what the running sums take."""


def hash_texts(texts: pa.Array) -> Hashes:
    """The hash of each text; `texts` is a string array without nulls."""
    count = len(texts)
    result = np.empty(count, np.uint64)
    if not count:
        return result
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1].astype(np.int64)
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    start = 0
    while start < count:
        end = int(np.searchsorted(offsets, offsets[start] + SLICE_BYTES, side="right")) - 1
        end = min(count, max(end, start + 1))
        first, last = int(offsets[start]), int(offsets[end])
        result[start:end] = _polynomials(data[first:last], offsets[start : end + 1] - first)
        start = end
    return result


def combined(left: Hashes, right: Hashes) -> Hashes:
    """The hash of each pair; (a, b) and (b, a) differ."""
    return _mixed(left * np.uint64(BASE) + right)


def _polynomials(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> Hashes:
    powers, inverses = _powers(_rounded(len(data) + 1))
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data.astype(np.uint64) + np.uint64(1)) * powers[: len(data)], out=sums[1:])
    starts = offsets[:-1]
    values = (sums[offsets[1:]] - sums[starts]) * inverses[starts]
    return _mixed(values ^ (np.diff(offsets).astype(np.uint64) << np.uint64(56)))


def _rounded(size: int) -> int:
    """A power of two, so that few tables of powers are made."""
    return 1 << max(12, (size - 1).bit_length())


@cache
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """BASE^i and BASE^-i for i below `size`."""
    inverse = pow(BASE, -1, 1 << 64)
    tables = []
    for base in (BASE, inverse):
        table = np.full(size, base, np.uint64)
        table[0] = 1
        tables.append(np.multiply.accumulate(table))
    return tables[0], tables[1]


def _mixed(values: Hashes) -> Hashes:
    """The finalizer of splitmix64: every bit of the result depends on every bit of the value."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
