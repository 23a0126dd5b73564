"""`join`: rows of two nodes or inputs side by side, where the values of some columns are equal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from transforms.definition_base import Column, Name
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Columns, Shape
from transforms.nodes.sides import (
    Sides,
    checked_keys,
    joined_lineage,
    kept,
    optional,
    pairs,
    turned_round,
    with_kept,
)
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HALF = ("semi", "anti")
KINDS = {"semi": "left_semi", "anti": "left_anti"}


class Join(Node):
    """Rows of two tables side by side, one for each pair with equal keys. `inner`: only pairs. `left`: also the rows of
    `from` that meet none. `right`: also those of the joined side. `full`: both. `semi`: the rows of `from` that meet
    one, each once; `anti`: those that meet none; neither takes columns. `cross`: every pair, without `on`. A missing
    key equals nothing, not even another missing one, unless `nulls_match: true` says so. Names that both sides have
    are an error: `keep` gives them others."""

    operation: ClassVar[str] = "join"
    example: ClassVar[Example] = Example(
        {
            "sales": table("| shop: string? | sold: integer |", "| n | 5 |", "| x | 1 |", "| | 2 |"),
            "shops": table("| code: string? | name: string |", "| n | North |", "| | Nowhere |"),
        },
        "named: {join: shops, on: {shop: code}, how: left, keep: {name: shop_name}, from: sales}",
        table(
            "| shop: string? | sold: integer | shop_name: string? |", "| n | 5 | North |", "| x | 1 | |", "| | 2 | |"
        ),
    )

    join: Name = Field(description="Node or input to join.")
    on: list[Column] | dict[Column, Column] | None = Field(
        default=None,
        min_length=1,
        description="Columns that are equal on both sides, or column of `from` -> column of the joined side; not for "
        "`cross`.",
    )
    how: Literal["inner", "left", "right", "full", "semi", "anti", "cross"] = Field(description="Kind of join.")
    keep: dict[Column, Column] | None = Field(
        default=None,
        description="Columns taken from the joined side, with their new names; absent: all but those in `on`.",
    )
    nulls_match: bool | None = Field(default=None, description="`true`: missing keys are equal.")

    @model_validator(mode="after")
    def _fields_of_the_kind(self) -> Self:
        if self.how == "cross" and (self.on is not None or self.nulls_match is not None):
            raise PydanticCustomError("cross", "a cross join has no `on`")
        if self.how != "cross" and self.on is None:
            raise PydanticCustomError("no_on", "the operation 'join' needs the field 'on' (or `how: cross`)")
        if self.how in HALF and self.keep is not None:
            raise PydanticCustomError("half", "a semi or anti join takes no columns, so it has no `keep`")
        return self

    def reads(self) -> list[tuple[FieldPath, str]]:
        return [*super().reads(), (("join",), self.join)]

    def _keep(self, right: Columns) -> dict[str, str]:
        return {} if self.how in HALF else kept(self.keep, self.on, right)

    @property
    def row_by_row(self) -> bool:
        return self.how not in ("right", "full")

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        left, right = inputs
        turned_round(self.source, self.join, inputs, "join", check)
        if self.how in ("right", "full") and left.partitioned and not right.partitioned:
            raise check.refuse(
                ("how",),
                f"rows of '{self.join}' that meet none have no partition to be in; join the other way round, or follow "
                "no partitions.",
                ["inner", "left", "semi", "anti", "cross"],
            )
        checked_keys(self.on, left.columns, right.columns, self.join, check)
        found = with_kept(left.columns, self._keep(right.columns), right.columns, self.join, check)
        keys = pairs(self.on)
        for name, kind in found.items():
            if name in left.columns and self.how in ("right", "full"):
                both = name in keys and not kind.endswith("?") and not right.columns[keys[name]].endswith("?")
                found[name] = kind if both else optional(kind)
            elif name not in left.columns and self.how in ("left", "full"):
                found[name] = optional(kind)
        return left.with_columns(found)

    def depends(self, lineage: Lineage) -> None:
        on = pairs(self.on)
        said = ", ".join(mine if mine == theirs else f"{mine} = {theirs}" for mine, theirs in on.items())
        by = f"{self.how} join on {said}" if on else f"{self.how} join"
        keep = self._keep(lineage.inputs[1].columns)
        joined_lineage(lineage, on, keep, by, both=self.how in ("right", "full"))

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        left, right = inputs
        sides = Sides(left, right, pairs(self.on), self._keep(right.columns))
        condition = sides.condition(nulls=bool(self.nulls_match))
        if condition is None:
            return sides.result(left.data.crossJoin(sides.renamed_right()), both=False)
        how = "inner" if self.how == "cross" else KINDS.get(self.how, self.how)
        joined = left.data.join(sides.renamed_right(), condition, how)
        return sides.result(joined, both=self.how in ("right", "full"))
