"""Sealing: the log's events as an append-only table `events/<domain>` that engines and people read history from.

Exactly once (the table's own app version is the number of the last sealed record), sorted in runs so that one aggregate
is in few row groups, and read back: count and digest must equal the log's. The log stays the truth and whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ontology_assets.events.data_files import read_mark
from ontology_assets.events.digest import Digest, total
from ontology_assets.events.envelope import BOOKKEEPING, EVENT_SCHEMA
from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.log import EventLog
from ontology_assets.events.reading import NUMBERED_SCHEMA
from ontology_assets.events.record import Record
from resources.lake.base import Lake, TableState

SEALED_SCHEMA = NUMBERED_SCHEMA.append(pa.field("event_day", pa.date32()))
RUN_ROWS = 131_072
"""Rows sorted at once: bounds the memory, and the number of runs that an aggregate may be in."""
ROW_GROUP = 2_048
"""One aggregate is in one or two of a run's 64 row groups, a sixteenth of the buckets in four or five; with 16,384 rows
it was one of eight, two of eight. Footers are 0.7 % of the bytes, with half as many rows 1.4 %."""
_ORDER = [(name, "ascending") for name in ("bucket", "aggregate_type", "aggregate_id", "sequence_number")]


@dataclass(frozen=True)
class SealReport:
    """What one sealing did. Sealed are the records up to `through` (-1: none), the positions up to `position`."""

    domain: str
    table: str
    through: int
    position: int
    appended: int
    digest: str
    """Of the events appended now; "" if there were none."""


def table_of(domain: str) -> str:
    return f"events/{domain}"


def app_of(log_id: str) -> str:
    """The name under which the table remembers the last sealed record of a log."""
    return f"log-{log_id}"


def seal(log: EventLog, lake: Lake, domain: str, through: int | None = None) -> SealReport:
    """Seal the records up to `through` (None: up to the last one that holds more than the log's own bookkeeping).

    A second run appends nothing. Raises SealMismatch, LogDamaged, LakeConflictError.
    """
    table, end = table_of(domain), log.end()
    before = lake.state(table)
    sealed, position = sealed_through(log, before, table)
    last = _last_worth_sealing(
        log, sealed + 1, end.n if through is None else min(through, end.n), skip_bookkeeping=through is None
    )
    if last is None:
        return SealReport(domain, table, sealed, position, 0, "")
    files = set(lake.files(table)) if before.number >= 0 else set[str]()
    written: list[Digest] = []
    appended = lake.append(
        table,
        _runs(log, sealed + 1, last.n, written),
        app_id=app_of(last.log_id),
        version=last.n,
        after=sealed,  # without it a slower sealer would append again what a faster one has appended meanwhile
        metadata={"position": str(last.last), "chain": last.chain},
        schema=SEALED_SCHEMA,
        row_group_rows=ROW_GROUP,
    )
    if not appended:  # another process sealed the same records meanwhile
        return SealReport(domain, table, last.n, last.last, 0, "")
    added = sorted(set(lake.files(table)) - files)  # also what another process has sealed after these
    new, there = total(written), _digest_of_files(added, position, last.last)
    if new != there or new.events != last.last - position:
        raise SealMismatch(
            table,
            f"positions {position + 1} to {last.last} are {new.events} events with digest {new.text()} in the log, "
            f"{there.events} with {there.text()} in the table. {_remedy(log)}",
        )
    return SealReport(domain, table, last.n, last.last, new.events, new.text())


def sealed_through(log: EventLog, state: TableState, table: str) -> tuple[int, int]:
    """(record, position) up to which the table holds the log; (-1, 0) without a table. Raises SealMismatch."""
    if state.number < 0:
        return -1, 0
    begun = log.chain.read(0)
    if begun is None or set(state.apps) != {app_of(begun.log_id)}:
        raise SealMismatch(table, f"it is the history of another log. {_remedy(log)}")
    n = state.apps[app_of(begun.log_id)]
    record = log.chain.read(n)
    if record is None or record.chain != state.metadata.get("chain"):
        raise SealMismatch(
            table,
            f"it was sealed up to record {n}, which the log does not have or has otherwise: the log was restored from "
            f"another copy. {_remedy(log)}",
        )
    return n, record.last


def _remedy(log: EventLog) -> str:
    if read_mark(log.store, log.domain) is None:
        return "Remove the table's folder and seal again."
    return "Do not remove it: it alone holds what was archived. Bring back the table or the log from a backup."


def _last_worth_sealing(log: EventLog, first: int, last: int, *, skip_bookkeeping: bool) -> Record | None:
    found: Record | None = None
    for record in log.records(first):
        if record.n > last:
            break
        if record.rows and not (skip_bookkeeping and set(record.by_type) <= BOOKKEEPING):
            found = record
    return found


def _runs(log: EventLog, first: int, last: int, written: list[Digest]) -> Iterator[pa.Table]:
    """The records' events in sorted runs; the digest of each run is added to `written`."""
    wanted = takewhile(lambda record: record.n <= last, log.records(first))
    for rows in log.stream(wanted, RUN_ROWS):
        run = rows.combine_chunks()
        written.append(Digest.of(run))
        days = pc.cast(run["occurred_at"].cast(pa.timestamp("us")), pa.date32(), safe=False)
        yield run.append_column("event_day", days).cast(SEALED_SCHEMA).sort_by(_ORDER)


def _digest_of_files(files: list[str], after: int, last: int) -> Digest:
    """Of the events after one position and up to another."""
    found = Digest()
    for file in files:
        # Not pyarrow.dataset: importing it imports pandas, one second in every process that only reads the log.
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            for group in range(parquet.num_row_groups):
                rows = parquet.read_row_group(group, columns=EVENT_SCHEMA.names)
                positions = rows["position"]
                mine = pc.and_(pc.greater(positions, after), pc.less_equal(positions, last))
                found += Digest.of(rows if pc.all(mine).as_py() else rows.filter(mine))
    return found
