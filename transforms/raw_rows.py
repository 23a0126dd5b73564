"""The rows of a source file as `raw/<dataset>` has them: the texts, where each stood, and its partition.

Read block by block, as often as it is needed; rows without a place come apart, as the quarantine has them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.lake.arrow import split_by
from resources.lake.base import PARTITION, UNPARTITIONED
from resources.sources import SourceFile
from transforms import quarantine
from transforms.csv_source import CsvBlock, RaggedRow, open_csv
from transforms.definitions import Dataset
from transforms.placement import Engine, Fault, Placer
from transforms.quarantine import Origin, Spoilt


@dataclass(frozen=True)
class RawBlock:
    """Some rows of the file: the source's columns, the rows with ours added (those of a partition side by side), rows
    for the quarantine, and how many records all that was."""

    columns: list[str]
    rows: pa.Table
    spoilt: list[tuple[Origin, Spoilt]] = field(default_factory=list)
    records: int = 0


@dataclass(frozen=True)
class RawRows:
    """A dataset's source file."""

    name: str
    dataset: Dataset
    source: SourceFile
    engine: Engine
    timezone: str
    block_bytes: int

    @property
    def partitioned(self) -> bool:
        return self.dataset.partition is not None

    def blocks(self) -> Iterator[RawBlock]:
        """The whole file; the first block is empty, so that the columns are known of a file without rows."""
        with open_csv(self.source, self.block_bytes) as opened:
            placer = None
            if self.dataset.partition is not None:
                place = f"datasets.{self.name}.partition.of"
                placer = Placer(self.dataset.partition, opened.columns, self.timezone, self.engine, place)
            yield RawBlock(opened.columns, self.schema(opened.columns).empty_table())
            for block in opened.blocks:
                yield self.placed(block, opened.columns, placer)

    def schema(self, columns: list[str]) -> pa.Schema:
        kinds = [(name, pa.string()) for name in (*columns, "_source_file", "_source_sha256")]
        kinds += [("_row", pa.int64()), ("_line", pa.int64())]
        return pa.schema(kinds + ([(PARTITION, pa.string())] if self.partitioned else []))

    def placed(self, block: CsvBlock, columns: list[str], placer: Placer | None) -> RawBlock:
        count = block.rows.num_rows
        rows = block.rows.combine_chunks()
        rows = rows.append_column("_source_file", pa.repeat(self.source.name, count))
        rows = rows.append_column("_source_sha256", pa.repeat(self.source.sha256, count))
        rows = rows.append_column("_row", pa.array(block.numbers)).append_column("_line", pa.array(block.lines))
        spoilt = [_ragged(bad) for bad in block.ragged]
        if placer is not None:
            rows, unplaced = _with_partition(rows, placer, columns)
            spoilt += unplaced
        origin = Origin(self.name, "raw", self.source.name, self.source.sha256)
        return RawBlock(columns, rows, [(origin, one) for one in spoilt], count + len(block.ragged))

    def parts(self, rows: pa.Table) -> list[tuple[str, pa.Table]]:
        """Rows by partition."""
        return split_by(rows, PARTITION) if self.partitioned else [(UNPARTITIONED, rows)]


def _ragged(bad: RaggedRow) -> Spoilt:
    reason = f"{bad.actual} fields where the header has {bad.expected}"
    return Spoilt(None, bad.row, bad.line, None, bad.text, quarantine.RAGGED, reason, {"": bad.text})


def _with_partition(rows: pa.Table, placer: Placer, columns: list[str]) -> tuple[pa.Table, list[Spoilt]]:
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
        spoilt.append(Spoilt(None, row["_row"], row["_line"], fault.column, fault.value, fault.code, fault.reason, raw))
    return _grouped(rows.filter(pc.invert(missing))), spoilt


def _grouped(rows: pa.Table) -> pa.Table:
    """The rows with those of a partition side by side, in their order."""
    runs = pc.run_end_encode(rows[PARTITION].combine_chunks()) if rows.num_rows else None
    if runs is None or len(runs.values) == len(pc.unique(runs.values)):
        return rows
    return rows.take(pc.sort_indices(rows[PARTITION])).combine_chunks()
