"""`lookup` and `stream_join`: beside each row at most one row of another table, by key and, if wanted, by time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from transforms.definition_base import Column, Name
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.matching import Matching, checked_times
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Shape
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

Direction = Literal["backward", "forward", "nearest"]
PRICES = {
    "sales": table("| item: string | at: timestamp |", "| a | 2024-01-01T10:00:00 |", "| a | 2024-01-01T08:00:00 |"),
    "prices": table(
        "| item: string | since: timestamp | price: integer |",
        "| a | 2024-01-01T09:00:00 | 5 |",
        "| a | 2024-01-01T09:30:00 | 7 |",
    ),
}


class _Matched(Node):
    """What both have: the other table, keys, times, columns taken."""

    on: list[Column] | dict[Column, Column] = Field(
        min_length=1, description="Columns that are equal on both sides, or column of `from` -> column of the other."
    )
    time: Column | None = Field(default=None, description="When the row of `from` is (timestamp, date or integer).")
    other_time: Column | None = Field(
        default=None, description="When the other row is; default: a column of that name."
    )
    direction: Direction | None = Field(
        default=None,
        description="Which row is taken: the latest not after (`backward`, the default), the first not before "
        "(`forward`), or the `nearest`, of two equally near ones the earlier.",
    )
    within: int | None = Field(
        default=None, ge=0, description="How far the two times may be apart, in seconds (of integers: in units)."
    )
    keep: dict[Column, Column] | None = Field(
        default=None, description="Columns taken from the other side, with their new names; absent: all but the keys."
    )

    @property
    def other(self) -> str:
        raise NotImplementedError

    @property
    def alone(self) -> bool:
        """Whether rows of the other side that met none are there too."""
        return False

    @model_validator(mode="after")
    def _fields_of_time(self) -> Self:
        if self.time is None:
            for field in ("other_time", "direction", "within"):
                if getattr(self, field) is not None:
                    raise PydanticCustomError("no_time", "`{field}` needs `time`", {"field": field})
        return self

    def reads(self) -> list[tuple[FieldPath, str]]:
        return [*super().reads(), ((self.operation,), self.other)]

    @property
    def row_by_row(self) -> bool:
        return not self.alone

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        left, right = inputs
        turned_round(self.source, self.other, inputs, self.operation, check)
        if self.alone and left.partitioned and not right.partitioned:
            raise check.refuse(
                (self.operation,), f"rows of '{self.other}' that meet none have no partition to be in; follow none."
            )
        checked_keys(self.on, left.columns, right.columns, self.other, check)
        if self.time is not None:
            times = (self.time, self.other_time or self.time)
            checked_times(*times, left.columns, right.columns, other=self.other, check=check)
        keep = kept(self.keep, self.on, right.columns)
        found = with_kept(left.columns, keep, right.columns, self.other, check)
        keys = pairs(self.on)
        for name, kind in found.items():
            if (
                name not in left.columns
                or (self.alone and name not in keys)
                or (self.alone and right.columns[keys[name]].endswith("?"))
            ):
                found[name] = optional(kind)
        return left.with_columns(found)

    def depends(self, lineage: Lineage) -> None:
        on = pairs(self.on)
        by = f"{self.operation} by {', '.join(on)}"
        if self.time is not None:
            by += f", {self.direction or 'backward'} from {self.time}"
        keep = kept(self.keep, self.on, lineage.inputs[1].columns)
        joined_lineage(lineage, on, keep, by, both=self.alone)
        if self.time is None:
            return
        other_time = self.other_time or self.time
        for name in keep.values():
            lineage.decides([self.time], by, name)
            lineage.decides([other_time], by, name, reads=1)
        if self.alone:
            lineage.decides([self.time], by)
            lineage.decides([other_time], by, reads=1)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        left, right = inputs
        sides = Sides(left, right, pairs(self.on), kept(self.keep, self.on, right.columns))
        matching = Matching(sides, step, self.operation, self.other)
        how = "full" if self.alone else "left"
        if self.time is None:
            return matching.by_key(how)
        times = (self.time, self.other_time or self.time)
        return matching.by_time(*times, self.direction or "backward", self.within, how)


class Lookup(_Matched):
    """Columns of the one row of another table that has the same key; with `time` of the one that is right at that time
    (as-of join). Every row of `from` is there exactly once; where nothing is found the columns are missing. Two rows
    of the other table with the same key (and the same time) end the run: neither is the right one, see `dedupe`.
    Missing keys and missing times find nothing."""

    operation: ClassVar[str] = "lookup"
    example: ClassVar[Example] = Example(
        PRICES,
        "priced: {lookup: prices, on: [item], time: at, other_time: since, keep: {price: price}, from: sales}",
        table(
            "| item: string | at: timestamp | price: integer? |",
            "| a | 2024-01-01T10:00:00 | 7 |",
            "| a | 2024-01-01T08:00:00 | |",
        ),
    )

    lookup: Name = Field(description="Node or input that is looked into.")

    @property
    def other(self) -> str:
        return self.lookup


class StreamJoin(_Matched):
    """Two tables of things that happen, brought together as a stream join would, over all rows at once. `static`: the
    other table has one row for each key, without times. `left_lookup`: the latest row of the other table that is not
    after this one, or what `direction` says. `dynamic`: the same with the `nearest` row as the default, and the rows of
    the other table that met none are there too, with the columns of `from` missing but for the keys. `within` is the
    lateness that is allowed. Every row of `from` is there exactly once; a row of the other table may be the match of
    several. Missing keys and times match nothing; two rows of the other table of one key and time end the run."""

    operation: ClassVar[str] = "stream_join"
    example: ClassVar[Example] = Example(
        PRICES,
        "together:\n  stream_join: prices\n  strategy: dynamic\n  on: [item]\n"
        "  time: at\n  other_time: since\n  within: 3600\n  from: sales",
        table(
            "| item: string | at: timestamp? | since: timestamp? | price: integer? |",
            "| a | 2024-01-01T10:00:00 | 2024-01-01T09:30:00 | 7 |",
            "| a | 2024-01-01T08:00:00 | 2024-01-01T09:00:00 | 5 |",
        ),
    )

    stream_join: Name = Field(description="Node or input that is joined.")
    strategy: Literal["dynamic", "left_lookup", "static"] = Field(description="How rows are matched.")

    @property
    def other(self) -> str:
        return self.stream_join

    @property
    def alone(self) -> bool:
        return self.strategy == "dynamic"

    @model_validator(mode="after")
    def _fields_of_the_strategy(self) -> Self:
        if self.strategy == "static" and self.time is not None:
            raise PydanticCustomError("static", "`static` has no times; `left_lookup` has")
        if self.strategy != "static" and self.time is None:
            raise PydanticCustomError("no_time", "`{strategy}` needs `time`", {"strategy": self.strategy})
        return self

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        if self.strategy == "dynamic" and self.direction is None:
            return self.model_copy(update={"direction": "nearest"}).apply(inputs, made, step)
        return super().apply(inputs, made, step)
