"""How far a pipeline's table has taken in each of its inputs: kept in the commit that made it so, and nowhere else.

A watermark is what the input was, not a time: the number of its commit, and hashes of its data versions and columns.
Where a clock column is declared (`lateness`), the newest value that was read is kept beside it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from resources.lake.base import UNPARTITIONED, TableState
from transforms.versions import code_hash

KEPT = "incremental"
"""Name of the metadata."""


@dataclass(frozen=True)
class Watermark:
    """An input as it was taken in. `versions`: its data versions by partition; `columns`: name -> type; `latest`: the
    newest value of the clock column, as ISO text."""

    table: str
    number: int
    versions: str
    columns: Mapping[str, str]
    rows: int
    latest: str | None = None

    def text(self) -> str:
        """For people."""
        upto = f", up to {self.latest}" if self.latest is not None else ""
        return f"{self.table} at commit {self.number}: {self.rows:,} rows{upto}"


@dataclass(frozen=True)
class TakenIn:
    """What the table was made of. `wanted`: data version of what the code makes of these inputs; `change`: number of
    the last change of a changelog; `late`: the attempts whose late rows count (`transforms.incremental.late`)."""

    wanted: str = ""
    code: str = ""
    inputs: Mapping[str, Watermark] = field(default_factory=dict)
    change: int = 0
    late: tuple[str, ...] = ()

    @classmethod
    def of(cls, state: TableState) -> "TakenIn":
        """What the newest commit says; nothing where it does not."""
        said = state.metadata.get(KEPT)
        if said is None:
            return cls()
        parts: dict[str, Any] = json.loads(said)
        inputs = {local: Watermark(**one) for local, one in parts.pop("inputs").items()}
        return cls(**{**parts, "inputs": inputs, "late": tuple(parts["late"])})

    def metadata(self) -> dict[str, str]:
        return {KEPT: json.dumps(asdict(self), separators=(",", ":"))}


def made_of(state: TableState) -> Mapping[str, str]:
    """Partition -> data version of what a pipeline's table was made of: its own, unless its mode adds to what was
    there."""
    taken = TakenIn.of(state)
    return {UNPARTITIONED: taken.wanted} if taken.wanted else state.versions


def watermark(table: str, state: TableState, columns: Mapping[str, str]) -> Watermark:
    """Of an input as it is."""
    return Watermark(table, state.number, versions_hash(state), dict(columns), sum(state.rows.values()))


def versions_hash(state: TableState) -> str:
    return code_hash(sorted(state.versions.items()))
