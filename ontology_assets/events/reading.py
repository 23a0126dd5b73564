"""Reading events back as Arrow batches: in order, by position, of one aggregate."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.chain import Chain
from ontology_assets.events.data_files import FILE_SCHEMA, DataFileReader
from ontology_assets.events.envelope import EVENT_SCHEMA, MAIN, SCHEMA_VERSION
from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.record import DataFile, Record

_TOUCHED = ["aggregate_type", "aggregate_id", "owner"]
_STATE_SCHEMA = pa.schema([EVENT_SCHEMA.field("position"), EVENT_SCHEMA.field("data")])


class Reader:
    """Reads one log. Rows of a Parquet file become whole events only together with their record."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._files = DataFileReader(chain.store, chain.domain)

    def bulk(self, record: Record, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """(position of the first row, rows) of the record's bulk events, row group by row group."""
        for file in record.files:
            position = record.first + file.first
            for rows in self._files.rows(record.n, file, columns):
                yield position, rows
                position += rows.num_rows

    def touched(self, record: Record) -> Iterator[pa.Table]:
        """aggregate_type, aggregate_id and owner of all events of the record."""
        for _, rows in self.bulk(record, _TOUCHED):
            yield rows
        yield record.inline().select(_TOUCHED)

    def events(self, after_position: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """EVENT_SCHEMA batches of at most `batch_rows` rows, in position order, to the end of the log."""
        held: list[pa.Table] = []
        rows = 0
        for part in self._parts(after_position):
            held.append(part)
            rows += part.num_rows
            while rows >= batch_rows:
                whole = pa.concat_tables(held)
                yield _one_batch(whole.slice(0, batch_rows))
                held, rows = [whole.slice(batch_rows)], rows - batch_rows
        if rows:
            yield _one_batch(pa.concat_tables(held))

    def at(self, positions: Iterable[int]) -> pa.Table:
        """EVENT_SCHEMA rows of the given positions, ascending; those past the end are left out."""
        parts = [EVENT_SCHEMA.empty_table()]
        for record, ordinals in self._grouped(positions):
            for file in record.files:
                rows = _of_file(ordinals, file)
                if rows:
                    found = self._files.at(record.n, file, rows, FILE_SCHEMA.names)
                    parts.append(_whole_bulk(record, found))
            inline = [o - record.bulk_rows for o in ordinals if o >= record.bulk_rows]
            if inline:
                parts.append(_whole_inline(record).take(pa.array(inline)))
        return pa.concat_tables(parts)

    def states(self, positions: Iterable[int]) -> pa.Table:
        """(position, data) of the given positions, ascending."""
        parts = [_STATE_SCHEMA.empty_table()]
        for record, ordinals in self._grouped(positions):
            for file in record.files:
                rows = _of_file(ordinals, file)
                if rows:
                    found = self._files.at(record.n, file, rows, ["ordinal", "data"])
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
        parts = [EVENT_SCHEMA.empty_table()]
        for record in self._chain.records():
            span = record.bulk.ids.get(aggregate_type) if record.bulk else None
            if span is not None and span[0] <= aggregate_id <= span[1]:
                for file in record.files:
                    found = self._files.matching(record.n, file, aggregate_type, aggregate_id)
                    parts.append(_whole_bulk(record, found))
            if any(kind == aggregate_type and key == aggregate_id for kind, key, _ in record.streams):
                inline = _whole_inline(record)
                same = pc.and_(
                    pc.equal(inline["aggregate_id"], aggregate_id), pc.equal(inline["aggregate_type"], aggregate_type)
                )
                parts.append(inline.filter(same))
        return pa.concat_tables(parts)

    def record_events(self, record: Record, skip: int = 0) -> Iterator[pa.Table]:
        """EVENT_SCHEMA rows of one record from its ordinal `skip` on, row group by row group."""
        for file in record.files:
            if skip < file.first + file.rows:
                for rows in self._files.rows(record.n, file, skip=max(0, skip - file.first)):
                    yield _whole_bulk(record, rows)
        if record.body:
            inline = _whole_inline(record)
            yield inline.slice(max(0, skip - record.bulk_rows))

    def _parts(self, after_position: int) -> Iterator[pa.Table]:
        start = self._chain.holding(after_position + 1) if after_position > 0 else 0
        for record in self._chain.records(start):
            if record.rows:
                yield from self.record_events(record, max(0, after_position + 1 - record.first))

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

    def constant(name: str, value: str | None) -> pa.Array:
        return pa.repeat(pa.scalar(value, EVENT_SCHEMA.field(name).type), rows.num_rows)

    filled = {
        "branch": constant("branch", MAIN),
        "schema_version": constant("schema_version", SCHEMA_VERSION),
        **{name: constant(name, given.get(name)) for name in ("actor", "command_id", "correlation_id", "causation_id")},
        **{name: rows[name] for name in rows.column_names if name != "ordinal"},
    }
    return _whole(record, filled, pc.add(rows["ordinal"], record.first))


def _whole_inline(record: Record) -> pa.Table:
    rows = record.inline()
    first = record.first + record.bulk_rows
    if first + rows.num_rows != record.last + 1:
        raise LogDamaged(record.domain, record.n, f"it holds {rows.num_rows} inline events, not what it says")
    positions = pa.array(range(first, record.last + 1), pa.int64())
    return _whole(record, {name: rows[name] for name in rows.column_names}, positions)


def _whole(record: Record, columns: dict[str, pa.Array], positions: pa.Array) -> pa.Table:
    size = len(positions)
    recorded = pa.scalar(record.recorded_at, EVENT_SCHEMA.field("recorded_at").type)
    columns["domain"] = pa.repeat(pa.scalar(record.domain), size)
    columns["recorded_at"] = pa.repeat(recorded, size)
    columns["occurred_at"] = pc.fill_null(columns["occurred_at"], recorded)
    columns["position"] = positions
    columns["batch_id"] = pa.repeat(pa.scalar(record.batch), size)
    return pa.table([columns[f.name] for f in EVENT_SCHEMA], schema=EVENT_SCHEMA)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]
