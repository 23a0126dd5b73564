"""Archiving: bulk rows that are sealed and proved equal are kept in the sealed history alone.

Only data files go; every record stays where it is, for ever. So the chain is provable from its beginning, no reader is
ever too old (it goes on from the sealed rows), and the late put of a writer that slept for a year finds its number
taken. A mark beside the log says up to where files may be missing; it is durable before the first file is removed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import orjson
import pyarrow as pa

from ontology_assets.events.data_files import ArchiveMark, archive_key, read_mark
from ontology_assets.events.digest import Digest, total
from ontology_assets.events.envelope import EVENT_SCHEMA
from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.sealing import RUN_ROWS, sealed_through, table_of
from resources.lake.base import Lake


@dataclass(frozen=True)
class ArchiveReport:
    """The bulk rows of the records up to `through` are in the sealed history alone; what was removed now."""

    domain: str
    through: int
    files: int
    bytes: int


def archive(log: EventLog, lake: Lake, domain: str, through: int | None = None) -> ArchiveReport:
    """Remove the data files of sealed records up to `through` (None: all that is sealed).

    Each position is compared first. Raises SealMismatch (nothing was removed), LogDamaged.
    """
    table = table_of(domain)
    sealed, _ = sealed_through(log, lake.state(table), table)
    last = sealed if through is None else min(through, sealed)
    mark = read_mark(log.store, domain)
    if mark is not None and last <= mark.removed:
        return ArchiveReport(domain, mark.removed, 0, 0)
    done = -1 if mark is None else mark.removed
    record = log.chain.read(last) if last >= 0 else None
    if record is None:
        return ArchiveReport(domain, -1, 0, 0)
    if mark is None or last > mark.through:
        _compare(log, lake, domain, -1 if mark is None else mark.through, last)
        _force(lake.files(table))
        mark = ArchiveMark(record.log_id, last, done)
        log.store.put(archive_key(domain), orjson.dumps(vars(mark)))
    files, size = 0, 0
    for one in takewhile(lambda record: record.n <= mark.through, log.records(done + 1)):
        for file in one.files:
            log.store.delete(file.key)
            files, size = files + 1, size + file.bytes
    log.store.put(archive_key(domain), orjson.dumps(vars(ArchiveMark(mark.log_id, mark.through, mark.through))))
    return ArchiveReport(domain, mark.through, files, size)


def _compare(log: EventLog, lake: Lake, domain: str, after: int, last: int) -> None:
    """The records after..last hold in the log what the sealed history holds, run by run."""
    history = SealedHistory(lake, domain)
    for rows in log.stream(takewhile(lambda record: record.n <= last, log.records(after + 1)), RUN_ROWS):
        first, end = rows["position"][0].as_py(), rows["position"][-1].as_py()
        mine = Digest.of(rows)
        theirs = total(Digest.of(part) for part in _events(history, first, end))
        if mine != theirs:
            raise SealMismatch(
                table_of(domain),
                f"positions {first} to {end} are {mine.events} events with digest {mine.text()} in the log, "
                f"{theirs.events} with {theirs.text()} in the table; nothing was archived.",
            )


def _events(history: SealedHistory, first: int, last: int) -> Iterator[pa.Table]:
    for rows in history.rows(first, last, EVENT_SCHEMA.names):
        yield rows.select(EVENT_SCHEMA.names)


def _force(files: list[str]) -> None:
    """A lake may leave its commits to the system's cache, since all of it can be made again; from now on this can't."""
    folders = {Path(file).parent for file in files}
    logs = [path for folder in folders for path in (folder / "_delta_log").glob("*") if path.is_file()]
    for path in [*map(Path, files), *logs, *folders, *(folder / "_delta_log" for folder in folders)]:
        if path.exists():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
