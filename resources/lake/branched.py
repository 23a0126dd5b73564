"""Branches of a lake on the local disk, and the lake as it is at one of them.

A table that a branch writes becomes a Delta table of its own in `.branches/data/<id>/<table>`: the files that stay are
hard links, the new ones lie there, and it has one commit. Nobody sees it until a record of the catalog names it
(`resources.lake.catalog`), and what no record names any more `sweep` removes. An engine reads it like any other Delta
table; a table that the branch did not write it reads in main's folder, at the version of the fork.

Records are durable when a call returns. Data files are not synced, here as on main (`resources.lake.local`): each
record holds the sha256 of the Delta commit that it means, so what a power cut tore is found and never read.
"""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from resources.clock import utc_now
from resources.lake.base import Lake, LakeConflictError
from resources.lake.branch_lake import DATA, BranchLake, ref_of, refuse
from resources.lake.branches import MAIN, NAME, Branch, Branches, BranchExists, Promotion, checked_name, unknown
from resources.lake.catalog import Catalog, Record, TableRef, Tables
from resources.lake.promotion import Promoting
from resources.object_store.local import LocalObjectStore

if TYPE_CHECKING:
    from resources.lake.local import LocalLake


class LocalBranches(Branches):
    """Of the lake whose tables lie in `root`; all of it lies in `root/.branches`."""

    def __init__(self, lake: "LocalLake") -> None:
        from resources.lake.local import BRANCHES

        self.lake = lake
        self.root = lake.root / BRANCHES
        self.catalog = Catalog(LocalObjectStore(self.root))

    def create(self, name: str) -> Branch:
        checked_name(name)
        with self.lake.publishing():  # no half of a promotion is forked
            last = self.catalog.newest(name)
            tables = self.main()
            first = Record(
                number=0 if last is None else last.number + 1,
                branch=uuid.uuid4().hex,
                step="create",
                tables=tables,
                fork=tables,
                created_at=utc_now().isoformat(),
            )
            if (last is not None and not last.dropped) or not self.catalog.put(name, first):
                raise BranchExists("Branch exists", f"there is a branch {name!r} already.", where="branch", status=409)
        return _branch(name, first)

    def drop(self, name: str) -> None:
        self._advance(name, lambda head: replace(head.next("drop"), tables={}, fork={}, metadata={}))

    def get(self, name: str) -> Branch:
        return _branch(name, self.head(name))

    def every(self) -> list[Branch]:
        return [_branch(name, record) for name, record in self._live()]

    def at(self, name: str) -> Lake:
        if name == MAIN:
            return self.lake
        self.head(name)
        return BranchLake(self, lambda: self.head(name).tables, partial(self._publish, name))

    def fork_of(self, name: str) -> Lake:
        return self.frozen(self.head(name).fork)

    def frozen(self, tables: Tables) -> "BranchLake":
        """The lake with these tables, for reading."""
        return BranchLake(self, lambda: tables, refuse)

    @contextmanager
    def transaction(self, name: str, metadata: Mapping[str, str] | None = None) -> Iterator[Lake]:
        begun = self.head(name).tables
        written: dict[str, TableRef | None] = {}

        def now() -> Tables:
            return {table: ref for table, ref in {**begun, **written}.items() if ref is not None}

        def publish(table: str, seen: TableRef | None, ref: TableRef | None) -> None:
            if now().get(table) != seen:
                raise LakeConflictError(table, "another writer of this transaction committed to it.")
            written[table] = ref

        yield BranchLake(self, now, publish)
        self.commit(name, written, {table: begun.get(table) for table in written}, metadata)

    def promote(self, name: str, *, reads: Sequence[str] = ()) -> Promotion:
        return Promoting(self).promote(name, reads)

    def settle(self) -> None:
        """Complete the promotion that a dead process began, if there is one."""
        Promoting(self).settle()

    def under_way(self) -> Record | None:
        """The promotion that was begun and is not done."""
        record = self.catalog.newest(MAIN)
        return record if record is not None and record.step == "promote" else None

    def sweep(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Records of dropped branches go too."""
        folder = self.root / DATA
        if not folder.exists():
            return 0
        limit, freed = time.time() - older_than_seconds, 0
        with self.lake.turn(alone=False):  # no promotion is going on that reads what no branch names
            for name in self.catalog.names():
                last = self.catalog.newest(name)
                if last is not None and last.dropped:
                    self.catalog.shorten(name)
            named = {Path(ref.folder).parts[2] for ref in self._named() if Path(ref.folder).parts[1:2] == (DATA,)}
            for one in sorted(folder.iterdir()):
                if one.name not in named and _last_change(one) < limit:
                    freed += sum(file.stat().st_size for file in one.rglob("*.parquet") if file.stat().st_nlink == 1)
                    shutil.rmtree(one)
        return freed

    def named_files(self, table: str) -> set[str]:
        """Names of the data files that a branch, or a promotion that is not done, means by this table."""
        refs = {ref for tables in self._tables() for name, ref in tables.items() if name == table}
        found: set[str] = set()
        for ref in refs:
            found |= {Path(file).name for file in self.frozen({table: ref}).files(table)}
        return found

    def main(self, tables: Sequence[str] | None = None) -> dict[str, TableRef]:
        """What main's tables (all by default) are now; one that is not there is left out."""
        found = {}
        for table in self.lake.tables() if tables is None else tables:
            commit = self.lake.commit_file(table)
            if commit is not None:
                found[table] = ref_of(table, commit)
        return found

    def head(self, name: str) -> Record:
        """The newest record of a branch. Raises UnknownBranch."""
        record = self.catalog.newest(name) if name == _as_name(name) else None
        if record is None or record.dropped:
            raise unknown(name, [MAIN, *(there for there, _ in self._live())])
        return record

    def commit(
        self,
        name: str,
        tables: Mapping[str, TableRef | None],
        seen: Mapping[str, TableRef | None],
        metadata: Mapping[str, str] | None = None,
    ) -> Record:
        """Give tables of a branch other versions, if they are still those that were `seen`."""

        def next_of(head: Record) -> Record:
            for table, ref in seen.items():
                if head.tables.get(table) != ref:
                    raise LakeConflictError(table, f"another process committed to it on the branch {name}.")
            merged = {**head.tables, **tables}
            now = {table: ref for table, ref in merged.items() if ref is not None}
            return replace(head.next("commit"), tables=now, metadata={**head.metadata, **(metadata or {})})

        return self._advance(name, next_of)

    def _publish(self, name: str, table: str, seen: TableRef | None, ref: TableRef | None) -> None:
        self.commit(name, {table: ref}, {table: seen})

    def _advance(self, name: str, next_of: Callable[[Record], Record]) -> Record:
        """Compare and set: what `next_of` makes of the newest record becomes the newest, or is made again of a newer
        one."""
        while True:
            record = next_of(self.head(name))
            if self.catalog.put(name, record):
                return record

    def _live(self) -> Iterator[tuple[str, Record]]:
        return ((name, one) for name, one in self.catalog.records() if name != MAIN and not one.dropped)

    def _tables(self) -> Iterator[Tables]:
        for _, record in self._live():
            yield record.tables
            yield record.fork
        begun = self.under_way()
        if begun is not None:
            yield begun.tables
            yield begun.fork

    def _named(self) -> set[TableRef]:
        return {ref for tables in self._tables() for ref in tables.values()}


def _branch(name: str, record: Record) -> Branch:
    return Branch(
        name=name,
        id=record.branch,
        commit=record.id,
        number=record.number,
        created_at=record.created_at,
        changed=tuple(record.changed()),
        metadata=record.metadata,
        promoted=record.promoted,
    )


def _as_name(name: str) -> str:
    """The name if it can be one, else nothing: what is asked for never becomes a path unchecked."""
    return name if NAME.fullmatch(name) and name != MAIN else ""


def _last_change(folder: Path) -> float:
    """When something was last written below a folder; a linked file is as old as it was before."""
    return max((Path(parent).stat().st_mtime for parent, _, _ in os.walk(folder)), default=0.0)
