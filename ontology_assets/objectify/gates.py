"""What stops rows from becoming objects, before anything is appended: each gate with its code, count and samples.

KEY_MISSING    a part of the key is missing
KEY_DUPLICATE  several rows have the same key
TYPE_FAILED    a value is not of its property's type, or is missing where it must not be
LINK_DANGLING  a link whose policy is `fail` leads to an object that does not exist
LINK_SHARED    several objects link to one target by a `one_to_one` link
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.canonical_columns import flat
from ontology_assets.model.definitions import ObjectType, Property
from resources.errors import SpiceError

KEY_MISSING, KEY_DUPLICATE, TYPE_FAILED = "KEY_MISSING", "KEY_DUPLICATE", "TYPE_FAILED"
LINK_DANGLING, LINK_SHARED = "LINK_DANGLING", "LINK_SHARED"
FAILED = "_failed_"
"""Prefix of the columns of a mapped table that hold the text of a value which its property's type does not take."""
SAMPLES = 10
CALENDAR = {"date": (-719_162, 2_932_896), "timestamp": (-719_162 * 86_400_000_000, 2_932_897 * 86_400_000_000 - 1)}
"""First and last moment of the years 1 to 9999, in days and in microseconds."""
RANGES = {"lat": 90.0, "lon": 180.0}


@dataclass(frozen=True)
class Sample:
    """One row that a gate stopped; `value` as text, None where there is none."""

    column: str
    value: str | None
    reason: str
    key: str | None = None
    file: str | None = None
    line: int | None = None
    row: int | None = None

    def text(self) -> str:
        place = f"{self.file or 'row'}{'' if self.line is None else f', line {self.line}'}" if self.file else ""
        key = "" if self.key is None else f" (key {self.key})"
        return f"{place or f'row {self.row}'}: {self.column} = {self.value!r} {self.reason}{key}"


@dataclass(frozen=True)
class Gate:
    """The outcome of one gate; open if nothing was found. `count` is rows, or for links links."""

    code: str
    count: int
    samples: tuple[Sample, ...] = ()

    def value(self) -> dict[str, Any]:
        """For an asset check's metadata."""
        return {"code": self.code, "count": self.count, "samples": [asdict(sample) for sample in self.samples]}


class GateFailed(SpiceError):
    """Rows that can't be objects. Nothing of their partitions was appended."""

    kind = "spice:gate-failed"

    def __init__(self, object_type: str, gates: list[Gate]) -> None:
        self.gates = gates
        lines = [
            f"{gate.code}, {gate.count} found, e.g. {'; '.join(sample.text() for sample in gate.samples[:3])}"
            for gate in gates
        ]
        super().__init__(
            "No objects were made",
            f"{'. '.join(lines)}. Nothing of these partitions was appended; correct the source or the mapping and run "
            "again.",
            where=object_type,
        )


def check_rows(object_type: ObjectType, rows: pa.Table) -> list[Gate]:
    """KEY_MISSING and TYPE_FAILED over a mapped table whose columns have their declared types."""
    missing, failed = _Findings(rows, object_type), _Findings(rows, object_type)
    for name, declared in object_type.properties.items():
        column = flat(rows[name])
        refused = _refused_texts(rows, name)
        if refused is not None:
            failed.add(name, refused.is_valid(), f"is no {declared.base}", refused)
        absent = column.is_null() if refused is None else pc.and_(column.is_null(), refused.is_null())
        if name in object_type.key:
            missing.add(name, absent, "is part of the key and may not be missing")
        elif not declared.nullable:
            failed.add(name, absent, "may not be missing")
        for wrong, reason in _wrong_values(column, declared):
            failed.add(name, wrong, reason)
    return [missing.gate(KEY_MISSING), failed.gate(TYPE_FAILED)]


def check_keys(object_type: ObjectType, rows: pa.Table, ids: pa.Array) -> Gate:
    """KEY_DUPLICATE: every row of the chunk whose key another row has too."""
    if pc.count_distinct(ids).as_py() == len(ids):
        return Gate(KEY_DUPLICATE, 0)
    counts = ids.value_counts()
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    repeated = pc.is_in(ids, value_set=several)
    ordered = pc.indices_nonzero(repeated)
    ordered = ordered.take(pc.sort_indices(ids.take(ordered)))
    key = "/".join(object_type.key)
    samples = tuple(
        _sample(
            rows, i, column=key, value=ids[i].as_py(), reason="is not the only row with this key", key=ids[i].as_py()
        )
        for i in ordered[:SAMPLES].to_pylist()
    )
    return Gate(KEY_DUPLICATE, len(ordered), samples)


