"""The lake as it is at a branch of the embedded catalog, and how a table of it is written (see `branched`)."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.lake.base import Exchange, LakeConflictError, LakeDamagedError, TableState
from resources.lake.branches import Branches
from resources.lake.catalog import TableRef, Tables
from resources.lake.files import CONFIGURATION, commit_properties, data_files, link
from resources.lake.tables import LOG, LocalTables
from resources.lake.writer import LocalWriter

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from resources.lake.branched import LocalBranches

DATA = "data"
Publish = Callable[[str, TableRef | None, TableRef | None], None]
"""Told of a table, what it was when its writer was opened, and what it is to be (None: not there)."""


class BranchLake(LocalTables):
    """The tables as a map of the catalog names them; what is written goes to where `publish` puts it."""

    def __init__(self, branches: "LocalBranches", tables: Callable[[], Tables], publish: Publish) -> None:
        super().__init__()
        self._branches, self._tables, self.publish = branches, tables, publish
        self._trusted: dict[TableRef, tuple[int, int]] = {}
        """Commit files whose sha256 was right, with the inode and time that they had."""

    @property
    def branches(self) -> Branches:
        return self._branches

    @property
    def root(self) -> Path:
        return self._branches.lake.root

    def ref(self, table: str) -> TableRef | None:
        return self._tables().get(table)

    def folder(self, table: str) -> Path:
        ref = self.ref(table)
        if ref is None:
            raise KeyError(table)
        return self.root / ref.folder

    def version(self, table: str) -> int | None:
        ref = self.ref(table)
        return None if ref is None else ref.version

    def commit_file(self, table: str) -> Path | None:
        ref = self.ref(table)
        if ref is None:
            return None
        commit = self.root / ref.folder / LOG / f"{ref.version:020d}.json"
        try:
            facts = commit.stat()
            if self._trusted.get(ref) != (facts.st_ino, facts.st_mtime_ns):
                if _digest(commit) != ref.digest:
                    raise LakeDamagedError(table, str(commit), "it was made anew since the branch was made")
                self._trusted[ref] = (facts.st_ino, facts.st_mtime_ns)
        except FileNotFoundError as error:
            raise LakeDamagedError(table, str(commit), "its commit is gone; make the branch again") from error
        return commit

    def local_writer(
        self, table: str, schema: pa.Schema, partition_column: str | None, row_group_rows: int
    ) -> LocalWriter:
        return BranchWriter(_Staging(self, table), table, schema, partition_column, row_group_rows)

    def tables(self) -> list[str]:
        return sorted(self._tables())

    def prune(self, table: str, *, older_than_seconds: float = 86_400.0) -> int:  # noqa: ARG002 - of all tables
        return self._branches.sweep(older_than_seconds=older_than_seconds)

    def remove(self, table: str) -> None:
        seen = self.ref(table)
        if seen is not None:
            self.publish(table, seen, None)


class _Staging:
    """The place of one table to be: a folder of its own for the files, the branch for what was before."""

    def __init__(self, lake: BranchLake, table: str) -> None:
        self.lake, self.seen = lake, lake.ref(table)
        self.relative = f"{lake._branches.root.name}/{DATA}/{uuid.uuid4().hex}"  # noqa: SLF001 - this module's own

    def folder(self, table: str) -> Path:
        return self.lake.root / self.relative / table

    def publishing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def state(self, table: str) -> TableState:
        return self.lake.state(table)

    def open(self, table: str) -> "DeltaTable":
        return self.lake.open(table)


class BranchWriter(LocalWriter):
    """Files of one commit to be on a branch."""

    _lake: _Staging

    def _publish(
        self, state: TableState, *, replaced: Sequence[str] | None = None, app: tuple[str, int] | None = None
    ) -> None:
        """A Delta table of its own with one commit: what stays, and what was written."""
        from deltalake import Schema
        from deltalake.transaction import create_table_with_add_actions

        staging, table = self._lake, self._table
        folder = staging.folder(table)
        folder.mkdir(parents=True, exist_ok=True)
        schema = self._schema
        if staging.seen is not None:
            opened = staging.open(table)
            self._check_partitioning(opened)
            schema = self._next_schema(opened, replaced)
            whole = replaced is not None and self._column is None
            base = staging.lake.folder(table)
            for file in [] if whole else data_files(opened, base):
                if replaced is None or file.partition not in set(replaced):
                    link(base / file.path, folder / file.path)
                    self._files.append(file)
        create_table_with_add_actions(
            folder.absolute().as_uri(),
            Schema.from_arrow(schema),
            self._offered(),
            partition_by=[self._column] if self._column else [],
            configuration=CONFIGURATION,
            commit_properties=commit_properties(state, 0, app),
        )
        ref = ref_of(f"{staging.relative}/{table}", folder / LOG / f"{0:020d}.json")
        staging.lake.publish(table, staging.seen, ref)

    def _exchange(self, state: TableState, exchange: Exchange) -> None:
        """A Delta table of its own with two commits: what was, and the exchange."""
        from deltalake import DeltaTable, Schema
        from deltalake.transaction import create_table_with_add_actions

        staging, table = self._lake, self._table
        if staging.seen is None:
            raise KeyError(table)
        folder, base = staging.folder(table), staging.lake.folder(table)
        folder.mkdir(parents=True, exist_ok=True)
        self._files = data_files(staging.open(table), base)
        for file in self._files:
            link(base / file.path, folder / file.path)
        create_table_with_add_actions(
            folder.absolute().as_uri(),
            Schema.from_arrow(self._schema),
            self._offered(),
            configuration=CONFIGURATION,
            commit_properties=commit_properties(self._before, 0, None),
        )
        self._merge(DeltaTable(folder.absolute().as_uri()), exchange, commit_properties(state, 1, None))
        ref = ref_of(f"{staging.relative}/{table}", folder / LOG / f"{1:020d}.json")
        staging.lake.publish(table, staging.seen, ref)

    def discard(self) -> None:
        super().discard()
        folder = self._lake.lake.root / self._lake.relative
        if not (self._lake.folder(self._table) / LOG).exists():
            shutil.rmtree(folder, ignore_errors=True)


def ref_of(folder: str, commit: Path) -> TableRef:
    """The table in a folder below the lake's root, at a commit."""
    return TableRef(folder, int(commit.stem), _digest(commit))


def refuse(table: str, seen: TableRef | None, ref: TableRef | None) -> None:  # noqa: ARG001 - the shape of Publish
    """For a lake that is what was."""
    raise LakeConflictError(table, "a fork is what was; write to the branch.")


def _digest(commit: Path) -> str:
    return hashlib.sha256(commit.read_bytes()).hexdigest()
