"""The port to tables: versioned Delta tables that are replaced by partition or appended to exactly once.

What is here: the operations, their promises and their errors. How a table lies on a disk is in `resources.lake.local`.

A table remembers, *in the same commit as the data*, the data version of each of its partitions. "Is it there already"
is therefore answered from the table itself, and is right after any crash. The lake is not the truth of the product
(the event log is): any table of it can be derived again from its sources, so an adapter need not force data to the
disk at each commit.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from resources.errors import SpiceError

if TYPE_CHECKING:
    from resources.lake.branches import Branches

PARTITION = "_partition"
"""Name of the column that holds a row's partition in every partitioned table."""
UNPARTITIONED = ""
"""The one partition key of a table without partitions."""
BATCH_ROWS = 65_536
"""Rows that a reader or a writer holds at once where nothing else is said."""

Rows: TypeAlias = "pa.Table | Iterable[pa.RecordBatch] | Iterable[pa.Table]"


class LakeDamagedError(SpiceError):
    """A table whose newest commit or whose files can't be read: it has to be written again from its source."""

    kind = "urn:spice:lake-damaged"

    def __init__(self, table: str, place: str, reason: str) -> None:
        super().__init__(
            "Table damaged",
            f"the table {table} can't be trusted ({reason}). Nothing was guessed: remove its folder "
            "and run the job again; it is made again from its inputs, and objects and events are not touched.",
            where=place,
            status=500,
        )


class LakeConflictError(SpiceError):
    """Somebody else committed to the table between our reading and our writing; nothing of ours was written."""

    kind = "urn:spice:lake-conflict"

    def __init__(self, table: str, detail: str) -> None:
        super().__init__("Table changed meanwhile", f"{table}: {detail} Run the job again.", status=409)


class SchemaChangedError(SpiceError):
    """A partition's new columns have other types than the partitions that stay."""

    kind = "urn:spice:schema-changed"


@dataclass(frozen=True)
class TableState:
    """What the newest commit says of a table. `number` is -1 where there is no table."""

    number: int = -1
    versions: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    apps: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """Rows of an unpartitioned table that go, and rows that come. `gone`: some columns, and values of theirs, each set
    of values once; the `taken` rows that have them go. A missing value equals a missing value."""

    rows: pa.Table
    gone: pa.Table
    taken: int


