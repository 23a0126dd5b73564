"""What can be different between a table's commits, the log's envelopes and what Dagster remembers; and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

NAMED = 3
"""Partitions that are named in one line."""
SHOWN = 8
"""Signs of a version or of a run's id."""


class Kind(StrEnum):
    NO_ENVELOPE = "commit without envelope"
    """The run died between writing the table and appending."""
    OLD_TABLE = "table older than its envelope"
    """It was put back, or removed."""
    TABLE_ROWS = "rows of the table"
    """Commit, files and envelope do not count the same."""
    TABLE_BROKEN = "table that can't be trusted"
    NOT_TOLD = "envelope without materialization"
    """The run died between appending and telling Dagster, or Dagster's records were put back."""
    UNKNOWN_TO_THE_LOG = "materialization that the log does not have"
    """The log was put back, or Dagster's records are of another home."""
    TOLD_ROWS = "rows of the materialization"
    """Dagster shows another count than the envelope."""


@dataclass(frozen=True)
class Difference:
    """Of one partition of an asset ("" where it has none, or where the whole table is meant)."""

    kind: Kind
    asset: str
    partition: str
    detail: str
    advice: str
    can_be_mended: bool = False


def lines(differences: Sequence[Difference]) -> list[str]:
    """One for each asset and kind: where, what, what to do; the first one's detail stands for all."""
    groups: dict[tuple[str, Kind], list[Difference]] = {}
    for one in differences:
        groups.setdefault((one.asset, one.kind), []).append(one)
    return [
        f"{asset}{_partitions(one.partition for one in group)}: {kind}: {group[0].detail} {group[0].advice}".rstrip()
        for (asset, kind), group in groups.items()
    ]


def _partitions(given: Iterable[str]) -> str:
    names = [name for name in given if name]
    if not names:
        return ""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f" ({', '.join(names[:NAMED])}{more})"
