"""What every operation of a pipeline is: its fields, the shape of its result, its lineage, and how it is applied.

An operation is one module beside this one with one subclass of `Node`, and one line in `transforms.nodes.table`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from transforms.definition_base import Definition, Name
from transforms.nodes.example import Example
from transforms.nodes.frame import Frame, Step
from transforms.nodes.lineage import Lineage
from transforms.nodes.shape import Check, Shape
from transforms.yaml_source import FieldPath

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


class Node(Definition):
    """One operation of a pipeline, named by the field that is its own: `{filter: ..., from: ...}`."""

    operation: ClassVar[str]
    """The field that names it."""
    example: ClassVar[Example]

    source: Name = Field(alias="from", description="Node or input that this node reads.")

    @classmethod
    def subject(cls) -> str:
        return f"the operation '{cls.operation}'"

    @property
    def row_by_row(self) -> bool:
        """Whether what it makes of a row of `from` depends on no other row of it."""
        return False

    def reads(self) -> list[tuple[FieldPath, str]]:
        """The nodes and inputs that it reads, each with the field that names it; the first is `from`."""
        return [(("from",), self.source)]

    def named(self, name: str) -> Mapping[str, "Node"]:
        """What a node called `name` gives, by name; more than one for an operation with several results."""
        return {name: self}

    def texts(self) -> Iterator[tuple[FieldPath, str]]:
        """Its expressions, each with its place."""
        yield from ()

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        """The shape of its result. Raises `Fault` where something does not fit, which `check` has been told."""
        raise NotImplementedError

    def depends(self, lineage: Lineage) -> None:
        """Say which columns its columns are made of."""
        raise NotImplementedError

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":
        """Its rows, lazily: the columns of `made` in their order, then the carried one."""
        raise NotImplementedError


def replaced(source: Frame, made: Shape, new: "Mapping[str, Column]") -> "DataFrame":
    """The rows with new columns, or new values of old ones, in the order of `made`."""
    frame = Frame(source.data, made.columns, made.partitioned)
    values = [
        new[name].alias(name) if name in new else column
        for name, column in zip((*made.columns, *made.carried), frame.references(), strict=True)
    ]
    return source.data.select(*values)


def keyed_lineage(lineage: Lineage, keys: Sequence[str], aggregate: Mapping[str, str], by: str) -> None:
    """Groups by keys, with aggregates."""
    lineage.keyed(keys, by)
    for name, text in aggregate.items():
        lineage.value(lineage.used(text, f"aggregate.{name}", aggregate=True), name, text)
        lineage.counts(name, text)