class TableWriter(ABC):
    """Writes rows chunk by chunk and publishes them in one commit; left without `commit`, nothing of it is visible."""

    @abstractmethod
    def write(self, rows: pa.Table) -> None:
        """Write a chunk. It holds at most this chunk in memory; the same partition may come in several chunks."""

    @abstractmethod
    def commit(self, versions: Mapping[str, str], metadata: Mapping[str, str] | None = None) -> None:
        """Replace exactly the partitions named in `versions` by what was written, and record their data versions.

        A named partition without rows becomes an empty one. Raises ValueError where rows of an unnamed partition were
        written, LakeConflictError where somebody else committed since the writer was opened.
        """

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written and not committed."""

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


class Lake(ABC):
    """A store of Delta tables, named by asset key: `raw/orders`."""

    @property
    @abstractmethod
    def branches(self) -> "Branches":
        """Forks of all tables; those of the whole lake, also where this one is at a branch."""

    @abstractmethod
    def state(self, table: str) -> TableState:
        """The newest commit's word on the table, read from that one commit. Raises LakeDamagedError where it is
        torn."""

    @abstractmethod
    def writer(
        self, table: str, schema: pa.Schema, *, partition_column: str | None, row_group_rows: int = BATCH_ROWS
    ) -> TableWriter:
        """A writer of rows of `schema` (with the partition column in it, if any)."""

    @abstractmethod
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
        """Add rows in one commit, once per (app_id, version): False, and nothing written, where `version` is not above
        the one recorded for `app_id`. `after`: the recorded one that the rows go on from, -1 for none; another one is a
        LakeConflictError. `schema` is needed where `data` may be an empty iterable."""

    @abstractmethod
    def exchange(
        self,
        table: str,
        exchange: Exchange,
        *,
        versions: Mapping[str, str],
        after: TableState,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Take rows out and put others in, in one commit. `after`: the state that this goes on from; another one is
        a LakeConflictError."""

    @abstractmethod
    def state_at(self, table: str, number: int) -> TableState | None:
        """What an older commit said; None where it, or a data file that it names, is not there any more."""

    @abstractmethod
    def schema(self, table: str) -> pa.Schema:
        """Columns of the table, the partition column last. KeyError where there is no table."""

    @abstractmethod
    def scan(
        self, table: str, *, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows of the named partitions (None = all). The order of rows is not promised; `_row` has it where it
        matters.

        A partition that is not there has no rows. KeyError where there is no table.
        """

    @abstractmethod
    def batches(
        self,
        table: str,
        *,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """The same rows in batches of at most `batch_rows`, with bounded memory."""

    @abstractmethod
    def path(self, table: str) -> str:
        """Where an engine finds the Delta table, which it reads at `version`."""

    @abstractmethod
    def version(self, table: str) -> int | None:
        """The Delta version at which an engine reads the table; None for the newest."""

    @abstractmethod
    def files(self, table: str, *, partitions: Sequence[str] | None = None) -> list[str]:
        """Data files of the table's newest commit."""

    @abstractmethod
    def count(self, table: str, *, partitions: Sequence[str] | None = None) -> int:
        """Rows that the data files hold by their own word, not by the commit's. Raises LakeDamagedError where one is
        missing or torn; 0 where there is no table."""

    @abstractmethod
    def size(self, table: str) -> int:
        """Bytes on disk, files of older commits included."""

    @abstractmethod
    def tables(self) -> list[str]:
        """Names of all tables."""

    @abstractmethod
    def prune(self, table: str, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove data files that neither the newest commit nor a branch names and that are old enough not to be a
        writer's; returns the bytes freed. Other versions can't be read afterwards, which nothing in this product
        does."""

    @abstractmethod
    def remove(self, table: str) -> None:
        """Remove the table with everything in it."""

    @abstractmethod
    def committed_at(self, table: str) -> datetime | None:
        """When the table's newest commit was made (UTC); None where there is no table."""

    def versions(self, table: str) -> dict[str, str]:
        """Data version per partition, exact and atomic with the rows; {} where there is no table."""
        return dict(self.state(table).versions)

    def rows(self, table: str) -> dict[str, int]:
        """Rows per partition, as counted when they were written."""
        return dict(self.state(table).rows)

    def app_version(self, table: str, app_id: str) -> int | None:
        """Highest version appended under `app_id`."""
        return self.state(table).apps.get(app_id)

    def replace(
        self,
        table: str,
        data: Rows,
        *,
        versions: Mapping[str, str],
        partition_column: str | None,
        metadata: Mapping[str, str] | None = None,
        schema: pa.Schema | None = None,
    ) -> None:
        """Replace exactly the partitions named in `versions` (`{"": v}` = the whole table where it has no partitions)
        by `data`, in one commit that records their data versions.

        `schema` is needed where `data` may be an empty iterable.
        """
        known, chunks = schema_and_tables(data, schema)
        with self.writer(table, known, partition_column=partition_column) as writer:
            for chunk in chunks:
                writer.write(chunk)
            writer.commit(versions, metadata)


def schema_and_tables(data: Rows, schema: pa.Schema | None) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """Any accepted form of rows as its schema and a stream of tables."""
    if isinstance(data, pa.Table):
        return schema or data.schema, iter([data])
    pieces = iter(data)
    first = next(pieces, None)
    if first is None:
        if schema is None:
            raise ValueError("no rows and no schema: the table's columns are unknown")
        return schema, iter([])
    return schema or first.schema, map(_as_table, chain([first], pieces))


def _as_table(piece: pa.RecordBatch | pa.Table) -> pa.Table:
    return piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece])
