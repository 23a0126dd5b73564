"""`cast`: columns in other types, strictly or leniently."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from transforms.definition_base import Column, ColumnTypeText
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Columns, Fault, Shape
from transforms.sql_values import Conversion, Mismatch, Sql, quote
from transforms.sql_values import name as quoted
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Cast(Node):
    """Columns in other types. A value that the type does not have ends the run, named (`mode: strict`); with `mode:
    lenient` it is null, and the column named by
    `misfits` says how many values of each row were lost, for a rule to bound. Text is read in its plain ISO form."""

    operation: ClassVar[str] = "cast"
    example: ClassVar[Example] = Example(
        {"raw": table("| id: string | price: string? |", "| 1 | 2.50 |", "| 2 | cheap |", "| 3 | |")},
        'typed:\n  cast: {id: integer, price: "decimal(8,2)"}\n  mode: lenient\n  misfits: lost\n  from: raw',
        table(
            "| id: integer? | price: decimal(8,2)? | lost: integer |", "| 1 | 2.50 | 0 |", "| 2 | | 1 |", "| 3 | | 0 |"
        ),
    )

    cast: dict[Column, ColumnTypeText] = Field(
        min_length=1, description="Column -> its new type, without `?`: a missing value stays one."
    )
    mode: Literal["strict", "lenient"] = Field(
        default="strict",
        description="What becomes of a value that does not fit: `strict` ends the run, `lenient`: null.",
    )
    misfits: Column | None = Field(
        default=None, description="New column: how many values of the row `lenient` has made null."
    )

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        found: Columns = {}
        good = True
        for name, kind in self.cast.items():
            if not check.exists(name, columns, "cast", name):
                good = False
            elif kind.endswith("?"):
                check.fault(("cast", name), f"a missing value stays missing: write {kind.removesuffix('?')}.")
                good = False
            else:
                try:
                    made = self._converted(name, columns, check.scope.timezone).type
                except Mismatch as mismatch:
                    check.fault(("cast", name), f"{mismatch}.")
                    good = False
                    continue
                nullable = parse_type(columns[name]).nullable if self.mode == "strict" else made.nullable
                found[name] = made.with_nullable(nullable=nullable).text
        if self.misfits is not None and self.mode == "strict":
            raise check.refuse(("misfits",), "only `mode: lenient` makes values null.")
        if not good:
            raise Fault
        counted: Columns = {}
        if self.misfits is not None:
            check.new(self.misfits, columns, "misfits")
            counted = {self.misfits: "integer"}
        return inputs[0].with_columns({**columns, **found, **counted})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(name for name in lineage.source.columns if name not in self.cast)
        for name, kind in self.cast.items():
            lineage.value([name], name, f"cast to {kind}")
        if self.misfits is not None:
            lineage.value(self.cast, self.misfits, f"values lost by cast of {', '.join(self.cast)}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        source = inputs[0]
        new = {}
        for name in self.cast:
            value = self._converted(name, source.columns, step.scope.timezone).text
            if self.mode == "strict":
                shown = f"COALESCE(CAST({quoted(name)} AS STRING), '')"
                message = f"CONCAT({quote(f'{name}: ')}, {shown}, {quote(f' is no {self.cast[name]}')})"
                raised = step.raised("cast", message, self.cast[name])
                value = f"CASE WHEN {self._lost(name, value)} THEN {raised} ELSE {value} END"
            new[name] = sql(value)
        if self.misfits is not None:
            new[self.misfits] = sql(self.lost(source.columns, step))
        return replaced(source, made, new)

    def lost(self, columns: Columns, step: Step) -> str:
        """SQL of the number of values that a row loses."""
        lost = (self._lost(name, self._converted(name, columns, step.scope.timezone).text) for name in self.cast)
        return "CAST(" + " + ".join(f"CASE WHEN {one} THEN 1 ELSE 0 END" for one in lost) + " AS BIGINT)"

    def _lost(self, name: str, value: str) -> str:
        return f"{quoted(name)} IS NOT NULL AND {value} IS NULL"

    def _converted(self, name: str, columns: Columns, timezone: str) -> Sql:
        kind = parse_type(self.cast[name])
        return Conversion(timezone, lenient=True).cast(Sql(quoted(name), parse_type(columns[name])), kind)
