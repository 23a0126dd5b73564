"""Port of what an orchestrator remembers of its runs: the latest materialization of each asset's partition.

It is a cache of the event log, as a read model is: what it says can be older than the log, and can be told again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION_SHOWN = 16
"""Signs of a partition's data version in a materialization: enough to compare, short enough for the page."""


@dataclass(frozen=True)
class Materialized:
    """The latest one of a partition, by its own word. `version`: its data version, or how that begins; "" if it tells
    only `combined`, that of all its run made. `rows` None: it does not say. `first`, `last`: positions of the log that
    its run appended for this asset, where it appended any.
    """

    run_id: str
    version: str = ""
    combined: str = ""
    rows: int | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Told:
    """A materialization that is told afterwards. `about`: figures and texts that are shown with it."""

    asset: str
    partition: str
    version: str
    combined: str
    rows: int | None
    description: str
    about: Mapping[str, str | int] = field(default_factory=dict)


class RunRecords(ABC):
    """Of one home."""

    @abstractmethod
    def latest(self, asset: str) -> dict[str, Materialized]:
        """By partition; "" is the partition of an asset without any."""

    @abstractmethod
    def unfinished(self) -> frozenset[str]:
        """Ids of the runs that have not ended, as far as is known."""

    @abstractmethod
    def tell(self, told: Told) -> None:
        """Record a materialization that no run could tell of."""
