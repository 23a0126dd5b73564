"""Bulk rows as Parquet files below `log-data/<domain>/`, written before the record that names them, and read back.

A file is DRAFT_SCHEMA plus `ordinal` (the row's place in its record), in ordinal order, in row groups small enough that
one row is read without its file. Every attempt at a batch has files of its own: a name is never written twice.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ontology_assets.events.envelope import DRAFT_SCHEMA
from ontology_assets.events.errors import DraftRefused, LogDamaged
from ontology_assets.events.record import MAX_LISTED, DataFile, Record, Statement
from resources.object_store.base import ObjectNotFound, ObjectStore

ROW_GROUP = 16_384
FILE_ROWS = 8 * ROW_GROUP
"""Rows of one file: bounds the memory of writing it and of nothing else."""

FILE_SCHEMA = DRAFT_SCHEMA.insert(0, pa.field("ordinal", pa.int64()))
_REPEATING = ["event_type", "aggregate_type", "bucket", "owner", "metadata"]
_PRUNED_BY = ["ordinal", "aggregate_type", "aggregate_id", "sequence_number", "bucket", "owner"]
_HASH_BYTES = 1 << 20


def schema_hash(schema: pa.Schema) -> str:
    """sha256 over names and types, in order."""
    return hashlib.sha256("\n".join(f"{f.name}:{f.type}" for f in schema).encode()).hexdigest()


def write(store: ObjectStore, domain: str, batch: str, events: pa.Table, attempt: str) -> tuple[DataFile, ...]:
    """Write the rows (DRAFT_SCHEMA) durably and check what the store then holds. `attempt` is an id of its own."""
    files: list[DataFile] = []
    for i, first in enumerate(range(0, events.num_rows, FILE_ROWS)):
        part = events.slice(first, FILE_ROWS)
        ordinals = pa.array(range(first, first + part.num_rows), pa.int64())
        data = _parquet(pa.table([ordinals, *part.columns], schema=FILE_SCHEMA))
        key = f"log-data/{domain}/{batch}-{attempt}-{i}.parquet"
        file = DataFile(
            key, part.num_rows, len(data), hashlib.sha256(data).hexdigest(), schema_hash(FILE_SCHEMA), first
        )
        store.put(key, data)
        problem = footer_problem(store, file)
        if problem:
            raise DraftRefused(domain, f"data file {key} was written and reads back wrong: {problem}")
        files.append(file)
    return tuple(files)


def footer_problem(store: ObjectStore, file: DataFile) -> str | None:
    """What is wrong with a file by its size and its footer, or None."""
    info = store.head(file.key)
    if info is None:
        return "missing"
    if info.size != file.bytes:
        return f"{info.size} bytes, should be {file.bytes}"
    with store.open(file.key) as source:  # what opening raises is the store's trouble, no verdict on the file
        try:
            with pq.ParquetFile(source) as parquet:
                rows, schema = parquet.metadata.num_rows, parquet.schema_arrow
        except (pa.ArrowException, OSError) as error:
            return f"its footer can't be read ({error})"
    if rows != file.rows:
        return f"{rows} rows, should be {file.rows}"
    return None if schema_hash(schema) == file.schema else "another schema"


def statement(events: pa.Table) -> Statement:
    """What the bulk rows touch, for the record's header."""
    spans = events.group_by("aggregate_type").aggregate(
        [("aggregate_id", "min"), ("aggregate_id", "max"), ("aggregate_id", "count")]
    )
    types, ids = {}, {}
    for span in spans.to_pylist():
        types[span["aggregate_type"]] = span["aggregate_id_count"]
        ids[span["aggregate_type"]] = (span["aggregate_id_min"], span["aggregate_id_max"])
    owners = pc.unique(events["owner"].drop_null()).to_pylist()
    return Statement(types, ids, tuple(sorted(owners)) if len(owners) <= MAX_LISTED else None)


@dataclass(frozen=True)
class ArchiveMark:
    """The bulk rows of the records up to `through` are proved to be in the sealed history, so their files may be
    missing; up to `removed` they are."""

    log_id: str
    through: int
    removed: int


def archive_key(domain: str) -> str:
    return f"log-archive/{domain}"


def read_mark(store: ObjectStore, domain: str) -> ArchiveMark | None:
    """How far the domain's bulk rows are archived, None for not at all."""
    try:
        return ArchiveMark(**orjson.loads(store.get(archive_key(domain))))
    except ObjectNotFound:
        return None


class History(Protocol):
    """Where archived rows are read."""

    def rows(self, first: int, last: int, columns: list[str]) -> Iterator[pa.Table]:
        """`columns` and `position` of these positions, in order."""


