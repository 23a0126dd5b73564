"""The rows in which two branches differ, counted, with some of them to show."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from resources.lake.base import PARTITION, Lake
from transforms.table_diff import diff_rows


@dataclass
class RowDiff:
    """Rows by kind; `sample`: the kind and the values of some, a changed one as `old → new` where it differs."""

    table: str
    columns: list[str]
    added: int = 0
    changed: int = 0
    removed: int = 0
    sample: list[list[str]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        said = asdict(self)
        said["sample"] = [dict(zip(["change", *self.columns], row, strict=True)) for row in self.sample]
        return said


def row_diff(before: Lake, after: Lake, table: str, keys: Sequence[str], shown: int) -> RowDiff:
    """Compare the rows of a table at two refs by a key."""
    found = RowDiff(table, [])
    for one in diff_rows(before, after, table, keys):
        found.columns = found.columns or [name for name in one.added.column_names if name != PARTITION]
        found.added += one.added.num_rows
        found.removed += one.removed.num_rows
        found.changed += one.after.num_rows
        room = shown - len(found.sample)
        for old, new in zip(one.before.slice(0, room).to_pylist(), one.after.slice(0, room).to_pylist(), strict=True):
            found.sample.append(["changed", *(_both(old[name], new[name]) for name in found.columns)])
        for kind, rows in (("added", one.added), ("removed", one.removed)):
            room = shown - len(found.sample)
            found.sample += [[kind, *(_text(row[c]) for c in found.columns)] for row in rows.slice(0, room).to_pylist()]
    return found


def _both(old: object, new: object) -> str:
    return _text(new) if old == new else f"{_text(old)} → {_text(new)}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
