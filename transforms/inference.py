"""The type of a text column, from all of its values; pure, batch by batch, in bounded memory.

A column has a type only where every value has it, in its plain form: `007` is text (an id), `1,000` and `5 kg` are
text, a number of more digits than a type holds is text. Decimals are never guessed: the next file may have one digit
more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

MAX_EXACT_DIGITS = 15
PATTERNS = {
    "boolean": r"^(true|false|TRUE|FALSE|True|False)$",
    "integer": r"^(0|-?[1-9][0-9]{0,17})$",
    "double": r"^-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?$",
}
"""Candidates in the order of preference: the first that holds for every value is the type."""
WHOLE = r"^-?[0-9]{16,}$"
ZONED = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"


@dataclass
class ColumnEvidence:
    """What has been seen of one column."""

    candidates: list[str] = field(default_factory=lambda: list(PATTERNS))
    nulls: bool = False
    values: bool = False

    def see(self, column: pa.Array | pa.ChunkedArray, nulls: pa.Array) -> None:
        """Look at more values. Only distinct ones are tested: a year of text has few."""
        if not self.candidates and self.nulls:
            return
        distinct = pc.unique(column)
        if isinstance(distinct, pa.ChunkedArray):
            distinct = distinct.combine_chunks()
        missing = pc.or_kleene(pc.is_null(distinct), pc.is_in(distinct, value_set=nulls))
        self.nulls = self.nulls or bool(pc.any(missing).as_py())
        distinct = distinct.filter(pc.invert(missing))
        if len(distinct) == 0:
            return
        self.values = True
        self.candidates = [kind for kind in self.candidates if holds(kind, distinct)]

    def type(self) -> str:
        kind = self.candidates[0] if self.candidates and self.values else "string"
        return f"{kind}?" if self.nulls or not self.values else kind


def holds(kind: str, values: pa.Array) -> bool:
    """Whether every value has the kind, in form and in range."""
    if not pc.all(pc.match_substring_regex(values, PATTERNS[kind])).as_py():
        return False
    if kind == "double":
        return _are_doubles(values)
    if kind in ("date", "timestamp"):
        return _are_moments(kind, values)
    return True


def _are_doubles(values: pa.Array) -> bool:
    """Long whole numbers are ids, which a double would round; a number beyond the range of doubles is none."""
    if pc.any(pc.match_substring_regex(values, WHOLE)).as_py():
        return False
    try:
        return bool(pc.all(pc.is_finite(pc.cast(values, pa.float64()))).as_py())
    except pa.ArrowInvalid:
        return False


def _are_moments(kind: str, values: pa.Array) -> bool:
    """Whether the texts are days of the calendar and times of the clock."""
    try:
        if kind == "date":
            pc.cast(values, pa.date32())
        else:
            zoned = pc.match_substring_regex(values, ZONED)
            pc.cast(values.filter(zoned), pa.timestamp("us", tz="UTC"))
            pc.cast(values.filter(pc.invert(zoned)), pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True


class Inference:
    """Evidence about all columns of one dataset: `see` every batch, then ask `types`."""

    def __init__(self, columns: Sequence[str], nulls: Iterable[str]) -> None:
        self.columns = {name: ColumnEvidence() for name in columns}
        self.nulls = pa.array(sorted(nulls), pa.string())

    def see(self, rows: pa.Table | pa.RecordBatch) -> None:
        for name, evidence in self.columns.items():
            evidence.see(rows.column(name), self.nulls)

    def types(self) -> dict[str, str]:
        return {name: evidence.type() for name, evidence in self.columns.items()}


def infer_types(
    batches: Iterable[pa.Table | pa.RecordBatch], columns: Sequence[str], *, nulls: Iterable[str]
) -> dict[str, str]:
    """The inferred type of each column, in the order given."""
    inference = Inference(columns, nulls)
    for batch in batches:
        inference.see(batch)
    return inference.types()


def overlay(inferred: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """Inferred types with the declared ones in their place."""
    return {name: declared.get(name, kind) for name, kind in inferred.items()}
