"""`window`: new columns that look at the rows around each row, within `partition_by` (and within the partition)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from transforms.definition_base import Column, Definition
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Shape
from transforms.ordering import ordering
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Rows(Definition):
    """The rows that an aggregate of a window looks at."""

    before: int | None = Field(default=None, ge=0, description="How many rows before this one; absent: all.")
    after: int | None = Field(default=None, ge=0, description="How many rows after this one; absent: all.")

    @property
    def sql(self) -> str:
        first = "UNBOUNDED PRECEDING" if self.before is None else f"{self.before} PRECEDING"
        last = "UNBOUNDED FOLLOWING" if self.after is None else f"{self.after} FOLLOWING"
        return f"ROWS BETWEEN {first} AND {last}"


class Window(Node):
    """New columns by ranking functions, by looking at rows before and after, or by aggregates over the rows around each
    row; the rows themselves stay. With `order_by` and without `rows`, an aggregate runs from the first row to this one,
    and rows that are equal in the order count together. What `order_by` leaves open is settled by all other columns
    wherever a function asks for one row (`row_number`, `lag`, `lead`, `ntile`, `first_value`, and all with `rows`)."""

    operation: ClassVar[str] = "window"
    example: ClassVar[Example] = Example(
        {
            "sales": table(
                "| shop: string | day: date | sold: integer |",
                "| a | 2024-01-01 | 5 |",
                "| a | 2024-01-02 | 7 |",
                "| b | 2024-01-01 | 1 |",
            )
        },
        "running:\n  window: {so_far: sum(sold), before: lag(sold)}\n"
        "  partition_by: [shop]\n  order_by: [day]\n  from: sales",
        table(
            "| shop: string | day: date | sold: integer | so_far: integer? | before: integer? |",
            "| a | 2024-01-01 | 5 | 5 | |",
            "| a | 2024-01-02 | 7 | 12 | 5 |",
            "| b | 2024-01-01 | 1 | 1 | |",
        ),
    )

    window: dict[Column, str] = Field(
        min_length=1, description="New columns by window function; needs `partition_by` or `order_by`."
    )
    partition_by: list[Column] | None = Field(default=None, min_length=1, description="Columns that bound a window.")
    order_by: list[Column] | None = Field(
        default=None,
        min_length=1,
        description="Order inside a window: `column`, or `column desc`, each with `nulls first` or `nulls last`; "
        "missing values come first, with `desc` last, unless it is said.",
    )
    rows: Rows | None = Field(default=None, description="The rows that aggregates look at; needs `order_by`.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.partition_by is None and self.order_by is None:
            raise PydanticCustomError("no_window", "a window needs `partition_by` or `order_by` or both")
        if self.rows is not None and self.order_by is None:
            raise PydanticCustomError("no_order", "`rows` before and after need `order_by`")
        return self

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        yield from ((("window", name), text) for name, text in self.window.items())

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        check.chosen(self.partition_by or [], columns, "partition_by")
        check.ordered(self.order_by or [], columns, "order_by")
        for name in self.window:
            if name not in columns:
                check.new(name, columns, "window", name)
        types = check.types(self.window, inputs[0].typed_columns(), "window", **self._options(inputs[0]))
        return inputs[0].with_columns({**columns, **types})

    def _options(self, source: Shape) -> dict[str, Any]:
        return {
            "window": True,
            "partition_by": [*(self.partition_by or []), *source.carried],
            "order_by": self.order_by or [],
            "rows": self.rows.sql if self.rows is not None else "",
        }

    def depends(self, lineage: Lineage) -> None:
        bounds, order = self.partition_by or [], self.order_by or []
        said = [f"partition by {', '.join(bounds)}"] if bounds else []
        said += [f"order by {', '.join(order)}"] if order else []
        source = lineage.source
        deciding = [*bounds, *(ordering(entry, source.columns).column for entry in order), *source.carried]
        lineage.through(name for name in source.columns if name not in self.window)
        for name, text in self.window.items():
            by = f"{text} over ({' '.join(said)})"
            found = lineage.compiled(text, f"window.{name}", **self._options(source))
            lineage.value(found.columns, name, by)
            lineage.decides([*deciding, *(source.columns if found.by_row and order else ())], by, name)
            lineage.counts(name, by)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        source = inputs[0]
        options = self._options(source.shape)
        new = {
            name: step.expression(text, source.typed_columns(), f"window.{name}", **options)
            for name, text in self.window.items()
        }
        return replaced(source, made, new)
