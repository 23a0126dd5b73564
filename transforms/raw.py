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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake
from resources.sources import SourceFile
from transforms import quarantine
from transforms.content_hash import ContentHash
from transforms.csv_records import BLOCK_BYTES
from transforms.definitions import Dataset
from transforms.placement import Engine
from transforms.raw_rows import RawBlock, RawRows

CODE_VERSION = "1"
KEEP_BYTES = 96 << 20
"""Rows of a file are kept between hashing and writing up to this size."""
ROW_COLUMNS = ("_source_file", "_source_sha256", "_row", "_line")
Progress = Callable[[int], None]


class RowsLost(SpiceError):
    """The rows that came in are not the rows that are in the table and in quarantine."""

    kind = "urn:spice:rows-lost"


@dataclass(frozen=True)
class PartitionVersion:
    """A partition after the call: its data version, its rows, and whether this call wrote it."""

    version: str
    rows: int
    changed: bool


@dataclass(frozen=True)
class RawReport:
    """What an ingest found: `rows_in_file` = `rows_taken` (of the asked partitions) + `rows_elsewhere` (of others) +
    the quarantined. `read` is False where the table already says that it holds this very file. A partition may have
    more rows than were taken where files add up (`replace: nothing`)."""

    source: SourceFile
    partitions: dict[str, PartitionVersion]
    rows_in_file: int
    rows_taken: int
    rows_elsewhere: int
    quarantined: dict[str, int]
    read: bool


