"""Branches of a lake: a fork of all its tables that costs nothing, changed apart, compared, and promoted or dropped.

A branch is a pointer to a commit, and a commit is a map: table -> the version of it that is meant. A new branch has
the map of `main` as it is then, so nothing is copied; a table that is written on the branch gets an entry of its own.
What is read on a branch is therefore main as of the fork, overlaid by what the branch wrote. `main` itself is what
the lake's own readers see; it is changed by its own writers, and by promotions.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from resources.errors import SpiceError
from resources.lake.base import Lake

MAIN = "main"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class UnknownBranch(SpiceError):
    """There is no branch of that name."""

    kind = "urn:spice:unknown-branch"


class BranchExists(SpiceError):
    """The name is taken."""

    kind = "urn:spice:branch-exists"


class PromotionConflict(SpiceError):
    """Main moved on tables that the branch changed, or was built from: nothing of the branch was promoted."""

    kind = "urn:spice:promotion-conflict"


@dataclass(frozen=True)
class Branch:
    """A branch as it is now. `commit` names what it points to, `number` counts its commits from 0 (the fork);
    `changed` are the tables that differ from the fork; `promoted` is the id of its last promotion."""

    name: str
    id: str
    commit: str
    number: int
    created_at: str
    changed: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    promoted: str = ""


@dataclass(frozen=True)
class TableChange:
    """How a table differs between two refs: its partitions whose data version or rows do."""

    table: str
    kind: Literal["added", "changed", "removed"]
    partitions: tuple[str, ...]


@dataclass(frozen=True)
class Promotion:
    """What of a branch became main's. `already`: it was promoted before, and this call changed nothing."""

    id: str
    branch: str
    tables: Mapping[str, tuple[str, ...]]
    already: bool = False


class Branches(ABC):
    """The branches of one lake. Every change is durable when the call returns, and done whole or not at all."""

    @abstractmethod
    def create(self, name: str) -> Branch:
        """Fork main as it is now. Raises BranchExists, and SpiceError for what is no name."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Forget a branch. Its data files are removed by `sweep`, when they are old. Raises UnknownBranch."""

    @abstractmethod
    def get(self, name: str) -> Branch:
        """Raises UnknownBranch."""

    @abstractmethod
    def every(self) -> list[Branch]:
        """All branches by name, without main."""

    @abstractmethod
    def at(self, name: str) -> Lake:
        """The lake as it is on a branch; what is written to it is written to the branch, each write a commit."""

    @abstractmethod
    def fork_of(self, name: str) -> Lake:
        """The lake as it was when the branch was made (a table that was promoted since: as it was promoted)."""

    @abstractmethod
    def transaction(self, name: str, metadata: Mapping[str, str] | None = None) -> AbstractContextManager[Lake]:
        """The branch for several writes that become one commit when the block ends, or none if it fails.

        The block reads the branch as of its begin, and its own writes. Raises LakeConflictError at its end where
        somebody else changed on the branch what it wrote. `metadata` is the commit's; a block without writes commits
        it alone.
        """

    @abstractmethod
    def promote(self, name: str, *, reads: Sequence[str] = ()) -> Promotion:
        """Make what the branch changed main's: all of its changed tables, or none.

        Raises PromotionConflict, with their names, where main has moved since the fork on one of these tables, or on
        one of `reads` (what the change was computed from). A process that dies in the middle leaves main as it was, or
        the rest is done by whoever writes or promotes next. A promotion that is asked for again is the same one.
        """

    @abstractmethod
    def sweep(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove the data that no branch names any more and that is old enough not to be a writer's; bytes freed."""

    def changes(self, before: str, after: str) -> list[TableChange]:
        """The tables that differ between two refs (`main` or a branch), by name; equal data versions are equal."""
        return table_changes(self.at(before), self.at(after))


def table_changes(old: Lake, new: Lake) -> list[TableChange]:
    """The same for two lakes, whatever refs they are at."""
    found = []
    there, here = set(old.tables()), set(new.tables())
    for table in sorted(there | here):
        one, two = old.state(table), new.state(table)
        keys = sorted(one.rows.keys() | two.rows.keys())
        differ = tuple(
            key
            for key in keys
            if (one.versions.get(key), one.rows.get(key)) != (two.versions.get(key), two.rows.get(key))
        )
        if table not in here:
            found.append(TableChange(table, "removed", differ))
        elif table not in there:
            found.append(TableChange(table, "added", differ))
        elif differ or one.apps != two.apps:
            found.append(TableChange(table, "changed", differ))
    return found


def checked_name(name: str) -> str:
    """The name itself, if a branch can have it."""
    if not NAME.fullmatch(name) or name == MAIN:
        raise SpiceError(
            "Not a name for a branch",
            f"{name!r} can't be one: up to 63 small letters, digits, _ and -, beginning with a letter or digit; "
            f"'{MAIN}' is there already.",
            where="branch",
        )
    return name


def unknown(name: str, there: Sequence[str]) -> UnknownBranch:
    return UnknownBranch(
        "Unknown branch", f"there is no branch {name!r}.", where="branch", allowed=[*there], status=404
    )
