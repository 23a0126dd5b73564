"""Dagster's storages on SQLite, fast enough for a run that materializes thousands of partitions.

Files, tables and rows are those of dagster 1.13.27's `DagsterSqliteStorage`: it reads what these classes wrote, and
the other way round. Two things differ. Each file keeps its engine in a process, where the stock event log makes one
for each of the four connections that an asset event takes; and a batch of events, which Dagster hands over when
`DAGSTER_EVENT_BATCH_SIZE` is set, is one transaction in the run's shard and one in the index. Seven assets of 365
partitions: 37 s with the stock classes, 1.5 s with these. Configuration belongs to `resources/instance.py`.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as db
from dagster import DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.event_api import EventHandlerFn
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.events.log import EventLogEntry
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from resources.dagster_shard import BUSY_SECONDS, Shard, has_tables
from resources.dagster_watch import RunWatches
from resources.instance import EVENT_BATCH_SIZE

MAX_RUN_SHARDS = 8
"""Open run shards a process keeps: a run needs one; the webserver and the daemon page through many."""

_MIRRORED = ASSET_EVENTS | ASSET_CHECK_EVENTS | set(EVENT_TYPE_TO_PIPELINE_RUN_STATUS)
_FINISHING = {kind for kind, status in EVENT_TYPE_TO_PIPELINE_RUN_STATUS.items() if status in FINISHED_STATUSES}


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` with one engine per shard and batches written in one transaction each."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._shards: OrderedDict[str, Shard] = OrderedDict()
        self._shards_lock = threading.Lock()
        self._known_tables: set[str] = set()
        self._run_watches = RunWatches(
            lambda run_id, cursor, limit: self.get_records_for_run(run_id, cursor, limit=limit)
        )
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "BatchedSqliteEventLogStorage":
        return cls(inst_data=inst_data, **config_value)

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._known_tables:
            with self.index_connection() as connection:
                if not db.inspect(connection).has_table(table_name):
                    return False
            self._known_tables.add(table_name)
        return True

    def store_event(self, event: EventLogEntry) -> None:
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Writes what the stock class writes when it is given the events one after the other.

        Nothing is committed before every statement has succeeded, since after an exception Dagster offers the events
        again one by one. The run's shard is committed first, as in the stock class.
        """
        by_run: dict[str, list[EventLogEntry]] = {}
        for event in events:
            by_run.setdefault(event.run_id, []).append(event)
        for run_id, entries in by_run.items():
            self._store_events_of_run(run_id, entries)

    def _store_events_of_run(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        mirrored = [n for n, event in enumerate(events) if _kind(event) in _MIRRORED]
        if mirrored:
            with self.index_connection() as index:
                self._mirror(index, [events[n] for n in mirrored], [rows[n] for n in mirrored])
                with self._connect(run_id) as shard:
                    shard.execute(SqlEventLogStorageTable.insert(), rows)
        else:
            with self._connect(run_id) as shard:
                shard.execute(SqlEventLogStorageTable.insert(), rows)
        if any(_kind(event) in _FINISHING for event in events):
            self._close_shard(run_id)

    def _mirror(self, index: Connection, events: Sequence[EventLogEntry], rows: Sequence[dict[str, Any]]) -> None:
        stored = list(zip(events, _insert_in_order(index, rows), strict=True))
        of_assets = [(event, id_) for event, id_ in stored if _kind(event) in ASSET_EVENTS]
        self._store_asset_event_tags(index, [event for event, _ in of_assets], [id_ for _, id_ in of_assets])
        for event, id_ in _last_by_asset_and_kind(of_assets):
            self._store_asset_event(index, event, id_)
        for event, id_ in stored:
            if _kind(event) in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, id_)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """One planned row for a check, as its one evaluation will look for it.

        Dagster plans every check of a ranged run once for each partition of the range, checks without partitions too
        (44 checks x 365 days: 16,060 rows that no evaluation ever ends, and 3 s). Checks with partitions are a preview
        feature of 1.13 that this product does not use.
        """
        planned = event.get_dagster_event().event_specific_data
        assert isinstance(planned, AssetCheckEvaluationPlanned)  # noqa: S101 - what this kind of event holds
        with self.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.insert().values(
                    asset_key=planned.asset_key.to_string(),
                    check_name=planned.check_name,
                    run_id=event.run_id,
                    execution_status=AssetCheckExecutionRecordStatus.PLANNED.value,
                    evaluation_event=serialize_value(event),
                    evaluation_event_timestamp=self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
                    evaluation_event_storage_id=event_id,
                )
            )

    def delete_events(self, run_id: str) -> None:
        """Also removes the run's files, which the stock class leaves behind empty; followers make dozens a day."""
        super().delete_events(run_id)
        if run_id != RUNLESS_RUN_ID:
            self._close_shard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(self.path_for_shard(run_id) + suffix).unlink(missing_ok=True)

    def watch(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        self._run_watches.add(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: EventHandlerFn) -> None:
        self._run_watches.remove(run_id, handler)

    def wipe(self) -> None:
        self._close_all()
        super().wipe()

    def dispose(self) -> None:
        self._run_watches.end()
        self._close_all()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        borrowed = self._borrow(shard)
        try:
            with borrowed.transaction() as connection:
                yield connection
        finally:
            with self._shards_lock:
                borrowed.users -= 1

    def _borrow(self, name: str) -> Shard:
        with self._shards_lock:
            shard = self._shards.get(name)
            if shard is not None and shard.users == 0 and shard.is_stale():
                self._shards.pop(name).close()
                shard = None
            if shard is None:
                shard = self._shards[name] = self._open_shard(name)
            self._shards.move_to_end(name)
            shard.users += 1
            idle = [n for n, s in self._shards.items() if n != INDEX_SHARD_NAME and s.users == 0]
            for oldest in idle[: max(0, len(self._shards) - 1 - MAX_RUN_SHARDS)]:
                self._shards.pop(oldest).close()
            return shard

    def _open_shard(self, name: str) -> Shard:
        url = self.conn_string_for_shard(name)
        if not has_tables(Path(self.path_for_shard(name)), SqlEventLogStorageTable.name):
            # The stock class creates the tables over a second connection while the first is open.
            engine = db.create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
            self._initdb(engine, for_index_shard=name == INDEX_SHARD_NAME)
        return Shard(url)

    def _close_shard(self, name: str) -> None:
        with self._shards_lock:
            shard = self._shards.get(name)
            if shard is not None and shard.users == 0:
                self._shards.pop(name).close()

    def _close_all(self) -> None:
        with self._shards_lock:
            while self._shards:
                self._shards.popitem()[1].close()


class CachedSqliteRunStorage(SqliteRunStorage):
    """`SqliteRunStorage` that keeps its engine and waits longer for other processes."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(conn_string, inst_data)
        self._shard = Shard(conn_string)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with self._shard.transaction() as connection:
            yield connection

    def dispose(self) -> None:
        super().dispose()
        self._shard.close()


class CachedSqliteScheduleStorage(SqliteScheduleStorage):
    """`SqliteScheduleStorage` that keeps its engine and waits longer for other processes."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(conn_string, inst_data)
        self._shard = Shard(conn_string)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with self._shard.transaction() as connection:
            yield connection

    def dispose(self) -> None:
        super().dispose()
        self._shard.close()


class EmbeddedStorage(DagsterSqliteStorage):
    """The three storages of the embedded instance, in the same files as `DagsterSqliteStorage`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Read at each event by the process that stores it, so it holds for run workers however they were started.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENT_BATCH_SIZE))
        self.base_dir = base_dir
        self._inst_data = inst_data
        history, schedules = Path(base_dir) / "history", Path(base_dir) / "schedules"
        self._run_storage = CachedSqliteRunStorage.from_local(str(history))
        self._event_log_storage = BatchedSqliteEventLogStorage(str(history / "runs"))
        self._schedule_storage = CachedSqliteScheduleStorage.from_local(str(schedules))
        # Past the parent's own, which would open the stock storages.
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "EmbeddedStorage":
        return cls(inst_data=inst_data, **config_value)


def _kind(event: EventLogEntry) -> DagsterEventType | None:
    return event.dagster_event_type if event.is_dagster_event else None


def _insert_in_order(connection: Connection, rows: Sequence[dict[str, Any]]) -> Sequence[int]:
    """Inserts the rows and returns their ids: dense, since the first insert takes SQLite's one write lock."""
    table = SqlEventLogStorageTable
    key = connection.execute(table.insert(), rows[0]).inserted_primary_key
    if key is None:
        raise RuntimeError("SQLite gave the first row of a batch no id")
    if len(rows) > 1:
        connection.execute(table.insert(), rows[1:])
    return range(key[0], key[0] + len(rows))


def _last_by_asset_and_kind(events: Sequence[tuple[EventLogEntry, int]]) -> Iterator[tuple[EventLogEntry, int]]:
    """What decides an asset's row in the end: of each kind of event only the last, assets in order of appearance.

    An event sets the same columns of the asset's row as earlier events of its kind, so those leave no trace.
    """
    by_asset: dict[str, dict[DagsterEventType | None, tuple[EventLogEntry, int]]] = {}
    for event, id_ in events:
        key = event.get_dagster_event().asset_key
        if key is not None:
            last = by_asset.setdefault(key.to_string(), {})
            last.pop(_kind(event), None)
            last[_kind(event)] = (event, id_)
    for last in by_asset.values():
        yield from last.values()
