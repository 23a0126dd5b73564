"""The table that a pipeline writes: read at the commit that a run began at, and changed by one commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.errors import SpiceError
from resources.lake.base import UNPARTITIONED, Exchange, Lake, TableState
from resources.spark import arrow_parts, delta, to_arrow
from transforms.csv_source import RESERVED
from transforms.nodes.frame import reference
from transforms.outputs.changes import MOST, Changes, arrow_schema, differences, distinct, typed
from transforms.outputs.definition import CHANGE, CHANGE_COLUMNS, CHANGE_NUMBER, Write
from transforms.outputs.keys import keys_frame, of_keys
from transforms.outputs.modes import Desired, Rows, desired, now_in
from transforms.placement import Engine
from transforms.versions import derived_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HISTORY = ("append", "merge", "changelog")
"""Modes whose table depends on what it was before, not on the inputs of now alone."""
PART_ROWS = 65_536
Keys = tuple[tuple[str, ...], pa.Table]
"""Columns, and their values that a run is restricted to."""


@dataclass(frozen=True)
class Written:
    """The table after a run: its data version and rows, and how many of them the run made so. `skipped`: rows of known
    keys that `duplicates: skip` left out is what `result` has more than the table took."""

    version: str
    rows: int
    changed: bool
    new: int = 0
    updated: int = 0
    removed: int = 0


def removed_table(pipeline: str) -> str:
    """Rows that removed their keys, of a `merge` with `remove`: an older row that comes later must not bring one
    back."""
    return f"removed/{pipeline}"


@dataclass(frozen=True)
class OutputTable:
    """`transform/<name>` with the columns of the pipeline's result."""

    name: str
    lake: Lake
    engine: Engine
    mode: Write
    columns: Mapping[str, str]

    @property
    def table(self) -> str:
        return f"transform/{self.name}"

    @property
    def where(self) -> str:
        return f"pipelines.{self.name}"

    @cached_property
    def state(self) -> TableState:
        """At the begin of the run: what is committed meanwhile by another one is a conflict."""
        return self.lake.state(self.table)

    @property
    def exists(self) -> bool:
        return self.state.number >= 0 and UNPARTITIONED in self.state.versions

    @cached_property
    def stored_columns(self) -> dict[str, str]:
        """Those of the rows as they lie there."""
        return {**self.columns, **(CHANGE_COLUMNS if self.mode.mode == "changelog" else {})}

    @cached_property
    def same_columns(self) -> bool:
        there = {column.name: column.type for column in self.lake.schema(self.table) if column.name not in RESERVED}
        return there == {field.name: field.type for field in arrow_schema(self.stored_columns)}

    def unchanged(self) -> Written:
        return Written(self.state.versions[UNPARTITIONED], self.state.rows[UNPARTITIONED], changed=False)

    def touch(self, wanted: str, metadata: Mapping[str, str]) -> Written:
        """Record how far the inputs were taken in, where no row is another."""
        version = self._version(wanted, changed=False)
        empty = arrow_schema(self.stored_columns).empty_table()
        self._exchange(Exchange(empty, empty.select([]), 0), version, metadata)
        return Written(version, self.state.rows[UNPARTITIONED], changed=version != self.state.versions[UNPARTITIONED])

    def write(
        self,
        result: "DataFrame",
        keys: Keys | None,
        wanted: str,
        change: int,
        metadata: Callable[[int], Mapping[str, str]],
    ) -> Written:
        """Give the table the rows that the mode makes of it and of the result (both of these keys alone, or whole).
        `change`: number of the next change of a changelog; `metadata`: what the commit says, given the last one."""
        if self.exists and not self.same_columns and self.mode.mode in HISTORY:
            raise SpiceError(
                "Columns changed",
                f"the table has {self._shown()}, and rows of earlier runs that can't be made again. Give the pipeline "
                f"another name, or, where its inputs still hold everything, remove the folder of {self.table} and run.",
                where=self.where,
                status=409,
            )
        anew = not self.exists or not self.same_columns or (self.mode.mode == "replace" and keys is None)
        current = None if anew else self._current(self.table, self.state, keys)
        if current is not None and self.mode.mode == "changelog":
            current = now_in(current, self.columns, self.mode.key or [])
        want = desired(self.mode, self.columns, Rows(current, self._removed(keys), result), self.where)
        most = MOST if keys is None and self.mode.mode != "changelog" else None
        differ = None if anew else differences(current, want.live, self.columns, most)
        if differ is None:
            return self._write_anew(want, wanted, change, metadata)
        version = self._version(wanted, changed=differ.any)
        self._write_removed(want, keys, version)
        exchange = self._exchange_of(differ, want, keys, change)
        self._exchange(exchange, version, metadata(change if differ.any else change - 1))
        return self._written(differ, version)

    def _write_anew(
        self, want: Desired, wanted: str, change: int, metadata: Callable[[int], Mapping[str, str]]
    ) -> Written:
        """Part by part: memory does not grow with the table."""
        version = self._version(wanted, changed=True)
        self._write_removed(want, None, version)
        before, after = self.state.rows.get(UNPARTITIONED, 0), 0
        schema = arrow_schema(self.columns)
        with self.lake.writer(self.table, arrow_schema(self.stored_columns), partition_column=None) as writer:
            for part in arrow_parts(typed(want.live, self.columns), PART_ROWS):
                rows = part.cast(schema)
                writer.write(_as_changes(rows, "new", change) if self.mode.mode == "changelog" else rows)
                after += rows.num_rows
            writer.commit({UNPARTITIONED: version}, metadata(change))
        return Written(version, after, changed=True, new=after, removed=before)

    def _exchange_of(self, differ: Changes, want: Desired, keys: Keys | None, change: int) -> Exchange:
        schema = arrow_schema(self.stored_columns)
        rows, gone, taken = differ.added, schema.empty_table().select([]), 0
        if self.mode.mode == "changelog":
            rows = self._changes(differ, change)
        elif self.mode.mode == "replace" and keys is not None:
            by = keys[0]
            gone = differ.keys(by)
            if differ.any:
                frame = of_keys(want.live, keys_frame(self.engine(), gone), by)
                rows = to_arrow(typed(frame, self.columns)).cast(schema)
            taken = rows.num_rows - differ.added.num_rows + differ.dropped.num_rows
        else:
            gone, taken = distinct(differ.dropped, self.mode.key or []), differ.dropped.num_rows
        return Exchange(rows.select(schema.names), gone, taken)

    def _changes(self, differ: Changes, change: int) -> pa.Table:
        """What differs, as rows of a changelog: those of keys that were there before are changed, not new."""
        key = self.mode.key or []
        before = [tuple(row.values()) for row in differ.dropped.select(key).to_pylist()]
        now = [tuple(row.values()) for row in differ.added.select(key).to_pylist()]
        known, still = set(before), set(now)
        gone = [one not in still for one in before]
        added, dropped = differ.added, differ.dropped.filter(pa.array(gone, pa.bool_()))
        kinds = pa.array(["changed" if one in known else "new" for one in now], pa.string())
        numbers = pa.array([change] * added.num_rows, pa.int64())
        return pa.concat_tables(
            [
                added.append_column(CHANGE, kinds).append_column(CHANGE_NUMBER, numbers),
                _as_changes(dropped, "gone", change),
            ]
        )

    def _written(self, differ: Changes, version: str) -> Written:
        updated = 0 if self.mode.mode == "replace" else differ.changed(self.mode.key or [])
        return Written(
            version,
            self.lake.rows(self.table)[UNPARTITIONED],
            changed=version != self.state.versions[UNPARTITIONED],
            new=differ.added.num_rows - updated,
            updated=updated,
            removed=differ.dropped.num_rows - updated,
        )

    def _version(self, wanted: str, *, changed: bool) -> str:
        """The table's data version: of the inputs and the code, or where it depends on what it was, of that too."""
        if self.mode.mode not in HISTORY:
            return wanted
        before = self.state.versions.get(UNPARTITIONED, "")
        return derived_version(wanted, [before]) if changed else before

    def _current(self, table: str, state: TableState, keys: Keys | None) -> "DataFrame":
        frame = delta(self.engine(), self.lake.path(table), version=state.number)
        if keys is not None:
            frame = of_keys(frame, keys_frame(self.engine(), keys[1]), keys[0])
        return frame

    def _removed(self, keys: Keys | None) -> "DataFrame | None":
        table = removed_table(self.name)
        state = self.lake.state(table)
        if self.mode.mode != "merge" or self.mode.remove is None or state.number < 0 or not self.exists:
            return None
        return self._current(table, state, keys).select(*map(reference, self.columns))

    def _write_removed(self, want: Desired, keys: Keys | None, version: str) -> None:
        """Before the table itself: a run that dies in between leaves rows here that the next one finds again."""
        if want.removed is None or self.mode.mode != "merge":
            return
        table, state = removed_table(self.name), self.lake.state(removed_table(self.name))
        versions = {UNPARTITIONED: version}
        current = self._removed(keys)
        if current is None:
            rows = to_arrow(typed(want.removed, self.columns)).cast(arrow_schema(self.columns))
            self.lake.replace(table, rows, versions=versions, partition_column=None)
            return
        differ = differences(current, want.removed, self.columns)
        if differ is not None and differ.any:
            gone = distinct(differ.dropped, self.mode.key or [])
            exchange = Exchange(differ.added, gone, differ.dropped.num_rows)
            self.lake.exchange(table, exchange, versions=versions, after=state)

    def _exchange(self, exchange: Exchange, version: str, metadata: Mapping[str, str]) -> None:
        versions = {UNPARTITIONED: version}
        self.lake.exchange(self.table, exchange, versions=versions, after=self.state, metadata=metadata)

    def _shown(self) -> str:
        return ", ".join(column.name for column in self.lake.schema(self.table))


def _as_changes(rows: pa.Table, kind: str, change: int) -> pa.Table:
    """All rows as one kind of change."""
    kinds = pa.array([kind] * rows.num_rows, pa.string())
    numbers = pa.array([change] * rows.num_rows, pa.int64())
    return rows.append_column(CHANGE, kinds).append_column(CHANGE_NUMBER, numbers)
