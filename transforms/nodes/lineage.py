"""How the columns of a node's result depend on those that it reads: said by each operation, drawn by others.

`value`: made of that column. `rows`: that column decides which rows there are, or how they are grouped, ordered or
placed. The column `*` stands for a table's rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from transforms.expressions import Expression
from transforms.nodes.shape import Scope, Shape

ROWS = "*"
AS_IS = "as it is"
SAME_ROWS = "its rows"


@dataclass(frozen=True)
class Dependency:
    """`target` of the result depends on `source` of the input with this number. `plain`: it goes through as it is."""

    reads: int
    source: str
    target: str
    by: str
    kind: Literal["value", "rows"] = "value"
    plain: bool = False


@dataclass
class Lineage:
    """Gathers the dependencies of one node. `inputs`: what it reads; `made`: what it gives."""

    inputs: Sequence[Shape]
    made: Shape
    where: str
    scope: Scope
    found: list[Dependency] = field(default_factory=list)

    @property
    def source(self) -> Shape:
        """The first thing it reads."""
        return self.inputs[0]

    def same(self, names: Iterable[str], by: str = AS_IS, reads: int = 0) -> None:
        """Columns that go through under their own names."""
        self.found += [Dependency(reads, name, name, by, plain=True) for name in names]

    def through(self, names: Iterable[str], reads: int = 0) -> None:
        """Columns that go through, the carried one too, and the rows with them."""
        self.same([*names, *self.made.carried], reads=reads)
        self.rows_of(reads)

    def rows_of(self, reads: int = 0, by: str = SAME_ROWS) -> None:
        """The rows are those of an input, or made of them by a rule."""
        self.found.append(Dependency(reads, ROWS, ROWS, by, "rows", plain=by == SAME_ROWS))

    def value(self, sources: Iterable[str], target: str, by: str, reads: int = 0) -> None:
        self.found += [Dependency(reads, source, target, by) for source in sorted(set(sources))]

    def decides(self, sources: Iterable[str], by: str, target: str = ROWS, reads: int = 0) -> None:
        """Columns that decide which rows there are, or about one column."""
        self.found += [Dependency(reads, source, target, by, "rows") for source in sorted(set(sources))]

    def counts(self, target: str, by: str) -> None:
        """A value that depends on which rows there are."""
        self.found.append(Dependency(0, ROWS, target, by, "rows"))

    def keyed(self, keys: Sequence[str], by: str) -> None:
        """One row for each set of values of the keys, within the partition."""
        self.same([*keys, *self.made.carried], by)
        self.rows_of(by=by)
        self.decides([*keys, *self.source.carried], by)

    def used(self, text: str, field_name: str, **options: object) -> frozenset[str]:
        """The columns that an expression reads."""
        return self.compiled(text, field_name, **options).columns

    def compiled(self, text: str, field_name: str, **options: object) -> Expression:
        where = f"{self.where}.{field_name}"
        return self.scope.compiled(text, self.source.typed_columns(), where=where, **options)
