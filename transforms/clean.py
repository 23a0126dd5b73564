"""Clean: `raw/<dataset>` becomes `clean/<dataset>`, typed; a row with a value that does not fit goes to the
quarantine.

Which text is a value of which type is written in `transforms.text_forms`. A clean row keeps `_row`, `_line`,
`_source_file` and `_partition` of its raw row. Rows in = rows out + rows quarantined is counted from what the tables
hold, per partition. The casts run on the session's engine, chunk by chunk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake
from resources.spark import delta, to_arrow
from transforms import quarantine, raw
from transforms.chunks import CHUNK_ROWS, Chunk, partition_chunks, row_chunks
from transforms.csv_source import RESERVED
from transforms.definitions import Dataset
from transforms.placement import Engine
from transforms.quarantine import Origin, Spoilt
from transforms.raw import PartitionVersion
from transforms.sql_values import name as quoted
from transforms.text_forms import expected, missing, typed
from transforms.types import ColumnType, parse_type
from transforms.versions import code_hash, derived_version, stale

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CODE_VERSION = "1"
BAD = "_bad"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class CleanReport:
    """What a call did for the asked partitions: rows in = rows out + rows quarantined, checked."""

    partitions: dict[str, PartitionVersion]
    rows_in: int
    rows_out: int
    quarantined: dict[str, int]


def table_name(dataset: str) -> str:
    return f"clean/{dataset}"


def code_version(dataset: Dataset, types: Mapping[str, str], timezone: str) -> str:
    """All that decides what clean makes of raw rows."""
    return code_hash("clean", CODE_VERSION, list(types.items()), sorted(dataset.nulls), timezone)


def clean(
    name: str,
    dataset: Dataset,
    types: Mapping[str, str],
    lake: Lake,
    partitions: Sequence[str],
    *,
    engine: Engine,
    timezone: str = "UTC",
    progress: Progress | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> CleanReport:
    """Bring the asked partitions of `clean/<name>` to what `raw/<name>` holds; what is so already is left alone.

    `types` maps every source column to its type (`transforms.types`).
    """
    work = _Clean(name, dataset, types, lake, engine, timezone, chunk_rows)
    return work.run(list(partitions), progress or (lambda _: None))


@dataclass
class _Clean:
    name: str
    dataset: Dataset
    types: Mapping[str, str]
    lake: Lake
    engine: Engine
    timezone: str
    chunk_rows: int

    def __post_init__(self) -> None:
        self.source = raw.table_name(self.name)
        self.target = table_name(self.name)
        self.refused = quarantine.table_name(self.name, "clean")
        self.kinds = {column: parse_type(text) for column, text in self.types.items()}
        self.column = PARTITION if self.dataset.partition is not None else None
        self.traits = ["_source_file", "_row", "_line"] + ([PARTITION] if self.column else [])

    def run(self, partitions: list[str], progress: Progress) -> CleanReport:
        before = self.lake.state(self.source)
        absent = [key for key in partitions if key not in before.versions]
        if absent:
            raise SpiceError(
                "Raw partition missing",
                f"{self.source} has no partition {absent[0] or 'at all'}; run {self.source} first.",
                where=self.source,
                status=409,
            )
        code = code_version(self.dataset, self.types, self.timezone)
        wanted = {key: derived_version(code, [before.versions[key]]) for key in partitions}
        changed = stale(self.lake.versions(self.target), wanted)
        done = sum(before.rows[key] for key in partitions) - sum(before.rows[key] for key in changed)
        if done:
            progress(done)
        if changed:
            self.check_columns()
            self.write({key: wanted[key] for key in changed}, before.rows, progress)
        return self.report(wanted, set(changed), before.rows)

    def check_columns(self) -> None:
        there = [column for column in self.lake.schema(self.source).names if column not in RESERVED]
        untyped = [column for column in there if column not in self.kinds]
        gone = [column for column in self.kinds if column not in there]
        if untyped or gone:
            said = f"no type is known for {', '.join(untyped)}" if untyped else f"{', '.join(gone)} is not in the file"
            raise SpiceError(
                "Columns changed",
                f"{said}; declare the type of a new column, or remove a type whose column is gone "
                "(`types` of the dataset, and types.lock).",
                where=f"datasets.{self.name}.types",
                allowed=there,
            )

    def write(self, versions: dict[str, str], rows: Mapping[str, int], progress: Progress) -> None:
        refused_schema = quarantine.SCHEMA if self.column is None else quarantine.SCHEMA.append(_partition_field())
        with (
            self.lake.writer(self.refused, refused_schema, partition_column=self.column) as refused,
            self.lake.writer(self.target, self.schema(), partition_column=self.column) as good,
        ):
            for chunk in self.chunks(list(versions), rows):
                frame = self.frame(chunk)
                table = to_arrow(frame)
                bad = table[BAD]
                if pc.any(bad).as_py():
                    spoilt = self.spoilt(chunk)
                    refused.write(quarantine.with_partition(spoilt) if self.column else spoilt)
                    table = table.filter(pc.invert(bad))
                good.write(_in_order(table.drop_columns([BAD])))
                progress(chunk.rows)
            # The quarantine first: when clean's version is there, the quarantine that belongs to it is there.
            refused.commit(versions)
            good.commit(versions)

    def chunks(self, partitions: list[str], rows: Mapping[str, int]) -> Iterator[Chunk]:
        for chunk in partition_chunks(partitions, rows, self.chunk_rows):
            yield from row_chunks(self.lake, self.source, chunk, self.chunk_rows)

    def schema(self) -> pa.Schema:
        fields = [pa.field(column, kind.arrow()) for column, kind in self.kinds.items()]
        fields += [pa.field("_source_file", pa.string()), pa.field("_row", pa.int64()), pa.field("_line", pa.int64())]
        return pa.schema(fields + ([_partition_field()] if self.column else []))

    def rows_of(self, chunk: Chunk) -> "DataFrame":
        from pyspark.sql import functions

        frame = delta(self.engine(), self.lake.path(self.source), chunk.partitions if self.column else None)
        if chunk.first is None or chunk.last is None:
            return frame
        return frame.where(functions.col("_row").between(chunk.first, chunk.last))

    def frame(self, chunk: Chunk) -> "DataFrame":
        """Typed rows, with the mark of those that do not fit."""
        from pyspark.sql import functions

        nulls = self.dataset.nulls
        values = [
            functions.expr(typed(column, kind, nulls, self.timezone)).alias(column)
            for column, kind in self.kinds.items()
        ]
        bad = " OR ".join(self.misfit(column, kind) for column, kind in self.kinds.items()) or "FALSE"
        traits = [functions.col(trait) for trait in self.traits]
        return self.rows_of(chunk).select(*values, *traits, functions.expr(bad).alias(BAD))

    def misfit(self, column: str, kind: ColumnType) -> str:
        """SQL: the column's value spoils its row."""
        empty = missing(column, self.dataset.nulls)
        if kind.kind == "string":
            return "FALSE" if kind.nullable else f"({empty})"
        no_value = f"{typed(column, kind, self.dataset.nulls, self.timezone)} IS NULL"
        return f"({no_value} AND NOT {empty})" if kind.nullable else f"({no_value})"

    def spoilt(self, chunk: Chunk) -> pa.Table:
        """The quarantine's rows for what does not fit in a chunk."""
        from pyspark.sql import functions

        texts = [functions.col(quoted(column)).alias(f"t{i}") for i, column in enumerate(self.kinds)]
        wrong = [
            functions.expr(self.misfit(column, kind)).alias(f"w{i}")
            for i, (column, kind) in enumerate(self.kinds.items())
        ]
        bad = functions.expr(" OR ".join(self.misfit(column, kind) for column, kind in self.kinds.items()))
        traits = [functions.col(trait) for trait in (*self.traits, "_source_sha256")]
        table = to_arrow(self.rows_of(chunk).where(bad).select(*texts, *wrong, *traits))
        return quarantine.as_table(self.faults(_in_order(table)))

    def faults(self, table: pa.Table) -> Iterator[tuple[Origin, Spoilt]]:
        kinds = list(self.kinds.items())
        for batch in table.to_batches(max_chunksize=4096):
            for row in batch.to_pylist():
                first = next(i for i in range(len(kinds)) if row[f"w{i}"])
                column, kind = kinds[first]
                text = row[f"t{first}"]
                absent = text is None or text in self.dataset.nulls
                reason = f"{column} has no value" if absent else f"{text[:100]!r} is not {expected(kind)}"
                yield (
                    Origin(self.name, "clean", row["_source_file"], row["_source_sha256"]),
                    Spoilt(
                        row.get(PARTITION, UNPARTITIONED),
                        row["_row"],
                        row["_line"],
                        column,
                        text,
                        quarantine.MISSING_VALUE if absent else quarantine.WRONG_TYPE,
                        reason,
                        {name: row[f"t{i}"] for i, (name, _) in enumerate(kinds) if row[f"t{i}"] is not None},
                    ),
                )

    def report(self, versions: dict[str, str], changed: set[str], rows: Mapping[str, int]) -> CleanReport:
        out, refused = self.lake.state(self.target), self.lake.rows(self.refused)
        for key in versions:
            if rows[key] != out.rows[key] + refused[key]:
                raise SpiceError(
                    "Rows lost",
                    f"partition {key or '(whole)'}: {rows[key]:,} rows in, {out.rows[key]:,} out, {refused[key]:,} in "
                    "quarantine. Nothing downstream may use this; please report it.",
                    where=self.target,
                    status=500,
                )
        codes: dict[str, int] = {}
        spoilt = [key for key in versions if refused[key]]
        if spoilt:
            found = self.lake.scan(self.refused, partitions=spoilt, columns=["code"])["code"]
            codes = {entry["values"]: entry["counts"] for entry in pc.value_counts(found).to_pylist()}
        return CleanReport(
            partitions={
                key: PartitionVersion(version, out.rows[key], changed=key in changed)
                for key, version in versions.items()
            },
            rows_in=sum(rows[key] for key in versions),
            rows_out=sum(out.rows[key] for key in versions),
            quarantined=codes,
        )


def _partition_field() -> pa.Field:
    return pa.field(PARTITION, pa.string())


def _in_order(table: pa.Table) -> pa.Table:
    """In the order of the file, partition by partition."""
    keys = [(key, "ascending") for key in (PARTITION, "_row") if key in table.column_names]
    return table.take(pc.sort_indices(table, sort_keys=keys))
