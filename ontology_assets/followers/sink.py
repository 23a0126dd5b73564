"""What the follower loop needs of the log it reads and of the store it writes.

The relay (`relay.py`) and the projections implement `Sink`. A sink owns its position and fences itself: state,
position, history, epoch and parked aggregates change in one transaction, and a write with any other epoch than the
claimed one raises `resources.fencing.Fenced` and changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True)
class Parked:
    """An aggregate whose event at `position` could not be applied; it and the later ones wait in order."""

    aggregate_type: str
    aggregate_id: str
    position: int
    reason: str


class Sink(Protocol):
    """A store that follows one domain's log. Used by one thread."""

    @property
    def name(self) -> str:
        """Stable name of the follower within its domain: "topic", "search", "graph"."""

    def position(self) -> int:
        """Last applied event position, durable; 0 for an empty store.

        Reads the store that is there *now*: for a file that was deleted it answers 0, not what an open handle still
        says.
        """

    def history(self) -> str | None:
        """The name of the history of the last applied event (`history.py`); None for an empty store."""

    def epoch(self) -> int:
        """The epoch that the store is held at; 0 if never claimed."""

    def claim(self, epoch: int) -> None:
        """Hold the store at `epoch` from now on. Raises Fenced if it is held at `epoch` or a later one."""

    def apply(self, batch: pa.RecordBatch, epoch: int) -> None:
        """Apply events in position order: state, position and the batch's history in one transaction.

        Rows at or below `position()` change nothing. Raises Fenced unless the store is held at `epoch`. An event that
        can't be applied parks its aggregate in the same transaction; it does not raise.
        """

    def parked(self) -> list[Parked]: ...

    def digest(self) -> str | None:
        """Digest of the content at `position()`, None where the store keeps none."""

    def updated_at(self) -> datetime | None:
        """When the position last moved."""

    def close(self) -> None: ...


class LogEnd(Protocol):
    """Where a log ends."""

    @property
    def position(self) -> int: ...


class FollowedLog(Protocol):
    """The part of `ontology_assets.events.log.EventLog` that following takes."""

    @property
    def domain(self) -> str: ...

    def end(self) -> LogEnd: ...

    def holds(self, history: str) -> bool: ...

    def events(self, after_position: int = 0, batch_rows: int = 10_000) -> Iterator[pa.RecordBatch]: ...
