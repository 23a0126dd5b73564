"""Rules that look at the clock: `freshness`. The same table may pass today and fail tomorrow, so that what was found
is never taken over from an earlier evaluation."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from resources.clock import Now
from resources.errors import SpiceError
from transforms.check_tables import Reduction
from transforms.findings import Finding
from transforms.gx_tables import GxTables
from transforms.rule_definitions import Expectation, duration

AGE = "_seconds"


def require_time(reduction: Reduction, column: str, where: str) -> None:
    kind = reduction.schema.field(column).type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise SpiceError(
            "Rule does not fit", f"freshness needs a date or a timestamp; {column} is {kind}.", where=where
        )


def freshness(one: Expectation, reduction: Reduction, gx: GxTables, *, now: Now, timezone: str) -> Finding:
    """The age of the newest value of a column, or of the newest commit, against `within`.

    A value is looked for in what is judged, so a run that leaves out the table's newest partition says nothing of it.
    A date counts from its midnight in the domain's time zone. A table without a value is not fresh; a time to come is.
    """
    newest_partition = max(reduction.lake.versions(reduction.table), default="")
    if one.column is None:
        newest: datetime | None = reduction.lake.committed_at(reduction.table)
    elif newest_partition not in reduction.rows:
        return Finding(
            passed=True, observed=f"not judged: the newest partition, {newest_partition}, is no part of the run"
        )
    else:
        newest = _moment(pc.max(reduction.counted[one.column,][one.column]).as_py(), timezone)
    if newest is None:
        return Finding(passed=False, observed="there is no value")
    age = now() - newest
    judged = pa.table({AGE: pa.array([age.total_seconds()])})
    allowed = duration(one.within or "").total_seconds()
    bad = gx.outside(judged, AGE, None, allowed)
    said = f"the newest is of {newest.astimezone(UTC).isoformat(timespec='seconds')}, {_spoken(age)} old"
    of_partition = None if one.column is None else frozenset({newest_partition})
    return Finding(passed=not bad.num_rows, observed=said, failing=bad.num_rows, partitions=of_partition)


def _moment(value: date | datetime | None, timezone: str) -> datetime | None:
    if value is None:
        return None
    zone = ZoneInfo(timezone)
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), zone)
    return value if value.tzinfo else value.replace(tzinfo=zone)


def _spoken(age: timedelta) -> str:
    hours, seconds = divmod(int(age.total_seconds()), 3600)
    return f"{hours:,} h {seconds // 60} min"
