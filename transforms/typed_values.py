"""Text columns become typed columns: each distinct text is cast once, by the engine, with the rules of
`transforms.text_forms`.

A year of 336,776 rows and 19 columns has some 20,000 distinct texts. Casting those on the session's engine and
spreading the results by Arrow took 0.3 s where sending all rows through the engine and back took 1.5 s. What was cast
is remembered while the values keep coming, up to a bound; texts that hardly repeat are cast as they come.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from resources.spark import to_arrow
from transforms.placement import Engine
from transforms.text_forms import typed
from transforms.types import ColumnType

THREADS = 2
MAX_REMEMBERED = 200_000
"""Distinct texts per type."""


@dataclass(frozen=True)
class TypedColumn:
    """Values in their type, and which rows they spoil (None: none of them)."""

    values: pa.Array
    misfits: pa.BooleanArray | None


@dataclass
class Typer:
    """Casts the columns of one dataset."""

    nulls: Sequence[str]
    timezone: str
    engine: Engine
    _known: dict[ColumnType, tuple[pa.StringArray, pa.Array]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._no_value = pa.array(sorted(set(self.nulls)), pa.string())

    def cast(self, columns: Sequence[tuple[pa.ChunkedArray, ColumnType]]) -> list[TypedColumn]:
        """The typed columns, in the same order."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="typer") as pool:  # Arrow's kernels use one core each
            encoded = list(pool.map(_encoded, [column for column, _ in columns]))
            absent = [pc.is_in(one.dictionary, value_set=self._no_value) for one in encoded]
            wanted: dict[ColumnType, list[pa.Array]] = {}
            for one, gone, (_, kind) in zip(encoded, absent, columns, strict=True):
                if kind.kind != "string":
                    wanted.setdefault(_plain(kind), []).append(one.dictionary.filter(pc.invert(gone)))
            for kind, texts in wanted.items():
                self._learn(kind, pc.unique(pa.chunked_array(texts, pa.string())))
            return list(pool.map(self._typed, encoded, absent, [kind for _, kind in columns]))

    def _learn(self, kind: ColumnType, texts: pa.Array) -> None:
        """Have the value of each of these texts at hand."""
        known, values = self._known.get(kind) or (pa.array([], pa.string()), pa.array([], kind.arrow()))
        new = texts.filter(pc.is_null(pc.index_in(texts, value_set=known)))
        if len(known) + len(new) > MAX_REMEMBERED:
            known, values, new = known.slice(0, 0), values.slice(0, 0), texts
        if len(new):
            known, values = pa.concat_arrays([known, new]), pa.concat_arrays([values, self._evaluate(kind, new)])
        self._known[kind] = (known, values)

    def _evaluate(self, kind: ColumnType, texts: pa.Array) -> pa.Array:
        from pyspark.sql import functions

        table = pa.table([pa.array(range(len(texts)), pa.int64()), texts], names=["ordinal", "text"])
        frame = self.engine().createDataFrame(table)
        value = functions.expr(typed("text", kind, [], self.timezone)).alias("value")
        result = to_arrow(frame.select("ordinal", value)).sort_by("ordinal")["value"]
        return result.cast(kind.arrow()).combine_chunks()

    def _typed(self, encoded: pa.DictionaryArray, absent: pa.BooleanArray, kind: ColumnType) -> TypedColumn:
        if kind.kind == "string":
            values = encoded.dictionary
            if pc.any(absent).as_py():
                values = pc.if_else(absent, pa.scalar(None, pa.string()), values)
        else:
            texts, known = self._known[_plain(kind)]
            values = known.take(pc.index_in(encoded.dictionary, value_set=texts))
            if pc.any(absent).as_py():
                values = pc.if_else(absent, pa.scalar(None, values.type), values)
        wrong = pc.is_null(values)
        if kind.nullable:
            wrong = pc.and_(wrong, pc.invert(absent))
        misfits = None
        if pc.any(wrong).as_py() or (encoded.indices.null_count and not kind.nullable):
            misfits = pc.fill_null(wrong.take(encoded.indices), not kind.nullable)
        return TypedColumn(values.take(encoded.indices), misfits)


def _plain(kind: ColumnType) -> ColumnType:
    return kind.with_nullable(nullable=False)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = column.combine_chunks()
    encoded = (whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole).dictionary_encode()
    return encoded if isinstance(encoded, pa.DictionaryArray) else encoded.combine_chunks()
