"""An order-independent digest of events, equal wherever the same events are: in the log, in the sealed history.

A row's hash is sha256 over all its columns as text; the digest is the sum of the first 16 bytes as four 32-bit lanes.
Not an XOR (two equal rows would cancel out), and no lane overflows 64 bits before 2^32 rows.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import EVENT_SCHEMA

LANES = 4
SLICE_ROWS = 16_384
_SEPARATOR, _NULL = b"\x1f", b"\x1e"
_OWN = (
    "event_id",
    "aggregate_id",
    "sequence_number",
    "occurred_at",
    "data",
    "metadata",
    "state_hash",
    "position",
    "bucket",
)
"""Columns that differ from row to row; the others are the same in many rows."""
_COMMON = tuple(name for name in EVENT_SCHEMA.names if name not in _OWN)

Lanes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Digest:
    """How many events, and the sums of the lanes of their hashes."""

    events: int = 0
    lanes: tuple[int, ...] = (0,) * LANES

    def __add__(self, other: "Digest") -> "Digest":
        return Digest(self.events + other.events, tuple(a + b for a, b in zip(self.lanes, other.lanes, strict=True)))

    def text(self) -> str:
        return "-".join(f"{lane:016x}" for lane in self.lanes)

    @classmethod
    def parse(cls, events: int, text: str) -> "Digest":
        return cls(events, tuple(int(lane, 16) for lane in text.split("-")))

    @classmethod
    def of(cls, rows: pa.Table) -> "Digest":
        """Of an EVENT_SCHEMA table of any size; memory is that of SLICE_ROWS rows."""
        return total(
            cls(part.num_rows, tuple(int(lane) for lane in row_lanes(part).sum(axis=0)))
            for part in (rows.slice(start, SLICE_ROWS) for start in range(0, rows.num_rows, SLICE_ROWS))
        )


def total(digests: Iterable[Digest]) -> Digest:
    return sum(digests, Digest())


def row_lanes(rows: pa.Table) -> Lanes:
    """One line of LANES numbers for each row of an EVENT_SCHEMA table (more columns are left out)."""
    own = [_text(rows[name].cast(EVENT_SCHEMA.field(name).type)) for name in _OWN]
    texts = pc.binary_join_element_wise(
        *own, _common(rows), _SEPARATOR, null_handling="replace", null_replacement=_NULL
    )
    hashes = b"".join([hashlib.sha256(text).digest() for text in texts.to_pylist()])
    return np.frombuffer(hashes, "<u4").reshape(-1, 8)[:, :LANES].astype(np.uint64)


def _common(rows: pa.Table) -> pa.Array:
    """The columns that repeat, as one text a row: joined once per combination, which makes the digest twice as fast."""
    which = np.zeros(rows.num_rows, np.int64)
    texts: list[bytes] = [b""]
    for name in _COMMON:
        column = _text(rows[name].cast(EVENT_SCHEMA.field(name).type)).combine_chunks()
        encoded = column.dictionary_encode(null_encoding="encode")
        values = [_NULL if value is None else value for value in encoded.dictionary.to_pylist()]
        combined = which * max(1, len(values)) + encoded.indices.to_numpy()
        kept, which = np.unique(combined, return_inverse=True)
        texts = [texts[code // len(values)] + _SEPARATOR + values[code % len(values)] for code in kept.tolist()]
    return pa.array(texts, pa.binary()).take(pa.array(which))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.string()).cast(pa.binary())
