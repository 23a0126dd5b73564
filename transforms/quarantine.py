"""Rows that could not be taken over: where they stood, what was wrong, and the row itself.

Two tables per dataset, each written by one stage: `quarantine/<dataset>/raw` (no partition could be found, or the row
does not fit the header; replaced whole with each file) and `quarantine/<dataset>/clean` (a value does not fit its
type; replaced with the partitions of `clean/<dataset>`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from resources.lake.base import PARTITION, Lake

RAGGED = "RAGGED_ROW"
NO_PARTITION = "NO_PARTITION"
OUTSIDE_PARTITIONS = "OUTSIDE_PARTITIONS"
WRONG_TYPE = "WRONG_TYPE"
MISSING_VALUE = "MISSING_VALUE"

SCHEMA = pa.schema(
    [
        ("dataset", pa.string()),
        ("stage", pa.string()),
        ("partition", pa.string()),
        ("source_file", pa.string()),
        ("source_sha256", pa.string()),
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("value", pa.string()),
        ("code", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)
"""`row` and `line` count from 1; `column`, `value`, `code` and `reason` are those of the row's first fault; `raw` is
the row as JSON text, by column (a ragged row: its text under `""`)."""
MAX_VALUE = 500


@dataclass(frozen=True)
class Origin:
    """What all quarantined rows of one call have in common."""

    dataset: str
    stage: str
    source_file: str
    source_sha256: str


@dataclass(frozen=True)
class Spoilt:
    """One row that goes to the quarantine."""

    partition: str | None
    row: int
    line: int
    column: str | None
    value: str | None
    code: str
    reason: str
    raw: dict[str, str]


def table_name(dataset: str, stage: str) -> str:
    return f"quarantine/{dataset}/{stage}"


def as_table(spoilt: Iterable[tuple[Origin, Spoilt]]) -> pa.Table:
    """Rows of the quarantine's schema."""
    rows = [
        (
            origin.dataset,
            origin.stage,
            one.partition,
            origin.source_file,
            origin.source_sha256,
            one.row,
            one.line,
            one.column,
            one.value if one.value is None or len(one.value) <= MAX_VALUE else one.value[:MAX_VALUE] + "...",
            one.code,
            one.reason,
            orjson.dumps(one.raw).decode(),
        )
        for origin, one in spoilt
    ]
    if not rows:
        return SCHEMA.empty_table()
    columns = [pa.array(values, kind.type) for values, kind in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return pa.table(columns, schema=SCHEMA)


def quarantined_rows(
    lake: Lake, dataset: str, partitions: Sequence[str] | None = None, *, limit: int | None = None
) -> pa.Table:
    """Quarantined rows of a dataset, of both stages (columns: SCHEMA), oldest file row first.

    With `partitions`: those of these partitions, and those whose partition could not be found (`partition` is null),
    since they may belong to any.
    """
    found = []
    for stage in ("raw", "clean"):
        name = table_name(dataset, stage)
        if lake.state(name).number < 0:
            continue
        chosen = partitions if stage == "clean" else None
        found.append(lake.scan(name, partitions=chosen, columns=SCHEMA.names).cast(SCHEMA))
    if not found:
        return SCHEMA.empty_table()
    rows = pa.concat_tables(found).sort_by([("row", "ascending")])
    return rows if limit is None else rows.slice(0, limit)


def quarantined_counts(lake: Lake, dataset: str, partitions: Sequence[str] | None = None) -> dict[str, int]:
    """Quarantined rows per code."""
    codes = pc.value_counts(quarantined_rows(lake, dataset, partitions)["code"]).to_pylist()
    return {entry["values"]: entry["counts"] for entry in sorted(codes, key=lambda entry: entry["values"])}


def raw_row(text: str) -> dict[str, Any]:
    """The row that `raw` holds."""
    row: dict[str, Any] = orjson.loads(text)
    return row


def with_partition(rows: pa.Table) -> pa.Table:
    """The rows with the column that their table is partitioned by."""
    return rows.append_column(PARTITION, rows["partition"])
