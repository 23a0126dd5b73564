"""How many different values there are, whether any comes twice, and how many of them another column has: in bounded
memory.

Values are their 64-bit hashes (`transforms.text_hash`). Up to a bound all of them are kept and the answers are exact;
beyond it only the lowest hashes are, which is a fair sample of the *values* (not of the rows), the same sample in every
column, so that shares can be compared.
"""

import numpy as np

from transforms.text_hash import Hashes

ALL = 1 << 64
FEW = 1 << 16
"""Below this many, what comes is only gathered."""


class DistinctValues:
    """The different values of a column, or a fair sample of `bound` of them."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._limit = ALL
        self._settled: Hashes = np.empty(0, np.uint64)
        self._pending: list[Hashes] = []
        self._waiting = 0

    def add(self, hashes: Hashes) -> None:
        if self._limit < ALL:
            hashes = hashes[hashes < np.uint64(self._limit)]
        if not len(hashes):
            return
        self._pending.append(hashes)
        self._waiting += len(hashes)
        if self._waiting > max(len(self._settled), FEW):
            self._settle()

    @property
    def hashes(self) -> Hashes:
        """Those that are kept, in order."""
        self._settle()
        return self._settled

    @property
    def limit(self) -> int:
        """Values whose hash is below this are all kept."""
        self._settle()
        return self._limit

    @property
    def exact(self) -> bool:
        return self.limit == ALL

    @property
    def count(self) -> int:
        """How many there are; an estimate where not all are kept (within 1 % for 10,000 kept)."""
        return len(self.hashes) if self.limit == ALL else round(len(self.hashes) * ALL / self.limit)

    def found_in(self, other: "DistinctValues") -> tuple[int, int]:
        """How many values of this column the other one has, and of how many (those that both would have kept)."""
        limit = min(self.limit, other.limit)
        mine = self.hashes if limit == ALL else self.hashes[self.hashes < np.uint64(limit)]
        return int(np.isin(mine, other.hashes, assume_unique=True).sum()), len(mine)

    def _settle(self) -> None:
        if not self._pending:
            return
        together = np.sort(np.concatenate([self._settled, *self._pending]))
        self._pending, self._waiting = [], 0
        new = np.concatenate([[True], together[1:] != together[:-1]])
        self._settled = together[new]
        if len(self._settled) > self.bound:
            self._limit = int(self._settled[self.bound])
            self._settled = self._settled[: self.bound].copy()


class Uniqueness:
    """Whether a value has come twice. Once it has, nothing more is kept.

    Beyond `bound` values it looks at half of them, then at a quarter and so on: two equal values are either both looked
    at or neither is. `share` says how many are.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.unique = True
        self.share = 1.0
        self._settled: Hashes = np.empty(0, np.uint64)
        self._pending: list[Hashes] = []
        self._waiting = 0

    def add(self, hashes: Hashes) -> None:
        """The values of more rows, each row's."""
        if not self.unique:
            return
        hashes = self._looked_at(hashes)
        self._pending.append(hashes)
        self._waiting += len(hashes)
        if self._waiting > max(len(self._settled), FEW):
            self.settle()

    def repeated(self) -> None:
        """Somebody else saw a value twice."""
        self.unique = False
        self._settled, self._pending, self._waiting = np.empty(0, np.uint64), [], 0

    def settle(self) -> bool:
        """Compare what came last with what came before; whether all is unique."""
        if not self.unique or not self._pending:
            return self.unique
        together = np.sort(np.concatenate([self._settled, *self._pending]))
        self._settled, self._pending, self._waiting = together, [], 0
        if bool((together[1:] == together[:-1]).any()):
            self.repeated()
        while len(self._settled) > self.bound:
            self.share /= 2
            self._settled = self._looked_at(self._settled).copy()
        return self.unique

    def _looked_at(self, hashes: Hashes) -> Hashes:
        return hashes if self.share == 1.0 else hashes[hashes < np.uint64(int(ALL * self.share))]
