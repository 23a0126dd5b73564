"""The read model port: what a projection writes and what queries read. One store per projection; a domain is a part
of it.

An adapter keeps rows, position, epoch, parked aggregates and digest of a domain in one transaction. What an event
means, and what a query document means, is decided above (`ontology_assets.projections`, `ontology_assets.queries`).
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from resources.errors import SpiceError
from resources.read_model.object_names import ObjectName
from resources.read_model.query import Cell, Condition, LinkField, Row, Selection, TypeLayout
from resources.read_model.time_limit import TimeLimit

BUCKETS = 16
LANES = 4


@dataclass
class TypeChanges:
    """The last state of each changed object of one type, as columns. An id stands once, in the live or the gone part.

    `fresh`: the object's first event ever is in this batch, so no row of it can exist. `first`: position of its first
    event in the batch. `hashes` are 16 bytes each: the four lanes of the document's digest.
    """

    type: TypeLayout
    ids: list[str] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    buckets: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    cells: list[list[Cell]] = field(default_factory=list)
    links: list[list[str | None]] = field(default_factory=list)
    words: list[str | None] = field(default_factory=list)


@dataclass(frozen=True)
class ParkedObject:
    """An object with an event that could not be applied: the first such position, why, and how many events wait."""

    type: str
    id: str
    bucket: int
    position: int
    reason: str
    waiting: int = 1


@dataclass(frozen=True)
class Changes:
    """What one batch of events does to a domain. Applied as one transaction, with `position` as the new position.

    `history` names what was applied so far, the batch included; it is kept with the position. `set_aside`: the objects
    that were taken for parked before. `renewed`: objects of which nothing else is in the changes.
    """

    position: int
    live: list[TypeChanges] = field(default_factory=list)
    gone: list[TypeChanges] = field(default_factory=list)
    parked: list[ParkedObject] = field(default_factory=list)
    history: str | None = None
    set_aside: frozenset[ObjectName] = frozenset()
    renewed: "Renewed | None" = None


@dataclass(frozen=True)
class Renewed:
    """Objects (ids by type) that are made of their whole histories again; `content` is what these make."""

    objects: Mapping[str, Sequence[str]]
    content: Changes


@dataclass(frozen=True)
class BucketDigest:
    """Documents and tombstones of a bucket: how many, and the sums of their four 32-bit lanes."""

    documents: int
    lanes: tuple[int, int, int, int]

    def __add__(self, other: "BucketDigest") -> "BucketDigest":
        return self._joined(other, operator.add)

    def __sub__(self, other: "BucketDigest") -> "BucketDigest":
        return self._joined(other, operator.sub)

    def _joined(self, other: "BucketDigest", join: Callable[[int, int], int]) -> "BucketDigest":
        a, b, c, d = map(join, self.lanes, other.lanes)
        return BucketDigest(join(self.documents, other.documents), (a, b, c, d))


@dataclass(frozen=True)
class Replaced:
    """The `objects` that were not as they should be at `position`, and now are; of all given, which are `parked`."""

    position: int
    objects: list[ObjectName]
    parked: Sequence[ParkedObject]


@dataclass(frozen=True)
class StoredState:
    """Where a domain's part of the store stands. `generation` names the build: page tokens of another are refused."""

    position: int
    epoch: int
    generation: str
    secret: bytes
    updated_at: datetime | None


class NotReady(SpiceError):
    """The read model can't answer yet."""

    kind = "spice:not-ready"

    def __init__(self, detail: str, where: str) -> None:
        super().__init__("Read model not ready", detail, where=where, status=503)


class NothingYet(NotReady):
    """Nothing of the domain is in the read model."""

    def __init__(self, where: str) -> None:
        super().__init__("nothing has been projected yet. Run `spice run`, or wait for the follower.", where)


class ParkedMeanwhile(Exception):
    """Other objects are parked than the changes were made with: one was tried again. Fold the batch once more."""


