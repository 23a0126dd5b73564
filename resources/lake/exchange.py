"""One commit that takes rows out of a table by their keys and puts others in: Delta MERGE, by delta-rs.

Only the files that hold a row of these keys are written again. Used by `resources.lake.writer` alone.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

TAKE, PUT = "take", "put"


def merge_rows(opened: "DeltaTable", rows: pa.Table, gone: pa.Table, properties: "CommitProperties") -> int:
    """Commit it; the number of rows that were taken out. A missing value in a key equals a missing value."""
    step = "_step"
    names = {name: f"_{ordinal}" for ordinal, name in enumerate(rows.column_names)}
    taken = gone.rename_columns([names[name] for name in gone.column_names])
    put = rows.rename_columns(list(names.values()))
    source = pa.concat_tables(
        [
            put.append_column(step, pa.repeat(PUT, put.num_rows)),
            taken.append_column(step, pa.repeat(TAKE, taken.num_rows)),
        ],
        promote_options="default",
    )
    same = [f"(target.{_quoted(name)} IS NOT DISTINCT FROM source.{names[name]})" for name in gone.column_names]
    merger = opened.merge(
        source,
        " AND ".join([f"(source.{step} = '{TAKE}')", *same]),
        source_alias="source",
        target_alias="target",
        commit_properties=properties,
    )
    found = (
        merger.when_matched_delete()
        .when_not_matched_insert(
            {_quoted(name): f"source.{own}" for name, own in names.items()}, predicate=f"source.{step} = '{PUT}'"
        )
        .execute()
    )
    return int(found["num_target_rows_deleted"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
