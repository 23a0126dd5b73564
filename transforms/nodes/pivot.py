"""`pivot` and `unpivot`: values of one column become columns, and columns become rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, reference, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Columns, Fault, Shape
from transforms.sql_values import Mismatch, quote, unify
from transforms.sql_values import name as quoted
from transforms.types import ColumnType, parse_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

AGGREGATES = {"sum": "sum({})", "avg": "avg({})", "min": "min({})", "max": "max({})", "count": "count({})"}


class Pivot(Node):
    """Values of one column become columns; one row for each set of values of `index`, within the partition. Without
    `take` each cell comes from the one row that has this index and this value, and two such rows end the run: there is
    no right cell then. With `take` a cell is that aggregate of all such rows. Rows with other values make no cell."""

    operation: ClassVar[str] = "pivot"
    example: ClassVar[Example] = Example(
        {
            "sales": table(
                "| shop: string | item: string | sold: integer |",
                "| a | bread | 5 |",
                "| a | cake | 1 |",
                "| b | bread | 2 |",
            )
        },
        "wide: {pivot: item, values: {bread: bread, cake: cake}, index: [shop], columns: [sold], from: sales}",
        table("| shop: string | sold_bread: integer? | sold_cake: integer? |", "| a | 5 | 1 |", "| b | 2 | |"),
    )

    pivot: Column = Field(description="Column whose values become columns.")
    values: dict[str, str] = Field(
        min_length=1, description="Value of the pivot column -> suffix of the new columns (`<column>_<suffix>`)."
    )
    index: list[Column] = Field(min_length=1, description="Columns that make one row of the pivot's result.")
    columns: list[Column] = Field(min_length=1, description="Columns that are spread by the pivot.")
    take: Literal["sum", "avg", "min", "max", "count"] | None = Field(
        default=None, description="Aggregate of the rows of a cell; absent: there is at most one row."
    )

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        good = check.exists(self.pivot, columns, "pivot")
        good = check.exist(self.index, columns, "index") and good
        good = check.exist(self.columns, columns, "columns") and good
        if not good:
            raise Fault
        result = {name: columns[name] for name in self.index}
        kind = parse_type(columns[self.pivot])
        for value in self.values:
            if not _is_a(value, kind):
                raise check.refuse(("values", value), f"'{value}' is no {kind.base}, which '{self.pivot}' is.")
        for column in self.columns:
            for suffix in self.values.values():
                if (name := f"{column}_{suffix}") in result:
                    raise check.refuse(("values",), f"the pivot makes the column '{name}' twice.")
                result[name] = self._type(column, columns, check)
        return inputs[0].with_columns(result)

    def _type(self, column: str, columns: Columns, check: Check) -> str:
        if self.take is None:
            return f"{columns[column].removesuffix('?')}?"
        found = check.expression(self._call(column), columns, "columns", aggregate=True)
        if found is None:
            raise Fault
        return found.type

    def _call(self, column: str) -> str:
        return AGGREGATES[self.take or "max"].format(quoted(column))

    def depends(self, lineage: Lineage) -> None:
        lineage.keyed(self.index, f"one row for each {', '.join(self.index)}")
        for value, suffix in self.values.items():
            for column in self.columns:
                by = f"{f'{self.take} of ' if self.take else ''}{column} where {self.pivot} is {value}"
                lineage.value([column], f"{column}_{suffix}", by)
                lineage.decides([self.pivot], by, f"{column}_{suffix}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        source = inputs[0]
        kind = parse_type(source.columns[self.pivot])
        cells = []
        for value, suffix in self.values.items():
            text = quote(value) if kind.kind == "string" else f"CAST({quote(value)} AS {kind.sql})"
            here = f"{quoted(self.pivot)} = {text}"
            for column in self.columns:
                name = f"{column}_{suffix}"
                given = f"CASE WHEN {here} THEN {quoted(column)} END"
                cells.append(sql(self._cell(given, here, made.columns[name], value, step)).alias(name))
        grouped = source.data.groupBy(*source.references(self.index)).agg(*cells)
        return grouped.select(*(reference(name) for name in (*made.columns, *made.carried)))

    def _cell(self, given: str, here: str, kind: str, value: str, step: Step) -> str:
        if self.take is not None:
            return f"CAST({AGGREGATES[self.take].upper().format(given)} AS {parse_type(kind).sql})"
        raised = step.raised("pivot", quote(f"more than one row for {self.pivot} {value!r}"), kind)
        return f"CASE WHEN COUNT(CASE WHEN {here} THEN 1 END) > 1 THEN {raised} ELSE MAX({given}) END"


def _is_a(value: str, kind: ColumnType) -> bool:
    """Whether a text of the definition is a value of the pivot column."""
    if kind.kind == "boolean":
        return value in ("true", "false")
    if kind.kind == "integer":
        return value.removeprefix("-").isdigit()
    return True


class Unpivot(Node):
    """Columns become rows: for each row one for each of the columns, with the column's name and its value. The values
    have one type: whole numbers, decimals and doubles meet in the type that holds them all."""

    operation: ClassVar[str] = "unpivot"
    example: ClassVar[Example] = Example(
        {"wide": table("| shop: string | bread: integer? | cake: integer? |", "| a | 5 | 1 |", "| b | 2 | |")},
        "long: {unpivot: [bread, cake], name_to: item, value_to: sold, missing: drop, from: wide}",
        table(
            "| shop: string | item: string | sold: integer? |",
            "| a | bread | 5 |",
            "| a | cake | 1 |",
            "| b | bread | 2 |",
        ),
    )

    unpivot: list[Column] = Field(min_length=1, description="The columns; all others are kept in each row.")
    name_to: Column = Field(description="New column for the column's name.")
    value_to: Column = Field(description="New column for the value.")
    missing: Literal["keep", "drop"] = Field(default="keep", description="Whether a missing value makes a row.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        kinds = [parse_type(kind) for kind in check.chosen(self.unpivot, columns, "unpivot").values()]
        kept = {name: kind for name, kind in columns.items() if name not in self.unpivot}
        check.new(self.name_to, kept, "name_to")
        check.new(self.value_to, [*kept, self.name_to], "value_to")
        try:
            kind = unify(kinds)
        except Mismatch as mismatch:
            raise check.refuse(("unpivot",), f"{mismatch}.") from mismatch
        return inputs[0].with_columns({**kept, self.name_to: "string", self.value_to: kind.text})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(name for name in lineage.source.columns if name not in self.unpivot)
        by = f"unpivot of {', '.join(self.unpivot)}"
        lineage.value(self.unpivot, self.value_to, by)
        lineage.counts(self.name_to, by)
        if self.missing == "drop":
            lineage.decides(self.unpivot, f"{by}, without missing values")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        source = inputs[0]
        kind = parse_type(made.columns[self.value_to]).sql
        pairs = ", ".join(f"{quote(name)}, CAST({quoted(name)} AS {kind})" for name in self.unpivot)
        to = f"({quoted(self.name_to)}, {quoted(self.value_to)})"
        kept = [name for name in source.columns if name not in self.unpivot]
        long = source.data.select(*source.references(kept), sql(f"STACK({len(self.unpivot)}, {pairs}) AS {to}"))
        rows = long.select(*(reference(name) for name in (*made.columns, *made.carried)))
        return rows.where(reference(self.value_to).isNotNull()) if self.missing == "drop" else rows
