"""`dedupe`, `sort`, `sample`: which rows stay, and their order. Never which row happens to come first."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from transforms.definition_base import Column
from transforms.expressions import strict_order
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, over, own_prefix, reference, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Shape
from transforms.ordering import Ordering
from transforms.sql_values import Sql, not_negative_zero, quote
from transforms.sql_values import name as quoted
from transforms.types import ColumnType, parse_type

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

DIGITS = 12
SPACE = 16**DIGITS
"""Hashes are compared by their first hexadecimal digits, as text."""


class Dedupe(Node):
    """One row for each set of values of some columns: the first in an order, which has to be said. What the order
    leaves open is settled by all other columns, so the same rows always give the same. `dedupe: all` leaves out rows
    that are equal in every column. Missing values are equal here."""

    operation: ClassVar[str] = "dedupe"
    example: ClassVar[Example] = Example(
        {
            "prices": table(
                "| item: string | price: integer | day: date |",
                "| a | 5 | 2024-01-01 |",
                "| a | 7 | 2024-01-03 |",
                "| b | 2 | 2024-01-02 |",
            )
        },
        "latest: {dedupe: [item], order_by: [day desc], from: prices}",
        table("| item: string | price: integer | day: date |", "| a | 7 | 2024-01-03 |", "| b | 2 | 2024-01-02 |"),
    )

    dedupe: list[Column] | Literal["all"] = Field(
        min_length=1, description="Columns that are unique afterwards, or `all`."
    )
    order_by: list[Column] | None = Field(
        default=None, min_length=1, description="The first row in this order stays; needed unless `all`."
    )

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        if isinstance(self.dedupe, str):
            if self.order_by is not None:
                raise check.refuse(("order_by",), "rows that are equal in all columns have no order.")
            return inputs[0]
        check.chosen(self.dedupe, inputs[0].columns, "dedupe")
        if self.order_by is None:
            raise check.refuse(("dedupe",), "say in `order_by` which row stays, or write `dedupe: all`.")
        check.ordered(self.order_by, inputs[0].columns, "order_by")
        return inputs[0]

    def depends(self, lineage: Lineage) -> None:
        columns = lineage.source.columns
        lineage.through(columns)
        lineage.decides([*columns, *lineage.source.carried], f"dedupe {self._words()}")

    def _words(self) -> str:
        return self.dedupe if isinstance(self.dedupe, str) else f"by {', '.join(self.dedupe)}"

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        source = inputs[0]
        if isinstance(self.dedupe, str):
            return source.data.dropDuplicates()
        place = own_prefix(source.columns)
        numbered = source.data.select(
            *source.references(), sql(f"ROW_NUMBER() {over(made, self.dedupe, self.order_by or [])}").alias(place)
        )
        return numbered.where(reference(place) == 1).select(*source.references())


class Sort(Node):
    """Rows in an order; with `limit` only the first of them, in each partition. What the order leaves open is settled
    by all other columns. The order is that of the rows in the table's files where this is the pipeline's output; an
    operation that reads it keeps the rows and not their order."""

    operation: ClassVar[str] = "sort"
    example: ClassVar[Example] = Example(
        {"sales": table("| shop: string | amount: integer? |", "| north | 10 |", "| west | |", "| south | 30 |")},
        "largest: {sort: [amount desc nulls last], limit: 2, from: sales}",
        table("| shop: string | amount: integer? |", "| south | 30 |", "| north | 10 |"),
    )

    sort: list[Column] = Field(
        min_length=1,
        description="Entries `column`, `column desc`, each with `nulls first` or `nulls last`; missing values come "
        "first, with `desc` last, unless it is said.",
    )
    limit: int | None = Field(default=None, ge=1, description="Keep this many rows, in each partition.")

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        check.ordered(self.sort, inputs[0].columns, "sort")
        return inputs[0]

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        if self.limit is not None:
            by = f"first {self.limit} by {', '.join(self.sort)}"
            lineage.decides([*lineage.source.columns, *lineage.source.carried], by)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        source = inputs[0]
        types = {name: parse_type(kind) for name, kind in source.columns.items()}
        order = strict_order(self.sort, types)
        rows = source.data
        if self.limit is not None and source.carried:
            place = own_prefix(source.columns)
            numbered = rows.select(*source.references(), sql(f"ROW_NUMBER() {over(made, [], self.sort)}").alias(place))
            rows = numbered.where(reference(place) <= self.limit).select(*source.references())
        rows = rows.orderBy(*(_direction(way, types) for way in order))
        return rows.limit(self.limit) if self.limit is not None and not source.carried else rows


def _direction(way: Ordering, types: Mapping[str, ColumnType]) -> "SparkColumn":
    column = sql(not_negative_zero(Sql(quoted(way.column), types[way.column])))
    if way.descending:
        return column.desc_nulls_first() if way.nulls_first else column.desc_nulls_last()
    return column.asc_nulls_first() if way.nulls_first else column.asc_nulls_last()


class Sample(Node):
    """A share of the rows, by the hash of a key: rows of the same key stay or go together, always the same ones, on
    every engine, whatever other rows there are. The share of the keys is near the fraction, not equal to it."""

    operation: ClassVar[str] = "sample"
    example: ClassVar[Example] = Example(
        {"sales": table("| receipt: string |", "| R1 |", "| R2 |", "| R3 |", "| R4 |")},
        "half: {sample: 0.5, key: [receipt], seed: 7, from: sales}",
        table("| receipt: string |", "| R3 |", "| R4 |"),
    )

    sample: float = Field(gt=0, le=1, description="Share of the keys that stay, above 0 and at most 1.")
    key: list[Column] = Field(min_length=1, description="Columns whose values decide; no doubles.")
    seed: int = Field(default=0, description="Another seed takes another sample.")

    @field_validator("sample", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        for index, (name, kind) in enumerate(check.chosen(self.key, inputs[0].columns, "key").items()):
            if not parse_type(kind).usable_in_key:
                raise check.refuse(("key", index), f"column '{name}' is {kind}, which has no canonical text.")
        return inputs[0]

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        lineage.decides(self.key, f"sample {self.sample:g} by {', '.join(self.key)}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        if self.sample == 1:
            return inputs[0].data
        texts = (f"CAST({quoted(name)} AS STRING)" for name in self.key)
        parts = ", ".join(f"COALESCE(CONCAT(LENGTH({text}), ':', {text}), '-')" for text in texts)
        limit = f"{int(self.sample * SPACE):0{DIGITS}x}"
        hashed = f"SUBSTRING(MD5(CONCAT({quote(f'{self.seed}|')}, {parts})), 1, {DIGITS})"
        return inputs[0].data.where(sql(f"{hashed} < {quote(limit)}"))
