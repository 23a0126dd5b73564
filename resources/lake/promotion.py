"""How what a branch changed becomes main's, in the embedded catalog.

Under the lake's lock, which no commit to main can pass: look whether main moved, record what is about to be done, make
one Delta commit per table, point the branch at what main is now, record that it is done. Who dies in between leaves
the first record as the newest one of `refs/main`: the next who commits to main, makes a branch or promotes does the
rest before anything else. Each step looks whether it is done already.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resources.errors import SpiceError
from resources.lake.base import LakeConflictError
from resources.lake.branches import MAIN, Promotion, PromotionConflict, UnknownBranch
from resources.lake.catalog import Record, Tables
from resources.lake.files import data_files

if TYPE_CHECKING:
    from resources.lake.branched import LocalBranches

PROMOTION = "promotion"
"""Metadata of the Delta commits that a promotion makes: its id."""
PARTITIONS = "partitions"
"""Metadata of a promotion's records: table -> its partitions that differed, as JSON."""


@dataclass(frozen=True)
class Promoting:
    """One promotion, or the rest of one."""

    branches: "LocalBranches"

    def promote(self, name: str, reads: Sequence[str]) -> Promotion:
        with self.branches.lake.turn(alone=True):
            self._settle()
            head = self.branches.head(name)
            changed = head.changed()
            if not changed:
                return self._before(name, head)
            self._check(name, head, changed, reads)
            begun = self._begin(name, head, changed)
            self._finish(begun)
            return _told(begun, already=False)

    def settle(self) -> None:
        with self.branches.lake.turn(alone=True):
            self._settle()

    def _settle(self) -> None:
        begun = self.branches.under_way()
        if begun is not None:
            self._finish(begun)

    def _before(self, name: str, head: Record) -> Promotion:
        if not head.promoted:
            raise SpiceError(
                "Nothing to promote", f"the branch {name} has changed no table.", where=f"branch {name}", status=409
            )
        catalog = self.branches.catalog
        for key in reversed(list(catalog.store.list(f"refs/{MAIN}/"))):
            record = Record.of(catalog.store.get(key), key)
            if record.promoted == head.promoted:
                return _told(record, already=True)
        raise SpiceError("Promotion not found", f"no record of {head.promoted}.", where=f"branch {name}", status=500)

    def _check(self, name: str, head: Record, changed: Sequence[str], reads: Sequence[str]) -> None:
        gone = [table for table in changed if table not in head.tables]
        if gone:
            raise SpiceError(
                "Table removed",
                f"the branch {name} removed {', '.join(gone)}; a promotion removes no table of main.",
                where=f"branch {name}",
                status=409,
            )
        now = self.branches.main([*changed, *reads])
        moved = [table for table in dict.fromkeys([*changed, *reads]) if now.get(table) != head.fork.get(table)]
        if moved:
            raise PromotionConflict(
                "Main has moved",
                f"{', '.join(moved)} changed on main since the branch {name} was made. Nothing was promoted: "
                "make a new branch and build it again.",
                where=f"branch {name}",
                status=409,
            )

    def _begin(self, name: str, head: Record, changed: Sequence[str]) -> Record:
        last = self.branches.catalog.newest(MAIN)
        begun = Record(
            number=0 if last is None else last.number + 1,
            branch=head.branch,
            step="promote",
            tables={table: head.tables[table] for table in changed},
            fork={table: head.fork[table] for table in changed if table in head.fork},
            metadata={"branch": name},
            promoted=hashlib.sha256(f"{head.branch} {head.id}".encode()).hexdigest()[:32],
        )
        begun = replace(begun, metadata={**begun.metadata, **self._partitions(begun)})
        if not self.branches.catalog.put(MAIN, begun):
            raise LakeConflictError(MAIN, "another promotion was begun without the lake's lock.")
        return begun

    def _partitions(self, begun: Record) -> dict[str, str]:
        """What of each table differs, for people."""
        from resources.lake.branches import table_changes

        differing = table_changes(self.branches.frozen(begun.fork), self.branches.frozen(begun.tables))
        return {PARTITIONS: json.dumps({one.table: one.partitions for one in differing})}

    def _finish(self, begun: Record) -> None:
        try:
            for table in sorted(begun.tables):
                self._commit(table, begun)
        except LakeConflictError:  # somebody wrote to main past the lock, with another tool: nobody can complete this
            self.branches.catalog.put(MAIN, begun.next("stopped"))
            raise
        self._point_branch(begun, self.branches.main(sorted(begun.tables)))
        self.branches.catalog.put(MAIN, begun.next("done"))

    def _commit(self, table: str, begun: Record) -> None:
        """One Delta commit on main, unless it is there."""
        lake = self.branches.lake
        before = lake.state(table)
        if before.metadata.get(PROMOTION) == begun.promoted:
            return
        if self.branches.main([table]).get(table) != begun.fork.get(table):
            raise LakeConflictError(table, "another tool committed to it during a promotion.")
        ours, was = self.branches.frozen(begun.tables), self.branches.frozen(begun.fork)
        opened, state = ours.open(table), ours.state(table)
        files = data_files(opened, ours.folder(table))
        old = data_files(was.open(table), was.folder(table)) if table in begun.fork else []
        gone = {one.path for one in old} - {one.path for one in files}
        new = {one.path for one in files} - {one.path for one in old}
        versions = was.state(table).versions
        touched = {key for key, version in state.versions.items() if versions.get(key) != version}
        if gone or touched:
            touched |= {one.partition for one in [*files, *old] if one.path in gone | new}
        adopted = [one for one in files if one.path in new or one.partition in touched]
        column = next(iter(opened.metadata().partition_columns), None)
        with lake.local_writer(table, ours.schema(table), column, 0) as writer:
            writer.adopt(
                adopted,
                ours.folder(table),
                replace(state, number=before.number + 1, metadata={**state.metadata, PROMOTION: begun.promoted}),
                replaced=sorted(touched) if touched else None,
            )

    def _point_branch(self, begun: Record, now: Tables) -> None:
        """The branch is main in what was promoted: what it writes from now on is compared with that."""
        name = begun.metadata["branch"]
        while True:
            try:
                head = self.branches.head(name)
            except UnknownBranch:
                return
            if head.branch != begun.branch or head.promoted == begun.promoted:
                return
            same = {table: ref for table, ref in now.items() if head.tables.get(table) == begun.tables[table]}
            pointed = replace(
                head.next("promoted"),
                tables={**head.tables, **same},
                fork={**head.fork, **now},
                promoted=begun.promoted,
            )
            if self.branches.catalog.put(name, pointed):
                return


def _told(record: Record, *, already: bool) -> Promotion:
    partitions = json.loads(record.metadata[PARTITIONS])
    tables = {table: tuple(partitions.get(table, ())) for table in record.tables}
    return Promotion(record.promoted, record.metadata["branch"], tables, already)
