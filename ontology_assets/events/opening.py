"""The event log of one domain of a home, as every process of the product opens it.

Archived rows and upcasters are at hand, so that no reader is ever too old and none meets an older version.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import TypeVar, overload

import pyarrow as pa

from ontology_assets.events.histories import WholeHistories
from ontology_assets.events.log import EventLog
from ontology_assets.events.sealed import SealedHistory
from ontology_assets.events.upcasting import Upcaster, Upcasters
from resources.home import Home
from resources.object_store.local import LocalObjectStore

UPCASTERS: tuple[Upcaster, ...] = ()
"""From each older schema version of an event type to the next. None so far: version 1 is the first."""

Log = TypeVar("Log", bound=EventLog)


class _ArchivedRows:
    """The sealed history of a home. Its lake is loaded with the first row that is nowhere else: it takes half a second
    and 30 MB, and most logs have archived nothing."""

    def __init__(self, home: Home, domain: str) -> None:
        self._home, self._domain = home, domain

    @cached_property
    def _history(self) -> SealedHistory:
        from resources.lake.local import LocalLake

        return SealedHistory(LocalLake(self._home.lake), self._domain)

    def rows(self, first: int, last: int, columns: list[str]) -> Iterator[pa.Table]:
        return self._history.rows(first, last, columns)


def open_histories(home: Home, domain: str, columns: list[str]) -> WholeHistories:
    """Loads the lake."""
    from resources.lake.local import LocalLake

    return WholeHistories(open_log(home, domain), LocalLake(home.lake), columns, Upcasters(UPCASTERS))


@overload
def open_log(home: Home, domain: str) -> EventLog: ...
@overload
def open_log(home: Home, domain: str, kind: type[Log]) -> Log: ...
def open_log(home: Home, domain: str, kind: type[EventLog] = EventLog) -> EventLog:
    """Touches no file."""
    return kind(
        LocalObjectStore(home.objects), domain, history=_ArchivedRows(home, domain), upcasters=Upcasters(UPCASTERS)
    )
