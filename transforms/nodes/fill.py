"""`fill`: values for what is missing, by expression or from the rows before or after."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, over, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Columns, Fault, Scope, Shape
from transforms.ordering import ordering
from transforms.sql_values import Conversion, Mismatch, Sql, never_fails
from transforms.sql_values import name as quoted
from transforms.types import parse_type
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FRAMES = {
    "forward": "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "backward": "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
}


class Fill(Node):
    """Values for what is missing. A mapping gives each column an expression over the row, in the column's own type. A
    list takes for each column the last value that is there, in the order of `order_by` (or the next one, `direction:
    backward`), within `partition_by` and the partition; what has none before it stays missing."""

    operation: ClassVar[str] = "fill"
    example: ClassVar[Example] = Example(
        {
            "meter": table(
                "| day: date | reading: integer? |", "| 2024-01-01 | 5 |", "| 2024-01-02 | |", "| 2024-01-03 | 9 |"
            )
        },
        "filled: {fill: [reading], order_by: [day], from: meter}",
        table("| day: date | reading: integer? |", "| 2024-01-01 | 5 |", "| 2024-01-02 | 5 |", "| 2024-01-03 | 9 |"),
    )

    fill: dict[Column, str] | list[Column] = Field(
        min_length=1, description="Column -> expression; or columns that take the value of a row before or after."
    )
    order_by: list[Column] | None = Field(
        default=None, min_length=1, description="Order of the rows; needed for a list of columns, and only there."
    )
    partition_by: list[Column] | None = Field(
        default=None, min_length=1, description="Columns that bound the rows that a value is taken from."
    )
    direction: Literal["forward", "backward"] | None = Field(
        default=None, description="`forward` (the default): the last value before; `backward`: the next one after."
    )

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        if isinstance(self.fill, dict):
            yield from ((("fill", name), text) for name, text in self.fill.items())

    @property
    def row_by_row(self) -> bool:
        return isinstance(self.fill, dict)

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        if isinstance(self.fill, dict):
            for field in ("order_by", "partition_by", "direction"):
                if getattr(self, field) is not None:
                    raise check.refuse((field,), "expressions look at their own row; this is for a list of columns.")
            return inputs[0].with_columns({**columns, **self._filled(self.fill, columns, check)})
        check.chosen(self.fill, columns, "fill")
        if self.order_by is None:
            raise check.refuse(("fill",), "the rows before and after need `order_by`.")
        check.ordered(self.order_by, columns, "order_by")
        check.chosen(self.partition_by or [], columns, "partition_by")
        return inputs[0]

    def _filled(self, texts: dict[str, str], columns: Columns, check: Check) -> Columns:
        found: Columns = {}
        good = True
        for name, text in texts.items():
            if not check.exists(name, columns, "fill", name) or check.expression(text, columns, "fill", name) is None:
                good = False
                continue
            try:
                found[name] = self._value(name, text, columns, check.scope).type.text
            except Mismatch as mismatch:
                check.fault(("fill", name), f"{mismatch}.")
                good = False
        if not good:
            raise Fault
        return found

    def _value(self, name: str, text: str, columns: Columns, scope: Scope) -> Sql:
        """The filled column. Raises Mismatch where the value is not of its type."""
        kind = parse_type(columns[name])
        found = scope.compiled(text, columns, where=name)
        value = Sql(found.sql, parse_type(found.type), literal=found.literal)
        fits = (value.type.numeric and kind.numeric and kind.kind != "integer") or value.type.kind == kind.kind
        if not (fits or (kind.kind in ("date", "timestamp") and value.literal is not None)) or not never_fails(
            value, kind
        ):
            raise Mismatch(f"'{name}' is {kind.base} and this is {value.type.base}; write cast(... AS {kind.base})")
        other = Conversion(scope.timezone, lenient=False).cast(value, kind.with_nullable(nullable=False))
        return Sql(
            f"COALESCE({quoted(name)}, {other.text})", kind.with_nullable(nullable=kind.nullable and other.nullable)
        )

    def depends(self, lineage: Lineage) -> None:
        source = lineage.source
        lineage.through(name for name in source.columns if name not in self.fill)
        if isinstance(self.fill, dict):
            for name, text in self.fill.items():
                lineage.value([name, *lineage.used(text, f"fill.{name}")], name, f"coalesce({name}, {text})")
            return
        by = f"{self.direction or 'forward'} fill by {', '.join(self.order_by or [])}"
        # What the order leaves open all other columns settle.
        deciding = [*(ordering(one, source.columns).column for one in self.order_by or []), *source.columns]
        for name in self.fill:
            lineage.value([name], name, by)
            lineage.decides([*(self.partition_by or []), *deciding, *source.carried], by, name)
            lineage.counts(name, by)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        source = inputs[0]
        if isinstance(self.fill, dict):
            new = {
                name: sql(self._value(name, text, source.columns, step.scope).text) for name, text in self.fill.items()
            }
            return replaced(source, made, new)
        direction = self.direction or "forward"
        call = "LAST_VALUE" if direction == "forward" else "FIRST_VALUE"
        window = over(source.shape, self.partition_by or [], self.order_by or [], FRAMES[direction])
        new = {name: sql(f"{call}({quoted(name)}, TRUE) {window}") for name in self.fill}
        return replaced(source, made, new)
