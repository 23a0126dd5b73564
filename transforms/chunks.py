"""Work in pieces of bounded size: which partitions (and which rows of a large one) are taken at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from resources.lake.base import Lake

CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class Chunk:
    """Some partitions; of a single large one only the rows with `first <= _row <= last`."""

    partitions: list[str]
    rows: int
    first: int | None = None
    last: int | None = None


def partition_chunks(partitions: Sequence[str], rows: Mapping[str, int], limit: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """Consecutive partitions with together at most `limit` rows; a larger one comes alone and whole."""
    taken: list[str] = []
    size = 0
    for key in partitions:
        count = rows.get(key, 0)
        if taken and size + count > limit:
            yield Chunk(taken, size)
            taken, size = [], 0
        taken.append(key)
        size += count
    if taken:
        yield Chunk(taken, size)


def row_chunks(lake: Lake, table: str, chunk: Chunk, limit: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """The chunk itself, or pieces of a partition that is larger than `limit`, cut by `_row`."""
    if chunk.rows <= limit:
        yield chunk
        return
    numbers = lake.scan(table, partitions=chunk.partitions, columns=["_row"])["_row"]
    ordered = numbers.take(pc.sort_indices(numbers))
    first = ordered[0].as_py()
    start = 0
    while start < len(ordered):
        stop = min(start + limit, len(ordered))
        last = ordered[stop - 1].as_py()
        while stop < len(ordered) and ordered[stop].as_py() == last:  # numbers repeat where files were added up
            stop += 1
        yield Chunk(chunk.partitions, stop - start, first, last)
        start, first = stop, last + 1
