"""Ingest: a source file becomes `raw/<dataset>`, every value as the text it was.

Beside the source's columns a row has `_source_file`, `_source_sha256`, `_row` (its number in the file, from 1),
`_line` (its physical line) and, where the dataset is partitioned, `_partition`. A partition's data version is the
hash of its values, so the same rows twice make no new version, whatever else changed in the file. Rows without a
place go to `quarantine/<dataset>/raw`.

Memory is that of a few blocks: the file is read once to hash it and, where something changed, a second time to write
it (small files are kept in between).
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake
from resources.lake.writer import split_by
from resources.sources import SourceFile
from transforms import quarantine
from transforms.content_hash import ContentHash
from transforms.csv_records import BLOCK_BYTES
from transforms.csv_source import CsvBlock, open_csv
from transforms.definitions import Dataset
from transforms.placement import Engine, Fault, Placer
from transforms.quarantine import Origin, Spoilt

CODE_VERSION = "1"
KEEP_BYTES = 96 << 20
"""Rows of a file are kept between hashing and writing up to this size."""
ROW_COLUMNS = ("_source_file", "_source_sha256", "_row", "_line")
Progress = Callable[[int], None]


@dataclass(frozen=True)
class PartitionVersion:
    """A partition after the call: its data version, its rows, and whether this call wrote it."""

    version: str
    rows: int
    changed: bool


@dataclass(frozen=True)
class RawReport:
    """What an ingest found. `rows_elsewhere` are rows of partitions that were not asked for; `read` is False where the
    table already says that it holds this very file."""

    source: SourceFile
    partitions: dict[str, PartitionVersion]
    rows_in_file: int
    rows_elsewhere: int
    quarantined: dict[str, int]
    read: bool


@dataclass
class _Pass:
    """What the first reading of a file finds out."""

    columns: list[str]
    hashes: dict[str, ContentHash]
    elsewhere: int = 0
    records: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)


def table_name(dataset: str) -> str:
    return f"raw/{dataset}"


def ingest(
    name: str,
    dataset: Dataset,
    source: SourceFile,
    lake: Lake,
    partitions: Sequence[str],
    *,
    engine: Engine,
    timezone: str = "UTC",
    progress: Progress | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> RawReport:
    """Bring the asked partitions of `raw/<name>` to what the file says (`[""]` for an unpartitioned dataset).

    Other partitions are not touched. A partition without rows in the file becomes empty, except with `replace:
    nothing`, where rows are only added: those of the file whose values are not in the partition yet. Raises
    SourceError for a file that can't be read, and writes nothing then.
    """
    loader = _Ingest(name, dataset, source, lake, list(partitions), engine, timezone, block_bytes)
    return loader.known_file() or loader.run(progress)


@dataclass
class _Ingest:
    name: str
    dataset: Dataset
    source: SourceFile
    lake: Lake
    partitions: list[str]
    engine: Engine
    timezone: str
    block_bytes: int

    def __post_init__(self) -> None:
        self.table = table_name(self.name)
        self.refused = quarantine.table_name(self.name, "raw")
        self.partitioned = self.dataset.partition is not None
        self.additive = self.dataset.replace == "nothing"
        self.before = self.lake.state(self.table)
        recipe = [CODE_VERSION, self.timezone, self.dataset.replace, self.dataset.partition]
        self.recipe = hashlib.sha256(repr(recipe).encode()).hexdigest()
        self.refused_version = hashlib.sha256(f"{self.recipe} {self.source.sha256}".encode()).hexdigest()
        self.origin = Origin(self.name, "raw", self.source.name, self.source.sha256)

    def known_file(self) -> RawReport | None:
        """The report, where the newest commit was made from this very file for at least these partitions."""
        said = self.before.metadata
        if said.get("source_sha256") != self.source.sha256 or said.get("recipe") != self.recipe:
            return None
        asked = set(json.loads(said["asked"]))
        if not asked.issuperset(self.partitions):
            return None
        if self.lake.versions(self.refused) != {UNPARTITIONED: self.refused_version}:
            return None
        here = sum(self.before.rows[key] for key in self.partitions)
        counted = json.loads(said["counted"])
        return RawReport(
            source=self.source,
            partitions={
                key: PartitionVersion(self.before.versions[key], self.before.rows[key], changed=False)
                for key in self.partitions
            },
            rows_in_file=counted["records"],
            rows_elsewhere=counted["records"] - sum(counted["quarantined"].values()) - here,
            quarantined=counted["quarantined"],
            read=False,
        )

    def run(self, progress: Progress | None) -> RawReport:
        kept: list[pa.Table] | None = []
        size = 0
        asked = set(self.partitions)
        with self.lake.writer(self.refused, quarantine.SCHEMA, partition_column=None) as refused:
            found = _Pass([], {})
            for columns, rows, spoilt, records in self.blocks():
                if not found.columns:
                    found = _Pass(columns, {key: ContentHash(columns) for key in self.partitions})
                found.records += records
                for _, one in spoilt:
                    found.quarantined[one.code] = found.quarantined.get(one.code, 0) + 1
                refused.write(quarantine.as_table(spoilt))
                for key, part in self.parts(rows):
                    if key in asked:
                        found.hashes[key].update(part)
                    else:
                        found.elsewhere += part.num_rows
                if kept is not None:
                    size += rows.nbytes
                    kept = [*kept, rows] if size <= KEEP_BYTES else None
                if progress is not None:
                    progress(records)
            self.check_placed(found)
            if self.lake.versions(self.refused) != {UNPARTITIONED: self.refused_version}:
                refused.commit({UNPARTITIONED: self.refused_version})
        versions = {key: self.version(key, content) for key, content in found.hashes.items()}
        changed = {key: version for key, version in versions.items() if self.before.versions.get(key) != version}
        if changed:
            self.write(found, changed, kept)
        return self.report(found, versions, changed)

    def version(self, key: str, content: ContentHash) -> str:
        """The partition's data version with the rows of this file."""
        before = self.before.versions.get(key)
        if not self.additive or before is None:
            return content.hexdigest()
        if content.rows == 0:
            return before
        return hashlib.sha256(f"{before} {content.hexdigest()}".encode()).hexdigest()

    def blocks(self) -> Iterator[tuple[list[str], pa.Table, list[tuple[Origin, Spoilt]], int]]:
        """(source columns, placed rows grouped by partition, refused rows, records) of each block of the file; at
        least one."""
        with open_csv(self.source, self.block_bytes) as opened:
            placer = None
            if self.dataset.partition is not None:
                place = f"datasets.{self.name}.partition.of"
                placer = Placer(self.dataset.partition, opened.columns, self.timezone, self.engine, place)
            yield opened.columns, self.empty(opened.columns), [], 0
            for block in opened.blocks:
                records = block.rows.num_rows + len(block.ragged)
                rows, spoilt = self.placed(block, opened.columns, placer)
                if self.additive:
                    rows = self.without_known(rows, opened.columns)
                yield opened.columns, rows, spoilt, records

    def empty(self, columns: list[str]) -> pa.Table:
        kinds = [(name, pa.string()) for name in (*columns, "_source_file", "_source_sha256")]
        kinds += [("_row", pa.int64()), ("_line", pa.int64())]
        return pa.schema(kinds + ([(PARTITION, pa.string())] if self.partitioned else [])).empty_table()

    def placed(
        self, block: CsvBlock, columns: list[str], placer: Placer | None
    ) -> tuple[pa.Table, list[tuple[Origin, Spoilt]]]:
        count = block.rows.num_rows
        rows = block.rows.combine_chunks()
        rows = rows.append_column("_source_file", pa.repeat(self.source.name, count))
        rows = rows.append_column("_source_sha256", pa.repeat(self.source.sha256, count))
        rows = rows.append_column("_row", pa.array(block.numbers)).append_column("_line", pa.array(block.lines))
        spoilt = [
            Spoilt(
                None,
                bad.row,
                bad.line,
                None,
                bad.text,
                quarantine.RAGGED,
                f"{bad.actual} fields where the header has {bad.expected}",
                {"": bad.text},
            )
            for bad in block.ragged
        ]
        if placer is not None:
            rows, unplaced = self.with_partition(rows, placer, columns)
            spoilt += unplaced
        return rows, [(self.origin, one) for one in spoilt]

    def with_partition(self, rows: pa.Table, placer: Placer, columns: list[str]) -> tuple[pa.Table, list[Spoilt]]:
        found = placer.place(rows)
        keys = pa.array([one if isinstance(one, str) else None for one in found.outcomes], pa.string())
        rows = rows.append_column(PARTITION, keys.take(pa.array(found.indices)))
        if not keys.null_count:
            return _grouped(rows), []
        missing = pc.is_null(rows[PARTITION])
        spoilt = []
        wrong = found.indices[np.asarray(missing)]
        for index, row in zip(wrong.tolist(), rows.filter(missing).to_pylist(), strict=True):
            fault = found.outcomes[index]
            assert isinstance(fault, Fault)  # noqa: S101 - it has no key
            raw = {name: row[name] for name in columns}
            spoilt.append(
                Spoilt(None, row["_row"], row["_line"], fault.column, fault.value, fault.code, fault.reason, raw)
            )
        return _grouped(rows.filter(pc.invert(missing))), spoilt

    def parts(self, rows: pa.Table) -> list[tuple[str, pa.Table]]:
        if not self.partitioned:
            return [(UNPARTITIONED, rows)]
        return split_by(rows, PARTITION)

    def without_known(self, rows: pa.Table, columns: list[str]) -> pa.Table:
        """Rows whose values are not in the table yet."""
        if self.before.number < 0:
            return rows
        keys = columns + ([PARTITION] if self.partitioned else [])
        partitions = pc.unique(rows[PARTITION]).to_pylist() if self.partitioned else None
        known = self.lake.scan(self.table, partitions=partitions, columns=keys)
        fresh = rows.select([*keys, "_row"]).join(known, keys, join_type="left anti")["_row"]
        return rows.filter(pc.is_in(rows["_row"], pa.array(fresh.to_pylist(), pa.int64())))

    def check_placed(self, found: _Pass) -> None:
        """A partition expression that places no row at all is a wrong expression, not a file of wrong rows."""
        unplaced = found.quarantined.get(quarantine.NO_PARTITION, 0)
        if self.dataset.partition is not None and found.records and unplaced == found.records:
            raise SpiceError(
                "No row has a partition",
                f"the expression {self.dataset.partition.of!r} gives no date for any of the {found.records:,} rows of "
                f"{self.source.path}; its columns are {', '.join(found.columns)}.",
                where=f"datasets.{self.name}.partition.of",
            )

    def write(self, found: _Pass, changed: dict[str, str], kept: list[pa.Table] | None) -> None:
        counted = {"records": found.records, "quarantined": found.quarantined}
        metadata = {
            "source_file": self.source.name,
            "source_sha256": self.source.sha256,
            "recipe": self.recipe,
            "asked": json.dumps(self.partitions),
            "counted": json.dumps(counted),
        }
        column = PARTITION if self.partitioned else None
        stream = kept if kept is not None else (rows for _, rows, _, _ in self.blocks())
        wanted = pa.array(list(changed), pa.string())
        with self.lake.writer(self.table, self.empty(found.columns).schema, partition_column=column) as writer:
            if self.additive and self.before.number >= 0:
                stay = [key for key in changed if self.before.rows.get(key)]
                for batch in self.lake.batches(self.table, partitions=stay):
                    writer.write(self.widened(pa.Table.from_batches([batch]), found.columns))
            for rows in stream:
                mine = rows
                if self.partitioned and not set(self.partitions) <= set(changed):
                    mine = rows.filter(pc.is_in(rows[PARTITION], wanted))
                elif self.partitioned:
                    mine = rows.filter(pc.is_in(rows[PARTITION], wanted)) if found.elsewhere else rows
                writer.write(mine)
            writer.commit(changed, metadata)

    def widened(self, rows: pa.Table, columns: list[str]) -> pa.Table:
        """Rows of an earlier file with the columns of this one."""
        for name in columns:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.repeat("", rows.num_rows))
        return rows

    def report(self, found: _Pass, versions: dict[str, str], changed: dict[str, str]) -> RawReport:
        after = self.lake.state(self.table)
        here = sum(content.rows for content in found.hashes.values())
        refused = self.lake.rows(self.refused).get(UNPARTITIONED, 0)
        written = all(after.rows.get(key) == found.hashes[key].rows for key in changed) or self.additive
        known = found.records if self.additive else here + found.elsewhere + refused
        if not written or known != found.records or refused != sum(found.quarantined.values()):
            raise SpiceError(
                "Rows lost",
                f"{found.records:,} rows in the file, {here:,} in the asked partitions, {found.elsewhere:,} in others, "
                f"{refused:,} in quarantine. Nothing downstream may use this; please report it.",
                where=str(self.source.path),
                status=500,
            )
        return RawReport(
            source=self.source,
            partitions={
                key: PartitionVersion(version, after.rows.get(key, 0), changed=key in changed)
                for key, version in versions.items()
            },
            rows_in_file=found.records,
            rows_elsewhere=found.elsewhere,
            quarantined=found.quarantined,
            read=True,
        )


def _grouped(rows: pa.Table) -> pa.Table:
    """The rows with those of a partition side by side, in their order."""
    runs = pc.run_end_encode(rows[PARTITION].combine_chunks()) if rows.num_rows else None
    if runs is None or len(runs.values) == len(pc.unique(runs.values)):
        return rows
    return rows.take(pc.sort_indices(rows[PARTITION])).combine_chunks()
