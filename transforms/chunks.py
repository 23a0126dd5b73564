"""Work in pieces of bounded size: which partitions are taken at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class Chunk:
    """Some partitions and how many rows they have together."""

    partitions: list[str]
    rows: int


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