class DataFileReader:
    """Reads the data files of one log; a whole file's hash is checked once per reader, before its first row is used.

    What is archived is read from the sealed history, row for row the same but for a null `occurred_at`, which is filled
    in there.
    """

    def __init__(self, store: ObjectStore, domain: str, history: History | None = None) -> None:
        self._store, self._domain, self._checked, self._history = store, domain, set[str](), history

    def rows(
        self, record: Record, file: DataFile, columns: list[str] | None = None, skip: int = 0
    ) -> Iterator[pa.Table]:
        """Row group by row group from row `skip` on. Raises LogDamaged if the file is not what the record names."""
        try:
            self._check_hash(record.n, file)
            opened = self._open(record.n, file)
        except ObjectNotFound:
            yield from self._archived(record, file, skip, file.rows - 1, columns or FILE_SCHEMA.names)
            return
        with opened as parquet:
            before = 0
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if before + rows > skip:
                    yield self._group(record.n, file, parquet, group, columns).slice(max(0, skip - before))
                before += rows

    def check(self, record: Record, file: DataFile) -> None:
        """Raises LogDamaged unless the file is what the record names, or its rows are archived."""
        try:
            self._check_hash(record.n, file)
            self._open(record.n, file).close()
        except ObjectNotFound:
            self._check_archived(record, file)

    def at(self, record: Record, file: DataFile, rows: list[int], columns: list[str]) -> pa.Table:
        """The given rows (ascending places in the file), reading only their row groups; pages carry checksums."""
        parts: list[pa.Table] = []
        try:
            opened = self._open(record.n, file)
        except ObjectNotFound:
            found = self._archived(record, file, rows[0], rows[-1], columns)
            return pa.concat_tables(found).take(pa.array([row - rows[0] for row in rows]))
        with opened as parquet:
            before, wanted = 0, iter([*rows, -1])
            row = next(wanted)
            for group in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(group).num_rows
                here: list[int] = []
                while before <= row < before + count:
                    here.append(row - before)
                    row = next(wanted)
                if here:
                    parts.append(self._group(record.n, file, parquet, group, columns).take(pa.array(here)))
                before += count
        return pa.concat_tables(parts)

    def matching(self, record: Record, file: DataFile, kind: str, aggregate_id: str) -> pa.Table:
        """The rows of one aggregate, skipping row groups whose statistics exclude it."""
        parts: list[pa.Table] = [FILE_SCHEMA.empty_table()]
        column = FILE_SCHEMA.get_field_index("aggregate_id")
        try:
            opened = self._open(record.n, file)
        except ObjectNotFound:
            is_it = (pc.field("aggregate_id") == aggregate_id) & (pc.field("aggregate_type") == kind)
            found = self._archived(record, file, 0, file.rows - 1, FILE_SCHEMA.names)
            return pa.concat_tables([*parts, *(rows.filter(is_it) for rows in found)])
        with opened as parquet:
            for group in range(parquet.num_row_groups):
                spread = parquet.metadata.row_group(group).column(column).statistics
                if spread is not None and spread.has_min_max and not spread.min <= aggregate_id <= spread.max:
                    continue
                ids = self._group(record.n, file, parquet, group, ["aggregate_type", "aggregate_id"])
                mask = pc.and_(pc.equal(ids["aggregate_id"], aggregate_id), pc.equal(ids["aggregate_type"], kind))
                if pc.any(mask).as_py():
                    parts.append(self._group(record.n, file, parquet, group, None).filter(mask))
        return pa.concat_tables(parts)

    def _archived(
        self, record: Record, file: DataFile, first: int, last: int, columns: list[str]
    ) -> Iterator[pa.Table]:
        """Rows first..last of a file that is gone, from the sealed history. Raises LogDamaged if that has them not."""
        history = self._check_archived(record, file)
        start = record.first + file.first
        expected = start + first
        for run in history.rows(start + first, start + last, [name for name in columns if name != "ordinal"]):
            for at in range(0, run.num_rows, ROW_GROUP):
                rows = run.slice(at, ROW_GROUP)
                positions = rows["position"].to_numpy()
                if positions[0] != expected or positions[-1] != expected + rows.num_rows - 1:
                    break
                expected += rows.num_rows
                ordinal = pc.subtract(rows["position"], record.first)
                yield pa.table(
                    [
                        ordinal if name == "ordinal" else rows[name].cast(FILE_SCHEMA.field(name).type)
                        for name in columns
                    ],
                    names=columns,
                )
        if expected != start + last + 1:
            raise LogDamaged(
                self._domain, record.n, f"its rows are archived, and the sealed history lacks position {expected}"
            )

    def _check_archived(self, record: Record, file: DataFile) -> History:
        mark = read_mark(self._store, self._domain)
        if mark is None or record.n > mark.through or mark.log_id != record.log_id:
            raise LogDamaged(self._domain, record.n, f"its data file {file.key} is missing")
        if self._history is None:
            raise LogDamaged(
                self._domain, record.n, "its rows are archived, and the sealed history is not at hand here"
            )
        return self._history

    def _open(self, n: int, file: DataFile) -> pq.ParquetFile:
        """Raises ObjectNotFound for a file that is gone."""
        source = self._store.open(file.key)
        try:
            # A prefetching reader of a file this small only costs memory.
            parquet = pq.ParquetFile(source, pre_buffer=False, page_checksum_verification=True)
        except pa.ArrowException as error:
            source.close()
            raise LogDamaged(self._domain, n, f"its data file {file.key} can't be read ({error})") from error
        if parquet.metadata.num_rows != file.rows or schema_hash(parquet.schema_arrow) != file.schema:
            parquet.close(force=True)
            raise LogDamaged(self._domain, n, f"its data file {file.key} is another file than the one it names")
        return parquet

    def _group(
        self, n: int, file: DataFile, parquet: pq.ParquetFile, group: int, columns: list[str] | None
    ) -> pa.Table:
        try:
            return parquet.read_row_group(group, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise LogDamaged(self._domain, n, f"its data file {file.key} can't be read ({error})") from error

    def _check_hash(self, n: int, file: DataFile) -> None:
        if file.key in self._checked:
            return
        digest = hashlib.sha256()
        with self._store.open(file.key) as source:
            while piece := source.read(_HASH_BYTES):
                digest.update(piece)
        if digest.hexdigest() != file.sha256:
            raise LogDamaged(self._domain, n, f"its data file {file.key} is altered or torn: another hash")
        self._checked.add(file.key)


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=_REPEATING,
        write_statistics=_PRUNED_BY,
        write_page_checksum=True,
    )
    return bytes(sink.getvalue().to_pybytes())
