"""The digest that proves a read model: of one document, of a store, and computed again from what queries read.

hash(document) = the first 16 bytes of sha256 over `domain LF branch LF type LF id LF position LF 0|1 LF document`; here
1 marks a tombstone, whose document is `null`. A bucket's digest is the number of documents and the sums of the hashes'
four 32-bit lanes. It is a function of the events alone: the same for every engine, batch size and code path.
"""

import hashlib
from collections.abc import Mapping

from resources.read_model.base import BucketDigest
from resources.read_model.digest_sums import HASH_BYTES

BRANCH = "main"


def document_hashes(
    domain: str, type_name: str, ids: list[str], positions: list[int], texts: list[str], *, deleted: bool
) -> list[bytes]:
    """The hash of each document."""
    prefix, mark, sha = f"{domain}\n{BRANCH}\n{type_name}\n", int(deleted), hashlib.sha256
    return [
        sha(f"{prefix}{key}\n{position}\n{mark}\n{text}".encode()).digest()[:HASH_BYTES]
        for key, position, text in zip(ids, positions, texts, strict=True)
    ]


def digest_text(buckets: Mapping[int, BucketDigest]) -> str:
    """One short hex text over all buckets. Two stores with the same text hold the same documents at the same events."""
    lines = [f"{bucket:x} {d.documents} {' '.join(map(str, d.lanes))}\n" for bucket, d in sorted(buckets.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