@dataclass
class _Pass:
    """What the first reading of a file finds out."""

    columns: list[str]
    hashes: dict[str, ContentHash]
    taken: int = 0
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

    Other partitions are not touched. Of a partition without rows in the file: `replace: whole` empties it, `partition`
    leaves it as it is. With `nothing` rows are only added: those of the file whose values are not in the partition
    yet. Raises SourceError for a file that can't be read, and writes nothing then.
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
        self.file = RawRows(self.name, self.dataset, self.source, self.engine, self.timezone, self.block_bytes)
        self.partitioned = self.file.partitioned
        self.additive = self.dataset.replace == "nothing"
        self.before = self.lake.state(self.table)
        recipe = [CODE_VERSION, self.timezone, self.dataset.replace, self.dataset.partition]
        self.recipe = hashlib.sha256(repr(recipe).encode()).hexdigest()
        self.refused_version = hashlib.sha256(f"{self.recipe} {self.source.sha256}".encode()).hexdigest()

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
        counted = json.loads(said["counted"])
        refused = sum(counted["quarantined"].values())
        if asked == set(self.partitions):
            taken = counted["taken"]
        elif self.dataset.replace != "whole":
            return None  # how many of the partitions' rows are this file's is not written down
        else:
            taken = sum(self.before.rows[key] for key in self.partitions)
        return RawReport(
            source=self.source,
            partitions={
                key: PartitionVersion(self.before.versions[key], self.before.rows[key], changed=False)
                for key in self.partitions
            },
            rows_in_file=counted["records"],
            rows_taken=taken,
            rows_elsewhere=counted["records"] - refused - taken,
            quarantined=counted["quarantined"],
            read=False,
        )

    def run(self, progress: Progress | None) -> RawReport:
        kept: list[pa.Table] | None = []
        size = 0
        found = _Pass([], {})
        with self.lake.writer(self.refused, quarantine.SCHEMA, partition_column=None) as refused:
            for block in self.file.blocks():
                if not found.columns:
                    found = _Pass(block.columns, {key: ContentHash(block.columns) for key in self.partitions})
                refused.write(quarantine.as_table(block.spoilt))
                fresh = self.see(block, found)
                if kept is not None:
                    size += fresh.nbytes
                    kept = [*kept, fresh] if size <= KEEP_BYTES else None
                if progress is not None:
                    progress(block.records)
            self.check_placed(found)
            if self.lake.versions(self.refused) != {UNPARTITIONED: self.refused_version}:
                refused.commit({UNPARTITIONED: self.refused_version})
        versions = {key: self.version(key, content) for key, content in found.hashes.items()}
        changed = {key: version for key, version in versions.items() if self.before.versions.get(key) != version}
        if changed:
            self.write(found, changed, kept)
        return self.report(found, versions, changed)

    def see(self, block: RawBlock, found: _Pass) -> pa.Table:
        """Count and hash a block's rows; those that may have to be written."""
        found.records += block.records
        for _, one in block.spoilt:
            found.quarantined[one.code] = found.quarantined.get(one.code, 0) + 1
        for key, part in self.file.parts(block.rows):
            if key in found.hashes:
                found.taken += part.num_rows
            else:
                found.elsewhere += part.num_rows
        fresh = self.fresh(block)
        for key, part in self.file.parts(fresh):
            if key in found.hashes:
                found.hashes[key].update(part)
        return fresh

    def fresh(self, block: RawBlock) -> pa.Table:
        """The block's rows; where files add up, those whose values are not in the table yet."""
        if not self.additive or self.before.number < 0 or not block.rows.num_rows:
            return block.rows
        keys = block.columns + ([PARTITION] if self.partitioned else [])
        partitions = pc.unique(block.rows[PARTITION]).to_pylist() if self.partitioned else None
        known = self.lake.scan(self.table, partitions=partitions, columns=keys)
        new = block.rows.select([*keys, "_row"]).join(known, keys, join_type="left anti")["_row"]
        return block.rows.filter(pc.is_in(block.rows["_row"], pa.array(new.to_pylist(), pa.int64())))

    def version(self, key: str, content: ContentHash) -> str:
        """The partition's data version with the rows of this file."""
        before = self.before.versions.get(key)
        if self.dataset.replace == "partition" and content.rows == 0 and before is not None:
            return before  # the file says nothing of this partition
        if not self.additive or before is None:
            return content.hexdigest()
        if content.rows == 0:
            return before
        return hashlib.sha256(f"{before} {content.hexdigest()}".encode()).hexdigest()

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
        counted = {"records": found.records, "taken": found.taken, "quarantined": found.quarantined}
        metadata = {
            "source_file": self.source.name,
            "source_sha256": self.source.sha256,
            "recipe": self.recipe,
            "asked": json.dumps(self.partitions),
            "counted": json.dumps(counted),
        }
        column = PARTITION if self.partitioned else None
        stream: Iterable[pa.Table] = kept if kept is not None else map(self.fresh, self.file.blocks())
        wanted = pa.array(list(changed), pa.string())
        with self.lake.writer(self.table, self.file.schema(found.columns), partition_column=column) as writer:
            if self.additive and self.before.number >= 0:
                stay = [key for key in changed if self.before.rows.get(key)]
                for batch in self.lake.batches(self.table, partitions=stay):
                    writer.write(self.widened(pa.Table.from_batches([batch]), found.columns))
            everything = not self.partitioned or (len(changed) == len(self.partitions) and not found.elsewhere)
            for rows in stream:
                writer.write(rows if everything else rows.filter(pc.is_in(rows[PARTITION], wanted)))
            writer.commit(changed, metadata)

    def widened(self, rows: pa.Table, columns: list[str]) -> pa.Table:
        """Rows of an earlier file with the columns of this one."""
        for name in columns:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.repeat("", rows.num_rows))
        return rows

    def report(self, found: _Pass, versions: dict[str, str], changed: dict[str, str]) -> RawReport:
        after = self.lake.state(self.table)
        refused = self.lake.rows(self.refused).get(UNPARTITIONED, 0)
        written = self.additive or all(after.rows[key] == found.hashes[key].rows for key in changed)
        total = found.taken + found.elsewhere + refused
        if not written or total != found.records or refused != sum(found.quarantined.values()):
            raise RowsLost(
                "Rows lost",
                f"{found.records:,} rows in the file, {found.taken:,} in the asked partitions, {found.elsewhere:,} in "
                f"others, {refused:,} in quarantine. Nothing downstream may use this; please report it.",
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
            rows_taken=found.taken,
            rows_elsewhere=found.elsewhere,
            quarantined=found.quarantined,
            read=True,
        )