class ReadModelWriter(ABC):
    """One domain's part of a store, as its follower sees it. Used by one thread."""

    @abstractmethod
    def state(self) -> StoredState:
        """Of the store that is there now; position 0 for one that was deleted or has another layout."""

    @abstractmethod
    def fits(self) -> bool:
        """Whether the domain is laid out, and as these definitions want it."""

    @abstractmethod
    def history(self) -> str | None:
        """What the last changes were given with; None at position 0."""

    @abstractmethod
    def claim(self, epoch: int) -> None:
        """Hold it at `epoch`, empty if it had another layout. Raises Fenced if it is held at `epoch` or a later one."""

    @abstractmethod
    def write(self, changes: Changes, epoch: int, *, settle: bool) -> None:
        """Apply in one transaction. `settle`: the model is close to the log's end and must be fast to read from now on.

        An object whose stored position is at or above the change's is left alone. Raises Fenced, ParkedMeanwhile.
        """

    @abstractmethod
    def settled(self) -> bool:
        """Whether every type has its indexes."""

    @abstractmethod
    def parked(self) -> list[ParkedObject]: ...

    @abstractmethod
    def digest(self) -> dict[int, BucketDigest]:
        """The digest kept with each transaction, by bucket."""

    @abstractmethod
    def stored_digest(self, buckets: Sequence[int]) -> dict[int, BucketDigest]:
        """The sums of the hashes that rows and tombstones were stored with, by bucket: content is not looked at."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[None]:
        """One read transaction around what is read inside: digest and rows are then of one position."""

    @abstractmethod
    def documents(self, type_name: str, bucket: int | None = None) -> Iterator[tuple[int, Row]]:
        """Every live row as queries read it, with the bucket that the store counts it to; of one bucket, or of all."""

    @abstractmethod
    def tombstones(self, bucket: int | None = None) -> Iterator[tuple[int, str, str, int]]:
        """(bucket, type, id, position) of every deleted object."""

    @abstractmethod
    def begin_at(self, position: int, history: str | None) -> None:
        """Lay the domain out empty, as of a position: its buckets are then filled with `replace_bucket`. Where it is
        laid out already nothing happens.
        """

    @abstractmethod
    def replace_bucket(self, bucket: int, content: Callable[[int], Iterable[Changes]]) -> int:
        """Replace a bucket by what `content` says of the position that the domain stands at; returns that position.

        One transaction, in which nobody else writes: no epoch is asked for, and a follower goes on after it. `content`
        is made of whole histories: every object's first event is in it.
        """

    @abstractmethod
    def different(self, objects: Mapping[str, Sequence[str]], content: Changes) -> list[tuple[str, str]]:
        """Those of `objects` (ids by type) that are not stored as `content` says, in whatever: values, links, words,
        sequence, position, tombstone, parked or not. `content` is made of their whole histories.
        """

    @abstractmethod
    def replace_objects(
        self, objects: Mapping[str, Sequence[str]], content: Callable[[int], Changes], *, intact: bool
    ) -> Replaced:
        """Bring `objects` to what `content` says of the position that the domain stands at; those equal stay untouched.

        One transaction, in which nobody else writes: no epoch is asked for, and a follower goes on after it. Digest and
        parked move along. `content` is made of their whole histories; one that is not in it has nothing stored
        afterwards. `intact`: what is stored of them is what was once written, so the difference is all that moves;
        otherwise rows may be damaged, and the digest and the words of what is touched are taken from the rows anew.
        """

    @abstractmethod
    def settle(self) -> None:
        """Build what reading fast needs, where it is not there."""

    @abstractmethod
    def held_still(self) -> AbstractContextManager[None]:
        """Nobody writes to the store (any domain) while the block runs; readers go on."""

    @abstractmethod
    def close(self) -> None: ...


class Snapshot(ABC):
    """One read transaction over one domain: everything in it is of the same position."""

    state: StoredState

    @abstractmethod
    def rows(self, type_layout: TypeLayout, ids: list[str], where: tuple[Condition, ...] = ()) -> list[Row]:
        """The objects that exist and satisfy the conditions, in order of `born`."""

    @abstractmethod
    def select(self, selection: Selection) -> list[Row]: ...

    @abstractmethod
    def count(self, selection: Selection) -> int:
        """How many satisfy words and conditions; sort, page and limit are ignored."""

    @abstractmethod
    def ready_for_words(self, type_layout: TypeLayout) -> bool:
        """False while the first load has not built the index of words."""

    @abstractmethod
    def parked(self, type_name: str, object_id: str) -> ParkedObject | None:
        """The object as it is set aside, None unless it is."""

    @abstractmethod
    def all_parked(self) -> list[ParkedObject]:
        """The objects that are set aside, in order of position."""

    @abstractmethod
    def digest(self) -> dict[int, BucketDigest]:
        """The digest kept with each transaction, by bucket."""


class GraphSnapshot(Snapshot):
    @abstractmethod
    def links_to(
        self,
        type_layout: TypeLayout,
        link: LinkField,
        targets: list[str],
        where: tuple[Condition, ...] = (),
        limit: int | None = None,
    ) -> list[tuple[int, str]]:
        """(`born`, target) of the objects of the type whose link leads to one of `targets`, in order of `born`."""

    @abstractmethod
    def born_at(self, type_layout: TypeLayout, born: list[int]) -> list[Row]:
        """The objects of these numbers."""


class SearchModel(ABC):
    """Readers of the search model. Used by many threads."""

    @abstractmethod
    def snapshot(self, domain: str, limit: TimeLimit | None = None) -> AbstractContextManager[Snapshot]:
        """Raises NotReady; TooSlow, also from inside, when the limit passes."""


class GraphModel(ABC):
    @abstractmethod
    def snapshot(self, domain: str, limit: TimeLimit | None = None) -> AbstractContextManager[GraphSnapshot]:
        """Raises NotReady; TooSlow, also from inside, when the limit passes."""
