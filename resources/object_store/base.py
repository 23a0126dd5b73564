"""The object-store port: named, immutable-by-convention byte objects.

What belongs here: what a library does with bytes. What does not: any decision (retry, unknown outcome, chains,
versions); those are made above the port, where they can be simulated.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

import pyarrow as pa

from resources.errors import SpiceError

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._=@%-]*"
_KEY = re.compile(f"{_SEGMENT}(?:/{_SEGMENT})*")
_MAX_KEY_BYTES = 900


class PutOutcome(Enum):
    """What the store says about a put-if-absent. An exception says the same as UNKNOWN."""

    DONE = "done"
    EXISTS = "exists"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ObjectInfo:
    """Size in bytes and the store's own time of writing (only good for telling old from new)."""

    size: int
    modified: datetime


class ObjectNotFound(KeyError):
    """There is no object of this key."""


class BadKey(SpiceError):
    """A key that could leave the store's root, or that some store can't hold."""

    kind = "spice:bad-object-key"

    def __init__(self, key: str) -> None:
        super().__init__(
            "Bad object key",
            "segments of letters, digits and . _ = @ % - joined by '/', none beginning with a dot, at most 900 bytes",
            where=repr(key),
        )


def checked_key(key: str) -> str:
    """The key itself, if it is one; raises BadKey."""
    if len(key) > _MAX_KEY_BYTES or not _KEY.fullmatch(key):
        raise BadKey(key)
    return key


class ObjectStore(ABC):
    """Objects by key. An object is there whole or not at all, and durable when a put returns DONE (or None)."""

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        """Create the object unless one of this key exists. Of many at once exactly one is told DONE."""

    @abstractmethod
    def put(self, key: str, data: bytes | Path) -> None:
        """Create or replace the object, from bytes or from a file."""

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The whole object; ObjectNotFound if there is none."""

    @abstractmethod
    def open(self, key: str) -> pa.NativeFile:
        """A seekable reader for ranged reads; ObjectNotFound if there is none. The caller closes it."""

    @abstractmethod
    def head(self, key: str) -> ObjectInfo | None:
        """Size and age, or None if there is no such object."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """Keys that start with the prefix, in code-point order. The prefix ends with '/'."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the object; nothing happens if there is none."""

    @abstractmethod
    def sync(self, prefix: str) -> None:
        """What is seen directly under the prefix is durable from now on, whoever put it; OSError if that can't be had.

        A put that died half-way may have left an object that others see and a power cut takes back. A store whose
        objects are durable before they are seen has nothing to do.
        """
