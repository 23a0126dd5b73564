"""Data files and commits of local Delta tables, as values: what a commit names, and what it says of its table."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from resources.lake.base import UNPARTITIONED, TableState

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

COMMIT_APP = "spice"
CONFIGURATION = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "50"}
"""The log of a table is never cleaned behind our back: `prune` decides."""


@dataclass(frozen=True)
class DataFile:
    """A data file by its place below its table; of an unpartitioned table `partition` is empty."""

    path: str
    partition: str
    size: int
    rows: int


def commit_properties(state: TableState, number: int, app: tuple[str, int] | None) -> "CommitProperties":
    """What a commit says of the table, and the app transactions by which two of one number can't both be."""
    from deltalake import CommitProperties, Transaction

    transactions = [Transaction(COMMIT_APP, number)] + ([Transaction(*app)] if app else [])
    spoken = {"versions": state.versions, "rows": state.rows, "apps": state.apps, "metadata": state.metadata}
    return CommitProperties({COMMIT_APP: spoken}, max_commit_retries=0, app_transactions=transactions)


def data_files(opened: "DeltaTable", folder: Path) -> list[DataFile]:
    """The files of a table at the commit at which it is opened."""
    by = opened.metadata().partition_columns
    found = []
    for one in pa.table(opened.get_add_actions(flatten=True)).to_pylist():
        path, rows = unquote(one["path"]), one["num_records"]
        if rows is None:  # of a commit that another tool made
            rows = pq.read_metadata(folder / path).num_rows
        found.append(DataFile(path, one[f"partition.{by[0]}"] if by else UNPARTITIONED, one["size_bytes"], rows))
    return found


def link(source: Path, target: Path) -> None:
    """A second name of a file that is never changed; nothing happens where it is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
