"""The arithmetic of a digest: per bucket how many documents, and the sums of their hashes' four 32-bit lanes.

Sums, not XOR: a document counted twice shows. int64 holds 2**31 documents.
"""

import numpy as np

from resources.read_model.base import BUCKETS, LANES, BucketDigest

HASH_BYTES = 4 * LANES


class DigestSums:
    """Additions and subtractions of one batch."""

    def __init__(self) -> None:
        self._sums = np.zeros((BUCKETS, 1 + LANES), dtype=np.int64)

    def add(self, buckets: list[int], hashes: list[bytes]) -> None:
        self._sums += _sums(buckets, hashes)

    def subtract(self, buckets: list[int], hashes: list[bytes]) -> None:
        self._sums -= _sums(buckets, hashes)

    def buckets(self) -> dict[int, BucketDigest]:
        """The buckets that anything was added to or taken from."""
        return {
            bucket: BucketDigest(int(row[0]), (int(row[1]), int(row[2]), int(row[3]), int(row[4])))
            for bucket, row in enumerate(self._sums)
            if row.any()
        }


def _sums(buckets: list[int], hashes: list[bytes]) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    sums = np.zeros((BUCKETS, 1 + LANES), dtype=np.int64)
    if hashes:
        lanes = np.frombuffer(b"".join(hashes), dtype=">u4").reshape(-1, LANES).astype(np.int64)
        at = np.asarray(buckets)
        np.add.at(sums, at, np.column_stack([np.ones(len(at), dtype=np.int64), lanes]))
    return sums
