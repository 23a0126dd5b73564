"""Delta tables below one folder of the local disk, committed by delta-rs.

Data files are written by Arrow itself (one per partition and chunk, closed at once: memory stays that of a chunk
however many partitions a load has; 336,776 rows into 365 partitions took 0.3 s against 0.8 s by delta-rs' own writer)
and published by one delta-rs transaction (`resources.lake.writer`). Branches lie beside the tables, in `.branches`
(`resources.lake.branched`).

**Where data versions live.** Each commit's `commitInfo` carries, under `spice`, the data version and the row count of
*every* partition of the table and the highest version of every appending app: the full sha256, not the 63 bits that
an app transaction could hold, and read from the newest commit file alone. A commit is a compare-and-set: it retries
nothing and carries a Delta app transaction of its own, so of two writers that read the same state one fails and the
map can't go stale. A newest commit without `spice` (somebody else's tool wrote to the table) says nothing about the
data, so all versions count as unknown and the table is written again.

**No fsync.** delta-rs forces nothing to the disk, and neither does this adapter: the event log is the truth, and a
table is derived again from its source. After a power cut a table may be torn; a commit file that is empty or cut off
(delta-rs reads the empty one as a valid commit without changes) and data files that can't be read raise
LakeDamagedError, never a guess. A killed process tears nothing, since commits appear by an atomic rename.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.errors import SpiceError
from resources.lake.tables import LOG, LocalTables
from resources.lake.writer import LocalWriter

if TYPE_CHECKING:
    from resources.lake.branched import LocalBranches

BRANCHES = ".branches"
"""Folder below the root that is no table: records and data of branches."""


class LocalLake(LocalTables):
    """The embedded adapter: `<root>/<table>/` is a Delta table."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        if "%" in str(root):
            raise SpiceError("Path not possible", "the folder of the tables may have no '%' in it.", where=str(root))
        self.root = root

    @cached_property
    def branches(self) -> "LocalBranches":
        from resources.lake.branched import LocalBranches

        return LocalBranches(self)

    def folder(self, table: str) -> Path:
        return self.root / table

    def commit_file(self, table: str) -> Path | None:
        log = self.folder(table) / LOG
        try:
            with os.scandir(log) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return None
        commits = [name for name in names if name.endswith(".json") and name[:-5].isdigit()]
        return log / max(commits) if commits else None

    def version(self, table: str) -> int | None:  # noqa: ARG002 - main is always read at its newest commit
        return None

    def local_writer(
        self, table: str, schema: pa.Schema, partition_column: str | None, row_group_rows: int
    ) -> LocalWriter:
        return LocalWriter(self, table, schema, partition_column, row_group_rows)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """No promotion is half done while the block runs: one that a dead process began is completed first."""
        while True:
            with self.turn(alone=False):
                if not (self.root / BRANCHES).exists() or self.branches.under_way() is None:
                    yield
                    return
            self.branches.settle()

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Hold the lake's lock while the block runs: a promotion alone, commits to single tables beside each other.
        The system drops it when its process ends."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def tables(self) -> list[str]:
        found = (log.parent.relative_to(self.root) for log in self.root.glob(f"**/{LOG}"))
        return sorted(str(table) for table in found if table.parts[0] != BRANCHES)

    def prune(self, table: str, *, older_than_seconds: float = 86_400.0) -> int:
        limit = time.time() - older_than_seconds
        freed = 0
        with self.turn(alone=False):  # a promotion puts old files here
            named = {Path(file).name for file in self.files(table)}  # names are unique, whatever stands before them
            if (self.root / BRANCHES).exists():
                named |= self.branches.named_files(table)
            for file in self.folder(table).rglob("*.parquet"):
                if LOG in file.parts or file.name in named:
                    continue
                stat = file.stat()
                if stat.st_mtime < limit:
                    file.unlink()
                    freed += stat.st_size if stat.st_nlink == 1 else 0  # a branch may hold the same bytes
        return freed

    def remove(self, table: str) -> None:
        if self.folder(table).exists():
            shutil.rmtree(self.folder(table))
