"""`union`: the rows of several nodes or inputs, one below the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from transforms.definition_base import Name
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, reference
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node
from transforms.nodes.shape import Check, Columns, Fault, Shape
from transforms.sql_values import Mismatch, unify
from transforms.types import parse_type
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Union(Node):
    """The rows of `from` and of all others that are named, with their columns matched by name. Equal rows stay; see
    `dedupe`. `strict`: all have the same columns. `common`: the columns that all have stay, the others are left out.
    `pad`: every column of any of them stays, missing where one has it not. Whole numbers, decimals and doubles meet in
    the type that holds both; other types that differ are an error."""

    operation: ClassVar[str] = "union"
    example: ClassVar[Example] = Example(
        {
            "shops": table("| shop: string | sold: integer |", "| north | 3 |"),
            "kiosks": table("| sold: integer | shop: string |", "| 1 | pier |"),
            "online": table("| shop: string | sold: integer |", "| web | 9 |"),
        },
        "every: {union: [kiosks, online], mode: strict, from: shops}",
        table("| shop: string | sold: integer |", "| north | 3 |", "| pier | 1 |", "| web | 9 |"),
    )

    union: list[Name] = Field(min_length=1, description="The other nodes or inputs, any number of them.")
    mode: Literal["strict", "common", "pad"] = Field(description="What becomes of columns that not all have.")

    def reads(self) -> list[tuple[FieldPath, str]]:
        return [*super().reads(), *((("union", index), name) for index, name in enumerate(self.union))]

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        if len({one.partitioned for one in inputs}) > 1:
            raise check.refuse(
                ("union",),
                "some of them have partitions and some have not, so their rows would be in every partition; aggregate, "
                "or follow no partitions in this pipeline.",
            )
        names = list(dict.fromkeys(name for one in inputs for name in one.columns))
        common = [name for name in names if all(name in one.columns for one in inputs)]
        if self.mode == "strict":
            self._same(inputs, names, check)
        if not common:
            raise check.refuse(("union",), "no column is in all of them.")
        columns: Columns = {}
        good = True
        for name in names if self.mode == "pad" else common:
            kinds = [parse_type(one.columns[name]) for one in inputs if name in one.columns]
            try:
                kind = unify(kinds)
            except Mismatch as mismatch:
                check.fault(("union",), f"column '{name}': {mismatch}.")
                good = False
                continue
            columns[name] = kind.with_nullable(nullable=kind.nullable or len(kinds) < len(inputs)).text
        if not good:
            raise Fault
        return inputs[0].with_columns(columns)

    def _same(self, inputs: Sequence[Shape], names: Sequence[str], check: Check) -> None:
        good = True
        for (path, read), one in zip(self.reads(), inputs, strict=True):
            missing = [name for name in names if name not in one.columns]
            if missing:
                check.fault(path, f"'{read}' has no column {', '.join(map(repr, missing))}.", ["common", "pad"])
                good = False
        if not good:
            raise Fault

    def depends(self, lineage: Lineage) -> None:
        for reads, one in enumerate(lineage.inputs):
            lineage.through((name for name in lineage.made.columns if name in one.columns), reads)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        first, *others = [_padded(one, made) for one in inputs]
        for other in others:
            first = first.unionAll(other)
        return first


def _padded(source: Frame, made: Shape) -> "DataFrame":
    from pyspark.sql import functions

    values = [
        (reference(name) if name in source.columns else functions.lit(None)).cast(parse_type(kind).sql).alias(name)
        for name, kind in made.columns.items()
    ]
    return source.data.select(*values, *source.references([]))
