"""Arrow tables as a Delta table takes them: by partition, and in the types that it has."""

import pyarrow as pa
import pyarrow.compute as pc


def split_by(rows: pa.Table, column: str) -> list[tuple[str, pa.Table]]:
    """(value, its rows without `column`) in order of the values; rows of a value keep their order. No value may be
    null."""
    values = rows.column(column).combine_chunks()
    values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    if values.null_count:
        raise ValueError(f"{values.null_count} rows have no {column}")
    runs = pc.run_end_encode(values)
    if len(runs.values) != len(pc.unique(runs.values)):
        order = pc.sort_indices(values)  # stable
        rows = rows.take(order)
        runs = pc.run_end_encode(values.take(order))
    bare = rows.drop_columns([column])
    parts, start = [], 0
    for value, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        parts.append((value, bare.slice(start, end - start)))
        start = end
    return parts


def delta_schema(schema: pa.Schema) -> pa.Schema:
    """The same columns in the types that Delta has: no dictionaries, no large strings, microseconds."""
    return pa.schema([pa.field(column.name, _delta_type(column.type)) for column in schema])


def _delta_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _delta_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return kind
