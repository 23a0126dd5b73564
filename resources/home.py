"""The data home: one folder that holds everything the product writes.

`<home>/` is `--home`, else `$SPICE_HOME`, else `.spice` beside the project's Makefile. Nothing is written elsewhere.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
FORMAT = 1
"""Version of the home's layout, kept in `<home>/format`; `spice upgrade` migrates an older one."""


@dataclass(frozen=True)
class Home:
    """Paths inside one data home. Creating the value touches no disk."""

    root: Path

    @classmethod
    def resolve(cls, given: str | Path | None = None) -> "Home":
        return cls(Path(given or os.environ.get("SPICE_HOME") or PROJECT_ROOT / ".spice").absolute())

    @property
    def format_file(self) -> Path:
        return self.root / "format"

    @property
    def sources(self) -> Path:
        """What people drop in: `<folder>/<file>`, read only by us."""
        return self.root / "sources"

    @property
    def lake(self) -> Path:
        """Delta tables, by asset key: `raw/<dataset>`."""
        return self.root / "lake"

    @property
    def objects(self) -> Path:
        """Root of the local object store: `log/<domain>/...` and its data files."""
        return self.root / "objects"

    @property
    def heads(self) -> Path:
        """Caches derived from the log, one SQLite file per domain; may be deleted at any time."""
        return self.root / "heads"

    @property
    def topic(self) -> Path:
        return self.root / "topic.sqlite"

    @property
    def read_models(self) -> Path:
        """One SQLite file per projection: `search.sqlite`, `graph.sqlite`; may be deleted at any time."""
        return self.root / "read"

    @property
    def registry(self) -> Path:
        return self.root / "registry.sqlite"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME: the instance with its runs."""
        return self.root / "dagster"

    @property
    def locks(self) -> Path:
        return self.root / "locks"
