"""How rows become the files of one local Delta commit: written chunk by chunk, then published at once.

Used by `resources.lake.local` alone; what a commit promises is written there and in `resources.lake.base`.
"""

import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from resources.lake.arrow import delta_schema, split_by
from resources.lake.base import (
    UNPARTITIONED,
    Exchange,
    LakeConflictError,
    LakeDamagedError,
    SchemaChangedError,
    TableState,
    TableWriter,
)
from resources.lake.exchange import merge_rows
from resources.lake.files import CONFIGURATION, DataFile, commit_properties, link

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable
    from deltalake.transaction import AddAction

WRITERS = 2
SMALL_FILES: dict[str, Any] = {"write_statistics": False, "use_dictionary": False, "compression": "lz4"}
"""Files of one partition have some hundred rows: statistics and dictionaries were 40 % of the writing there and saved
15 % of the bytes. Large files keep both, since readers skip row groups by them."""
PARTITION_VALUE = re.compile(r"[A-Za-z0-9_.-]+")


class Place(Protocol):
    """What a writer needs to know of its lake."""

    def folder(self, table: str) -> Path: ...
    def publishing(self) -> AbstractContextManager[None]: ...
    def state(self, table: str) -> TableState: ...
    def open(self, table: str) -> "DeltaTable": ...


