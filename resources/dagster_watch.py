"""Telling a run's page of new events, by asking.

The stock event log waits for the file system's word that a shard was modified. That is too early for a connection that
stays open: SQLite writes the frame to the write-ahead log, syncs, and only then shows it to readers, so a page missed a
run's last event when the disk was busy. Dagster's own poller backs off to 16 s, which is too late for a progress page.
"""

import threading
from collections.abc import Callable
from typing import Any

from dagster._core.event_api import EventHandlerFn, EventLogCursor
from dagster._core.storage.event_log.base import EventLogConnection

POLL_SECONDS = 0.5
PAGE = 1000

ReadPage = Callable[[str, str | None, int], EventLogConnection]


class RunWatch(threading.Thread):
    """Calls back with each event of a run after `cursor`, until `end` is called."""

    def __init__(self, read: ReadPage, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        super().__init__(name=f"watch-{run_id}", daemon=True)
        self._read, self._run_id, self._cursor, self._callback = read, run_id, cursor, callback
        self._ended = threading.Event()

    def run(self) -> None:
        more = True
        while more or not self._ended.wait(POLL_SECONDS):
            page = self._read(self._run_id, self._cursor, PAGE)
            self._cursor, more = page.cursor, page.has_more
            for record in page.records:
                if self._ended.is_set():
                    return
                self._callback(record.event_log_entry, str(EventLogCursor.from_storage_id(record.storage_id)))

    def end(self) -> None:
        """Stops after the current call; may be called from the callback."""
        self._ended.set()
        if threading.current_thread() is not self:
            self.join()


class RunWatches:
    """The watches of one storage."""

    def __init__(self, read: ReadPage) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._watches: dict[tuple[str, Any], RunWatch] = {}

    def add(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        watch = RunWatch(self._read, run_id, cursor, callback)
        with self._lock:
            self._watches[(run_id, callback)] = watch
        watch.start()

    def remove(self, run_id: str, callback: EventHandlerFn) -> None:
        with self._lock:
            watch = self._watches.pop((run_id, callback), None)
        if watch is not None:
            watch.end()

    def end(self) -> None:
        with self._lock:
            watches = list(self._watches.values())
            self._watches.clear()
        for watch in watches:
            watch.end()
