"""What dead letters are called where an object's id must not stand: in lists, in partition keys."""

import hashlib
from collections.abc import Collection

from resources.read_model.base import ParkedObject

DIGITS = 16
MOST_OBJECTS = 500
"""Of more blocked objects a partition is a bucket of them: a page of Dagster's shows no thousands."""


def object_name(type_name: str, object_id: str) -> str:
    """`<type>-<first 16 hex digits of sha256(id)>`."""
    return f"{type_name}-{hashlib.sha256(object_id.encode()).hexdigest()[:DIGITS]}"


def bucket_name(bucket: int) -> str:
    return f"bucket-{bucket:x}"


def partition_keys(parked: Collection[ParkedObject]) -> set[str]:
    """The partitions that are open."""
    if len(parked) > MOST_OBJECTS:
        return {bucket_name(one.bucket) for one in parked}
    return {object_name(one.type, one.id) for one in parked}
