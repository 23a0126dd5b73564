"""Rows that came later than their input's `lateness` allows: kept in `late/<pipeline>/<input>`, counted, not taken in.

A row of `late/...` says which attempt found it. Only attempts that the pipeline's own commit names count
(`TakenIn.late`); what one that died has left is dropped by the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from resources.lake.base import UNPARTITIONED, Lake
from transforms.outputs.changes import Changes
from transforms.outputs.definition import Lateness

ATTEMPT, LIMIT = "_attempt", "_oldest_allowed"
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def late_table(pipeline: str, local: str) -> str:
    return f"late/{pipeline}/{local}"


@dataclass(frozen=True)
class LateRows:
    """Of one input of a pipeline."""

    lake: Lake
    table: str
    schema: pa.Schema
    lateness: Lateness

    def known(self, attempts: Sequence[str]) -> pa.Table:
        """Rows that earlier attempts found."""
        return self._kept(attempts).select(self.schema.names)

    def split(self, changes: Changes, latest: str | None) -> tuple[Changes, pa.Table, datetime | None]:
        """What came in time, what came late, and the oldest value that is not late."""
        oldest = self.oldest(latest)
        if oldest is None:
            return changes, changes.added.slice(0, 0), None
        clock = changes.added[self.lateness.column]
        is_late = pc.fill_null(pc.less(clock, pa.scalar(oldest, clock.type)), fill_value=False)
        return (
            Changes(changes.added.filter(pc.invert(is_late)), changes.dropped),
            changes.added.filter(is_late),
            oldest,
        )

    def oldest(self, latest: str | None) -> datetime | None:
        """The oldest value that is not late, given the newest one that was read; None where none was."""
        if latest is None:
            return None
        number, unit = self.lateness.within[:-1], self.lateness.within[-1]
        moment = datetime.fromisoformat(latest)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - timedelta(**{UNITS[unit]: int(number)})

    def newest(self, rows: pa.ChunkedArray, latest: str | None = None) -> str | None:
        """The newest value, of these and of those before."""
        found = pc.max(rows).as_py()
        if found is None:
            return latest
        if isinstance(found, date) and not isinstance(found, datetime):
            found = datetime(found.year, found.month, found.day, tzinfo=UTC)
        said: str = found.astimezone(UTC).isoformat()
        return said if latest is None else max(latest, said)

    def keep(self, rows: pa.Table, attempts: Sequence[str], attempt: str, oldest: datetime | None) -> None:
        """Add the rows of an attempt; what is of no other one that counts is dropped."""
        limit = pa.repeat(pa.scalar("" if oldest is None else oldest.isoformat()), rows.num_rows)
        new = rows.cast(self.schema).append_column(ATTEMPT, pa.repeat(attempt, rows.num_rows))
        table = pa.concat_tables([self._kept(attempts), new.append_column(LIMIT, limit)])
        self.lake.replace(self.table, table, versions={UNPARTITIONED: attempt}, partition_column=None)

    def _kept(self, attempts: Sequence[str]) -> pa.Table:
        schema = self.schema.append(pa.field(ATTEMPT, pa.string())).append(pa.field(LIMIT, pa.string()))
        if not attempts:
            return schema.empty_table()
        found = self.lake.scan(self.table).select(schema.names).cast(schema)
        return found.filter(pc.is_in(found[ATTEMPT], pa.array(attempts, pa.string())))
