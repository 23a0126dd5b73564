"""Delta tables of the local disk, each at one commit: the newest one, or the one that a branch names.

What `resources.lake.local` and `resources.lake.branched` share; what is promised is written in `resources.lake.base`.
"""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from resources.lake.base import (
    BATCH_ROWS,
    UNPARTITIONED,
    Exchange,
    Lake,
    LakeDamagedError,
    Rows,
    TableState,
    TableWriter,
    schema_and_tables,
)
from resources.lake.files import COMMIT_APP
from resources.lake.writer import LocalWriter

if TYPE_CHECKING:
    from deltalake import DeltaTable

LOG = "_delta_log"
READERS = 2


@dataclass(frozen=True)
class _Snapshot:
    """A table at one commit (its file's name, inode and time): its columns, and its data files by partition."""

    commit: tuple[str, int, int]
    schema: pa.Schema
    files: dict[str, list[str]]


class LocalTables(Lake):
    """What a lake of local Delta tables does, given the commit of each table."""

    def __init__(self) -> None:
        self._snapshots: dict[str, _Snapshot] = {}

    @abstractmethod
    def commit_file(self, table: str) -> Path | None:
        """The file of the commit at which the table is read; None where there is no table."""

    @abstractmethod
    def folder(self, table: str) -> Path:
        """The folder that is the Delta table."""

    @abstractmethod
    def local_writer(
        self, table: str, schema: pa.Schema, partition_column: str | None, row_group_rows: int
    ) -> LocalWriter:
        """A writer whose commit this lake's readers see."""

    def path(self, table: str) -> str:
        return str(self.folder(table).absolute())

    def state(self, table: str) -> TableState:
        newest = self.commit_file(table)
        return TableState() if newest is None else _state_of(table, newest)

    def committed_at(self, table: str) -> datetime | None:
        newest = self.commit_file(table)
        if newest is None:
            return None
        told = _commit_info(table, newest).get("timestamp")
        return datetime.fromtimestamp(told / 1000 if told is not None else newest.stat().st_mtime, UTC)

    def writer(
        self, table: str, schema: pa.Schema, *, partition_column: str | None, row_group_rows: int = BATCH_ROWS
    ) -> TableWriter:
        return self.local_writer(table, schema, partition_column, row_group_rows)

    def append(
        self,
        table: str,
        data: Rows,
        *,
        app_id: str,
        version: int,
        after: int | None = None,
        metadata: Mapping[str, str] | None = None,
        schema: pa.Schema | None = None,
        row_group_rows: int = BATCH_ROWS,
    ) -> bool:
        if version <= self.state(table).apps.get(app_id, -1):
            return False
        known, chunks = schema_and_tables(data, schema)
        with self.local_writer(table, known, None, row_group_rows) as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.commit_append(app_id, version, after, metadata or {})

    def exchange(
        self,
        table: str,
        exchange: Exchange,
        *,
        versions: Mapping[str, str],
        after: TableState,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        with self.local_writer(table, exchange.rows.schema, None, BATCH_ROWS) as writer:
            writer.commit_exchange(exchange, versions, after, metadata or {})

    def state_at(self, table: str, number: int) -> TableState | None:
        if self.commit_file(table) is None:
            return None
        commit = self.folder(table) / LOG / f"{number:020d}.json"
        if number < 0 or not commit.exists():
            return None
        opened = self._open_at(table, number)
        if any(not Path(unquote(uri).removeprefix("file://")).exists() for uri in opened.file_uris()):
            return None
        return _state_of(table, commit)

    def schema(self, table: str) -> pa.Schema:
        return self._snapshot(table).schema

    def open(self, table: str) -> "DeltaTable":
        """The table at its commit, which was checked to be whole. KeyError where there is none."""
        if self.state(table).number < 0:
            raise KeyError(table)
        return self._open_at(table, self.version(table))

    def _open_at(self, table: str, version: int | None) -> "DeltaTable":
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            return DeltaTable(self.folder(table).absolute().as_uri(), version=version)
        except (DeltaError, OSError) as error:
            raise LakeDamagedError(table, self.path(table), str(error)) from error

    def files(self, table: str, *, partitions: Sequence[str] | None = None) -> list[str]:
        every = self._snapshot(table).files
        if partitions is None or UNPARTITIONED in partitions:
            return [file for files in every.values() for file in files]
        return [file for key in sorted(set(partitions)) for file in every.get(key, every.get(UNPARTITIONED, []))]

    def _snapshot(self, table: str) -> "_Snapshot":
        """What the commit says, read once per commit: a load asks for each of its chunks."""
        newest = self.commit_file(table)
        if newest is None:
            raise KeyError(table)
        facts = newest.stat()
        commit = (newest.name, facts.st_ino, facts.st_mtime_ns)
        known = self._snapshots.get(table)
        if known is None or known.commit != commit:
            opened = self.open(table)
            by = opened.metadata().partition_columns
            files: dict[str, list[str]] = {}
            for uri in sorted(opened.file_uris()):
                file = unquote(uri).removeprefix("file://")
                key = Path(file).parent.name.removeprefix(f"{by[0]}=") if by else UNPARTITIONED
                files.setdefault(key, []).append(file)
            known = _Snapshot(commit, pa.schema(opened.schema().to_arrow()), files)
            self._snapshots[table] = known
        return known

    def scan(
        self, table: str, *, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        schema = self._chosen(table, columns)
        files = [] if partitions is not None and not partitions else self.files(table, partitions=partitions)
        with self._readable(table), ThreadPoolExecutor(READERS, thread_name_prefix="lake-reader") as pool:
            parts = list(pool.map(lambda file: _read(file, schema), files))
        return pa.concat_tables([schema.empty_table(), *parts])

    def batches(
        self,
        table: str,
        *,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        schema = self._chosen(table, columns)
        files = [] if partitions is not None and not partitions else self.files(table, partitions=partitions)
        for file in files:
            with self._readable(table):
                for piece in _pieces(file, schema, batch_rows):
                    yield from piece.to_batches(max_chunksize=batch_rows)

    def count(self, table: str, *, partitions: Sequence[str] | None = None) -> int:
        if self.commit_file(table) is None:
            return 0
        with self._readable(table), ThreadPoolExecutor(READERS, thread_name_prefix="lake-reader") as pool:
            rows = pool.map(lambda file: pq.read_metadata(file).num_rows, self.files(table, partitions=partitions))
            return sum(rows)

    def _chosen(self, table: str, columns: Sequence[str] | None) -> pa.Schema:
        """Schema of the columns to read. KeyError for one that is not there."""
        schema = self.schema(table)
        return schema if columns is None else pa.schema([schema.field(name) for name in columns])

    @contextmanager
    def _readable(self, table: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            raise LakeDamagedError(table, self.path(table), str(error)) from error

    def size(self, table: str) -> int:
        return sum(file.stat().st_size for file in self.folder(table).rglob("*") if file.is_file())


def _read(file: str, schema: pa.Schema) -> pa.Table:
    with pq.ParquetFile(file) as opened:
        rows = opened.read(columns=_stored(opened, schema), use_threads=False)
    return _as_declared(rows, file, schema)


def _pieces(file: str, schema: pa.Schema, batch_rows: int) -> Iterator[pa.Table]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_rows, columns=_stored(opened, schema), use_threads=False):
            yield _as_declared(pa.Table.from_batches([batch]), file, schema)


def _stored(opened: pq.ParquetFile, schema: pa.Schema) -> list[str]:
    return [name for name in opened.schema_arrow.names if name in schema.names]


def _as_declared(rows: pa.Table, file: str, schema: pa.Schema) -> pa.Table:
    """The rows of one file with the table's columns: its partition from its folder, nulls for columns that came
    later."""
    columns = []
    for field in schema:
        if field.name in rows.column_names:
            columns.append(rows[field.name].cast(field.type))
            continue
        folder, prefix = Path(file).parent.name, f"{field.name}="
        value = folder.removeprefix(prefix) if folder.startswith(prefix) else None
        columns.append(pa.chunked_array([pa.repeat(pa.scalar(value, field.type), rows.num_rows)]))
    return pa.table(columns, schema=schema)


def _state_of(table: str, commit: Path) -> TableState:
    info = _commit_info(table, commit).get(COMMIT_APP)
    return TableState(number=int(commit.stem), **(info if isinstance(info, dict) else {}))


def _commit_info(table: str, commit: Path) -> dict[str, Any]:
    """The commitInfo of one commit file, which must be whole: what is torn has an end that is no JSON."""
    lines = commit.read_bytes().splitlines()
    if not lines or not lines[-1].strip():
        raise LakeDamagedError(table, str(commit), "its newest commit is empty")
    try:
        last = json.loads(lines[-1])
        info = next((line for line in lines if line.startswith(b'{"commitInfo"')), None)
        found = json.loads(info) if info is not None else last
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LakeDamagedError(table, str(commit), f"its newest commit is cut off: {error}") from error
    said: dict[str, Any] = found.get("commitInfo", {})
    return said
