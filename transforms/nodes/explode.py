"""`explode`: a text that is a list becomes a row for each of its parts."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, own_prefix, reference, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Shape
from transforms.nodes.text import text_columns
from transforms.sql_values import name as quoted
from transforms.sql_values import quote

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Explode(Node):
    """A row for each part of a text that is a list; the other columns are the same in each. An empty text has one
    part, which is empty. A row whose text is missing stays, or is left out with `missing: drop`."""

    operation: ClassVar[str] = "explode"
    example: ClassVar[Example] = Example(
        {"posts": table("| id: integer | tags: string? |", "| 1 | red;blue |", "| 2 | |")},
        'tagged: {explode: tags, separator: ";", position: place, from: posts}',
        table("| id: integer | tags: string? | place: integer? |", "| 1 | red | 1 |", "| 1 | blue | 2 |", "| 2 | | |"),
    )

    explode: Column = Field(description="Column of text.")
    separator: str = Field(min_length=1, description="What stands between two parts, as it is written.")
    position: Column | None = Field(default=None, description="New column: which part it is, from 1.")
    missing: Literal["keep", "drop"] = Field(default="keep", description="Whether a row without text stays.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        if not check.exists(self.explode, columns, "explode"):
            raise check.refuse(("explode",), f"there is no column '{self.explode}'.", columns)
        text_columns([self.explode], columns, check, "explode")
        optional = columns[self.explode].endswith("?") and self.missing == "keep"
        made = {**columns, self.explode: "string?" if optional else "string"}
        if self.position is not None:
            check.new(self.position, columns, "position")
            made[self.position] = "integer?" if optional else "integer"
        return inputs[0].with_columns(made)

    def depends(self, lineage: Lineage) -> None:
        by = f"part of {self.explode} by '{self.separator}'"
        lineage.through(name for name in lineage.source.columns if name != self.explode)
        lineage.value([self.explode], self.explode, by)
        lineage.decides([self.explode], by)
        if self.position is not None:
            lineage.value([self.explode], self.position, by)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        source = inputs[0]
        own = own_prefix(source.columns)
        pattern = re.sub(r"([^A-Za-z0-9\s])", r"\\\1", self.separator)
        parts = f"POSEXPLODE_OUTER(SPLIT({quoted(self.explode)}, {quote(pattern)}, -1))"
        rows = source.data.select(*source.references(), sql(f"{parts} AS ({quoted(own)}, {quoted(f'{own}part')})"))
        new = {self.explode: reference(f"{own}part")}
        if self.position is not None:
            new[self.position] = sql(f"CAST({quoted(own)} AS BIGINT) + 1")
        exploded = replaced(Frame(rows, source.columns, source.partitioned), made, new)
        return exploded.where(reference(self.explode).isNotNull()) if self.missing == "drop" else exploded
