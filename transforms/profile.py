"""What the columns of a table hold, measured on all of its rows in one reading and in bounded memory.

Types are found as everywhere (`transforms.inference`); beside them: which texts seem to mean "no value", how many
different values there are, whether any comes twice, and the range of days. Nothing is decided about what the columns
are for; that is `ontology_assets.drafting`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from transforms.distinct import DistinctValues, Uniqueness
from transforms.inference import ColumnEvidence
from transforms.text_hash import hash_texts

MARKERS = (
    "NA", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "None", "none", "NaN", "nan", "\\N", "-", "--", "---", "?", ".",
)  # fmt: skip
"""Texts that often stand where a value is missing. One of them means "no value" where all else in a column is of a type
that it is not."""
EVERY_MARKER = pa.array(["", *MARKERS], pa.string())
DISTINCT_BUDGET, UNIQUE_BUDGET = 1 << 22, 1 << 23
"""Hashes kept of one table, of 8 bytes each: of all its columns' different values, and for the search for keys."""
DAY_LENGTH = 10
WORDS = r"\S\s+\S|^\PN*(\p{Ll}{3}|\p{Lo}{2})\PN*$"
"""Several words, or one of letters only that is not written in capitals: no code, no number."""
OFFSET = r"[+-][0-9]{2}:?[0-9]{2}$"


@dataclass(frozen=True)
class ColumnProfile:
    """One column: its type (`?` where values are missing), how many rows have no value, which texts mean that."""

    name: str
    type: str
    missing: int
    markers: dict[str, int]
    """Rows by text of MARKERS, whether it means "no value" here or is a value like any other."""
    distinct: DistinctValues
    unique: bool
    """No value comes twice (a missing one does not count)."""
    checked: float
    """Share of the values that `unique` was seen on; 1 but for tables of many millions of rows."""
    longest: int
    worded: bool
    """Many values are words, not codes."""
    days: tuple[str, str] | None
    """First and last day, of dates and timestamps."""
    uniform: bool
    """Equal values have equal texts: not so for timestamps in several notations."""

    @property
    def kind(self) -> str:
        return self.type.removesuffix("?")

    @property
    def nullable(self) -> bool:
        return self.type.endswith("?")


@dataclass(frozen=True)
class TableProfile:
    """All columns in the order of the file, the number of rows, and the texts that mean "no value" in this table."""

    columns: dict[str, ColumnProfile]
    rows: int
    nulls: list[str]

    @property
    def types(self) -> dict[str, str]:
        """As `types.lock` keeps them; equal to what inference finds with these `nulls`."""
        return {name: column.type for name, column in self.columns.items()}


class TableProfiler:
    """`see` every batch of text columns, then ask for the `profile`."""

    def __init__(self, columns: Sequence[str]) -> None:
        distinct = max(1 << 10, DISTINCT_BUDGET // len(columns))
        unique = max(1 << 20, UNIQUE_BUDGET // len(columns))
        self.columns = {name: _Column(name, DistinctValues(distinct), Uniqueness(unique)) for name in columns}
        self.rows = 0

    def see(self, rows: pa.Table) -> None:
        self.rows += rows.num_rows
        for name, column in self.columns.items():
            column.see(rows.column(name))

    def profile(self) -> TableProfile:
        found = {marker for column in self.columns.values() for marker in column.telling()}
        nulls = ["", *(marker for marker in MARKERS if marker in found)]
        return TableProfile({name: one.profile(nulls) for name, one in self.columns.items()}, self.rows, nulls)


def profile_table(batches: Iterable[pa.Table], columns: Sequence[str]) -> TableProfile:
    """The profile of a whole table of text columns without nulls."""
    profiler = TableProfiler(columns)
    for batch in batches:
        profiler.see(batch)
    return profiler.profile()


@dataclass
class _Column:
    name: str
    distinct: DistinctValues
    uniqueness: Uniqueness
    evidence: ColumnEvidence = field(default_factory=ColumnEvidence)
    empty: int = 0
    markers: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    tried: int = 0
    words: int = 0
    days: tuple[str, str] | None = None
    lengths: set[int] = field(default_factory=set)
    offsets: bool = False

    def see(self, column: pa.ChunkedArray) -> None:
        if not len(column):
            return
        values = pc.unique(column)
        absent = pc.is_in(values, value_set=EVERY_MARKER)
        missing = 0
        if pc.any(absent).as_py():
            missing = self.count_missing(column)
            values = values.filter(pc.invert(absent))
        self.evidence.see(values, EVERY_MARKER)
        if not len(values):
            return
        hashes = hash_texts(values)
        self.distinct.add(hashes)
        if len(values) < len(column) - missing:
            self.uniqueness.repeated()
        self.uniqueness.add(hashes)
        self.longest = max(self.longest, pc.max(pc.binary_length(values)).as_py())
        if not self.evidence.candidates:
            self.count_words(values)
        elif {"date", "timestamp"} & set(self.evidence.candidates):
            self.see_days(values)

    def count_missing(self, column: pa.ChunkedArray) -> int:
        """Rows without a value, or perhaps without."""
        texts = column.filter(pc.is_in(column, value_set=EVERY_MARKER))
        for entry in pc.value_counts(texts).to_pylist():
            if entry["values"]:
                self.markers[entry["values"]] = self.markers.get(entry["values"], 0) + entry["counts"]
            else:
                self.empty += entry["counts"]
        return len(texts)

    def count_words(self, values: pa.Array) -> None:
        self.tried += len(values)
        self.words += pc.sum(pc.match_substring_regex(values, WORDS)).as_py() or 0

    def see_days(self, values: pa.Array) -> None:
        ends = pc.min_max(values).as_py()
        first, last = ends["min"][:DAY_LENGTH], ends["max"][:DAY_LENGTH]
        self.days = (first, last) if self.days is None else (min(first, self.days[0]), max(last, self.days[1]))
        self.lengths.update(pc.unique(pc.binary_length(values)).to_pylist())
        if "timestamp" in self.evidence.candidates:
            self.offsets = self.offsets or bool(pc.any(pc.match_substring_regex(values, OFFSET)).as_py())

    @property
    def kind(self) -> str:
        return self.evidence.candidates[0] if self.evidence.candidates and self.evidence.values else "string"

    def telling(self) -> list[str]:
        """Markers that can only mean "no value": all else in the column is of a type."""
        return list(self.markers) if self.kind != "string" else []

    def profile(self, nulls: Sequence[str]) -> ColumnProfile:
        kept = [marker for marker in self.markers if marker not in nulls]
        if kept:  # a text like any other
            texts = pa.array(kept, pa.string())
            self.distinct.add(hash_texts(texts))
            if any(self.markers[marker] > 1 for marker in kept):
                self.uniqueness.repeated()
            self.uniqueness.add(hash_texts(texts))
        missing = self.empty + sum(count for marker, count in self.markers.items() if marker in nulls)
        values = self.evidence.values or bool(kept)
        moments = self.kind in ("date", "timestamp")
        return ColumnProfile(
            name=self.name,
            type=f"{self.kind}?" if missing or not values else self.kind,
            missing=missing,
            markers=dict(self.markers),
            distinct=self.distinct,
            unique=values and self.uniqueness.settle(),
            checked=self.uniqueness.share,
            longest=self.longest,
            worded=self.words * 5 >= self.tried > 0,
            days=self.days if moments else None,
            uniform=self.kind != "timestamp" or (len(self.lengths) == 1 and not self.offsets),
        )