def key_elsewhere(object_type: ObjectType, places: dict[str, str], states: pa.Table) -> Gate:
    """KEY_DUPLICATE over partitions: `places` says which other partition holds a row with the same key."""
    samples = []
    for row in states.filter(pc.is_in(states["id"], pa.array(sorted(places)[:SAMPLES], pa.string()))).to_pylist():
        reason = f"is in partition {row['partition']} and in partition {places[row['id']]}"
        origin = {"file": row["source_file"], "line": row["line"], "row": row["row"]}
        samples.append(Sample("/".join(object_type.key), row["id"], reason, row["id"], **origin))
    return Gate(KEY_DUPLICATE, len(places), tuple(samples))


class _Findings:
    """Masks of wrong values, gathered into one gate that counts each row once."""

    def __init__(self, rows: pa.Table, object_type: ObjectType) -> None:
        self._rows, self._key = rows, object_type.key
        self._wrong: pa.Array | None = None
        self._samples: list[Sample] = []

    def add(self, name: str, wrong: pa.Array, reason: str, values: pa.Array | None = None) -> None:
        if not pc.any(wrong).as_py():
            return
        self._wrong = wrong if self._wrong is None else pc.or_(self._wrong, wrong)
        shown = flat(self._rows[name]) if values is None else values
        for i in pc.indices_nonzero(wrong)[:SAMPLES].to_pylist():
            self._samples.append(
                _sample(self._rows, i, column=name, value=_text(shown, i), reason=reason, key=self._key_text(i))
            )

    def gate(self, code: str) -> Gate:
        if self._wrong is None:
            return Gate(code, 0)
        return Gate(code, pc.sum(self._wrong).as_py(), tuple(self._samples[:SAMPLES]))

    def _key_text(self, i: int) -> str:
        return ", ".join(f"{name} {_text(flat(self._rows[name]), i)}" for name in self._key)


def _sample(rows: pa.Table, i: int, *, column: str, value: str | None, reason: str, key: str | None) -> Sample:
    file, line, row = (
        rows[name][i].as_py() if name in rows.column_names else None for name in ("_source_file", "_line", "_row")
    )
    return Sample(column, value, reason, key, file, line, row)


def _text(column: pa.Array, i: int) -> str | None:
    """Arrow's own text of times: Python has no value for those that lie outside of its calendar."""
    if pa.types.is_temporal(column.type):
        column = column.slice(i, 1).cast(pa.string())
        i = 0
    value = column[i].as_py()
    return None if value is None else str(value)


def _refused_texts(rows: pa.Table, name: str) -> pa.Array | None:
    """The texts that the cast to the property's type refused, null elsewhere."""
    return flat(rows[FAILED + name]) if FAILED + name in rows.column_names else None


def _wrong_values(column: pa.Array, declared: Property) -> Iterable[tuple[pa.Array, str]]:
    """Masks without nulls, each with what is wrong."""
    if declared.base == "enum" and declared.values is not None:
        codes = pa.array(sorted(declared.values), pa.string())
        unknown = pc.and_(column.is_valid(), pc.invert(pc.is_in(column, value_set=codes)))
        yield unknown, f"is not one of {', '.join(sorted(declared.values))}"
    elif declared.base == "double":
        yield _true(pc.invert(pc.is_finite(column))), "is no finite number"
    elif declared.base in CALENDAR:
        first, last = CALENDAR[declared.base]
        ticks = column.cast(pa.int32() if declared.base == "date" else pa.int64())
        yield _true(pc.or_(pc.less(ticks, first), pc.greater(ticks, last))), "is not in the years 1 to 9999"
    elif declared.base == "geopoint":
        for part, limit in RANGES.items():
            number = pc.struct_field(column, part)
            half = pc.and_(column.is_valid(), number.is_null())
            yield half, f"has no {part}"
            beyond = pc.invert(pc.less_equal(pc.abs(number), limit))  # NaN is beyond, too
            yield _true(beyond), f"has a {part} that is not between {-limit:g} and {limit:g}"


def _true(mask: pa.Array) -> pa.Array:
    return pc.fill_null(mask, False)  # noqa: FBT003 - Arrow's signature
