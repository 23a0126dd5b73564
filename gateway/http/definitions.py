"""Definitions that may change while they are served."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ontology_assets.model.definitions import Domain

LOOK_SECONDS = 1.0
Stamp = tuple[tuple[str, int, int], ...]


class DefinitionSource(Protocol):
    """Where definitions come from."""

    def stamp(self) -> Stamp:
        """Another one for another state of the files; cheap."""

    def load(self) -> Sequence[Domain]:
        """Raises SpiceError."""


class DefinitionFiles:
    """The definition files below a folder: name, size and time of each make the stamp."""

    def __init__(self, folder: Path, load: Callable[[], Sequence[Domain]]) -> None:
        self._folder, self._load = folder, load

    def stamp(self) -> Stamp:
        stats: list[tuple[str, int, int]] = []
        for path in sorted(path for pattern in ("*/*.yaml", "*/*.lock") for path in self._folder.glob(pattern)):
            try:
                stat = path.stat()
            except FileNotFoundError:  # gone since it was listed
                continue
            stats.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(stats)

    def load(self) -> Sequence[Domain]:
        return self._load()


class Watch:
    """Says whether a source has changed since it was last read. Asked at each request, it looks once a second."""

    def __init__(self, source: DefinitionSource) -> None:
        self._source = source
        self._seen = source.stamp()
        self._looked = time.monotonic()

    def changed(self) -> bool:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        stamp = self._source.stamp()
        changed, self._seen = stamp != self._seen, stamp
        return changed
