"""The inputs of a pipeline as one run sees them: each at one commit, and what came and went since the last run.

What changed is found by the rows themselves, in the partitions whose data version changed: rows with the same clock
value, older ones and corrected ones are found like all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.lake.base import UNPARTITIONED, Lake, TableState
from resources.spark import delta, from_arrow
from transforms.incremental.watermarks import Watermark, versions_hash
from transforms.nodes.frame import reference
from transforms.outputs.changes import Changes, differences
from transforms.placement import Engine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Input:
    """A table at a commit, with its columns. `late`: rows of it that do not count."""

    table: str
    state: TableState
    columns: Mapping[str, str]
    lake: Lake
    engine: Engine
    late: pa.Table | None = None

    def rows(self, number: int | None = None, partitions: list[str] | None = None) -> "DataFrame":
        """All that it holds, at its own commit or another one."""
        at = self.state.number if number is None else number
        frame = delta(self.engine(), self.lake.path(self.table), partitions, version=at)
        return frame.select(*map(reference, self.columns))

    def counted(self) -> "DataFrame":
        """Its rows without those that came too late."""
        rows = self.rows()
        if self.late is None or not self.late.num_rows:
            return rows
        return rows.exceptAll(from_arrow(self.engine(), self.late))


def since(one: Input, mark: Watermark, most: int | None) -> Changes | None:
    """What came and went since an earlier run; None where nobody can say any more, or where more rows differ than
    `most`: then all is computed again."""
    if mark.table != one.table or dict(mark.columns) != dict(one.columns):
        return None
    if mark.versions == versions_hash(one.state):
        empty = pa.table({name: [] for name in one.columns})
        return Changes(empty, empty)
    before = one.lake.state_at(one.table, mark.number)
    if before is None or versions_hash(before) != mark.versions:
        return None
    partitions = None
    if UNPARTITIONED not in before.versions and UNPARTITIONED not in one.state.versions:
        keys = before.versions.keys() | one.state.versions.keys()
        partitions = sorted(key for key in keys if before.versions.get(key) != one.state.versions.get(key))
    old = one.rows(mark.number, partitions)
    return differences(old, one.rows(partitions=partitions), one.columns, most)
