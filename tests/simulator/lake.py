"""The table port, as far as sealing uses it: Parquet files and a commit that may be refused, or done without a reply."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resources.lake.base import Lake, LakeConflictError, Rows, TableState, schema_and_tables
from resources.lake.branches import Branches
from tests.simulator.checks import Checks
from tests.simulator.truth import Violation
from tests.simulator.world import World


@dataclass
class Sealed:
    """The one table of the world, shared by all sealers."""

    state: TableState = field(default_factory=TableState)
    files: list[str] = field(default_factory=list)
    made: int = 0
    history: list[tuple[int, TableState, list[str]]] = field(default_factory=list)
    """(step of the next commit, state, files) of before."""

    def back_to(self, step: int) -> None:
        """A power cut took the commits from that step on: the lake is not synced."""
        while self.history and self.history[-1][0] >= step:
            _, self.state, self.files = self.history.pop()


class SimLake(Lake):
    """A process's view of it."""

    def __init__(self, world: World, checks: Checks, sealed: Sealed) -> None:
        self._world, self._checks, self._sealed = world, checks, sealed

    @property
    def branches(self) -> Branches:
        raise NotImplementedError

    def state(self, table: str) -> TableState:
        self._world.point("before", "read lake")
        found = self._sealed.state
        self._slowly()
        return found

    def append(
        self,
        table: str,
        data: Rows,
        *,
        app_id: str,
        version: int,
        after: int | None = None,
        metadata: Mapping[str, str] | None = None,
        schema: pa.Schema | None = None,
        row_group_rows: int = 65_536,
    ) -> bool:
        world, sealed = self._world, self._sealed
        before = sealed.state
        if version <= before.apps.get(app_id, -1):
            return False
        known, chunks = schema_and_tables(data, schema)
        written: list[str] = []
        for chunk in chunks:
            sealed.made += 1
            path = Path(world.folder) / f"sealed-{sealed.made}.parquet"
            pq.write_table(chunk.select(known.names), path, row_group_size=row_group_rows)
            written.append(str(path))
            world.point("half", "of files")
        world.point("before", "commit lake")
        recorded = before.apps.get(app_id, -1)
        if (
            sealed.state is not before
            or (after is not None and after != recorded)
            or world.faults.draw(("lake: conflict",))
        ):
            raise LakeConflictError(table, "another commit came first.")
        sealed.history.append((world.steps, sealed.state, sealed.files))
        sealed.state = TableState(
            before.number + 1, apps={**before.apps, app_id: version}, metadata=dict(metadata or {})
        )
        sealed.files = [*sealed.files, *written]
        self._looked_at(version)
        world.point("after", "commit lake")
        self._slowly()
        if world.faults.draw(("lake: reply of commit lost",)):
            raise OSError("reset while waiting for the reply")
        return True

    def files(self, table: str, *, partitions: Sequence[str] | None = None) -> list[str]:
        self._world.point("before", "read lake")
        return list(self._sealed.files)

    def batches(
        self,
        table: str,
        *,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        batch_rows: int = 65_536,
    ) -> Iterator[pa.RecordBatch]:
        for file in self._sealed.files:
            yield from pq.read_table(file, columns=columns).to_batches(batch_rows)

    def _slowly(self) -> None:
        world = self._world
        if world.faults.draw(("lake: slow",)):
            world.sleep(world.random.uniform(0.02, 0.5))

    def _looked_at(self, version: int) -> None:
        """The sealed rows are the log's, each once, up to the record that the commit names."""
        rows = pa.concat_tables([pq.read_table(f, columns=["position", "event_id"]) for f in self._sealed.files])
        found = sorted(zip(rows["position"].to_pylist(), rows["event_id"].to_pylist(), strict=True))
        records = self._checks.truth.records[: version + 1]
        wanted = [(event.position, event.id) for record in records for event in record.events]
        if found != wanted:
            self._world.fail(
                Violation(
                    "I16 sealed = log", f"sealed through record {version} are {len(found)} events, not {len(wanted)}"
                )
            )

    def _never(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("sealing does not use it")

    writer = schema = scan = path = count = size = tables = prune = remove = committed_at = exchange = state_at = (
        version
    ) = _never
