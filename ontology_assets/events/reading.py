"""Reading events back as Arrow batches: in order, by position, of one aggregate."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.chain import Chain
from ontology_assets.events.data_files import FILE_SCHEMA, DataFileReader, History
from ontology_assets.events.envelope import EVENT_SCHEMA, HISTORY, MAIN, SCHEMA_VERSION
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.record import DataFile, Record
from ontology_assets.events.upcasting import Upcasters

NUMBERED_SCHEMA = EVENT_SCHEMA.append(pa.field("record", pa.int64()))
"""Events with the number of their record."""
_TOUCHED = ["aggregate_type", "aggregate_id", "owner"]
_STATE_SCHEMA = pa.schema([EVENT_SCHEMA.field("position"), EVENT_SCHEMA.field("data")])


class Reader:
    """Reads one log. Rows of a Parquet file become whole events only together with their record."""

    def __init__(self, chain: Chain, history: History | None = None, upcasters: Upcasters | None = None) -> None:
        self._chain = chain
        self._files = DataFileReader(chain.store, chain.domain, history)
        self._upcasters = upcasters or Upcasters()

    def bulk(self, record: Record, columns: list[str], skip: int = 0) -> Iterator[tuple[int, pa.Table]]:
        """(position of the first row, rows) of the record's bulk events, row group by row group."""
        for file in record.files:
            passed = min(file.rows, max(0, skip - file.first))
            position = record.first + file.first + passed
            for rows in self._files.rows(record, file, columns, passed) if passed < file.rows else ():
                yield position, rows
                position += rows.num_rows

    def bulk_at(self, record: Record, ordinals: list[int], columns: list[str]) -> pa.Table:
        """`columns` and `position` of the given bulk rows (ascending), reading only the row groups they are in."""
        parts = []
        for file in record.files:
            rows = _of_file(ordinals, file)
            if rows:
                found = self._files.at(record, file, rows, ["ordinal", *columns])
                at = pc.add(found["ordinal"], record.first)
                parts.append(found.select(columns).append_column("position", at))
        return pa.concat_tables(parts)

    def check(self, record: Record) -> None:
        """Raises LogDamaged unless the record's data files are what it names, or are archived."""
        for file in record.files:
            self._files.check(record, file)

    def touched(self, record: Record) -> Iterator[pa.Table]:
        """aggregate_type, aggregate_id and owner of all events of the record."""
        for _, rows in self.bulk(record, _TOUCHED):
            yield rows
        yield record.inline().select(_TOUCHED)

    def events(self, after_position: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """EVENT_SCHEMA batches of at most `batch_rows` rows, in position order, to the end of the log.

        Each names its history (envelope.HISTORY).
        """
        start = self._chain.holding(after_position + 1) if after_position > 0 else 0
        chains: dict[int, str] = {}

        def noted() -> Iterator[Record]:
            for record in self._chain.records(start):
                chains[record.n] = record.chain
                yield record

        for whole in self.stream(noted(), batch_rows, after_position):
            n = whole["record"][-1].as_py()
            for passed in [number for number in chains if number < n]:
                del chains[passed]
            rows = self._upcasters.table(whole.select(EVENT_SCHEMA.names), self._chain.domain)
            (batch,) = rows.combine_chunks().to_batches()
            yield batch.replace_schema_metadata({HISTORY: f"{n}/{chains[n]}".encode()})

    def stream(self, records: Iterable[Record], batch_rows: int, after_position: int = 0) -> Iterator[pa.Table]:
        """NUMBERED_SCHEMA tables of exactly `batch_rows` rows (the last one fewer) of consecutive records."""
        held: list[pa.Table] = []
        rows = 0
        for part in self._parts(records, batch_rows, after_position):
            held.append(part)
            rows += part.num_rows
            while rows >= batch_rows:
                whole = pa.concat_tables(held)
                yield whole.slice(0, batch_rows)
                held, rows = [whole.slice(batch_rows)], rows - batch_rows
        if rows:
            yield pa.concat_tables(held)

    def at(self, positions: Iterable[int]) -> pa.Table:
        """EVENT_SCHEMA rows of the given positions, ascending; those past the end are left out."""
        parts = [NUMBERED_SCHEMA.empty_table()]
        for record, ordinals in self._grouped(positions):
            for file in record.files:
                rows = _of_file(ordinals, file)
                if rows:
                    found = self._files.at(record, file, rows, FILE_SCHEMA.names)
                    parts.append(_whole_bulk(record, found))
            inline = [o - record.bulk_rows for o in ordinals if o >= record.bulk_rows]
            if inline:
                parts += [rows.take(pa.array(inline)) for rows in _whole_inlines([record])]
        return self._upcasters.table(pa.concat_tables(parts).select(EVENT_SCHEMA.names), self._chain.domain)

    def states(self, positions: Iterable[int]) -> pa.Table:
        """(position, data) of the given positions, ascending."""
        if self._upcasters.any:
            return self.at(positions).select(_STATE_SCHEMA.names)
        parts = [_STATE_SCHEMA.empty_table()]
        for record, ordinals in self._grouped(positions):
            for file in record.files:
                rows = _of_file(ordinals, file)
                if rows:
                    found = self._files.at(record, file, rows, ["ordinal", "data"])
                    parts.append(
                        pa.table([pc.add(found["ordinal"], record.first), found["data"]], schema=_STATE_SCHEMA)
                    )
            inline = [o - record.bulk_rows for o in ordinals if o >= record.bulk_rows]
            if inline:
                at = pa.array([record.first + record.bulk_rows + o for o in inline], pa.int64())
                parts.append(pa.table([at, record.inline()["data"].take(pa.array(inline))], schema=_STATE_SCHEMA))
        return pa.concat_tables(parts)

    def aggregate(self, aggregate_type: str, aggregate_id: str) -> pa.Table:
        """All events of one aggregate without heads: every header is read, of data only what can hold it."""
        parts = [NUMBERED_SCHEMA.empty_table()]
        for record in self._chain.records():
            span = record.bulk.ids.get(aggregate_type) if record.bulk else None
            if span is not None and span[0] <= aggregate_id <= span[1]:
                for file in record.files:
                    found = self._files.matching(record, file, aggregate_type, aggregate_id)
                    parts.append(_whole_bulk(record, found))
            if any(kind == aggregate_type and key == aggregate_id for kind, key, _ in record.streams):
                is_it = (pc.field("aggregate_id") == aggregate_id) & (pc.field("aggregate_type") == aggregate_type)
                parts += [rows.filter(is_it) for rows in _whole_inlines([record])]
        return self._upcasters.table(pa.concat_tables(parts).select(EVENT_SCHEMA.names), self._chain.domain)

    def record_events(self, record: Record) -> Iterator[pa.Table]:
        """NUMBERED_SCHEMA rows of one record, row group by row group."""
        return self._parts([record], record.rows, 0)

    def _parts(self, records: Iterable[Record], inline_rows: int, after_position: int) -> Iterator[pa.Table]:
        """Row groups of the bulk rows; small records are put together first, to about `inline_rows` rows."""
        small: list[Record] = []
        rows = 0
        for record in records:
            skip = max(0, after_position + 1 - record.first)
            if record.files or skip:
                yield from _whole_inlines(small)
                small, rows = [], 0
                yield from self._skipping(record, skip)
            elif record.rows:
                small.append(record)
                rows += record.rows
                if rows >= inline_rows:
                    yield from _whole_inlines(small)
                    small, rows = [], 0
        yield from _whole_inlines(small)

    def _skipping(self, record: Record, skip: int) -> Iterator[pa.Table]:
        for file in record.files:
            if skip < file.first + file.rows:
                for found in self._files.rows(record, file, skip=max(0, skip - file.first)):
                    yield _whole_bulk(record, found)
        if record.body and skip < record.rows:
            for inline in _whole_inlines([record]):
                yield inline.slice(max(0, skip - record.bulk_rows))

    def _grouped(self, positions: Iterable[int]) -> Iterator[tuple[Record, list[int]]]:
        """Records with the ordinals asked for, ascending."""
        wanted = sorted({p for p in positions if p > 0})
        at = 0
        while at < len(wanted):
            n = self._chain.holding(wanted[at])
            record = self._chain.read(n)
            if record is None:
                return
            stop = at
            while stop < len(wanted) and wanted[stop] <= record.last:
                stop += 1
            yield record, [p - record.first for p in wanted[at:stop]]
            at = stop


def _of_file(ordinals: list[int], file: DataFile) -> list[int]:
    return [o - file.first for o in ordinals if file.first <= o < file.first + file.rows]


def _whole_bulk(record: Record, rows: pa.Table) -> pa.Table:
    given = record.defaults

    def constant(name: str, value: object) -> pa.Array:
        return pa.repeat(pa.scalar(value, NUMBERED_SCHEMA.field(name).type), rows.num_rows)

    columns = {
        "branch": constant("branch", MAIN),
        "schema_version": constant("schema_version", SCHEMA_VERSION),
        **{name: constant(name, given.get(name)) for name in ("actor", "command_id", "correlation_id", "causation_id")},
        **{name: rows[name] for name in rows.column_names if name != "ordinal"},
        "domain": constant("domain", record.domain),
        "recorded_at": constant("recorded_at", record.recorded_at),
        "batch_id": constant("batch_id", record.batch),
        "record": constant("record", record.n),
        "position": pc.add(rows["ordinal"], record.first),
    }
    columns["occurred_at"] = (
        pc.fill_null(columns["occurred_at"], columns["recorded_at"][0]) if rows.num_rows else columns["recorded_at"]
    )
    return pa.table([columns[f.name] for f in NUMBERED_SCHEMA], schema=NUMBERED_SCHEMA)


def _whole_inlines(records: list[Record]) -> Iterator[pa.Table]:
    """The inline events of consecutive records as one table; of several records none has bulk rows."""
    if not records:
        return
    tables = [_inline(record) for record in records]
    counts = [table.num_rows for table in tables]
    rows = pa.concat_tables(tables).combine_chunks()
    which = pa.array(np.repeat(np.arange(len(records)), counts))

    def per_record(name: str, values: list[object]) -> pa.Array:
        return pa.array(values, NUMBERED_SCHEMA.field(name).type).take(which)

    columns = {name: rows[name] for name in rows.column_names}
    columns["domain"] = pa.repeat(pa.scalar(records[0].domain), rows.num_rows)
    columns["recorded_at"] = per_record("recorded_at", [record.recorded_at for record in records])
    columns["batch_id"] = per_record("batch_id", [record.batch for record in records])
    columns["record"] = per_record("record", [record.n for record in records])
    columns["occurred_at"] = pc.coalesce(columns["occurred_at"], columns["recorded_at"])
    first = records[0].first + records[0].bulk_rows
    columns["position"] = pa.array(np.arange(first, first + rows.num_rows))
    yield pa.table([columns[f.name] for f in NUMBERED_SCHEMA], schema=NUMBERED_SCHEMA)


def _inline(record: Record) -> pa.Table:
    rows = record.inline()
    if record.bulk_rows + rows.num_rows != record.rows:
        raise LogDamaged(record.domain, record.n, f"it holds {rows.num_rows} inline events, not what it says")
    return rows
