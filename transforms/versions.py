"""Data versions of derived tables: addressed by what went in, so that nothing has to be computed to know them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def code_hash(*parts: Any) -> str:
    """One hash of all that decides a result beside its input data (code, types, expressions, time zone)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def derived_version(code_version: str, inputs: Sequence[str]) -> str:
    """Data version of what this code makes of inputs of these data versions, in this order."""
    return hashlib.sha256("|".join([code_version, *inputs]).encode()).hexdigest()


def stale(known: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Partitions whose known version is not the wanted one, in the order of `wanted`."""
    return [key for key, version in wanted.items() if known.get(key) != version]
