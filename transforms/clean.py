"""Clean: `raw/<dataset>` becomes `clean/<dataset>`, typed; a row with a value that does not fit goes to the
quarantine.

Which text is a value of which type is written in `transforms.text_forms`. A clean row keeps `_row`, `_line`,
`_source_file` and `_partition` of its raw row. Rows in = rows out + rows quarantined is counted from what the tables
hold, per partition. The casts run on the session's engine, chunk by chunk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED, Lake
from transforms import quarantine, raw
from transforms.chunks import CHUNK_ROWS, partition_chunks
from transforms.csv_source import RESERVED
from transforms.definitions import Dataset
from transforms.placement import Engine
from transforms.quarantine import Origin, Spoilt
from transforms.raw import PartitionVersion, RowsLost
from transforms.text_forms import expected
from transforms.typed_values import Typer
from transforms.types import parse_type
from transforms.versions import code_hash, derived_version, stale

CODE_VERSION = "1"
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
        typer = Typer(self.dataset.nulls, self.timezone, self.engine)
        with (
            self.lake.writer(self.refused, refused_schema, partition_column=self.column) as refused,
            self.lake.writer(self.target, self.schema(), partition_column=self.column) as good,
        ):
            for table in self.chunks(list(versions), rows):
                typed, spoilt = self.typed(table, typer)
                good.write(typed)
                if spoilt is not None:
                    refused.write(quarantine.with_partition(spoilt) if self.column else spoilt)
                progress(table.num_rows)
            # The quarantine first: when clean's version is there, the quarantine that belongs to it is there.
            refused.commit(versions)
            good.commit(versions)

    def chunks(self, partitions: list[str], rows: Mapping[str, int]) -> Iterator[pa.Table]:
        """Raw rows, at most `chunk_rows` at once, in the order of the file within a chunk."""
        for chunk in partition_chunks(partitions, rows, self.chunk_rows):
            if chunk.rows <= self.chunk_rows:
                yield _in_order(self.lake.scan(self.source, partitions=chunk.partitions))
                continue
            for batch in self.lake.batches(self.source, partitions=chunk.partitions, batch_rows=self.chunk_rows):
                yield _in_order(pa.Table.from_batches([batch]))

    def schema(self) -> pa.Schema:
        fields = [pa.field(column, kind.arrow()) for column, kind in self.kinds.items()]
        fields += [pa.field("_source_file", pa.string()), pa.field("_row", pa.int64()), pa.field("_line", pa.int64())]
        return pa.schema(fields + ([_partition_field()] if self.column else []))

    def typed(self, rows: pa.Table, typer: Typer) -> tuple[pa.Table, pa.Table | None]:
        """The rows that fit, typed, and those that don't, as the quarantine has them."""
        typed = typer.cast([(rows[column], kind) for column, kind in self.kinds.items()])
        traits = [name for name in self.schema().names if name not in self.kinds]
        values = [column.values for column in typed] + [rows[name] for name in traits]
        table = pa.table(values, names=[*self.kinds, *traits])
        wrong = [column.misfits for column in typed if column.misfits is not None]
        if not wrong:
            return table, None
        bad = reduce(pc.or_, wrong)
        misfits = [None if column.misfits is None else column.misfits.filter(bad) for column in typed]
        spoilt = quarantine.as_table(self.faults(rows.filter(bad), misfits))
        return table.filter(pc.invert(bad)), spoilt

    def faults(self, rows: pa.Table, misfits: list[pa.BooleanArray | None]) -> Iterator[tuple[Origin, Spoilt]]:
        """Each spoilt row with its first fault."""
        kinds = list(self.kinds.items())
        for ordinal, row in enumerate(rows.to_pylist()):
            first = next(i for i, wrong in enumerate(misfits) if wrong is not None and wrong[ordinal].as_py())
            column, kind = kinds[first]
            text = row[column]
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
                    {name: row[name] for name in self.kinds if row[name] is not None},
                ),
            )

    def report(self, versions: dict[str, str], changed: set[str], rows: Mapping[str, int]) -> CleanReport:
        out, refused = self.lake.state(self.target), self.lake.rows(self.refused)
        for key in versions:
            if rows[key] != out.rows[key] + refused[key]:
                raise RowsLost(
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
    """In the order of the file, partition by partition; mostly it comes so."""
    keys = [(key, "ascending") for key in (PARTITION, "_row") if key in table.column_names]
    order = pc.sort_indices(table, sort_keys=keys)
    if np.array_equal(order.to_numpy(), np.arange(table.num_rows, dtype=np.uint64)):
        return table
    return table.take(order)