class LocalWriter(TableWriter):
    """Files of one commit to be. The table's state is read when the writer opens; the commit must still find it so."""

    def __init__(
        self, lake: Place, table: str, schema: pa.Schema, partition_column: str | None, row_group_rows: int
    ) -> None:
        if partition_column is not None and partition_column not in schema.names:
            raise ValueError(f"no column {partition_column} to partition by")
        self._lake, self._table = lake, table
        self._column, self._row_group_rows = partition_column, row_group_rows
        self._schema = delta_schema(schema)
        self._before = lake.state(table)
        self._files: list[DataFile] = []
        self._pending: list[Future[DataFile]] = []
        self._next = 0
        self._pool: ThreadPoolExecutor | None = None
        self._encoding: dict[str, Any] = {} if partition_column is None else SMALL_FILES

    def __enter__(self) -> "LocalWriter":
        return self

    def write(self, rows: pa.Table) -> None:
        rows = rows.select(self._schema.names).cast(self._schema)
        if rows.num_rows == 0:
            return
        parts = [(UNPARTITIONED, rows)] if self._column is None else split_by(rows, self._column)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="lake-writer")
        self._settle()  # files of the chunk before are written while the caller makes this one, and no longer
        for partition, part in parts:
            self._pending.append(self._pool.submit(self._write_file, partition, part, self._next))
            self._next += 1

    def _settle(self) -> None:
        """Wait for the files under way; the first failure is raised."""
        for failure in self._wait():
            raise failure

    def _wait(self) -> list[BaseException]:
        pending, self._pending = self._pending, []
        failures = [failure for future in pending if (failure := future.exception())]
        self._files += [future.result() for future in pending if not future.exception()]
        return failures

    def _write_file(self, partition: str, rows: pa.Table, ordinal: int) -> DataFile:
        name = f"part-{ordinal:06d}-{uuid.uuid4().hex}.parquet"
        if self._column is not None:
            if not PARTITION_VALUE.fullmatch(partition):
                raise ValueError(f"{partition!r} can't be a partition of {self._table}: letters, digits, _ . - only")
            name = f"{self._column}={partition}/{name}"
        target = self._lake.folder(self._table) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, target, row_group_size=self._row_group_rows, **self._encoding)
        return DataFile(name, partition, target.stat().st_size, rows.num_rows)

    def commit(self, versions: Mapping[str, str], metadata: Mapping[str, str] | None = None) -> None:
        self._settle()
        written = dict.fromkeys(versions, 0)
        for file in self._files:
            if file.partition not in written:
                raise ValueError(f"{self._table}: rows of {file.partition!r} were written, which is not to be replaced")
            written[file.partition] += file.rows
        before = self._before
        kept = before if self._column is not None else TableState()
        state = TableState(
            number=before.number + 1,
            versions={**kept.versions, **versions},
            rows={**kept.rows, **written},
            apps=before.apps,
            metadata=metadata or {},
        )
        with self._lake.publishing():
            self._publish(state, replaced=sorted(versions))

    def commit_append(self, app_id: str, version: int, after: int | None, metadata: Mapping[str, str]) -> bool:
        """Add the rows under an app's version; False where that version is recorded already."""
        self._settle()
        before = self._before
        recorded = before.apps.get(app_id, -1)
        if version <= recorded:
            return False
        if after is not None and after != recorded:  # the commit is refused if `before` is not the newest any more
            raise LakeConflictError(self._table, f"it is at version {recorded} of {app_id}, not at {after}.")
        rows = before.rows.get(UNPARTITIONED, 0) + sum(file.rows for file in self._files)
        state = TableState(
            number=before.number + 1,
            versions=before.versions,
            rows={UNPARTITIONED: rows},
            apps={**before.apps, app_id: version},
            metadata=metadata,
        )
        with self._lake.publishing():
            self._publish(state, app=(app_id, version))
        return True

    def commit_exchange(
        self, exchange: Exchange, versions: Mapping[str, str], after: TableState, metadata: Mapping[str, str]
    ) -> None:
        """Take the rows with these keys out and put others in; see `Lake.exchange`."""
        before = self._before
        if before != after:
            raise LakeConflictError(self._table, "it is not as it was when it was read.")
        counted = before.rows.get(UNPARTITIONED, 0) + exchange.rows.num_rows - exchange.taken
        state = TableState(before.number + 1, versions, {UNPARTITIONED: counted}, before.apps, metadata)
        if not exchange.gone.num_rows:
            self.write(exchange.rows)
            self._settle()
        with self._lake.publishing():
            if exchange.gone.num_rows:
                self._exchange(state, exchange)
            else:
                self._publish(state)

    def _exchange(self, state: TableState, exchange: Exchange) -> None:
        if self._lake.state(self._table).number != self._before.number:
            raise LakeConflictError(self._table, "another process committed to it.")
        self._merge(self._lake.open(self._table), exchange, commit_properties(state, state.number, None))

    def _merge(self, opened: "DeltaTable", exchange: Exchange, properties: "CommitProperties") -> None:
        from deltalake.exceptions import DeltaError

        rows = exchange.rows.cast(self._schema)
        try:
            found = merge_rows(opened, rows, exchange.gone, properties)
        except DeltaError as error:
            raise LakeConflictError(self._table, f"the commit was refused ({error}).") from error
        if found != exchange.taken:
            place, said = str(self._lake.folder(self._table)), f"{found:,} rows went where {exchange.taken:,} were due"
            raise LakeDamagedError(self._table, place, said)

    def _publish(
        self, state: TableState, *, replaced: Sequence[str] | None = None, app: tuple[str, int] | None = None
    ) -> None:
        """One commit; `replaced` None = append."""
        from deltalake import Schema
        from deltalake.exceptions import DeltaError
        from deltalake.transaction import create_table_with_add_actions

        if self._lake.state(self._table).number != self._before.number:
            raise LakeConflictError(self._table, "another process committed to it.")
        properties = commit_properties(state, state.number, app)
        by = [self._column] if self._column else []
        folder = self._lake.folder(self._table)
        try:
            if state.number == 0:
                folder.mkdir(parents=True, exist_ok=True)
                create_table_with_add_actions(
                    folder.absolute().as_uri(),
                    Schema.from_arrow(self._schema),
                    self._offered(),
                    partition_by=by,
                    configuration=CONFIGURATION,
                    commit_properties=properties,
                )
            else:
                opened = self._lake.open(self._table)
                self._check_partitioning(opened)
                schema = Schema.from_arrow(self._next_schema(opened, replaced))
                opened.create_write_transaction(
                    [*self._offered()],
                    "append" if replaced is None else "overwrite",
                    schema,
                    by,
                    [(self._column, "in", list(replaced))] if replaced is not None and self._column else None,
                    commit_properties=properties,
                )
        except DeltaError as error:
            raise LakeConflictError(self._table, f"the commit was refused ({error}).") from error

    def adopt(
        self, files: Sequence[DataFile], folder: Path, state: TableState, *, replaced: Sequence[str] | None
    ) -> None:
        """Publish files that lie in another folder, under second names in this table's; the caller holds the turn."""
        for file in files:
            link(folder / file.path, self._lake.folder(self._table) / file.path)
        self._files = [*files]
        self._publish(state, replaced=replaced)

    def _offered(self) -> "list[AddAction]":
        """The files for the commit, whose they are from now on: an exception does not say that it was refused (Ctrl-C
        may come right after it), so they are not discarded any more. `prune` removes files that no commit names."""
        from deltalake.transaction import AddAction

        now = int(time.time() * 1000)
        files, self._files = self._files, []
        return [
            AddAction(
                file.path,
                file.size,
                {self._column: file.partition} if self._column else {},
                now,
                data_change=True,
                stats=json.dumps({"numRecords": file.rows}),
            )
            for file in files
        ]

    def _check_partitioning(self, opened: "DeltaTable") -> None:
        has, wants = opened.metadata().partition_columns, [self._column] if self._column else []
        if has != wants:
            raise SchemaChangedError(
                "Partitioning changed",
                f"the table is partitioned by {has or 'nothing'}, the new rows by {wants or 'nothing'}. "
                "Remove the table's folder and run the job again.",
                where=str(self._lake.folder(self._table)),
                status=409,
            )

    def _next_schema(self, opened: "DeltaTable", replaced: Sequence[str] | None) -> pa.Schema:
        """Columns of the table after this commit: ours alone where no older row stays."""
        if replaced is not None and (self._column is None or set(self._before.versions) <= set(replaced)):
            return self._schema
        return self._merged(pa.schema(opened.schema().to_arrow()))

    def _merged(self, existing: pa.Schema) -> pa.Schema:
        """Columns of the partitions that stay, and new ones. A column that is no longer delivered stays, and is
        null."""
        fields = {name: existing.field(name) for name in existing.names}
        for column in self._schema:
            before = fields.get(column.name)
            if before is not None and before.type != column.type:
                raise SchemaChangedError(
                    "Column type changed",
                    f"column {column.name} is {before.type} in the partitions that stay and {column.type} in the "
                    "new ones. Run the job for all partitions at once.",
                    where=f"{self._lake.folder(self._table)}:{column.name}",
                    status=409,
                )
            fields[column.name] = column
        return pa.schema(list(fields.values()))

    def discard(self) -> None:
        self._wait()  # a failure was raised, or is about to be: here the files alone matter
        for file in self._files:
            (self._lake.folder(self._table) / file.path).unlink(missing_ok=True)
        self._files = []
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
