"""One data version out of several: how an asset's version follows from what it was made of."""

import hashlib
from collections.abc import Mapping


def combined_version(versions: Mapping[str, str]) -> str:
    """sha256 over named versions, in order of their names: of an asset over its partitions, or over its inputs."""
    lines = "\n".join(f"{name}={versions[name]}" for name in sorted(versions))
    return hashlib.sha256(lines.encode()).hexdigest()
