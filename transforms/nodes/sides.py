"""What all operations that bring two tables together share: the keys, the columns taken from the other side.

A missing value equals nothing, unless the definition says so. Where both sides are of the partitioned input, rows of
one partition meet those of the same partition only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from transforms.nodes.frame import Frame, own_prefix, reference
from transforms.nodes.lineage import Lineage
from transforms.nodes.shape import Check, Columns, Fault, Shape
from transforms.types import parse_type
from transforms.yaml_source import suggestion

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

On = list[str] | dict[str, str]


def pairs(on: On | None) -> dict[str, str]:
    """Left column -> right column."""
    if on is None:
        return {}
    return on if isinstance(on, dict) else dict(zip(on, on, strict=True))


def optional(kind: str) -> str:
    return f"{kind.removesuffix('?')}?"


def checked_keys(on: On | None, left: Columns, right: Columns, other: str, check: Check) -> None:
    """All keys are there, in equal types on both sides. Raises Fault."""
    good = True
    for index, (mine, theirs) in enumerate(pairs(on).items()):
        path = ("on", mine) if isinstance(on, dict) else ("on", index)
        if not check.exists(mine, left, *path):
            good = False
        elif theirs not in right:
            check.fault(path, f"there is no column '{theirs}' in '{other}'.{suggestion(theirs, right)}", right)
            good = False
        elif parse_type(left[mine]).kind != parse_type(right[theirs]).kind:
            same = f"column '{mine}' is" if mine == theirs else f"'{mine}' and '{theirs}' are"
            word = "and" if mine != theirs else "on one side and"
            end = " on the other" if mine == theirs else ""
            check.fault(path, f"{same} {left[mine]} {word} {right[theirs]}{end}.")
            good = False
    if not good:
        raise Fault


def kept(keep: Mapping[str, str] | None, on: On | None, right: Columns) -> dict[str, str]:
    """Right column -> its name in the result."""
    if keep is not None:
        return dict(keep)
    keys = set(pairs(on).values())
    return {name: name for name in right if name not in keys}


def with_kept(result: Columns, keep: Mapping[str, str], right: Columns, other: str, check: Check) -> Columns:
    """The columns of a side with those that are taken from the other. Raises Fault."""
    good = True
    found = dict(result)
    for column, name in keep.items():
        if column not in right:
            detail = f"there is no column '{column}' in '{other}'.{suggestion(column, right)}"
            check.fault(("keep", column), detail, right)
            good = False
            continue
        try:
            check.new(name, found, "keep", column)
        except Fault:
            good = False
        found[name] = right[column]
    if not good:
        raise Fault
    return found


def turned_round(left: str, right: str, shapes: Sequence[Shape], field: str, check: Check) -> None:
    """Only the left side's rows have a partition to go on with. Raises Fault."""
    if shapes[1].partitioned and not shapes[0].partitioned:
        raise check.refuse(
            (field,), f"'{left}' has no partitions and '{right}' has; write `from: {right}` and `{field}: {left}`."
        )


@dataclass(frozen=True)
class Sides:
    """The two sides under names that don't meet: the right side's keys and columns have names of their own."""

    left: Frame
    right: Frame
    on: Mapping[str, str]
    keep: Mapping[str, str]

    @property
    def own(self) -> str:
        return own_prefix(self.left.columns, self.right.columns, self.keep.values())

    def key(self, left: str) -> str:
        """The right side's key that equals a column of the left."""
        return f"{self.own}on{[*self.on, *self.together].index(left)}"

    def taken(self, column: str) -> str:
        return f"{self.own}keep{list(self.keep).index(column)}"

    @property
    def together(self) -> list[str]:
        """The carried column, where both sides have it."""
        return self.left.carried if self.right.partitioned else []

    def renamed_right(self, *more: "Column") -> "DataFrame":
        keys = [reference(theirs).alias(self.key(mine)) for mine, theirs in self.on.items()]
        keys += [reference(name).alias(self.key(name)) for name in self.together]
        return self.right.data.select(*keys, *(reference(name).alias(self.taken(name)) for name in self.keep), *more)

    def condition(self, *more: "Column", nulls: bool = False) -> "Column | None":
        """All keys are equal. `nulls`: so are two missing values."""
        parts = [
            reference(mine).eqNullSafe(reference(self.key(mine)))
            if nulls
            else reference(mine) == reference(self.key(mine))
            for mine in self.on
        ]
        parts += [reference(name) == reference(self.key(name)) for name in self.together]
        every = [*parts, *more]
        return reduce(lambda one, other: one & other, every) if every else None

    def result(self, joined: "DataFrame", *, both: bool) -> "DataFrame":
        """The left side's columns, then those that are kept. `both`: rows of the right side alone are there too."""
        from pyspark.sql import functions

        def own(name: str) -> "Column":
            alone = both and (name in self.on or name in self.together)
            if not alone:
                return reference(name)
            return functions.coalesce(reference(name), reference(self.key(name))).alias(name)

        return joined.select(
            *(own(name) for name in self.left.columns),
            *(reference(self.taken(column)).alias(name) for column, name in self.keep.items()),
            *(own(name) for name in self.left.carried),
        )


def joined_lineage(lineage: Lineage, on: Mapping[str, str], keep: Mapping[str, str], by: str, *, both: bool) -> None:
    """Columns of the left side go through, those that are kept come from the right, the keys of both decide."""
    left, right = lineage.inputs
    together = left.carried if right.partitioned else []
    alone = {*on, *together} if both else set()
    lineage.same(name for name in (*left.columns, *left.carried) if name not in alone)
    lineage.rows_of()
    for mine in sorted(alone):
        lineage.value([mine], mine, by)
        lineage.value([on.get(mine, mine)], mine, by, reads=1)
    lineage.rows_of(1, by)
    lineage.decides([*on, *together], by)
    lineage.decides([*on.values(), *together], by, reads=1)
    for column, name in keep.items():
        lineage.value([column], name, f"{column} by {by}", reads=1)
