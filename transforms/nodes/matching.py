"""The one row of another table for each row: by key, or by key and time.

By time, each row first learns the time of its match (a running maximum over both tables in the order of their times,
so that nothing grows with the number of pairs), then the other table is joined on key and that time, which together
name one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.nodes.frame import Step, reference, sql
from transforms.nodes.shape import Check, Columns, Fault
from transforms.nodes.sides import Sides
from transforms.sql_values import name as quoted
from transforms.sql_values import quote
from transforms.types import parse_type
from transforms.yaml_source import suggestion

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TIMES = ("timestamp", "date", "integer")
MICROS = 1_000_000
DAY_MICROS = 86_400 * MICROS
BEFORE = "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
AFTER = "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"


def checked_times(mine: str, theirs: str, left: Columns, right: Columns, *, other: str, check: Check) -> None:
    """Both times are there, of one type that has an order. Raises Fault."""
    if not check.exists(mine, left, "time"):
        raise Fault
    if theirs not in right:
        detail = f"there is no column '{theirs}' in '{other}'.{suggestion(theirs, right)}"
        raise check.refuse(("other_time",), detail, right)
    kinds = parse_type(left[mine]).kind, parse_type(right[theirs]).kind
    if kinds[0] not in TIMES or kinds[0] != kinds[1]:
        raise check.refuse(
            ("time",), f"'{mine}' is {left[mine]} and '{theirs}' is {right[theirs]}; both are the same of these:", TIMES
        )


def instant(column: str, kind: str) -> str:
    """A time as a whole number."""
    parsed = parse_type(kind).kind
    if parsed == "timestamp":
        return f"UNIX_MICROS({quoted(column)})"
    return f"CAST(UNIX_DATE({quoted(column)}) AS BIGINT) * {DAY_MICROS}" if parsed == "date" else quoted(column)


@dataclass(frozen=True)
class Matching:
    """Two sides, about to be matched. `other`: name of the right one, for people."""

    sides: Sides
    step: Step
    operation: str
    other: str

    @property
    def own(self) -> str:
        return self.sides.own

    def by_key(self, how: str) -> "DataFrame":
        sides = self.sides
        keys = self._right_keys()
        checked = sql(self._unique(keys, "key")).alias(f"{self.own}once")
        right = sides.renamed_right(checked)
        condition = sides.condition(reference(f"{self.own}once"))
        return sides.result(sides.left.data.join(right, condition, how), both=how == "full")

    def by_time(self, mine: str, theirs: str, direction: str, within: int | None, how: str) -> "DataFrame":
        """`within`: how far the times may be apart, in seconds (of integers: in units)."""
        sides, found, there = self.sides, f"{self.own}found", f"{self.own}there"
        time = instant(theirs, sides.right.columns[theirs])
        keys = self._right_keys()
        once = self._unique([*keys, theirs], "key and time")
        right = sides.renamed_right(sql(f"CASE WHEN {once} THEN {time} END").alias(there))
        left = self._with_times(mine, theirs, direction, self._distance(mine, within), found)
        condition = sides.condition(reference(found) == reference(there))
        return sides.result(left.join(right, condition, how), both=how == "full")

    def _right_keys(self) -> list[str]:
        return [*self.sides.on.values(), *self.sides.together]

    def _unique(self, keys: Sequence[str], what: str) -> str:
        """SQL that is true, or ends the run where another row of the other side has the same keys. Keys that are
        missing match nothing, so they may be there more than once."""
        bounds = ", ".join(map(quoted, keys))
        there = " AND ".join(f"{quoted(key)} IS NOT NULL" for key in keys)
        shown = ", ', ', ".join(f"CAST({quoted(key)} AS STRING)" for key in keys)
        said = f"CONCAT({quote(f'more than one row of {self.other} for the {what} ')}, {shown})"
        raised = self.step.raised(self.operation, said, "boolean")
        return f"CASE WHEN {there} AND COUNT(*) OVER (PARTITION BY {bounds}) > 1 THEN {raised} ELSE TRUE END"

    def _distance(self, mine: str, within: int | None) -> int | None:
        if within is None or parse_type(self.sides.left.columns[mine]).kind == "integer":
            return within
        return within * MICROS

    def _with_times(self, mine: str, theirs: str, direction: str, within: int | None, found: str) -> "DataFrame":
        """The left side with the time of each row's match."""
        sides, own = self.sides, self.own
        keys = {f"{own}key{index}": pair for index, pair in enumerate(sides.on.items())}
        left, right = sides.left, sides.right
        every = [*left.columns, *left.carried]
        bounds = [*keys, *sides.together]
        first = left.data.select(
            *(reference(pair[0]).alias(name) for name, pair in keys.items()),
            *(reference(name) for name in every),
            sql(instant(mine, left.columns[mine])).alias(f"{own}at"),
            sql("CAST(NULL AS BIGINT)").alias(f"{own}theirs"),
            sql("TRUE").alias(f"{own}left"),
        )
        there = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in (*sides.on.values(), theirs))
        absent = dict.fromkeys(left.carried, "string") | left.columns
        second = right.data.where(sql(there)).select(
            *(reference(pair[1]).alias(name) for name, pair in keys.items()),
            *(
                reference(name)
                if name in sides.together
                else sql(f"CAST(NULL AS {parse_type(absent[name]).sql})").alias(name)
                for name in every
            ),
            sql(instant(theirs, right.columns[theirs])).alias(f"{own}at"),
            sql(instant(theirs, right.columns[theirs])).alias(f"{own}theirs"),
            sql("FALSE").alias(f"{own}left"),
        )
        window = f"PARTITION BY {', '.join(map(quoted, bounds))} ORDER BY {quoted(f'{own}at')} ASC"
        at, seen = quoted(f"{own}at"), quoted(f"{own}theirs")
        before, after = f"{own}before", f"{own}after"
        marked = first.unionAll(second).select(
            "*",
            sql(f"MAX({seen}) OVER ({window} {BEFORE})").alias(before),
            sql(f"MIN({seen}) OVER ({window} {AFTER})").alias(after),
        )
        chosen = {
            "backward": quoted(before),
            "forward": quoted(after),
            "nearest": f"CASE WHEN {quoted(after)} IS NULL OR {at} - {quoted(before)} <= {quoted(after)} - {at} "
            f"THEN {quoted(before)} ELSE {quoted(after)} END",
        }[direction]
        near = f"{at} IS NOT NULL" + (f" AND ABS({chosen} - {at}) <= {within}" if within is not None else "")
        picked = sql(f"CASE WHEN {near} THEN {chosen} END").alias(found)
        return marked.where(reference(f"{own}left")).select(*(reference(name) for name in every), picked)
